"""Everything that the routes file may hold: its fields, what each must look like, and the routes of the core that they make.

What can be told of one route by itself is told here; what becomes of several beside each other, tells
:mod:`worker.core.conflicts`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    ByteSize,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core.core_schema import ValidationInfo

from worker.core.examples import Example
from worker.core.filetypes import Types
from worker.core.grouping import MAX_PARTS
from worker.core.model import ItemType, Lane, OnExisting, OnOverwrite
from worker.core.routes import DEFAULT_NAME, DEFAULT_PATH, Fallback, Group, OnRemoved, Route, Sidecars
from worker.core.rules import Rule
from worker.route_values import (
    ROUTE,
    WORD,
    Bytes,
    Count,
    Duration,
    Extension,
    FieldsModel,
    Fps,
    Json,
    Layout,
    OneOrMore,
    SlugOrTable,
    Tags,
    TextOrTable,
    Variable,
    value_of,
)
from worker.setting_values import Slug, Text

OTHERWISE = "otherwise"
"""The name of the route of last resort, which the operator gives none."""

Event = Literal["Put", "Post", "Copy", "CompleteMultipartUpload"]


def _one_of(model: FieldsModel, *names: str) -> None:
    if len([name for name in names if getattr(model, name)]) != 1:
        raise ValueError(f"write one of {', '.join(names[:-1])} and {names[-1]}")


# -- which objects ----------------------------------------------------------------------------------------------------


class SizeFields(FieldsModel):
    """Bounds of an object's size; both belong to it."""

    min: Bytes = Field(ByteSize(0), description="The smallest size, in bytes or as a text such as 1KiB.")
    max: Bytes | None = Field(None, description="The largest size, in bytes or as a text such as 5GB.")


class ChoosingFields(FieldsModel):
    """Which objects a route takes. What is left out does not choose."""

    name: Text = Field(
        description="The route's name, in logs, metrics and dead letters; each has one of its own."
    )
    bucket: Text | None = Field(None, description="The bucket of the objects; without it, any bucket.")
    prefix: str = Field(
        "", description="What the keys begin with, by whole segments; without it, the whole bucket."
    )
    glob: Text | None = Field(
        None, description="A pattern of the key below the prefix, with *, ?, **, [a-z] and {jpg,png}."
    )
    regex: Text | None = Field(
        None,
        description="A regular expression (RE2) of the whole key below the prefix; its named groups are placeholders.",
    )
    exclude: OneOrMore = Field([], description="Globs of keys below the prefix that the route does not take.")
    extensions: list[Extension] = Field([], description="The extensions of the names, in any case.")
    size: SizeFields = Field(SizeFields(), description="Bounds of the object's size.")
    events: list[Event] = Field(
        [], description="The kinds of creation that S3 tells of; without it, all of them."
    )


# -- where they go, as what, what if ------------------------------------------------------------------------------------


class FramesFields(FieldsModel):
    """Where a video's frames lie in the bucket."""

    high: Text = Field(
        description="A template of what the keys of the full frames begin with; behind a *, of what they end with."
    )
    low: Text | None = Field(
        None,
        description="A template of what the keys of the small frames begin with; behind a *, of what they end with.",
    )
    quiet: Duration = Field(60, description="All frames are there when none came or changed for so long.")


class OptionsFields(FieldsModel):
    """What Darwin is asked for besides the items."""

    ignore_dicom_layout: StrictBool | None = Field(
        None, description="Keep all slices of a DICOM series in one slot, in the order that they are sent in."
    )


class TargetFields(FieldsModel):
    """Where records go, as what, and what is done if something is in the way."""

    team: Slug | None = Field(
        None, description="The slug of a team under `teams`; without it, the worker's own."
    )
    dataset: SlugOrTable = Field(description="The dataset's slug, or a template or a table that makes it.")
    storage: Text = Field(description="The slug or name of the storage integration in Darwin.")
    path: Text = Field(DEFAULT_PATH, description="A template of the folder in the dataset.")
    item_name: Text = Field(DEFAULT_NAME, description="A template of the item's name.")
    type: ItemType | None = Field(None, description="The files' type; without it, the extension tells.")
    slot: TextOrTable = Field("", description="The slot's name, or a template or a table that makes it.")
    fps: Fps | None = Field(
        None, description="The frames a second that Darwin takes of a video: a number, or native."
    )
    as_frames: StrictBool | None = Field(
        None, description="Whether a video's frames become pictures of their own."
    )
    extract_views: StrictBool = Field(False, description="Whether Darwin makes the planes of a DICOM volume.")
    tags: Tags = Field([], description="Tags of the item: a list of them, or a mapping of tags to texts.")
    layout: Layout | None = Field(None, description="How the slots are laid out; without it, Darwin chooses.")
    metadata: dict[str, Json] = Field(
        {},
        description="Metadata of the item, in any shape that JSON has; the texts right below it are templates.",
    )
    options: OptionsFields = Field(OptionsFields(), description="Options of the registration request.")
    thumbnail: Text | None = Field(
        None, description="For a read-only storage: a template of the key of the small picture."
    )
    frames: FramesFields | None = Field(
        None, description="For a read-only storage: where a video's frames lie."
    )
    width: Text | None = Field(
        None, description="For a read-only storage: a template of the width; without it, the picture tells."
    )
    height: Text | None = Field(
        None, description="For a read-only storage: a template of the height; without it, the picture tells."
    )
    sidecars_within: Duration = Field(
        86_400, description="For a read-only storage: how long the thumbnail and the frames are waited for."
    )
    on_existing: OnExisting = Field(
        OnExisting.BLOCK, description="What is done when Darwin held an item of this name before the worker."
    )
    on_overwrite: OnOverwrite = Field(
        OnOverwrite.IGNORE, description="What is done with a new version of an object that is registered."
    )
    versioned_name: Text | None = Field(
        None,
        description="A template of the name of a new version, with {version}; with `on_overwrite: register`.",
    )
    on_removed: OnRemoved = Field(
        OnRemoved.IGNORE, description="What is done with the item when its object is removed."
    )
    paused: StrictBool = Field(False, description="Whether the route's records wait.")
    head: StrictBool = Field(
        False, description="Whether S3 is asked if the object is there before it is sent."
    )

    @field_validator("frames", "width", "height", "sidecars_within")
    @classmethod
    def _beside_a_thumbnail(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("thumbnail", "?") is None:
            raise ValueError("it needs `thumbnail`, for it is of read-only storages, and those need one")
        return value

    @field_validator("versioned_name")
    @classmethod
    def _of_a_version(cls, value: object, info: ValidationInfo) -> object:
        if (
            value is not None
            and info.data.get("on_overwrite", OnOverwrite.REGISTER) is not OnOverwrite.REGISTER
        ):
            raise ValueError(
                "it needs `on_overwrite: register`; without that no version gets a name of its own"
            )
        return value

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Raises :class:`~worker.core.rules.FieldError`."""
        Rule(self.route("", {}))
        return self

    def route(self, team: str, types: Types) -> Route:
        """The route that these fields make, in *team* if they name no other."""
        dataset = value_of(self.dataset)
        slug = dataset if isinstance(dataset, str) and not set("{}") & set(dataset) else ""
        return Route(
            OTHERWISE,
            Lane(self.team or team, slug, self.storage, options=self._options()),
            path=self.path,
            type=self.type,
            types=types,
            on_existing=self.on_existing,
            dataset=None if slug else dataset,
            item_name=self.item_name,
            slot=value_of(self.slot),
            fps=self.fps,
            as_frames=self.as_frames,
            extract_views=self.extract_views,
            tags=tuple(self.tags) if isinstance(self.tags, list) else self.tags,
            layout=self.layout.model_dump() if self.layout else {},
            metadata=self.metadata,
            sidecars=self._sidecars(),
            on_overwrite=self.on_overwrite,
            versioned_name=self.versioned_name,
            on_removed=self.on_removed,
            paused=self.paused,
            head=self.head,
        )

    def _options(self) -> tuple[tuple[str, bool], ...]:
        written: Mapping[str, bool] = self.options.model_dump(exclude_none=True)
        return tuple(sorted(written.items()))

    def _sidecars(self) -> Sidecars | None:
        if self.thumbnail is None:
            return None
        sidecars = Sidecars(self.thumbnail, width=self.width, height=self.height, within=self.sidecars_within)
        if self.frames is None:
            return sidecars
        high, low, quiet = self.frames.high, self.frames.low, self.frames.quiet
        return replace(sidecars, frames_high=high, frames_low=low, frames_quiet=quiet)


# -- several objects, one item ------------------------------------------------------------------------------------------


class CompleteFields(FieldsModel):
    """What shows that all parts of a group are there: one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    slots: Annotated[list[Text], Field(min_length=1)] = Field(
        [], description="Each of these slots has its file."
    )
    count: Annotated[Count, Field(le=MAX_PARTS)] = Field(0, description="So many files are there.")
    marker: Text = Field("", description="The object of this name is there, such as _SUCCESS.")
    manifest: Text = Field(
        "", description="The object of this name tells the item, and all files that it names are there."
    )
    quiet: Duration = Field(0, description="No file came or changed for so long.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        _one_of(self, "slots", "count", "marker", "manifest", "quiet")
        return self


class GroupFields(FieldsModel):
    """Several objects make one item."""

    by: Text | None = Field(
        None,
        description="A template of what the keys of one item's parts begin with, below the prefix; without it, their folder.",
    )
    complete: CompleteFields = Field(description="What shows that all parts are there.")
    within: Duration = Field(
        86_400, description="How long a part waits for the others before it is a dead letter."
    )

    def group(self) -> Group:
        told = self.complete
        return Group(
            self.by, tuple(told.slots), told.count, told.marker, told.manifest, told.quiet, self.within
        )


# -- the file -----------------------------------------------------------------------------------------------------------


class ExampleFields(FieldsModel):
    """A key that the route takes, and what is to come of it; this is tried at each start."""

    key: Annotated[str, Field(min_length=1)] = Field(description="The object's key, whole and decoded.")
    bucket: Text | None = Field(None, description="The object's bucket; without it, the route's.")
    dataset: Text | None = Field(None, description="The slug of the dataset that is expected.")
    path: Text | None = Field(None, description="The item's path that is expected.")
    name: Text | None = Field(None, description="The item's name that is expected.")
    slot: Text | None = Field(None, description="The file's slot that is expected.")
    metadata: dict[str, str] = Field({}, description="What S3 holds as the object's metadata.")
    tags: dict[str, str] = Field({}, description="What S3 holds as the object's tags.")
    size: Annotated[Bytes, Field(ge=1)] = Field(ByteSize(1), description="The object's size.")

    def example(self, route: str) -> Example:
        return Example(
            route,
            self.key,
            self.bucket,
            self.dataset,
            self.path,
            self.name,
            self.slot,
            self.metadata,
            self.tags,
            self.size,
        )


class RouteFields(TargetFields, ChoosingFields):
    """One rule: which objects it takes, and what becomes of them. The first one that takes an object decides."""

    group: GroupFields | None = Field(None, description="Several objects make one item.")
    examples: list[ExampleFields] = Field(
        [], description="Keys that this route takes, with what is to come of them; tried at each start."
    )

    def route(self, team: str, types: Types) -> Route:
        return replace(
            super().route(team, types),
            name=self.name,
            bucket=self.bucket,
            prefix=self.prefix,
            glob=self.glob,
            regex=self.regex,
            exclude=tuple(self.exclude),
            extensions=tuple(self.extensions),
            smallest=self.size.min,
            largest=self.size.max,
            events=tuple(self.events),
            group=None if self.group is None else self.group.group(),
        )


class TeamFields(FieldsModel):
    """Where the API key of a team is: one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    api_key_file: Path | None = Field(None, description="The path of a file that holds the key.")
    api_key_variable: Variable | None = Field(
        None, description="The name of the environment variable that holds the key."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        _one_of(self, "api_key_file", "api_key_variable")
        return self


def _route_or_word(value: object) -> str:
    return ROUTE if isinstance(value, Mapping) else WORD


class RoutesFile(FieldsModel):
    """Which objects of S3 become which items of Darwin."""

    model_config = ConfigDict(title="Routes file of darwin-worker")

    routes: list[RouteFields] = Field(
        min_length=1, description="The routes in their order; the first one that takes an object decides."
    )
    otherwise: Annotated[
        Annotated[TargetFields, Tag(ROUTE)] | Annotated[Fallback, Tag(WORD)], Discriminator(_route_or_word)
    ] = Field(Fallback.DEAD_LETTER, description="What becomes of objects that no route takes.")
    types: dict[Extension, ItemType] = Field(
        {}, description="Types by extension, beside the known ones or in their place."
    )
    teams: dict[Slug, TeamFields] = Field(
        {},
        description="The API keys of further teams by the team's slug; the worker's own team needs no line.",
    )

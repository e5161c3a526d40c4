"""From what a route says and an object tells to the item as Darwin takes it (darwin-api.md sections 1.4 to 1.9).

The rules that hold here: what Darwin would refuse for its name, its path or its type is never made; slot names are
deterministic (law 8), and so are all other fields: the same object makes the same item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from worker.core import filetypes
from worker.core.filetypes import Unsupported
from worker.core.manifests import Manifest
from worker.core.model import (
    Fields,
    Item,
    ItemType,
    Kind,
    Lane,
    OnOverwrite,
    Outcome,
    Reason,
    S3Object,
    Slot,
)
from worker.core.naming import normalise_path, why_no_key, why_no_name, why_no_path, why_no_word
from worker.core.rules import VERSION, Rule
from worker.core.templates import Chooser, NoValue, Template

FLAT_SLOT = "0"
"""The slot that Darwin gives the file of a flat item, and that multi-planar views need."""

_VERSION_CHARACTERS = 12


class CannotBe(Exception):
    """No item comes of the object: *outcome* is what became of its record."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class FileDraft:
    """One file on its way into an item. *values*: what templates are told of it. *fields*: what its sidecars tell."""

    key: str
    values: Mapping[str, str]
    fields: Fields = field(default_factory=dict)


def rejected(rule: Rule, reason: Reason, why: str) -> CannotBe:
    return CannotBe(Outcome(Kind.REJECTED, reason, why, rule.route.name))


def blocked(rule: Rule, reason: Reason, why: str) -> CannotBe:
    return CannotBe(Outcome(Kind.BLOCKED, reason, why, rule.route.name))


def item_of(rule: Rule, held: S3Object, lane: Lane, file: FileDraft) -> Item:
    """The item of one object. Raises :class:`CannotBe`."""
    slot = _slot(rule, file)
    place = place_of(rule, file.values)
    fields = _item_fields(rule, file.values, [slot])
    if rule.route.slot or rule.route.extract_views:
        return _item(rule, held, lane, file.values, place, slots=(slot,), fields=fields)
    return _item(rule, held, lane, file.values, place, of_type=slot.type, fields={**slot.fields, **fields})


def item_of_parts(
    rule: Rule, stand_in: S3Object, lane: Lane, values: Mapping[str, str], files: Sequence[FileDraft]
) -> Item:
    """The item of a group: *values* are what its item-level templates are told. Raises :class:`CannotBe`."""
    slots = tuple(_slot(rule, file) for file in files)
    _check_shared(rule, slots)
    fields = _item_fields(rule, values, slots)
    return _item(
        rule, stand_in, lane, values, place_of(rule, values), slots=slots, fields=fields, grouped=True
    )


def item_of_manifest(
    rule: Rule,
    stand_in: S3Object,
    lane: Lane,
    values: Mapping[str, str],
    manifest: Manifest,
    files: Sequence[FileDraft],
) -> Item:
    """The item that a manifest tells, whose slots are these *files*, in order. What it does not say is as the route says.
    Raises :class:`CannotBe`.
    """
    slots = list[Slot]()
    for told, file in zip(manifest.slots, files, strict=True):
        as_route = _slot(rule, file, told.slot, told.type)
        slots.append(replace(as_route, fields={**as_route.fields, **told.fields}))
        _check_fields(rule, slots[-1])
    _check_shared(rule, slots)
    place = place_of(rule, values, manifest.path, manifest.name)
    fields = _item_fields(rule, values, slots, manifest.fields)
    return _item(rule, stand_in, lane, values, place, slots=tuple(slots), fields=fields, grouped=True)


def type_of(rule: Rule, key: str) -> ItemType | None:
    """The type of a file; None: Darwin finds it. Raises :class:`CannotBe` for one that no type is known for."""
    if rule.route.type is not None:
        return rule.route.type
    found = filetypes.type_of(key.rpartition("/")[2], rule.types)
    if isinstance(found, Unsupported):
        what = f"the extension {'.' + found.extension!r}" if found.extension else "no extension"
        why = f"The name has {what}, which no type is known for; the route's type or types can name one."
        raise rejected(rule, Reason.UNSUPPORTED_TYPE, why)
    return found.type


def slot_name(rule: Rule, values: Mapping[str, str]) -> str:
    """The name of the slot that a file goes to. Raises :class:`CannotBe`."""
    name = _rendered(rule, rule.slot, values) if rule.route.slot else FLAT_SLOT
    _check(rule, why_no_word("The slot's name", name))
    return name


def place_of(
    rule: Rule, values: Mapping[str, str], path: str | None = None, name: str | None = None
) -> tuple[str, str]:
    """The path and the name of the item; those that are given, a manifest gave. Raises :class:`CannotBe`."""
    path = _rendered(rule, rule.path, values) if path is None else path
    name = _rendered(rule, rule.name, values) if name is None else name
    _check(rule, why_no_path(path) or why_no_name(name))
    return normalise_path(path), name


def dataset_of(rule: Rule, values: Mapping[str, str]) -> str:
    """The slug of the dataset that an item goes to. Raises :class:`CannotBe`."""
    if rule.dataset is None:
        return rule.route.lane.dataset
    try:
        dataset = rule.dataset.render(values)
    except NoValue as error:
        raise blocked(rule, Reason.NO_DATASET, str(error)) from None
    why = why_no_word("The dataset's slug", dataset)
    if why is None and any(c.isspace() or c == "/" for c in dataset):
        why = f"The dataset's slug would be {dataset!r}, and a slug holds no space and no slash."
    _check(rule, why)
    return dataset


# -- its parts ----------------------------------------------------------------------------------------------------------


def _item(
    rule: Rule,
    held: S3Object,
    lane: Lane,
    values: Mapping[str, str],
    place: tuple[str, str],
    *,
    fields: Fields,
    of_type: ItemType | None = None,
    slots: tuple[Slot, ...] = (),
    grouped: bool = False,
) -> Item:
    route = rule.route
    path, name = place
    versioned = route.on_overwrite is OnOverwrite.REGISTER
    return Item(
        lane if rule.dataset is None else lane._replace(dataset=dataset_of(rule, values)),
        path,
        name,
        held,
        route.name,
        of_type,
        route.on_existing,
        slots,
        fields,
        grouped,
        # Metrics name a dataset only where the routes file does (law 9).
        label=route.name if isinstance(rule.dataset, Template) else "",
        on_overwrite=route.on_overwrite,
        versioned=_versioned(rule, held, values, name) if versioned else "",
    )


def _versioned(rule: Rule, held: S3Object, values: Mapping[str, str], name: str) -> str:
    """The name of a new version. The version is told by S3's id of it, which is any text, or else by its content."""
    version = (held.version or (held.etag or "")[:_VERSION_CHARACTERS]).replace("/", "_")
    if rule.versioned is None:
        ext = filetypes.extension_of(name, rule.types)
        stem = name[: -len(ext) - 1]
        versioned = f"{stem} ({version}).{ext}" if stem and ext else f"{name} ({version})"
    else:
        versioned = _rendered(rule, rule.versioned, {**values, VERSION: version})
    _check(rule, why_no_name(versioned))
    return versioned


def _slot(rule: Rule, file: FileDraft, name: str | None = None, of_type: ItemType | None = None) -> Slot:
    """The file in its slot; a *name* and a type that are given, a manifest gave."""
    why = why_no_key(file.key)
    if why is not None:
        raise rejected(rule, Reason.INVALID_KEY, why)
    if name is None:
        name = slot_name(rule, file.values)
    else:
        _check(rule, why_no_word("The slot's name", name))
    if of_type is None:
        of_type = type_of(rule, file.key)
    return Slot(name, file.key, of_type, _fields(rule, file, of_type))


def _fields(rule: Rule, file: FileDraft, of_type: ItemType | None) -> Fields:
    route = rule.route
    fields = dict[str, object]()
    if of_type is ItemType.VIDEO:
        if route.fps is not None:
            fields["fps"] = route.fps
        if route.as_frames is not None:
            fields["as_frames"] = route.as_frames
    if of_type is ItemType.DICOM and route.extract_views:
        fields["extract_views"] = "true"  # the documentation sends text, not a boolean
    if route.metadata:
        texts = {name: _rendered(rule, template, file.values) for name, template in rule.metadata.items()}
        fields["metadata"] = {**route.metadata, **texts}
    return {**fields, **file.fields}


def _item_fields(
    rule: Rule, values: Mapping[str, str], slots: Sequence[Slot], told: Fields = MappingProxyType({})
) -> Fields:
    """*told*: what a manifest says in place of the route."""
    route = rule.route
    fields = dict[str, object]()
    if rule.tags:
        tags = [_rendered(rule, template, values) for template in rule.tags]
        if isinstance(route.tags, Mapping):
            fields["tags"] = dict(zip(route.tags, tags, strict=True))
        else:
            for tag in tags:
                _check(rule, why_no_word("A tag", tag))
            fields["tags"] = tags
    if route.layout:
        fields["layout"] = dict(route.layout)
    fields |= told
    layout = fields.get("layout")
    if layout and (strange := sorted(slots_of_layout(layout) - {slot.name for slot in slots})):
        raise rejected(
            rule, Reason.INVALID_ITEM, f"The layout names slot {strange[0]!r}, which the item does not have."
        )
    return fields


def slots_of_layout(layout: object) -> set[str]:
    """The slots that a layout of any version names (darwin-api.md section 1.9)."""
    if not isinstance(layout, Mapping):
        return set()
    return _words_in(layout.get("slots") or layout.get("slots_grid") or [])


def _words_in(value: object) -> set[str]:
    if isinstance(value, list | tuple):
        return {name for each in value for name in _words_in(each)}
    return {str(value)}


def _check_fields(rule: Rule, slot: Slot) -> None:
    """What a manifest says must be right for the file's type (darwin-api.md section 1.4)."""
    if "fps" in slot.fields and slot.type is not ItemType.VIDEO:
        _check(rule, f"The manifest gives fps for {slot.key!r}, and fps is for videos.")
    if "extract_views" in slot.fields and (slot.type is not ItemType.DICOM or slot.name != FLAT_SLOT):
        why = (
            f"The manifest has views extracted of {slot.key!r}, and that is for DICOM in slot {FLAT_SLOT!r}."
        )
        _check(rule, why)


def _check_shared(rule: Rule, slots: Sequence[Slot]) -> None:
    """Only DICOM slices share a slot, and nothing does in a read-only storage."""
    first: dict[str, Slot] = {}
    for slot in slots:
        other = first.setdefault(slot.name, slot)
        if other is slot:
            continue
        if slot.type is ItemType.DICOM and other.type is ItemType.DICOM and rule.sidecars is None:
            continue
        why = f"Slot {slot.name!r} would hold {other.key!r} and {slot.key!r}, and only the slices of a DICOM series share one."
        raise blocked(rule, Reason.SLOT_TAKEN_TWICE, why)


def _rendered(rule: Rule, template: Template | Chooser, values: Mapping[str, str]) -> str:
    try:
        return template.render(values)
    except NoValue as error:
        raise blocked(rule, Reason.NO_VALUE, str(error)) from None


def _check(rule: Rule, why: str | None) -> None:
    if why is not None:
        raise rejected(rule, Reason.INVALID_ITEM, why)

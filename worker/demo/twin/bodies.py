"""The fields of a request's body, as darwin-api.md sections 1, 6.2 and 7.3 have them: an unknown one is refused."""

import unicodedata
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    StringConstraints,
)


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("has a control character")
    return text


def _relative(key: str) -> str:
    if key.startswith("/"):
        raise ValueError("must not begin with a slash")
    return key


def _one_segment(name: str) -> str:
    if "/" in name:
        raise ValueError("must not contain a slash")
    return name


def _flag(value: object) -> bool:
    if not isinstance(value, bool) and value not in ("true", "false"):
        raise ValueError('must be true, false, "true" or "false"')
    return value in (True, "true")


def _fps(value: object) -> object:
    if value == "native" or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError('must be a number from 0, or "native"')


def _tags(value: object) -> tuple[str, ...]:
    """The names of the tag classes: a list of them, or a map from them to text."""
    if not isinstance(value, list | dict) or not all(isinstance(name, str) and name for name in value):
        raise ValueError("must be a list of tag classes, or a map of them to text")
    if isinstance(value, dict) and not all(isinstance(text, str) for text in value.values()):
        raise ValueError("must map tag classes to text")
    return tuple(value)


Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_printable)]
Key = Annotated[Text, AfterValidator(_relative)]
Name = Annotated[Text, AfterValidator(_one_segment)]
Path = Annotated[str, AfterValidator(_printable)]
Flag = Annotated[bool, PlainValidator(_flag)]
Rate = Annotated[float, Field(ge=0)]
Fps = Annotated[float | Literal["native"], PlainValidator(_fps)]
Count = Annotated[int, Field(gt=0)]
Size = Annotated[int, Field(ge=0)]
Tags = Annotated[tuple[str, ...], PlainValidator(_tags)]
Metadata = dict[str, JsonValue]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Options(Strict):
    ignore_dicom_layout: bool = False


class Envelope(Strict):
    dataset_slug: Text
    storage_slug: Text
    items: Annotated[list[JsonValue], Field(min_length=1)]
    options: Options = Options()


class _Named(Strict):
    type: Literal["grid", "horizontal", "vertical", "simple"]
    slots: list[Text]


class Layout1(_Named):
    version: Literal[1]


class Layout2(_Named):
    version: Literal[2]
    layout_shape: Annotated[list[Count], Field(min_length=2, max_length=2)]


class Layout3(Strict):
    version: Literal[3]
    slots_grid: list[list[Annotated[list[Text], Field(max_length=128)]]]


Layout = Annotated[Layout1 | Layout2 | Layout3, Field(discriminator="version")]


class Item(Strict):
    """What belongs to the item in both forms; its files are read by themselves."""

    name: Name
    path: Path = "/"
    tags: Tags | None = None
    layout: Layout | None = None


class File(Strict):
    """What every file has: an item's slot, or the item itself in the flat form."""

    slot_name: Text
    file_name: Text
    storage_key: Key
    type: Literal["image", "video", "pdf", "dicom"] | None = None


class _Described(File):
    metadata: Metadata | None = None
    tags: Tags | None = None


class ReadWriteFile(_Described):
    fps: Fps | None = None
    as_frames: Flag | None = None
    extract_views: Flag | None = None


class ReadOnlyFile(File):
    storage_thumbnail_key: Key
    size_bytes: Size | None = None


class ReadOnlyImage(ReadOnlyFile, _Described):
    type: Literal["image"]
    width: Count
    height: Count


class Section(Strict):
    section_index: Count
    width: Count
    height: Count
    storage_hq_key: Key
    storage_lq_key: Key | None = None
    type: Text | None = None
    size_bytes: Size | None = None


class ReadOnlySequence(ReadOnlyFile, _Described):
    """Frames or tiles that somebody extracted before."""

    type: Literal["image", "video", "pdf"]
    sections: Annotated[list[Section], Field(min_length=1)]
    width: Count | None = None
    height: Count | None = None
    fps: Fps | None = None
    as_frames: Flag | None = None


class Playlist(Strict):
    """*index* is the text of an HLS playlist, not a key; that text begins as RFC 8216 section 4.3.1.1 says."""

    index: Annotated[str, StringConstraints(pattern="^#EXTM3U")]
    bitrate: float | None


class Playlists(Strict):
    high_quality: Playlist
    low_quality: Playlist


class ReadOnlyVideo(ReadOnlyFile):
    """A video with HLS segments and a manifest (section 7.3)."""

    type: Literal["video"] = "video"
    width: Count
    height: Count
    native_fps: Rate
    visible_frames: Count
    total_frames: Count
    hls_segments: Playlists
    storage_sections_key_prefix: Key
    storage_frames_manifest_key: Key
    storage_sections_key_extension: Text = "png"
    storage_low_quality_sections_key_prefix: Key | None = None
    storage_audio_peaks_key: Key | None = None


class Filters(Strict):
    """Which items are meant. An empty filter might mean all of them, so each has to name something."""

    item_ids: Annotated[list[Text], Field(min_length=1)]
    dataset_ids: Annotated[list[int], Field(min_length=1)]


class Archiving(Strict):
    filters: Filters

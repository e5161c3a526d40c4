"""From a request's body to items or filters, or to what is wrong with it.

Errors have the shape of Darwin's framework: ``{"items": [{}, {"storage_key": ["..."]}]}``, one entry per item,
empty for a good one, slots nested alike, deeper fields dotted. Rules across fields are here; fields are in
:mod:`~worker.demo.twin.bodies`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from worker.demo.twin import bodies
from worker.demo.twin.state import SentFile, SentItem

Errors = dict[str, object]
_Body = TypeVar("_Body", bound=bodies.Strict)

# Sections 4.1 to 4.3: what the extension says where no type is sent.
_EXTENSIONS = {
    "image": "png jpg jpeg jfif bmp webp tif tiff qtiff svs gif ndpi mrxs",
    "video": "mp4 mov avi mkv hevc wmv rvg bpm",
    "pdf": "pdf",
    "dicom": "dcm nii nii.gz",
}
_TYPE_OF = {"." + word: type_ for type_, words in _EXTENSIONS.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Rules:
    """How to read: by which endpoint, and whether an unknown field is refused or passed over."""

    readonly: bool
    refuse_unknown: bool = True


class Invalid(Exception):
    """The body is refused; *errors* is what Darwin would say of it."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(str(errors))
        self.errors = errors


def parsed(body: bytes) -> object:
    """The JSON value, or None when it is none."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except ValueError:
        return None


def read_envelope(raw: object, rules: Rules) -> bodies.Envelope:
    """The envelope, its items not yet read. Raises :class:`Invalid`."""
    return _read(bodies.Envelope, raw, rules)


def read_filters(raw: object, rules: Rules) -> bodies.Filters:
    """What the body of an archiving names. Raises :class:`Invalid`."""
    return _read(bodies.Archiving, raw, rules).filters


def read_item(raw: object, rules: Rules) -> SentItem:
    """One item in the flat or the slotted form. Raises :class:`Invalid` with the errors of this item."""
    raw = _object(raw)
    own = {key: value for key, value in raw.items() if key in bodies.Item.model_fields}
    rest = {key: value for key, value in raw.items() if key not in own}
    errors: Errors = {}
    item: bodies.Item | None = None
    try:
        item = _read(bodies.Item, own, rules)
    except Invalid as invalid:
        errors |= invalid.errors
    files: list[SentFile] = []
    try:
        files = _slots(rest, rules) if "slots" in rest else [_flat(rest, rules)]
        _check_shared(files, rules)
    except Invalid as invalid:
        errors |= invalid.errors
    if errors or item is None:
        raise Invalid(errors)
    _check_layout(item.layout, files)
    return SentItem(item.path, item.name, tuple(files), item.tags or ())


def is_processed_video(raw: object) -> bool:
    """Whether all files of the item are videos with HLS segments, which the read-only endpoint takes for every
    storage (section 7.1).
    """
    if not isinstance(raw, dict):
        return False
    slots = raw.get("slots", [raw])
    return isinstance(slots, list) and all(
        isinstance(slot, dict) and "hls_segments" in slot for slot in slots
    )


def _slots(rest: Mapping[str, object], rules: Rules) -> list[SentFile]:
    slots = rest["slots"]
    if not isinstance(slots, list) or not slots:
        raise Invalid({"slots": ["should be a list with at least one slot"]})
    errors: Errors = {}
    if rules.refuse_unknown:
        errors = {key: ["is not a field of an item with slots"] for key in rest if key != "slots"}
    files: list[SentFile] = []
    wrong: list[Errors] = []
    for slot in slots:
        try:
            files.append(_file(slot, rules))
            wrong.append({})
        except Invalid as invalid:
            wrong.append(invalid.errors)
    if any(wrong):
        errors["slots"] = wrong
    if errors:
        raise Invalid(errors)
    return files


def _flat(rest: Mapping[str, object], rules: Rules) -> SentFile:
    """The file of a flat item: slot "0", named as the last segment of its key, unless it says otherwise."""
    key = rest.get("storage_key")
    name = key.rpartition("/")[2] if isinstance(key, str) else ""
    try:
        return _file({"slot_name": "0", "file_name": name, **rest}, rules)
    except Invalid as invalid:
        # What was not sent is not at fault; the key that it came from is.
        at_fault = {
            field: texts for field, texts in invalid.errors.items() if field in rest or field != "file_name"
        }
        raise Invalid(at_fault or {"storage_key": ["must end in a file name"]}) from None


def _file(raw: object, rules: Rules) -> SentFile:
    raw = _object(raw)
    file = _read(_shape_of(raw, rules), raw, rules)
    type_ = file.type or _inferred(file.file_name)
    if type_ is None:
        raise Invalid({"type": ["can't be blank: the extension of file_name tells none"]})
    views = isinstance(file, bodies.ReadWriteFile) and bool(file.extract_views)
    _check_file(file, type_, views=views)
    frames = isinstance(file, bodies.ReadWriteFile | bodies.ReadOnlySequence) and bool(file.as_frames)
    return SentFile(file.slot_name, file.file_name, type_, file.storage_key, frames, views)


def _shape_of(raw: Mapping[str, object], rules: Rules) -> type[bodies.File]:
    if not rules.readonly:
        return bodies.ReadWriteFile
    if "hls_segments" in raw:
        return bodies.ReadOnlyVideo
    return (
        bodies.ReadOnlySequence if "sections" in raw or raw.get("type") == "video" else bodies.ReadOnlyImage
    )


def _check_file(file: bodies.File, type_: str, *, views: bool) -> None:
    fps = file.fps if isinstance(file, bodies.ReadWriteFile | bodies.ReadOnlySequence) else None
    if fps is not None and type_ == "dicom":
        raise Invalid({"fps": ["is not for dicom"]})
    if fps not in (None, 0, 1) and type_ == "image":
        raise Invalid({"fps": ["of an image is 0 or 1"]})
    if views and (type_ != "dicom" or file.slot_name != "0"):
        raise Invalid({"extract_views": ['is for dicom in slot "0"']})


def _check_shared(files: Sequence[SentFile], rules: Rules) -> None:
    """Only DICOM may share a slot, and nothing may in a read-only storage."""
    count = Counter(file.slot_name for file in files)
    if any(count[file.slot_name] > 1 and (rules.readonly or file.type != "dicom") for file in files):
        raise Invalid({"slots": ["slot_name must be unique, except for a series of dicom files"]})


def _check_layout(layout: bodies.Layout | None, files: Sequence[SentFile]) -> None:
    """A layout arranges slots of the item, and no others."""
    match layout:
        case None:
            named: list[str] = []
        case bodies.Layout3():
            named = [name for column in layout.slots_grid for cell in column for name in cell]
        case _:
            named = layout.slots
    if unknown := sorted(set(named) - {file.slot_name for file in files}):
        raise Invalid({"layout": [f"names slots that the item does not have: {', '.join(unknown)}"]})


def _inferred(file_name: str) -> str | None:
    lowered = file_name.lower()
    return next((type_ for extension, type_ in _TYPE_OF.items() if lowered.endswith(extension)), None)


def _object(raw: object) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise Invalid({"detail": ["must be an object"]})
    return raw


def _read(model: type[_Body], raw: object, rules: Rules) -> _Body:
    raw = _object(raw)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = {str(detail["loc"][0]) for detail in details if _is_unknown(detail["type"], detail["loc"])}
    if unknown and not rules.refuse_unknown:
        return _read(model, {key: value for key, value in raw.items() if key not in unknown}, rules)
    errors: dict[str, list[str]] = {}
    for detail in details:
        text = "is not expected" if detail["type"] == "extra_forbidden" else detail["msg"]
        errors.setdefault(".".join(str(part) for part in detail["loc"]), []).append(text)
    raise Invalid(dict(errors))


def _is_unknown(kind: str, place: Sequence[object]) -> bool:
    return kind == "extra_forbidden" and len(place) == 1


def _no_constant(word: str) -> object:
    """Python reads NaN and Infinity; JSON has neither (RFC 8259 section 6)."""
    raise ValueError(f"{word} is no JSON")

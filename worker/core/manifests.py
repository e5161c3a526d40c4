"""A manifest: an object in the bucket that tells of an item what no pattern can express. JSON, and as strict as the routes file:

    {"name": "scene 1", "path": "/rig", "tags": ["night"], "layout": {"version": 3, "slots_grid": [[["0"], ["1"]]]},
     "slots": [{"slot": "0", "file": "front.mp4", "fps": 5}, {"slot": "1", "file": "back/cam.mp4", "type": "video"}]}

Only *slots* must be there. A *file* is a key below the folder of the group. What is not said is as the route says.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from worker.core.model import Fields, ItemType
from worker.core.naming import why_no_word
from worker.core.strict_json import MAX_NESTING, decoder, nests_too_deep

MAX_BYTES = 1_048_576
"""A manifest is no longer."""

_MAX_SLOTS = 10_000
_SHOWN = 40
"""Characters of what is wrong that a sentence shows."""

_OF_ITEM = ("name", "path", "tags", "layout", "slots")
_OF_SLOT = ("slot", "file", "type", "fps", "as_frames", "extract_views", "metadata")


class InvalidManifest(Exception):
    """The text is one sentence that says where and why."""


@dataclass(frozen=True, slots=True)
class ManifestSlot:
    """One file. *fields* are those of the API that the manifest says."""

    slot: str
    file: str
    type: ItemType | None
    fields: Fields


@dataclass(frozen=True, slots=True)
class Manifest:
    """*name* and *path* are None where the route says them; *fields* are those of the item that the manifest says."""

    slots: tuple[ManifestSlot, ...]
    name: str | None
    path: str | None
    fields: Fields


def read_manifest(content: bytes) -> Manifest:
    """Raises :class:`InvalidManifest`, and nothing else, whatever the content is."""
    if len(content) > MAX_BYTES:
        raise InvalidManifest(f"it is longer than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
        document = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise InvalidManifest("it is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidManifest(f"it is no JSON: {error.msg} at line {error.lineno}") from None
    except ValueError:
        raise InvalidManifest("it holds a number that cannot be read") from None
    except RecursionError:
        raise _too_deep() from None
    if nests_too_deep(text, document):
        raise _too_deep()
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidManifest("it holds half a character (a lone surrogate)") from None
    fields = _object(document, "the manifest", _OF_ITEM)
    slots = fields.get("slots")
    if not isinstance(slots, list) or not 1 <= len(slots) <= _MAX_SLOTS:
        raise InvalidManifest(f"slots must be a list of 1 to {_MAX_SLOTS} slots")
    read = tuple(_slot(slot, f"slot {number}") for number, slot in enumerate(slots, 1))
    return Manifest(read, _text(fields, "name"), _text(fields, "path"), _item_fields(fields))


def _too_deep() -> InvalidManifest:
    return InvalidManifest(f"it is nested more than {MAX_NESTING} levels deep")


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """JSON itself would silently take the last one."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        [(doubled, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidManifest(f"the field {doubled[:_SHOWN]!r} stands twice in one object")
    return fields


_DECODER = decoder(_each_once)


def _slot(raw: object, where: str) -> ManifestSlot:
    fields = _object(raw, where, _OF_SLOT)
    slot, file, of_type = (_text(fields, name, where) for name in ("slot", "file", "type"))
    if not slot or not file:
        raise InvalidManifest(f"{where} needs a slot and a file")
    if of_type is not None and of_type not in list(ItemType):
        raise InvalidManifest(f"{where}: type is {of_type[:_SHOWN]!r}; it is one of {', '.join(ItemType)}")
    fps = fields.get("fps")
    if (
        fps is not None
        and fps != "native"
        and (isinstance(fps, bool) or not isinstance(fps, int | float) or fps < 0)
    ):
        raise InvalidManifest(f'{where}: fps is a number from 0 on, or "native"')
    more = {name: fields[name] for name in ("fps", "metadata") if name in fields}
    if not isinstance(more.get("metadata", {}), dict):
        raise InvalidManifest(f"{where}: metadata is an object")
    if (frames := _flag(fields, "as_frames", where)) is not None:
        more["as_frames"] = frames
    if _flag(fields, "extract_views", where):
        more["extract_views"] = "true"
    return ManifestSlot(slot, file, None if of_type is None else ItemType(of_type), more)


def _item_fields(fields: Mapping[str, object]) -> Fields:
    tags, layout = fields.get("tags"), fields.get("layout")
    found = dict[str, object]()
    if tags is not None:
        texts = (
            [*tags, *(tags.values() if isinstance(tags, dict) else ())]
            if isinstance(tags, list | dict)
            else [None]
        )
        if not all(isinstance(text, str) and why_no_word("A tag", text) is None for text in texts):
            raise InvalidManifest(
                "tags is a list of texts, or an object from text to text, none of them empty"
            )
        found["tags"] = tags
    if layout is not None:
        if not isinstance(layout, dict):
            raise InvalidManifest("layout is an object")
        found["layout"] = layout
    return found


def _object(raw: object, where: str, allowed: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        raise InvalidManifest(f"{where} must be an object")
    for name in raw:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(allowed)}"
            raise InvalidManifest(f"{where} has a field {name[:_SHOWN]!r}, which is not known; {advice}")
    return raw


def _text(fields: Mapping[str, object], name: str, where: str = "the manifest") -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise InvalidManifest(f"{where}: {name} is a text")


def _flag(fields: Mapping[str, object], name: str, where: str) -> bool | None:
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise InvalidManifest(f"{where}: {name} is true or false")

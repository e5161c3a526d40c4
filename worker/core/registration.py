"""One registration request: its body, and what Darwin's answer says of each item in it.

Facts: darwin-api.md sections 1.3 to 1.10 (the body), 2.1 and 2.2 (the answer), "Open unknowns" (what is tolerated).
Darwin echoes no storage key, so items and answer meet by normalised path and name.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from worker.core.model import Item, ItemType, Lane, Mode, Slot
from worker.core.naming import normalise_path

ENDPOINTS: Mapping[Mode, str] = MappingProxyType(
    {Mode.READ_WRITE: "register_existing", Mode.READ_ONLY: "register_existing_readonly"}
)
"""The last word of the address that registers items, by how Darwin reaches the storage (darwin-api.md section 1.1)."""

UNKNOWN = "UNKNOWN"
"""The reason of an item that Darwin blocked without saying why."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Darwin took the item."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Darwin blocked the item, or a part of it, for these *reasons*: upper case, each once, at least one."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """The answer does not name the item."""


Echo = Accepted | Blocked | Absent

_Place = tuple[str, str]


def body_of(lane: Lane, items: Sequence[Item]) -> dict[str, object]:
    """The JSON body that registers *items*, all of this *lane*."""
    body: dict[str, object] = {
        "dataset_slug": lane.dataset,
        "storage_slug": lane.storage,
        "items": [_entry(item) for item in items],
    }
    return body | {"options": dict(lane.options)} if lane.options else body


def _entry(item: Item) -> dict[str, object]:
    if item.slots:
        return {
            "path": item.path,
            "name": item.name,
            "slots": [_slot(slot) for slot in item.slots],
            **item.fields,
        }
    return {
        "path": item.path,
        "name": item.name,
        "storage_key": item.object.key,
        **_type(item.type),
        **item.fields,
    }


def _slot(slot: Slot) -> dict[str, object]:
    return {
        "slot_name": slot.name,
        "file_name": slot.key.rpartition("/")[2],
        "storage_key": slot.key,
        **_type(slot.type),
        **slot.fields,
    }


def _type(of_file: ItemType | None) -> dict[str, str]:
    return {} if of_file is None else {"type": of_file.value}


def correlate(items: Sequence[Item], payload: object) -> list[Echo] | None:
    """What the answer to a request with *items* says of each, in their order; None when it is no such answer.

    An item that is named both as taken and as blocked is blocked, and so is one with a single blocked slot: nobody
    may take for registered what is so in part.
    """
    if not isinstance(payload, dict):
        return None
    lists = payload.get("items"), payload.get("blocked_items")
    if not any(isinstance(entries, list) for entries in lists):
        return None
    places = [(normalise_path(item.path), item.name) for item in items]
    counts = Counter(name for _, name in places)
    by_name = {name: (path, name) for path, name in places if counts[name] == 1}

    taken: set[_Place] = set()
    blocked: dict[_Place, dict[str, None]] = {}
    for entries, whole_entry_blocked in zip(lists, (False, True), strict=True):
        for place, reasons in _named(entries, by_name):
            if reasons or whole_entry_blocked:
                blocked.setdefault(place, {}).update(dict.fromkeys(reasons))
            else:
                taken.add(place)
    return [_echo(place, taken, blocked) for place in places]


def _echo(place: _Place, taken: set[_Place], blocked: dict[_Place, dict[str, None]]) -> Echo:
    if place in blocked:
        return Blocked(tuple(blocked[place]) or (UNKNOWN,))
    return Accepted() if place in taken else Absent()


def _named(entries: object, by_name: dict[str, _Place]) -> Iterator[tuple[_Place, list[str]]]:
    """The entries that name an item, each with its reasons. Without a path, a name that is unique will do."""
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            continue
        path = entry.get("path")
        place = (normalise_path(path), name) if isinstance(path, str) else by_name.get(name)
        if place is not None:
            yield place, list(_reasons(entry))


def _reasons(entry: dict[str, object]) -> Iterator[str]:
    """The reason stands in the slots; one on the item itself was never seen, and would be no surprise."""
    slots = entry.get("slots")
    for holder in [*(slots if isinstance(slots, list) else []), entry]:
        reason = holder.get("reason") if isinstance(holder, dict) else None
        if reason:
            yield reason.strip().upper() if isinstance(reason, str) and reason.strip() else UNKNOWN

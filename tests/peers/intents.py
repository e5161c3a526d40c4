"""What operators want, what V7's own client sends for it, and what we do: the words of the tables in
:mod:`tests.peers.alike`, :mod:`tests.peers.different` and :mod:`tests.peers.different_read_only`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import zip_longest

from tests.peers.darwin_py import Call, Json


class Word(Enum):
    """What stands in a difference where there is no value to show."""

    NOTHING = "nothing"
    SENT = "sent"
    FLAT = "the flat form"
    SLOTS = "the form with slots"


NOTHING, SENT, FLAT, SLOTS = Word

Changes = Mapping[str, tuple[Json, Json]]
"""Differences: the place of a value in the request, what darwin-py has there, and what we have there."""


@dataclass(frozen=True)
class Intent:
    """Something wanted; darwin-py's *call* for it, and the *routes* file for it, empty where none can say it. Both sides'
    items are written by hand, from darwin-api.md sections 1, 4, 5 and 7: *theirs* are those of the one body that the call
    sends, *ours* those of the one body that comes of the events of the same objects. None: no body is sent.

    *differences*: everything that is not the same, under a sentence that says why, and what V7 documents.

    *refused*: what is said of theirs where it is not taken, by darwin-py itself or by the twin. *holding*: what objects
    hold, where that matters; those that the call does not name lie beside the others. *dead*: what becomes of the objects
    of which we make no item. *endpoint*, *our_endpoint*, *our_storage*: where they are not the usual ones.
    """

    name: str
    call: Call
    routes: str
    theirs: Json
    ours: Json
    differences: Mapping[str, Changes] = field(default_factory=dict)
    refused: str = ""
    holding: Mapping[str, bytes] = field(default_factory=dict)
    dead: Mapping[str, str] = field(default_factory=dict)
    endpoint: str = "register_existing"
    our_endpoint: str = "register_existing"
    our_storage: str = ""

    @property
    def their_request(self) -> Json:
        return None if self.theirs is None else _request(self.endpoint, self.call.storage, self.theirs)

    @property
    def our_request(self) -> Json:
        storage = self.our_storage or self.call.storage
        return None if self.ours is None else _request(self.our_endpoint, storage, self.ours)

    @property
    def keys(self) -> list[str]:
        """All objects: those that darwin-py is told of, in its order, then the others."""
        told: Json = self.call.arguments.get("storage_keys", [])
        lists = told.values() if isinstance(told, dict) else [told]
        return list(dict.fromkeys([*(key for keys in lists for key in keys), *self.holding]))


def _request(endpoint: str, storage: str, items: Json) -> Json:
    return {"endpoint": endpoint, "dataset_slug": "intake", "storage_slug": storage, "items": items}


def alike(
    name: str, call: Call, routes: str, items: Json, holding: Mapping[str, bytes] | None = None
) -> Intent:
    """An intent for which both send one and the same body."""
    return Intent(name, call, routes, items, items, holding=holding or {})


def item(path: str, name: str, storage_key: str, **more: object) -> Json:
    """An item in the flat form."""
    return {"path": path, "name": name, "storage_key": storage_key, **more}


def slotted(path: str, name: str, *slots: Json, **more: object) -> Json:
    return {"path": path, "name": name, "slots": list(slots), **more}


def slot(slot_name: str, file_name: str, storage_key: str, **more: object) -> Json:
    return {"slot_name": slot_name, "file_name": file_name, "storage_key": storage_key, **more}


def differences(theirs: Json, ours: Json) -> dict[str, tuple[Json, Json]]:
    """All that is not the same in two requests, by its place. An item that is flat in theirs and not in ours is one
    difference; its file is then compared as what it stands for: slot "0", named as its key is (darwin-api.md section 1.4).
    """
    if theirs is None or ours is None:
        return {"request": (NOTHING if theirs is None else SENT, NOTHING if ours is None else SENT)}
    return dict(_walk(theirs, ours, ""))


def _walk(theirs: Json, ours: Json, place: str) -> Iterator[tuple[str, tuple[Json, Json]]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if "storage_key" in theirs and "slots" in ours:
            yield place, (FLAT, SLOTS)
            theirs = _in_slots(theirs)
        for name in {**theirs, **ours}:
            below = f"{place}.{name}" if place else name
            yield from _walk(theirs.get(name, NOTHING), ours.get(name, NOTHING), below)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for number, (one, other) in enumerate(zip_longest(theirs, ours, fillvalue=NOTHING)):
            yield from _walk(one, other, f"{place}[{number}]")
    elif theirs != ours:
        yield place, (theirs, ours)


def _in_slots(flat: Json) -> Json:
    of_file = {name: value for name, value in flat.items() if name not in ("path", "name")}
    file_name = flat["storage_key"].rpartition("/")[2]
    return {"path": flat["path"], "name": flat["name"], "slots": [slot("0", file_name, **of_file)]}

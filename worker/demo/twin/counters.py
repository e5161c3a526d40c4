"""What the twin counted: the evidence of tests and the numbers on its page."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from worker.demo.twin.state import ALREADY_EXISTS, Decision

_LOG_LENGTH = 10_000


class Print(NamedTuple):
    """One file of a registration, told apart from any other."""

    team: str
    dataset: str
    path: str
    name: str
    slot: str
    storage_key: str


@dataclass(slots=True)
class Counters:
    """Counts since the twin started.

    *items_resent*: items of which a file came before, in an earlier request that got past key and limits, whatever
    became of that request. *items_resent_after_success*: those that an earlier answer had told to be registered.
    *collisions*: items that were ALREADY_EXISTS because another storage key holds their place.
    """

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    registrations_in_second: Counter[int] = field(default_factory=Counter)
    batch_sizes: Counter[int] = field(default_factory=Counter)
    items_received: int = 0
    items_resent: int = 0
    items_resent_after_success: int = 0
    items_registered: int = 0
    extensions: int = 0
    collisions: int = 0
    blocked: Counter[str] = field(default_factory=Counter)
    log: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=_LOG_LENGTH))
    _seen: set[Print] = field(default_factory=set)
    _told: set[Print] = field(default_factory=set)

    def arrived(self, items: Sequence[Sequence[Print]]) -> None:
        """One registration got past key and limits, with these items."""
        self.batch_sizes[len(items)] += 1
        self.items_received += len(items)
        self.items_resent += sum(not self._seen.isdisjoint(item) for item in items)
        self.items_resent_after_success += sum(not self._told.isdisjoint(item) for item in items)
        self._seen.update(file for item in items for file in item)

    def told(self, files: Iterable[Print]) -> None:
        """An answer told that these files are registered."""
        self._told.update(files)

    def decided(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            if decision.reasons:
                reason = next(iter(decision.reasons.values()))
                self.blocked[reason] += 1
                self.collisions += reason == ALREADY_EXISTS and decision.collision
            elif decision.extended:
                self.extensions += 1
            else:
                self.items_registered += 1

    def replied(self, endpoint: str, status: str, items: int | None, now: float) -> None:
        """One request was dealt with: *status* as text, ``dropped`` for none. *items* of a registration."""
        self.requests[endpoint, status] += 1
        entry: dict[str, object] = {"at": now, "endpoint": endpoint, "status": status}
        if items is not None:
            self.registrations_in_second[int(now)] += 1
            entry["items"] = items
        self.log.append(entry)

    def by_endpoint(self) -> dict[str, dict[str, int]]:
        told: dict[str, dict[str, int]] = {}
        for (endpoint, status), count in sorted(self.requests.items()):
            told.setdefault(endpoint, {})[status] = count
        return told

    def as_json(self) -> dict[str, object]:
        return {
            "requests": self.by_endpoint(),
            "registrations_in_second": {
                str(at): count for at, count in sorted(self.registrations_in_second.items())
            },
            "batch_sizes": {str(size): count for size, count in sorted(self.batch_sizes.items())},
            "items_received": self.items_received,
            "items_resent": self.items_resent,
            "items_resent_after_success": self.items_resent_after_success,
            "items_registered": self.items_registered,
            "extensions": self.extensions,
            "collisions": self.collisions,
            "blocked": dict(sorted(self.blocked.items())),
            "log": list(self.log),
        }

"""Our hold on open messages, in deadline order (law 3). Times are on one monotonic clock, given by the caller."""

import heapq
from dataclasses import dataclass

LONGEST_HOLD = 12 * 3600.0
"""SQS lets nobody hide a message longer than this from its receipt (SQS developer guide, visibility timeout)."""

END_OF_HOLD = 60.0
"""A hold ends this long before SQS would end it, so that giving back still works."""

SPARE = 8
"""Dropped leases that may stay in their order, beside as many as there are held ones."""


@dataclass(slots=True)
class _Lease:
    received: float
    deadline: float
    extending: bool = False


class Leases:
    """The leases of one process: all of the same length, extended from half of it on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._leases: dict[int, _Lease] = {}
        self._order: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._leases)

    def hold(self, number: int, since: float) -> None:
        """A message was received by a request that left at *since*: the lease began no earlier."""
        self._leases[number] = _Lease(since, since + self._seconds)
        heapq.heappush(self._order, (since + self._seconds, number))

    def drop(self, number: int) -> None:
        self._leases.pop(number, None)
        if len(self._order) > 2 * len(self._leases) + SPARE:
            # In its turn, what was dropped would stay for half a lease: at a thousand messages a second, tens of thousands.
            self._order = [
                (deadline, held) for deadline, held in self._order if self._is_next(deadline, held)
            ]
            heapq.heapify(self._order)

    def due(self, now: float, limit: int) -> list[int]:
        """At most *limit* leases past their half, in deadline order; each must be answered for with :meth:`extended`
        or :meth:`not_extended` before it is due again. A lease that lasts to the end of its hold is due no more.
        """
        found: list[int] = []
        while self._order and len(found) < limit and self._order[0][0] - self._seconds / 2 <= now:
            deadline, number = heapq.heappop(self._order)
            if self._is_next(deadline, number):
                self._leases[number].extending = True
                found.append(number)
        return found

    def _is_next(self, deadline: float, number: int) -> bool:
        """Whether the lease still ends then, and is to be extended before."""
        lease = self._leases.get(number)
        return lease is not None and lease.deadline == deadline and not lease.extending

    def extension(self, numbers: list[int], now: float) -> int:
        """The seconds to ask for: the length of a lease, cut so that no hold outlasts SQS's longest."""
        oldest = min((self._leases[n].received for n in numbers if n in self._leases), default=now)
        return max(1, int(min(self._seconds, oldest + LONGEST_HOLD - now)))

    def extended(self, number: int, since: float, seconds: float) -> None:
        """SQS agreed to a request that left at *since*."""
        self._set(number, since + seconds)

    def not_extended(self, number: int) -> None:
        """The request failed without a verdict: due again at once, until the deadline passes."""
        if number in self._leases:
            self._set(number, self._leases[number].deadline)

    def _set(self, number: int, deadline: float) -> None:
        lease = self._leases.get(number)
        if lease is not None:
            lease.deadline, lease.extending = deadline, False
            if deadline <= lease.received + LONGEST_HOLD - END_OF_HOLD:
                heapq.heappush(self._order, (deadline, number))

    def outlasts(self, number: int, until: float) -> bool:
        """Whether the message is ours until then, even if nothing is extended any more."""
        lease = self._leases.get(number)
        return lease is not None and lease.deadline > until

    def lost(self, now: float) -> list[int]:
        """The leases whose time ran out: somebody else may hold the message by now."""
        return [number for number, lease in self._leases.items() if lease.deadline <= now]

    def held_too_long(self, now: float) -> list[int]:
        """The messages whose hold must end: a minute before SQS ends it."""
        end = now - LONGEST_HOLD + END_OF_HOLD
        return [number for number, lease in self._leases.items() if lease.received <= end]

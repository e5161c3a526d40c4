"""One lane's backlog: what waits to be sent, what waits for its time, what is on trial, and whether the lane is paused."""

import heapq
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from operator import attrgetter
from typing import TYPE_CHECKING

from worker.core.claims import Entry
from worker.core.model import Identity, Item, Lane, Reason, RecordId

if TYPE_CHECKING:
    from worker.core.trial import Piece, Trial

FIRST_WINDOW = 2
"""Requests that a lane may have under way until one passes: a lane that is refused wholly is found out by as few as if
answers came at once.
"""

GROWTH = 4
"""A request that passes allows this many times the requests that were under way with it. Quick answers never feel the
window, answers of twenty seconds fill a quota of a hundred a minute after two of them, and a sudden outage meets few
times what the lane lately needed.
"""

YIELDS_FOR = 600.0
"""Seconds that a backfilled item gives way to live ones. A backfill keeps no more than five minutes of the quota in the
queue: what has waited twice as long waits for live items alone, and its message is under lease and takes a place of the
open records meanwhile.
"""


@dataclass(slots=True, eq=False)
class OpenItem:
    """An item on its way, and the record that waits for it.

    *since*: as the ledger said with the claim. *lapsed*: the claim that somebody left behind, another process or an
    earlier delivery of ours; its request may have been sent. *claimed*: we hold the claim, or hold it unless it lapsed,
    which it does at *claim_ends* on the loop's clock. *unclear*: a request of this claim had no clear answer, so Darwin
    may hold the item through us. *tries*: answers that named this item and asked for another try. *failures_alone*:
    requests with nothing but this item that had no clear answer. *refusal*: what Darwin said when it last refused a
    request with this item. *yields_until*: a backfilled item gives way to live ones until then, on the loop's clock; 0
    for a live one.
    """

    item: Item
    record: RecordId
    again: bool = False
    supersedes: float | None = None
    since: float = 0.0
    lapsed: Entry | None = None
    claimed: bool = False
    claim_ends: float = 0.0
    unclear: bool = False
    tries: int = 0
    failures_alone: int = 0
    refusal: str = ""
    yields_until: float = 0.0
    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.identity = self.item.identity


class Fitness(Enum):
    """Whether an item may go in a request that leaves now (law 3)."""

    SEND = auto()
    HOLD = auto()
    GONE = auto()


class PauseKind(Enum):
    """Why a lane is paused.

    MISSING: Darwin said 404. REFUSED: every witness of a trial was refused. FAILING: every witness failed without a
    clear answer, while Darwin itself answers.
    """

    MISSING = auto()
    REFUSED = auto()
    FAILING = auto()


@dataclass(slots=True)
class Pause:
    """A lane stands still since *since*; one item may probe it at *probe_at*, which is infinite while one does.

    *confirmed* is set once Darwin's lists show what is missing: such a lane is not probed, and after the grace its
    records are dead letters for that reason.
    """

    kind: PauseKind
    since: float
    why: str
    probe_at: float
    confirmed: Reason | None = None


class TeamPauseKind(Enum):
    """Why nothing of a team is sent: Darwin is down, the key is refused, or the plan is full."""

    DOWN = auto()
    KEY_REFUSED = auto()
    PLAN_FULL = auto()


@dataclass(slots=True)
class TeamPause:
    """Nothing of the team is sent since *since*; *probe_at* as in :class:`Pause`."""

    kind: TeamPauseKind
    since: float
    why: str
    probe_at: float


@dataclass(slots=True, eq=False)
class Batch:
    """The items of one lane that go in one request. *piece* when the request belongs to the lane's trial."""

    lane: Lane
    items: list[OpenItem]
    piece: "Piece | None" = None
    probe: bool = False


_GIVES_WAY = attrgetter("yields_until")


@dataclass(slots=True)
class LaneBacklog:
    """The state of one lane. *held* counts every item between its arrival and its outcome, those under way too.

    *ready*: what may go next, in this order. *yielding*: backfilled items that go after those, the one that has waited
    longest first; when it has waited long enough it is as good as live, and so is whatever was sent once.

    *lone_answers*: what the last items got that ended alone though nothing of the lane had passed; none since it
    passed.

    *under_way*: the batches without an answer. *window*: while there are as many, no ordinary batch leaves; trials and
    probes have their own bounds.
    """

    lane: Lane
    size: int
    ready: deque[OpenItem] = field(default_factory=deque)
    yielding: deque[OpenItem] = field(default_factory=deque)
    trial: "Trial | None" = None
    pause: Pause | None = None
    held: int = 0
    served_at: float = float("-inf")
    under_way: set[Batch] = field(default_factory=set)
    window: int = FIRST_WINDOW
    failures: int = 0
    lone_answers: deque[str] = field(default_factory=lambda: deque(maxlen=2))
    _later: list[tuple[float, int, OpenItem]] = field(default_factory=list)
    _sequence: int = 0

    @property
    def lacks_probe(self) -> bool:
        """Whether an item that is not there yet may tell that the lane's pause is over: those that failed or were
        refused may all be guilty.
        """
        if self.pause is None or self.pause.confirmed is not None:
            return False
        return self.pause.kind is not PauseKind.MISSING or not self.held

    @property
    def waiting(self) -> int:
        """Items that could go in a request now."""
        return len(self.ready) + len(self.yielding)

    @property
    def window_full(self) -> bool:
        return len(self.under_way) >= self.window

    def leaves(self, batch: Batch, now: float) -> None:
        """The batch is under way from now on, until it passes, sets the lane back, or nothing is said about it."""
        self.served_at = now
        self.under_way.add(batch)

    def passed(self, batch: Batch) -> None:
        """Darwin took the request: the window grows, or shrinks, to what the lane makes use of."""
        self.window = max(FIRST_WINDOW, GROWTH * len(self.under_way))
        self.under_way.discard(batch)

    def set_back(self, batch: Batch) -> None:
        """The request was refused, or failed: the lane begins anew."""
        self.window = FIRST_WINDOW
        self.under_way.discard(batch)

    def add(self, item: OpenItem) -> None:
        """An item that arrives."""
        self.held += 1
        if item.yields_until:
            insort(self.yielding, item, key=_GIVES_WAY)
        else:
            self.ready.append(item)

    def give_way(self) -> OpenItem | None:
        """The backfilled item that came last leaves the lane, to make room for a live one; None where none gives way."""
        if not self.yielding:
            return None
        self.held -= 1
        return self.yielding.pop()

    def add_later(self, item: OpenItem, at: float) -> None:
        self._sequence += 1
        heapq.heappush(self._later, (at, self._sequence, item))

    def ripen(self, now: float) -> None:
        """What waited for its time joins the backlog, and what gave way for long enough gives way no more."""
        while self._later and self._later[0][0] <= now:
            self.ready.append(heapq.heappop(self._later)[2])
        while self.yielding and self.yielding[0].yields_until <= now:
            self.ready.append(self.yielding.popleft())

    def next_later(self) -> float | None:
        return self._later[0][0] if self._later else None

    def take(
        self, limit: int, fitness: Callable[[OpenItem], Fitness], *, newest: bool = False
    ) -> tuple[list[OpenItem], list[OpenItem]]:
        """At most *limit* fit items in order of arrival, and the ones met that are gone. The rest stays as it was. The
        live ones go first; the *newest* is one that yields, if there is one.
        """
        taken: list[OpenItem] = []
        gone: list[OpenItem] = []
        for queue in (self.yielding, self.ready) if newest else (self.ready, self.yielding):
            kept: list[OpenItem] = []
            pop = queue.pop if newest else queue.popleft
            while queue and len(taken) < limit:
                item = pop()
                match fitness(item):
                    case Fitness.SEND:
                        taken.append(item)
                    case Fitness.HOLD:
                        kept.append(item)
                    case Fitness.GONE:
                        gone.append(item)
            if newest:
                queue.extend(reversed(kept))
            else:
                queue.extendleft(reversed(kept))
        return taken, gone

    def witnesses(self) -> list[OpenItem]:
        """Who goes next for a trial that has nothing left to send: the newest item alone, or an ordinary batch when
        something of the trial passed before, for then it costs no token more.
        """
        if self.trial is None or not self.trial.passed:
            return [self._last()]
        return [(self.ready or self.yielding).popleft() for _ in range(min(self.size, self.waiting))]

    def _last(self) -> OpenItem:
        """What came last; of what yields, if anything does."""
        return (self.yielding or self.ready).pop()

    def give_back(self, items: Sequence[OpenItem]) -> None:
        """Items that were sent or on trial are first in the backlog again, and start anew."""
        for item in items:
            item.failures_alone = 0
        self.ready.extendleft(reversed(items))

    def end_trial(self) -> None:
        """What is on trial goes back to the backlog. What is under way will find no trial, or another one."""
        if self.trial is not None:
            self.give_back(self.trial.end())
            self.trial = None
        self.failures = 0

    def shed(self, count: int) -> list[OpenItem]:
        """At most *count* of the items that wait, what came last first; none on trial or under way."""
        shed = [self._last() for _ in range(min(count, self.waiting))]
        while self._later and len(shed) < count:
            shed.append(heapq.heappop(self._later)[2])
        return shed

    def drain(self) -> list[OpenItem]:
        """Every item that waits, in the backlog, for its time or on trial; none under way."""
        self.end_trial()
        waiting = [*self.ready, *self.yielding, *(item for _, _, item in sorted(self._later))]
        self.ready.clear()
        self.yielding.clear()
        self._later.clear()
        return waiting

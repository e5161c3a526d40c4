"""A team's lanes against a Darwin that is known to the item, on a clock of its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.core.backlog import Batch, Fitness, OpenItem, PauseKind, TeamPauseKind
from worker.core.lanes import Ended, TeamLanes
from worker.core.model import Item, Kind, Lane, Outcome, Reason, RecordId, S3Object

ONE, TWO = Lane("acme", "one", "prod"), Lane("acme", "two", "prod")
TOKEN = 0.6
"""Seconds between two tokens, at a hundred a minute."""

HOUR = 3600.0
INFINITY = float("inf")


def fit(_: OpenItem) -> Fitness:
    return Fitness.SEND


@dataclass
class Darwin:
    """What Darwin does with a request, by the items in it, and all that was sent to it."""

    refuses: Callable[[Lane, int], bool] = lambda _lane, _number: False
    fails: Callable[[Lane, int], bool] = lambda _lane, _number: False
    too_large: Callable[[Lane, int], bool] = lambda _lane, _number: False
    largest: int = 100
    full_until: float = 0.0
    requests: list[tuple[float, Batch]] = field(default_factory=list)

    def sent_to(self, lane: Lane) -> list[tuple[float, list[int]]]:
        return [(at, numbers(batch.items)) for at, batch in self.requests if batch.lane == lane]


class Simulation:
    """A token every 0.6 s, and an answer *latency* seconds after each request."""

    def __init__(self, darwin: Darwin, *lanes: Lane, batch_size: int = 100, latency: float = 0.0) -> None:
        self.now = 0.0
        self.darwin = darwin
        self.team = TeamLanes(lanes or (ONE,), batch_size)
        self.outcomes: dict[int, Reason] = {}
        self.last = 0
        self._latency = latency
        self._token_at = 0.0
        self._under_way: deque[tuple[float, Batch]] = deque()

    def add(self, lane: Lane, count: int) -> list[int]:
        added = range(self.last, self.last + count)
        for number in added:
            name = f"{number}.jpg"
            item = Item(lane, "/", name, S3Object("media", name), "all")
            self.team.add(OpenItem(item, RecordId(number, 0)))
        self.last += count
        return [*added]

    def run(self, until: float = HOUR, *, while_: Callable[[], bool] = lambda: True) -> None:
        """Until nothing is held, or that time."""
        while self.team.held and while_():
            at = self.team.next_at(self.now)
            cut_at = INFINITY if at is None else max(at, self._token_at)
            answer_at = self._under_way[0][0] if self._under_way else INFINITY
            assert min(cut_at, answer_at) < INFINITY, "items wait for ever"
            if min(cut_at, answer_at) > until:
                self.now = until
                return
            self.now = max(self.now, min(cut_at, answer_at))
            if answer_at <= cut_at:
                self.answer(self._under_way.popleft()[1])
                continue
            batch = self.team.cut(self.now, fit).batch
            assert batch is not None, "next_at says now, and nothing is cut"
            self._token_at = self.now + TOKEN
            self._under_way.append((self.now + self._latency, batch))
            self.darwin.requests.append((self.now, batch))

    def answer(self, batch: Batch) -> None:
        items, sent = list(batch.items), numbers(batch.items)
        if len(items) > self.darwin.largest or any(self.darwin.too_large(batch.lane, n) for n in sent):
            self.team.too_large(batch)
            self.end(self.team.refused(batch, items, "413", self.now))
        elif any(self.darwin.fails(batch.lane, number) for number in sent):
            self.end(self.team.failed(batch, items, self.now, self.now + 2))
        elif any(self.darwin.refuses(batch.lane, number) for number in sent):
            self.end(self.team.refused(batch, items, "422", self.now))
        elif self.now < self.darwin.full_until:
            self.team.unsaid(batch, items, self.now)
            self.team.pause_team(TeamPauseKind.PLAN_FULL, "full", self.now)
        else:
            self.end(self.team.passed(batch, self.now))
            self.end([(item, Outcome(Kind.REGISTERED, Reason.ACCEPTED)) for item in items])

    def end(self, ended: list[Ended]) -> None:
        for item, outcome in ended:
            assert item.record.message not in self.outcomes
            self.outcomes[item.record.message] = outcome.reason
            self.team.forget(item)

    def ended(self, reason: Reason) -> list[int]:
        return sorted(number for number, why in self.outcomes.items() if why is reason)

    def pause(self, lane: Lane = ONE) -> PauseKind | None:
        pause = self.team.lanes[lane].pause
        return pause.kind if pause is not None else None


def numbers(items: list[OpenItem]) -> list[int]:
    return [item.record.message for item in items]

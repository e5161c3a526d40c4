"""The lanes of one team: which lane a token serves, and what an answer does to its lane.

The lane served longest ago goes first, and no lane stops another; those that hold nothing but backfilled items go last,
while these give way. Trials and probes are bounded: while other items wait, a trial gets at most every fourth token, and
what is paused is probed by one item a minute, each time another. While a lane or its team is paused there is no trial
in it: what comes back goes to the backlog.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from worker.core.backlog import (
    Batch,
    Fitness,
    LaneBacklog,
    OpenItem,
    Pause,
    PauseKind,
    TeamPause,
    TeamPauseKind,
)
from worker.core.model import Kind, Lane, Outcome, Reason
from worker.core.trial import UNCLEAR, Findings, Trial

PROBE_EVERY = 60.0
GRACE = 15 * 60.0
FAILURES_IN_A_ROW = 3
FAILING_FOR = 10.0
HOLD = 1.0
KEPT_IDLE = 100
"""Lanes without items that are kept although nothing but their items told of them."""


Ended = tuple[OpenItem, Outcome]
"""An item, and what became of its record."""


@dataclass(slots=True)
class Cut:
    """What a token was cut for. *gone*: items met in the backlog whose message is no longer ours."""

    batch: Batch | None = None
    gone: list[OpenItem] = field(default_factory=list)


class TeamLanes:
    """The backlogs of one team. Every time is *now* on the caller's monotonic clock.

    *lanes* are there from the beginning to the end; with *more_may_come*, where the dataset depends on the object, others
    come with their first item and go when they are idle.
    """

    def __init__(self, lanes: Iterable[Lane], batch_size: int, *, more_may_come: bool = False) -> None:
        self.batch_size = batch_size
        self.lanes = {lane: LaneBacklog(lane, batch_size) for lane in lanes}
        self._declared = frozenset(self.lanes)
        self._more_may_come = more_may_come
        self.pause: TeamPause | None = None
        self._failures = 0
        self._failing_since = 0.0
        self._passed_at = float("-inf")
        self._trial_share = 1.0

    # What waits

    @property
    def held(self) -> int:
        return sum(lane.held for lane in self.lanes.values())

    @property
    def waiting(self) -> int:
        """Items that could go in a request now, were there a token."""
        return sum(lane.waiting for lane in self.lanes.values())

    def held_by(self, lane: Lane) -> int:
        backlog = self.lanes.get(lane)
        return 0 if backlog is None else backlog.held

    def paused(self, lane: Lane) -> bool:
        return self.pause is not None or (lane in self.lanes and self.lanes[lane].pause is not None)

    @property
    def every_lane_paused(self) -> bool:
        """Each by itself, whatever the team is; a lane that is still to come is not paused."""
        return not self._more_may_come and all(lane.pause is not None for lane in self.lanes.values())

    def forget_idle(self) -> list[Lane]:
        """Let go of lanes that hold nothing and came with an item: at once where they are paused, for then nobody asks any
        more whether they still are, and else when they are too many.
        """
        others = [(lane, backlog) for lane, backlog in self.lanes.items() if lane not in self._declared]
        idle = [lane for lane, backlog in others if not backlog.held and not backlog.under_way]
        gone = [lane for lane in idle if len(idle) > KEPT_IDLE or self.lanes[lane].pause is not None]
        for lane in gone:
            del self.lanes[lane]
        return gone

    @property
    def lacks_probe(self) -> bool:
        """Whether an item that is not there yet may tell that a pause is over."""
        if self.pause is not None:
            return self.pause.kind is TeamPauseKind.PLAN_FULL
        return any(lane.lacks_probe for lane in self.lanes.values())

    @property
    def probes_team(self) -> bool:
        """Whether somebody asks again and again if the team's pause is over; a full plan takes an item to ask with."""
        return self.pause is not None and (self.pause.kind is not TeamPauseKind.PLAN_FULL or self.held > 0)

    def add(self, item: OpenItem) -> None:
        lane = item.item.lane
        if lane not in self.lanes:
            self.lanes[lane] = LaneBacklog(lane, self.batch_size)
        self.lanes[lane].add(item)

    def retry_later(self, item: OpenItem, at: float) -> None:
        """An item that was under way waits until *at*."""
        self.lanes[item.item.lane].add_later(item, at)

    def forget(self, item: OpenItem) -> None:
        """The item has its outcome, or its message is no longer ours."""
        self.lanes[item.item.lane].held -= 1

    def next_at(self, now: float) -> float | None:
        """When something can be cut: *now* or before means at once; None when nothing waits for a time."""
        times: list[float] = []
        for lane in self.lanes.values():
            lane.ripen(now)
            times += self._times(lane, now)
        return min(times, default=None)

    def _times(self, lane: LaneBacklog, now: float) -> list[float]:
        waits = now if lane.waiting else lane.next_later()
        if self.pause is not None or lane.pause is not None:
            probe_at = self._probe_at(lane)
            return [] if waits is None or probe_at is None else [max(waits, probe_at)]
        times = [] if waits is None or self._must_wait(lane) else [waits]
        if lane.trial is not None and (trial_at := lane.trial.next_at()) is not None:
            times.append(trial_at)
        return times

    def _probe_at(self, lane: LaneBacklog) -> float | None:
        """When an item of the lane may probe the team's pause, or else its own; None when no item does."""
        if lane.pause is not None and lane.pause.confirmed is not None:
            return None
        if self.pause is not None:
            return self.pause.probe_at if self.pause.kind is TeamPauseKind.PLAN_FULL else None
        return lane.pause.probe_at if lane.pause is not None else None

    @staticmethod
    def _must_wait(lane: LaneBacklog) -> bool:
        if lane.window_full:
            return True
        return lane.trial is not None and (lane.trial.waits() or lane.failures >= FAILURES_IN_A_ROW)

    # One token, one batch

    def cut(self, now: float, fitness: Callable[[OpenItem], Fitness]) -> Cut:
        """The batch that a token in hand is for."""
        for lane in self.lanes.values():
            lane.ripen(now)
        if self.pause is not None:
            return self._cut_team_probe(now, fitness)
        cut = Cut()
        order = sorted(self.lanes.values(), key=lambda lane: lane.served_at)
        if self._trial_share >= 1 and self._cut_trial(order, now, fitness, cut):
            self._trial_share -= 1
            return cut
        for lane in sorted(order, key=lambda lane: not lane.ready):
            if self._cut_ordinary(lane, now, fitness, cut):
                self._trial_share = min(1.0, self._trial_share + 1 / 3)
                return cut
        self._cut_trial(order, now, fitness, cut)
        return cut

    def _cut_team_probe(self, now: float, fitness: Callable[[OpenItem], Fitness]) -> Cut:
        """A paused lane probes for its team only when no other lane has an item for it."""
        cut = Cut()
        for lane in sorted(self.lanes.values(), key=lambda lane: (lane.pause is not None, lane.served_at)):
            probe_at = self._probe_at(lane)
            if probe_at is not None and probe_at <= now and self._cut_probe(lane, now, fitness, cut):
                if self.pause is not None:
                    self.pause.probe_at = float("inf")
                return cut
        return cut

    @staticmethod
    def _cut_probe(lane: LaneBacklog, now: float, fitness: Callable[[OpenItem], Fitness], cut: Cut) -> bool:
        """One item alone. It is taken from the end and comes back to the head: the next probe is another item, so
        that no guilty one stands for the lane for ever.
        """
        taken, gone = lane.take(1, fitness, newest=True)
        cut.gone += gone
        if taken:
            cut.batch = Batch(lane.lane, taken, probe=True)
            lane.leaves(cut.batch, now)
        return cut.batch is not None

    def _cut_ordinary(
        self, lane: LaneBacklog, now: float, fitness: Callable[[OpenItem], Fitness], cut: Cut
    ) -> bool:
        if lane.pause is not None:
            if lane.pause.confirmed is not None or now < lane.pause.probe_at:
                return False
            if self._cut_probe(lane, now, fitness, cut):
                lane.pause.probe_at = float("inf")
            return cut.batch is not None
        if self._must_wait(lane):
            return False
        taken, gone = lane.take(lane.size, fitness)
        cut.gone += gone
        if taken:
            cut.batch = Batch(lane.lane, taken)
            lane.leaves(cut.batch, now)
        return cut.batch is not None

    @staticmethod
    def _cut_trial(
        order: list[LaneBacklog], now: float, fitness: Callable[[OpenItem], Fitness], cut: Cut
    ) -> bool:
        for lane in order:
            trial = lane.trial
            if trial is None or lane.pause is not None or (piece := trial.next(now)) is None:
                continue
            fit = [(item, fitness(item)) for item in piece.items]
            cut.gone += [item for item, how in fit if how is Fitness.GONE]
            piece.items = [item for item, how in fit if how is not Fitness.GONE]
            if piece.items and all(how is Fitness.SEND for item, how in fit if how is not Fitness.GONE):
                cut.batch = Batch(lane.lane, piece.items, piece=piece)
                lane.leaves(cut.batch, now)
                return True
            trial.put_back(piece, piece.items, now + HOLD)
            if trial.halted:
                lane.end_trial()
        return False

    # What an answer does. *items*: those of the batch that were sent and have no outcome yet

    def passed(self, batch: Batch, now: float) -> list[Ended]:
        """Darwin took the request, whatever it said of the single items. Nothing is paused any more."""
        lane = self.lanes[batch.lane]
        lane.passed(batch)
        self._failures, self._passed_at, lane.failures = 0, now, 0
        self.pause = lane.pause = None
        if len(batch.items) >= lane.size:
            lane.size = min(self.batch_size, max(lane.size + 1, lane.size + lane.size // 8))
        lane.lone_answers.clear()
        return self._judged(lane, lane.trial.lane_passed(batch.piece), now) if lane.trial is not None else []

    def refused(self, batch: Batch, items: list[OpenItem], signature: str, now: float) -> list[Ended]:
        """Darwin would not take the request as it was: 400, 413, 414, 422."""
        lane = self.lanes[batch.lane]
        lane.set_back(batch)
        self._failures = lane.failures = 0
        if batch.probe and lane.pause is not None and lane.pause.kind is not PauseKind.REFUSED:
            lane.pause = None  # what is refused was found, and did not fail
        if self.pause is not None or lane.pause is not None:
            lane.give_back(items)
            words = next((item.refusal for item in items), signature)
            return self._still_paused(lane, words, now) if batch.probe else []
        return self._judged(lane, self._trial(lane).refused(batch.piece, items, signature), now)

    def too_large(self, batch: Batch) -> None:
        """413 or 414: the lane's next requests are half as large; they grow again as they pass. A piece on trial says
        nothing of the others: it may be one item that is too large.
        """
        if batch.piece is None:
            lane = self.lanes[batch.lane]
            lane.size = max(1, min(lane.size, len(batch.items) // 2))

    def failed(self, batch: Batch, items: list[OpenItem], now: float, not_before: float) -> list[Ended]:
        """No clear answer: the items are tried again, not before *not_before*."""
        lane = self.lanes[batch.lane]
        lane.set_back(batch)
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        lane.failures += 1
        if self.pause is not None or lane.pause is not None:
            lane.give_back(items)
            if batch.probe:
                self._probe_again(lane, now)
            return []
        return self._judged(lane, self._trial(lane).failed(batch.piece, items, not_before), now)

    def unsaid(self, batch: Batch, items: list[OpenItem], now: float) -> None:
        """The answer says nothing about these items: they go next, as if the request had not been sent."""
        lane = self.lanes[batch.lane]
        lane.under_way.discard(batch)
        if lane.trial is not None and lane.trial.put_back(batch.piece, items):
            if lane.trial.halted:
                lane.end_trial()
            return
        lane.ready.extendleft(reversed(items))
        if batch.probe:
            self._probe_again(lane, now)

    @staticmethod
    def _trial(lane: LaneBacklog) -> Trial:
        if lane.trial is None:
            lane.trial = Trial(lane.lone_answers)
        return lane.trial

    def _probe_again(self, lane: LaneBacklog, now: float) -> None:
        if lane.pause is not None:
            lane.pause.probe_at = now + PROBE_EVERY
        if self.pause is not None:
            self.pause.probe_at = now + PROBE_EVERY

    def _judged(self, lane: LaneBacklog, found: Findings, now: float) -> list[Ended]:
        if found.lane_at_fault is not None:
            kind = PauseKind.FAILING if found.lane_at_fault == UNCLEAR else PauseKind.REFUSED
            alone = lane.trial.alone if lane.trial is not None else []
            words = next((item.refusal for item, _ in alone if item.refusal), found.lane_at_fault)
            self.pause_lane(lane.lane, kind, words, now)
            return []
        ended = [(item, self._guilty(item)) for item in found.guilty]
        trial = lane.trial
        if trial is None or not trial.halted:
            return ended
        if trial.alone and lane.waiting:
            trial.hear(lane.witnesses())
            return ended
        lane.trial = None
        return ended + self._without_witness(lane, trial, now)

    def _without_witness(self, lane: LaneBacklog, trial: Trial, now: float) -> list[Ended]:
        """Items stood alone, nothing of the lane passed since, and nothing is left to try."""
        ended: list[Ended] = []
        for item, said in trial.alone:
            if trial.passed:
                ended.append((item, self._guilty(item)))
            elif said == UNCLEAR and self._passed_at < now - FAILING_FOR:
                item.failures_alone = 0
                lane.add_later(item, now + PROBE_EVERY)
            else:
                lane.lone_answers.append(said)
                ended.append((item, self._guilty(item)))
        return ended

    @staticmethod
    def _guilty(item: OpenItem) -> Outcome:
        if item.failures_alone:
            text = f"Darwin gave no clear answer {item.failures_alone} times to this item alone, while others passed"
            return Outcome(Kind.BLOCKED, Reason.FAILS_ALONE, text)
        return Outcome(Kind.REJECTED, Reason.REFUSED_ALONE, item.refusal)

    # Pauses

    def suspicious(self, now: float) -> bool:
        """Three requests in a row failed, over ten seconds: is Darwin down, or is it these batches?"""
        return self._failures >= FAILURES_IN_A_ROW and now - self._failing_since >= FAILING_FOR

    def cleared(self) -> None:
        """Darwin answers other questions: the fault is the batches'."""
        self._failures = 0

    def pause_team(self, kind: TeamPauseKind, why: str, now: float) -> None:
        for lane in self.lanes.values():
            lane.end_trial()
        if self.pause is None or self.pause.kind is not kind:
            self.pause = TeamPause(kind, now, why, now + PROBE_EVERY)
        else:
            self.pause.why, self.pause.probe_at = why, now + PROBE_EVERY

    def resume_team(self) -> None:
        self.pause = None
        self._failures = 0

    def pause_lane(self, lane: Lane, kind: PauseKind, why: str, now: float) -> None:
        """What is paused for this reason already keeps its beginning."""
        backlog = self.lanes[lane]
        backlog.end_trial()
        if backlog.pause is None or backlog.pause.kind is not kind:
            backlog.pause = Pause(kind, now, why, now + PROBE_EVERY)
        else:
            backlog.pause.why, backlog.pause.probe_at = why, now + PROBE_EVERY

    def resume_lane(self, lane: Lane) -> None:
        self.lanes[lane].pause = None

    def confirm_missing(self, lane: Lane, reason: Reason | None, now: float) -> list[Ended]:
        """What Darwin's lists say of a lane that got a 404: *reason*, or None when nothing is missing there."""
        backlog = self.lanes.get(lane)
        pause = backlog.pause if backlog is not None else None
        if backlog is None or pause is None:
            return []
        pause.confirmed = reason
        if reason is None or now - pause.since < GRACE:
            return []
        return [(item, Outcome(Kind.BLOCKED, reason, pause.why)) for item in backlog.drain()]

    def _still_paused(self, lane: LaneBacklog, why: str, now: float) -> list[Ended]:
        self._probe_again(lane, now)
        if lane.pause is None:
            return []
        lane.pause.why = why
        if now - lane.pause.since < GRACE:
            return []
        return [(item, Outcome(Kind.BLOCKED, Reason.LANE_REFUSED, why)) for item in lane.drain()]

"""Random histories of a team's lanes: whatever happens, each item is in one place, and all end once Darwin is well.

Answers come in any order and for any state of the lane, as with many requests under way.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from worker.core.backlog import Batch, Fitness, OpenItem, PauseKind, TeamPauseKind
from worker.core.lanes import Cut, Ended, TeamLanes
from worker.core.model import Item, Lane, Reason, RecordId, S3Object

LANES = [Lane("acme", name, "prod") for name in ("one", "two", "three")]
SIZE = 4


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.team = TeamLanes(LANES, SIZE)
        self.live: set[OpenItem] = set()
        self.under_way: list[Batch] = []
        self.unfit: dict[OpenItem, Fitness] = {}
        self.last = 0

    def fitness(self, item: OpenItem) -> Fitness:
        return self.unfit.get(item, Fitness.SEND)

    def ended(self, items: list[OpenItem]) -> None:
        for item in items:
            assert item in self.live, "an item ended twice, or one that was never added"
            assert all(item not in batch.items for batch in self.under_way), "an item ended while under way"
            self.live.remove(item)
            self.team.forget(item)

    def judged(self, ended: list[Ended]) -> None:
        self.ended([item for item, _ in ended])

    def cut(self) -> Cut:
        paused = {lane for lane in LANES if self.team.lanes[lane].pause is not None}
        team_pause = self.team.pause.kind if self.team.pause is not None else None
        under_way = {lane: len(self.team.lanes[lane].under_way) for lane in LANES}
        cut = self.team.cut(self.now, self.fitness)
        self.ended(cut.gone)
        batch = cut.batch
        if batch is None:
            return cut
        items = batch.items
        assert 1 <= len(items) == len(set(items)) <= SIZE
        assert all(self.fitness(item) is Fitness.SEND for item in items)
        assert all(item.item.lane == batch.lane for item in items)
        for item in items:
            assert item in self.live
            assert all(item not in other.items for other in self.under_way), "an item is sent twice at once"
        assert team_pause in (None, TeamPauseKind.PLAN_FULL)
        assert batch.probe == (batch.lane in paused or team_pause is not None)
        assert not batch.probe or len(items) == 1
        assert batch.probe or batch.piece or under_way[batch.lane] < self.team.lanes[batch.lane].window
        self.under_way.append(batch)
        return cut

    # What happens

    @initialize()
    def the_first_items_arrive(self) -> None:
        for lane in LANES:
            self.items_arrive(lane, 2 * SIZE)

    @rule(lane=st.sampled_from(LANES), count=st.sampled_from([1, 2, SIZE]))
    def items_arrive(self, lane: Lane, count: int) -> None:
        for _ in range(count):
            self.last += 1
            name = f"{self.last}.jpg"
            item = OpenItem(Item(lane, "/", name, S3Object("media", name), "all"), RecordId(self.last, 0))
            self.live.add(item)
            self.team.add(item)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 20.0, 60.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.live)
    @rule(data=st.data(), how=st.sampled_from([Fitness.HOLD, Fitness.GONE, Fitness.SEND]))
    def a_lease_changes(self, data: st.DataObject, how: Fitness) -> None:
        item = data.draw(st.sampled_from(sorted(self.live, key=lambda item: item.record)))
        if self.unfit.get(item) is not Fitness.GONE:
            self.unfit[item] = how

    @rule(tokens=st.integers(1, 4), patient=st.booleans())
    def tokens_come(self, tokens: int, patient: bool) -> None:
        for _ in range(tokens):
            at = self.team.next_at(self.now)
            if patient and at is not None and at < float("inf"):
                self.now = max(self.now, at)
            cut = self.cut()
            if at is None or at > self.now:
                assert cut.batch is None
            elif Fitness.HOLD not in self.unfit.values():
                assert cut.batch is not None or cut.gone, "next_at says now, and nothing is cut"

    def answered(self, data: st.DataObject) -> tuple[Batch, list[OpenItem]]:
        """A batch, and its items that were really sent: others were denied by the ledger, or their lease ran short."""
        batch = data.draw(st.sampled_from(self.under_way))
        self.under_way.remove(batch)
        fates = data.draw(
            st.lists(
                st.sampled_from(["sent", "sent", "sent", "denied", "short"]),
                min_size=len(batch.items),
                max_size=len(batch.items),
            )
        )
        sent = [item for item, fate in zip(batch.items, fates, strict=True) if fate == "sent"]
        self.ended([item for item, fate in zip(batch.items, fates, strict=True) if fate == "denied"])
        for item, fate in zip(batch.items, fates, strict=True):
            if fate == "short":
                self.team.retry_later(item, self.now)
        if not sent:
            self.team.unsaid(batch, [], self.now)
        return batch, sent

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), refused=st.sampled_from(["422", "422", "400"]), too_large=st.booleans())
    def a_request_is_refused(self, data: st.DataObject, refused: str, too_large: bool) -> None:
        batch, sent = self.answered(data)
        if sent:
            if too_large:
                self.team.too_large(batch)
            self.judged(self.team.refused(batch, sent, refused, self.now))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), wait=st.sampled_from([0.5, 2.0, 30.0]))
    def a_request_fails(self, data: st.DataObject, wait: float) -> None:
        batch, sent = self.answered(data)
        if sent:
            self.judged(self.team.failed(batch, sent, self.now, self.now + wait))

    @precondition(lambda self: self.under_way)
    @rule(lane=st.sampled_from(LANES), how=st.sampled_from(["refused", "failed"]), rounds=st.integers(1, 30))
    def a_lane_goes_bad_for_a_while(self, lane: Lane, how: str, rounds: int) -> None:
        """Every request of the lane gets the same answer, at once; those of other lanes pass."""
        for _ in range(rounds):
            for batch in [*self.under_way]:
                self.under_way.remove(batch)
                if batch.lane != lane:
                    self.judged(self.team.passed(batch, self.now))
                    self.ended(batch.items)
                elif how == "refused":
                    self.judged(self.team.refused(batch, batch.items, "422", self.now))
                else:
                    self.judged(self.team.failed(batch, batch.items, self.now, self.now + 1))
            self.tokens_come(1, patient=True)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), again=st.integers(0, 3))
    def a_request_passes(self, data: st.DataObject, again: int) -> None:
        batch, sent = self.answered(data)
        if sent:
            self.judged(self.team.passed(batch, self.now))
            for item in sent[:again]:
                self.team.retry_later(item, self.now + 2)
            self.ended(sent[again:])

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), said=st.sampled_from(["429", "404", "full", "key", "no room"]))
    def a_request_says_nothing_of_its_items(self, data: st.DataObject, said: str) -> None:
        batch, sent = self.answered(data)
        if not sent:
            return
        room = len(sent) // 2 if said == "no room" else 0
        self.team.unsaid(batch, sent[room:], self.now)
        self.ended(sent[:room])
        match said:
            case "404":
                self.team.pause_lane(batch.lane, PauseKind.MISSING, "404", self.now)
            case "key":
                self.team.pause_team(TeamPauseKind.KEY_REFUSED, "401", self.now)
            case "full" | "no room":
                self.team.pause_team(TeamPauseKind.PLAN_FULL, "full", self.now)

    @rule(answers=st.sampled_from([True, True, False]))
    def darwin_is_asked_whether_it_is_there(self, answers: bool) -> None:
        if not answers:
            self.team.pause_team(TeamPauseKind.DOWN, "no answer", self.now)
        elif self.team.pause is None or self.team.pause.kind is not TeamPauseKind.PLAN_FULL:
            self.team.cleared()
            self.team.resume_team()

    @rule(lane=st.sampled_from(LANES), missing=st.sampled_from([None, Reason.DATASET_MISSING]))
    def darwins_lists_are_read(self, lane: Lane, missing: Reason | None) -> None:
        pause = self.team.lanes[lane].pause
        if pause is None or pause.kind is not PauseKind.MISSING:
            return
        if missing is None and pause.confirmed is not None:
            self.team.resume_lane(lane)
        else:
            self.judged(self.team.confirm_missing(lane, missing, self.now))

    # What holds

    @invariant()
    def held_counts_every_item(self) -> None:
        for lane in LANES:
            count = sum(1 for item in self.live if item.item.lane == lane)
            assert self.team.lanes[lane].held == count
        assert self.team.held == len(self.live)

    @invariant()
    def every_lane_knows_what_is_under_way(self) -> None:
        for lane in LANES:
            assert self.team.lanes[lane].under_way == {
                batch for batch in self.under_way if batch.lane == lane
            }

    @invariant()
    def what_is_paused_has_no_trial(self) -> None:
        for lane in self.team.lanes.values():
            assert lane.trial is None or (self.team.pause is None and lane.pause is None)

    @invariant()
    def a_lane_that_may_send_waits_for_nobody(self) -> None:
        """No lane stops another: a lane with items, without pause or trial, and with room in its window, has a time."""
        if self.team.pause is not None:
            return
        for lane in self.team.lanes.values():
            if lane.ready and lane.pause is None and lane.trial is None and not lane.window_full:
                at = self.team.next_at(self.now)
                assert at is not None
                assert at <= self.now

    def teardown(self) -> None:
        """Darwin is well from now on: every item comes to its end, and within the time of a few probes."""
        self.unfit = {item: how for item, how in self.unfit.items() if how is Fitness.GONE}
        began, requests = self.now, 0
        while self.live:
            for batch in [*self.under_way]:
                self.under_way.remove(batch)
                self.judged(self.team.passed(batch, self.now))
                self.ended(batch.items)
            if self.team.pause is not None and self.team.pause.kind is not TeamPauseKind.PLAN_FULL:
                self.team.resume_team()
            for lane, backlog in self.team.lanes.items():
                if backlog.pause is not None and backlog.pause.confirmed is not None:
                    self.team.resume_lane(lane)
            if not self.live:
                break
            at = self.team.next_at(self.now)
            assert at is not None, "items wait for ever"
            assert at <= self.now + 61, "items wait for longer than a probe"
            self.now = max(self.now, at)
            cut = self.cut()
            assert cut.batch is not None or cut.gone
            requests += cut.batch is not None
        assert requests <= self.last + 10
        assert self.now - began <= 600
        assert self.team.held == 0


Histories.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestHistories = Histories.TestCase

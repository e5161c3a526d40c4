"""Backfilled items give way to live ones, in their lane and among lanes, and none for longer than ten minutes."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.core.lanes_simulation import ONE, TOKEN, TWO, fit, numbers
from tests.core.test_lanes_histories import LANES, SIZE, Histories
from worker.core.backlog import YIELDS_FOR, Batch, Fitness, LaneBacklog, OpenItem, PauseKind
from worker.core.lanes import TeamLanes
from worker.core.model import Item, Lane, RecordId, S3Object
from worker.core.trial import Trial


def item(number: int, yields_until: float = 0.0, lane: Lane = ONE) -> OpenItem:
    name = f"{number}.jpg"
    made = OpenItem(Item(lane, "/", name, S3Object("media", name), "all"), RecordId(number, 0))
    made.yields_until = yields_until
    return made


def backlog(*items: OpenItem) -> LaneBacklog:
    lane = LaneBacklog(ONE, 100)
    for each in items:
        lane.add(each)
    return lane


arrivals = st.lists(st.sampled_from([0.0, 100.0, 200.0, 600.0]), max_size=20)


@given(arrivals, st.integers(1, 25))
def test_a_batch_is_filled_with_live_items_first_and_then_with_those_that_waited_longest(
    arrivals: list[float], limit: int
) -> None:
    taken, gone = backlog(*(item(n, until) for n, until in enumerate(arrivals))).take(
        limit, lambda _: Fitness.SEND
    )
    live = [n for n, until in enumerate(arrivals) if not until]
    others = [n for until, n in sorted((until, n) for n, until in enumerate(arrivals) if until)]
    assert numbers(taken) == (live + others)[:limit]
    assert gone == []


@given(
    arrivals, st.lists(st.sampled_from(Fitness), min_size=20, max_size=20), st.integers(1, 25), st.booleans()
)
def test_what_is_not_taken_stays_where_it_was(
    arrivals: list[float], fitness: list[Fitness], limit: int, newest: bool
) -> None:
    lane = backlog(*(item(n, until) for n, until in enumerate(arrivals)))
    ready, yielding = [*lane.ready], [*lane.yielding]
    taken, gone = lane.take(limit, lambda each: fitness[each.record.message], newest=newest)
    away = {*taken, *gone}
    assert [*lane.ready] == [each for each in ready if each not in away]
    assert [*lane.yielding] == [each for each in yielding if each not in away]
    assert len(taken) == min(limit, sum(fitness[n] is Fitness.SEND for n in range(len(arrivals))))


@given(arrivals, st.sampled_from([0.0, 99.9, 100.0, 599.9, 600.0]))
def test_what_has_waited_long_enough_is_as_good_as_live(arrivals: list[float], now: float) -> None:
    lane = backlog(*(item(n, until) for n, until in enumerate(arrivals)))
    lane.ripen(now)
    assert {each.record.message for each in lane.yielding} == {
        n for n, until in enumerate(arrivals) if until > now
    }
    assert lane.waiting == len(arrivals)


def test_what_was_sent_once_does_not_give_way_again() -> None:
    lane = backlog(item(0, 600.0), item(1, 600.0))
    taken, _ = lane.take(1, fit)
    lane.give_back(taken)
    assert (numbers([*lane.ready]), numbers([*lane.yielding])) == ([0], [1])


def test_each_probe_of_a_paused_lane_is_another_item_whoever_gives_way() -> None:
    """No guilty item stands for the lane for ever."""
    team = TeamLanes([ONE], 100)
    for each in (item(0), item(1), item(2, 600.0), item(3, 600.0)):
        team.add(each)
    team.pause_lane(ONE, PauseKind.REFUSED, "422", 0.0)
    probed = []
    for minute in range(1, 6):
        batch = team.cut(60.0 * minute, fit).batch
        assert batch is not None
        probed += numbers(batch.items)
        team.refused(batch, batch.items, "422", 60.0 * minute)
    assert probed[:4] == [3, 2, 1, 0]


def test_a_witness_is_one_that_gives_way_and_a_batch_of_witnesses_is_of_live_ones() -> None:
    lane = backlog(item(0), item(1), item(2, 600.0), item(3, 600.0))
    lane.size, lane.trial = 3, Trial()
    assert numbers(lane.witnesses()) == [3]
    lane.trial.lane_passed(None)
    assert numbers(lane.witnesses()) == [0, 1, 2]


def test_a_trial_hears_backfilled_items_where_there_are_no_others() -> None:
    """One refused item alone is not blamed while somebody can speak for it."""
    team = TeamLanes([ONE], 1)
    for each in (item(0), item(1, 600.0)):
        team.add(each)
    batch = team.cut(0.0, fit).batch
    assert batch is not None
    assert team.refused(batch, batch.items, "422", 0.0) == []
    witness = team.cut(1.0, fit).batch
    assert witness is not None
    assert numbers(witness.items) == [1]


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 12))
def test_a_lane_that_is_shed_gives_its_backfilled_items_first_and_a_drained_one_gives_all(
    live: int, backfilled: int, count: int
) -> None:
    lane = backlog(*(item(n) for n in range(live)), *(item(live + n, 600.0) for n in range(backfilled)))
    shed = lane.shed(count)
    newest_first = [*range(live, live + backfilled)][::-1] + [*range(live)][::-1]
    assert numbers(shed) == newest_first[:count]
    assert sorted(numbers(lane.drain() + shed)) == [*range(live + backfilled)]
    assert (lane.waiting, lane.drain()) == (0, [])


def test_the_newest_backfilled_item_makes_room_for_a_live_one() -> None:
    lane = backlog(item(0), item(1, 500.0), item(2, 600.0))
    other = lane.give_way()
    assert other is not None
    assert (other.record.message, lane.held, numbers([*lane.yielding])) == (2, 2, [1])
    assert backlog(item(0)).give_way() is None


@given(
    st.lists(
        st.tuples(st.sampled_from([ONE, TWO]), st.booleans(), st.integers(1, 8)), min_size=1, max_size=12
    )
)
def test_a_lane_with_nothing_but_backfilled_items_is_served_when_no_other_has_any(
    arrivals: list[tuple[Lane, bool, int]],
) -> None:
    team, number = TeamLanes([ONE, TWO], 4), 0
    for lane, live, count in arrivals:
        for _ in range(count):
            team.add(item(number, 0.0 if live else 600.0, lane))
            number += 1
    batches = list[Batch]()
    while (batch := team.cut(len(batches) * TOKEN, fit).batch) is not None:
        batches.append(batch)
        team.passed(batch, 0.0)
    live_in = [any(not each.yields_until for each in batch.items) for batch in batches]
    assert live_in == sorted(live_in, reverse=True)
    assert sum(len(batch.items) for batch in batches) == number


def test_nothing_starves_behind_live_items_that_never_end() -> None:
    """Every token sends a full batch of live items; the backfilled one goes when it has waited for ten minutes."""
    team, now, number = TeamLanes([ONE, TWO], 4), 0.0, 1
    team.add(item(0, YIELDS_FOR, TWO))
    while True:
        for _ in range(5):
            team.add(item(number, lane=ONE))
            number += 1
        batch = team.cut(now, fit).batch
        assert batch is not None
        team.passed(batch, now)
        if batch.lane == TWO:
            break
        now += TOKEN
    assert YIELDS_FOR <= now <= YIELDS_FOR + TOKEN


class HistoriesWithABackfill(Histories):
    """Whatever else happens to the lanes, backfilled items arrive too: all that holds of the others holds of them."""

    @rule(
        lane=st.sampled_from(LANES), count=st.sampled_from([1, 2, SIZE]), waited=st.sampled_from([0.0, 590.0])
    )
    def backfilled_items_arrive(self, lane: Lane, count: int, waited: float) -> None:
        for _ in range(count):
            self.last += 1
            one = item(self.last, self.now + YIELDS_FOR - waited, lane)
            self.live.add(one)
            self.team.add(one)

    @invariant()
    def what_gives_way_was_not_sent_yet_and_is_in_the_order_of_its_times(self) -> None:
        for lane in self.team.lanes.values():
            times = [each.yields_until for each in lane.yielding]
            assert times == sorted(times)
            assert not any(each.claimed for each in lane.yielding)


HistoriesWithABackfill.TestCase.settings = settings(max_examples=25, stateful_step_count=40)
TestHistoriesWithABackfill = HistoriesWithABackfill.TestCase

"""One lane's backlog: nothing in it is lost, doubled or put out of order."""

from hypothesis import given
from hypothesis import strategies as st

from worker.core.backlog import Batch, Fitness, LaneBacklog, OpenItem
from worker.core.model import Item, Lane, RecordId, S3Object
from worker.core.trial import Trial

LANE = Lane("acme", "intake", "prod")

fits = st.lists(st.sampled_from([Fitness.SEND, Fitness.HOLD, Fitness.GONE]), max_size=12)


def items(count: int, first: int = 0) -> list[OpenItem]:
    return [
        OpenItem(Item(LANE, "/", f"{n}.jpg", S3Object("media", f"{n}.jpg"), "all"), RecordId(n, 0))
        for n in range(first, first + count)
    ]


def backlog(*ready: OpenItem) -> LaneBacklog:
    made = LaneBacklog(LANE, 100)
    made.ready.extend(ready)
    return made


@given(fits, st.integers(1, 12), st.booleans())
def test_what_is_not_taken_stays_in_its_order(fitness: list[Fitness], limit: int, newest: bool) -> None:
    all_ = items(len(fitness))
    lane = backlog(*all_)
    taken, gone = lane.take(limit, lambda item: fitness[item.record.message], newest=newest)
    left = [item for item in all_ if item not in taken and item not in gone]
    assert list(lane.ready) == left
    assert all(fitness[item.record.message] is Fitness.SEND for item in taken)
    assert all(fitness[item.record.message] is Fitness.GONE for item in gone)
    assert len(taken) == min(limit, fitness.count(Fitness.SEND))


@given(fits, st.integers(1, 12))
def test_items_are_taken_in_the_order_of_their_arrival(fitness: list[Fitness], limit: int) -> None:
    all_ = items(len(fitness))
    taken, _ = backlog(*all_).take(limit, lambda item: fitness[item.record.message])
    fit = [item for item in all_ if fitness[item.record.message] is Fitness.SEND]
    assert taken == fit[:limit]


def test_the_newest_fit_item_is_taken_for_a_probe() -> None:
    first, second, third = items(3)
    lane = backlog(first, second, third)
    taken, gone = lane.take(1, lambda item: Fitness.HOLD if item is third else Fitness.SEND, newest=True)
    assert (taken, gone, list(lane.ready)) == ([second], [], [first, third])


@given(st.lists(st.integers(0, 10), max_size=20), st.integers(0, 10))
def test_what_waits_joins_the_backlog_at_its_time_in_the_order_of_the_times(
    times: list[int], now: int
) -> None:
    lane, all_ = backlog(), items(len(times))
    for item, at in zip(all_, times, strict=True):
        lane.add_later(item, at)
    lane.ripen(now)
    ripe = sorted((at, item.record.message) for item, at in zip(all_, times, strict=True) if at <= now)
    assert [item.record.message for item in lane.ready] == [number for _, number in ripe]
    assert lane.next_later() == min((at for at in times if at > now), default=None)


def test_items_on_trial_return_to_the_head_when_it_ends() -> None:
    first, second, third = items(3)
    lane = backlog(third)
    lane.trial, lane.failures = Trial(), 3
    lane.trial.refused(None, [first, second], "422")
    lane.end_trial()
    assert list(lane.ready) == [first, second, third]
    assert lane.failures == 0
    assert lane.trial is None


def test_the_witness_is_the_newest_item_until_something_of_the_trial_passed_and_then_a_batch() -> None:
    lane = backlog(*items(5))
    lane.size, lane.trial = 3, Trial()
    assert [item.record.message for item in lane.witnesses()] == [4]
    lane.trial.lane_passed(None)
    assert [item.record.message for item in lane.witnesses()] == [0, 1, 2]
    assert [item.record.message for item in lane.witnesses()] == [3]


@given(st.integers(1, 40))
def test_the_window_is_four_times_what_was_under_way_with_the_last_one_that_passed(count: int) -> None:
    lane = backlog()
    assert lane.window == 2
    batches = [Batch(LANE, []) for _ in range(count)]
    for batch in batches:
        lane.leaves(batch, 0.0)
    assert lane.window_full == (count >= 2)
    lane.passed(batches[0])
    assert (len(lane.under_way), lane.window, lane.window_full) == (count - 1, 4 * count, False)
    lane.set_back(batches[-1])
    assert lane.window == 2


def test_what_is_given_back_starts_anew() -> None:
    """Failures during a pause of the lane speak against no item."""
    first, second = items(2)
    first.failures_alone = 4
    lane = backlog(second)
    lane.give_back([first])
    assert (list(lane.ready), first.failures_alone) == ([first, second], 0)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_a_drained_lane_has_given_out_every_item_once(ready: int, later: int, on_trial: int) -> None:
    all_ = items(ready + later + on_trial)
    lane = backlog(*all_[:ready])
    for item in all_[ready : ready + later]:
        lane.add_later(item, 99)
    if on_trial:
        lane.trial = Trial()
        lane.trial.failed(None, all_[ready + later :], 5.0)
    drained = lane.drain()
    assert sorted(item.record for item in drained) == [item.record for item in all_]
    assert (len(lane.ready), lane.next_later(), lane.trial, lane.drain()) == (0, None, None, [])

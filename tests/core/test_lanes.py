"""Who ends how, after how many requests: the rows "413, 414, 422, 400" and "5xx" of the answer table.

The order of the lanes and their pauses are in test_lanes_pauses; random histories in test_lanes_histories.
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.lanes_simulation import HOUR, ONE, TOKEN, TWO, Darwin, Simulation, numbers
from worker.core.backlog import PauseKind
from worker.core.model import Reason

# The guilty item alone


def requests_with(simulation: Simulation, those: range) -> int:
    """Requests that held any of these items."""
    return sum(
        1 for _, batch in simulation.darwin.requests if not set(those).isdisjoint(numbers(batch.items))
    )


@pytest.mark.parametrize(("waiting", "latency"), [(0, 0.0), (1, 0.3), (300, 0.3), (300, 5.0), (0, 20.0)])
def test_one_unacceptable_item_among_100_needs_at_most_15_requests(waiting: int, latency: float) -> None:
    """Row: 422. Every place that it can have in the batch, alone in its lane and before other batches."""
    for guilty in range(100):
        simulation = Simulation(Darwin(refuses=lambda _, n, guilty=guilty: n == guilty), latency=latency)  # type: ignore[misc]  # the default binds the loop's value
        simulation.add(ONE, 100 + waiting)
        simulation.run()
        assert simulation.ended(Reason.REFUSED_ALONE) == [guilty]
        assert len(simulation.ended(Reason.ACCEPTED)) == 99 + waiting
        assert requests_with(simulation, range(100)) <= 15
        # Alone, or the first of a new lane, the guilty one may need another item as its witness.
        assert len(simulation.darwin.requests) <= 15 + (waiting + 99) // 100


@pytest.mark.parametrize(("size", "most"), [(1, 1), (2, 3), (3, 5), (7, 7), (16, 10), (50, 13), (99, 15)])
def test_the_requests_for_one_unacceptable_item_grow_with_the_logarithm_of_the_batch(
    size: int, most: int
) -> None:
    """Row: 422. Two for each halving, and one."""
    for guilty in range(size):
        simulation = Simulation(Darwin(refuses=lambda _, n, guilty=guilty: n == guilty), batch_size=size)  # type: ignore[misc]  # the default binds the loop's value
        simulation.add(ONE, 3 * size)
        simulation.run()
        assert simulation.ended(Reason.REFUSED_ALONE) == [guilty]
        assert requests_with(simulation, range(size)) <= most


@given(
    st.one_of(
        st.sets(st.integers(0, 99), min_size=2, max_size=3),
        st.builds(lambda first, count: {*range(first, first + count)}, st.integers(0, 97), st.integers(2, 3)),
    ),
    st.sampled_from([0, 300]),
    st.sampled_from([0.0, 5.0]),
)
def test_every_other_unacceptable_item_needs_at_most_12_requests_more(
    guilty: set[int], waiting: int, latency: float
) -> None:
    """Row: 422. Two or three, spread or neighbours."""
    simulation = Simulation(Darwin(refuses=lambda _, number: number in guilty), latency=latency)
    simulation.add(ONE, 100 + waiting)
    simulation.run()
    assert simulation.ended(Reason.REFUSED_ALONE) == sorted(guilty)
    assert requests_with(simulation, range(100)) <= 15 + 12 * (len(guilty) - 1)


@pytest.mark.parametrize("guilty", [0, 50, 99])
def test_one_item_that_is_too_large_by_itself_does_not_make_the_others_go_one_by_one(guilty: int) -> None:
    """Row: 413, 414. The others are ten full batches."""
    simulation = Simulation(Darwin(too_large=lambda _, number: number == guilty))
    simulation.add(ONE, 1100)
    simulation.run()
    assert simulation.ended(Reason.REFUSED_ALONE) == [guilty]
    assert requests_with(simulation, range(100)) <= 15
    assert len(simulation.darwin.requests) <= 15 + 10 + 3


@given(
    st.sets(st.integers(0, 79), max_size=8),
    st.integers(9, 89),
    st.sampled_from([1, 16, 100]),
    st.sampled_from([3, 50, 100]),
    st.sampled_from([0.0, 0.3, 5.0]),
)
def test_exactly_the_guilty_are_rejected(
    guilty: set[int], count: int, batch_size: int, largest: int, latency: float
) -> None:
    """Row: 422 and 413 at once, with several requests under way, whatever pauses it takes."""
    darwin = Darwin(refuses=lambda _, number: number in guilty, largest=largest)
    simulation = Simulation(darwin, batch_size=batch_size, latency=latency)
    simulation.add(ONE, count)
    simulation.run()
    assert simulation.ended(Reason.ACCEPTED) == [n for n in range(count) if n not in guilty]
    # Guilty ones that are the last of their lane look like a lane at fault, and end with it after the grace.
    found = simulation.ended(Reason.REFUSED_ALONE) + simulation.ended(Reason.LANE_REFUSED)
    assert sorted(found) == [n for n in range(count) if n in guilty]


@pytest.mark.parametrize("largest", [1, 7, 50, 99])
def test_a_batch_that_is_too_large_passes_in_parts(largest: int) -> None:
    """Row: 413, 414."""
    simulation = Simulation(Darwin(largest=largest))
    simulation.add(ONE, 300)
    simulation.run()
    assert len(simulation.ended(Reason.ACCEPTED)) == 300


def test_after_a_batch_that_was_too_large_requests_are_half_as_large_and_grow_again() -> None:
    """Row: 413, 414."""
    simulation = Simulation(Darwin(largest=60))
    simulation.add(ONE, 1000)
    simulation.run()
    sizes = [len(sent) for _, sent in simulation.darwin.sent_to(ONE)]
    assert sizes[:5] == [100, 50, 56, 63, 50]
    assert sum(1 for size in sizes if size > 60) <= len(sizes) // 4


# The lane at fault


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16, 100])
def test_a_lane_that_is_wholly_refused_is_paused_after_at_most_12_requests(batch_size: int) -> None:
    """Row: 422, the fault is the lane's: nothing is dead-lettered before the grace."""
    simulation = Simulation(Darwin(refuses=lambda *_: True), batch_size=batch_size)
    simulation.add(ONE, 250)
    simulation.run(until=59)
    assert simulation.pause() is PauseKind.REFUSED
    assert len(simulation.darwin.requests) <= 12
    simulation.run(until=15 * 60)
    assert simulation.outcomes == {}


def test_a_refused_lane_is_probed_each_minute_by_another_item_and_ends_after_the_grace() -> None:
    """Row: 422, pause it as for 404."""
    simulation = Simulation(Darwin(refuses=lambda *_: True))
    simulation.add(ONE, 100)
    simulation.run()
    probes = [(at, numbers(batch.items)) for at, batch in simulation.darwin.requests if batch.probe]
    assert all(later - at > 59.999 for (at, _), (later, _) in pairwise(probes))
    assert len({number for _, sent in probes for number in sent}) == len(probes)
    assert 15 <= len(probes) <= 16
    assert len(simulation.ended(Reason.LANE_REFUSED)) == 100


def test_a_refused_lane_goes_on_when_a_probe_passes() -> None:
    repaired = 200.0
    simulation = Simulation(Darwin())
    simulation.darwin.refuses = lambda *_: simulation.now < repaired
    simulation.add(ONE, 250)
    simulation.run()
    assert len(simulation.ended(Reason.ACCEPTED)) == 250
    assert simulation.now < repaired + 65


@pytest.mark.parametrize("waiting", [0, 300])
@pytest.mark.parametrize("latency", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("guilty", [0, 13, 50, 99])
def test_a_lane_that_goes_bad_during_a_trial_is_paused_and_its_items_are_not_blamed(
    guilty: int, latency: float, waiting: int
) -> None:
    """Row: 422, nothing is dead-lettered before the grace. The last few of a lane have nobody to speak for them."""
    for request in range(1, 25):
        bad_from = request * (TOKEN + latency)
        simulation = Simulation(Darwin(), latency=latency)
        simulation.darwin.refuses = lambda _, n, now=simulation, at=bad_from: n == guilty or now.now >= at  # type: ignore[misc]  # the defaults bind the loop's values
        simulation.add(ONE, 100 + waiting)
        simulation.run(until=600)
        assert len(set(simulation.ended(Reason.REFUSED_ALONE)) - {guilty}) <= 5
        assert simulation.team.held == 0 or simulation.pause() is PauseKind.REFUSED


def test_a_lane_that_trickles_is_paused_at_the_third_refusal() -> None:
    """Two single items are rejected for want of a witness; then it is plain that the lane is at fault."""
    simulation = Simulation(Darwin(refuses=lambda *_: True))
    for _ in range(3):
        simulation.add(ONE, 1)
        simulation.run(until=simulation.now + 10)
    assert simulation.ended(Reason.REFUSED_ALONE) == [0, 1]
    assert simulation.pause() is PauseKind.REFUSED


def test_a_single_refused_item_with_nothing_beside_it_is_rejected() -> None:
    """Outcome "rejected": alone in a 422."""
    simulation = Simulation(Darwin(refuses=lambda *_: True))
    simulation.add(ONE, 1)
    simulation.run()
    assert simulation.ended(Reason.REFUSED_ALONE) == [0]


def test_bad_items_in_places_where_they_look_like_the_lane_cost_a_minute_and_no_good_item() -> None:
    guilty = {0, 98, 99, 74, 75, 73}
    simulation = Simulation(Darwin(refuses=lambda _, number: number in guilty))
    simulation.add(ONE, 100)
    simulation.run()
    assert simulation.ended(Reason.REFUSED_ALONE) == sorted(guilty)
    assert len(simulation.ended(Reason.ACCEPTED)) == 94


# No clear answer


@pytest.mark.parametrize("latency", [0.0, 5.0])
@pytest.mark.parametrize("guilty", [0, 40, 99])
def test_an_item_that_fails_alone_while_others_pass_is_blocked(guilty: int, latency: float) -> None:
    """Row: 5xx, an item that failed alone five times while others pass. One request more than for a refused one, and
    its five tries.
    """
    simulation = Simulation(Darwin(fails=lambda _, number: number == guilty), latency=latency)
    simulation.add(ONE, 400)
    simulation.run()
    assert simulation.ended(Reason.FAILS_ALONE) == [guilty]
    assert len(simulation.ended(Reason.ACCEPTED)) == 399
    assert sum(1 for _, sent in simulation.darwin.sent_to(ONE) if sent == [guilty]) == 5
    assert requests_with(simulation, range(100)) <= 15 + 1 + 4


def test_a_failed_batch_is_sent_whole_once_more_before_it_is_halved() -> None:
    """Row: 5xx, at half size from the second time."""
    simulation = Simulation(Darwin())
    simulation.darwin.fails = lambda *_: len(simulation.darwin.requests) <= 2
    simulation.add(ONE, 8)
    simulation.run()
    assert [len(sent) for _, sent in simulation.darwin.sent_to(ONE)] == [8, 8, 4, 4]
    assert [at for at, _ in simulation.darwin.sent_to(ONE)][:3] == [0.0, 2.0, 4.0]


def test_a_lane_that_fails_wholly_is_never_dead_lettered_while_nothing_passes() -> None:
    """Row: 5xx; a lane paused for failing is probed once a minute."""
    simulation = Simulation(Darwin(fails=lambda *_: True))
    simulation.add(ONE, 50)
    simulation.run(until=2 * HOUR)
    assert simulation.pause() is PauseKind.FAILING
    assert simulation.outcomes == {}
    in_the_last_hour = [at for at, _ in simulation.darwin.requests if at > HOUR]
    assert 58 <= len(in_the_last_hour) <= 60
    simulation.darwin.fails = lambda *_: False
    simulation.run(until=3 * HOUR)
    assert len(simulation.ended(Reason.ACCEPTED)) == 50


def test_a_lane_that_fails_beside_one_that_passes_is_paused_and_not_dead_lettered() -> None:
    simulation = Simulation(Darwin(fails=lambda lane, _: lane == ONE), ONE, TWO, batch_size=10)
    simulation.add(ONE, 50)
    simulation.add(TWO, 3000)
    simulation.run(until=1200, while_=lambda: simulation.pause() is None)
    assert simulation.pause() is PauseKind.FAILING
    assert simulation.ended(Reason.FAILS_ALONE) == []


def test_a_single_failing_item_with_nothing_beside_it_waits_a_minute_and_stops_nothing() -> None:
    simulation = Simulation(Darwin(fails=lambda _, number: number == 0))
    simulation.add(ONE, 1)
    simulation.run(until=600)
    assert (simulation.outcomes, simulation.pause()) == ({}, None)
    simulation.add(ONE, 3)
    simulation.run(until=700)
    assert simulation.ended(Reason.ACCEPTED) == [1, 2, 3]


def test_failures_of_a_paused_lane_speak_against_no_item() -> None:
    """After the pause an item has its five tries again."""
    simulation = Simulation(Darwin(fails=lambda *_: simulation.now < 600))
    simulation.add(ONE, 3)
    simulation.run(until=HOUR)
    assert simulation.ended(Reason.ACCEPTED) == [0, 1, 2]


@given(
    st.sets(st.integers(0, 39), max_size=3),
    st.sets(st.integers(0, 39), max_size=3),
    st.sampled_from([0.0, 0.3, 5.0]),
)
def test_refused_and_failing_items_are_told_apart(
    refused: set[int], failing: set[int], latency: float
) -> None:
    """Rows: 422 and 5xx at once, in a lane beside which another one passes."""
    darwin = Darwin(
        refuses=lambda _, number: number in refused - failing, fails=lambda _, number: number in failing
    )
    simulation = Simulation(darwin, ONE, TWO, batch_size=20, latency=latency)
    simulation.add(ONE, 40)
    while simulation.team.lanes[ONE].held and simulation.now < HOUR:
        simulation.add(TWO, 1)
        simulation.run(until=simulation.now + 5)
    assert simulation.ended(Reason.REFUSED_ALONE) == sorted(refused - failing)
    assert simulation.ended(Reason.FAILS_ALONE) == sorted(failing)

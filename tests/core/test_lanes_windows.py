"""How many requests of a lane are under way at once: few until one passes, and then as many as slow answers need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.lanes_simulation import HOUR, ONE, TWO, Darwin, Simulation, fit
from worker.core.backlog import Batch, PauseKind
from worker.core.model import Lane

LATENCIES = [0.1, 1.0, 2.0, 5.0, 20.0]


def under_way(simulation: Simulation, lane: Lane = ONE) -> int:
    return len(simulation.team.lanes[lane].under_way)


def cut(simulation: Simulation) -> Batch:
    batch = simulation.team.cut(simulation.now, fit).batch
    assert batch is not None
    return batch


def sent_between(simulation: Simulation, start: float, end: float, lane: Lane | None = None) -> int:
    return sum(
        1
        for at, batch in simulation.darwin.requests
        if start <= at < end and (lane is None or batch.lane == lane)
    )


def test_a_lane_that_has_not_passed_yet_has_two_requests_under_way() -> None:
    simulation = Simulation(Darwin())
    simulation.add(ONE, 500)
    cut(simulation)
    assert simulation.team.next_at(0.0) == 0.0
    cut(simulation)
    assert simulation.team.next_at(0.0) is None
    assert simulation.team.cut(0.0, fit).batch is None


@given(st.integers(1, 2))
def test_an_answer_that_says_nothing_makes_room_and_proves_nothing(answered: int) -> None:
    """Rows: 429, 401, 404; and a batch that could not be claimed."""
    simulation = Simulation(Darwin())
    simulation.add(ONE, 500)
    for batch in [cut(simulation), cut(simulation)][:answered]:
        simulation.team.unsaid(batch, batch.items, 0.0)
    for _ in range(answered):
        cut(simulation)
    assert simulation.team.cut(0.0, fit).batch is None


def test_each_request_that_passes_allows_four_times_as_many_as_were_under_way() -> None:
    simulation = Simulation(Darwin())
    simulation.add(ONE, 10_000)
    first, _ = cut(simulation), cut(simulation)
    simulation.answer(first)
    for _ in range(7):
        cut(simulation)
    assert under_way(simulation) == 8
    assert simulation.team.cut(0.0, fit).batch is None


def test_a_request_that_fails_or_is_refused_takes_the_lane_back_to_the_beginning() -> None:
    simulation = Simulation(Darwin())
    simulation.add(ONE, 10_000)
    first, second, third = cut(simulation), cut(simulation), None
    simulation.answer(first)
    third = cut(simulation)
    simulation.end(simulation.team.failed(second, second.items, 0.0, 2.0))
    cut(simulation)
    assert simulation.team.cut(0.0, fit).batch is None
    simulation.answer(third)
    cut(simulation)


def test_an_item_alone_in_an_idle_lane_leaves_at_once() -> None:
    simulation = Simulation(Darwin(), latency=20.0)
    simulation.add(ONE, 1)
    assert simulation.team.next_at(0.0) == 0.0
    assert len(cut(simulation).items) == 1


@pytest.mark.parametrize(
    ("latency", "first_minute", "second_minute"),
    [(0.1, 100, 100), (0.3, 100, 100), (2.0, 98, 100), (5.0, 93, 100), (20.0, 41, 100)],
)
def test_slow_answers_do_not_keep_a_lane_from_its_quota(
    latency: float, first_minute: int, second_minute: int
) -> None:
    """Of a hundred tokens a minute. At twenty seconds there are two requests, then eight, then all that are allowed."""
    simulation = Simulation(Darwin(), latency=latency)
    simulation.add(ONE, 30_000)
    simulation.run(until=120)
    assert sent_between(simulation, 0, 60) >= first_minute
    assert sent_between(simulation, 60, 120) >= second_minute


@pytest.mark.parametrize("latency", [0.3, 2.0, 20.0])
def test_two_lanes_share_the_tokens(latency: float) -> None:
    """The lane served longest ago goes first, also while both begin."""
    simulation = Simulation(Darwin(), ONE, TWO, latency=latency)
    simulation.add(ONE, 30_000)
    simulation.add(TWO, 30_000)
    simulation.run(until=120)
    for start in (0, 60):
        shares = [sent_between(simulation, start, start + 60, lane) for lane in (ONE, TWO)]
        assert abs(shares[0] - shares[1]) <= 2
    assert sent_between(simulation, 60, 120) >= 100


# A lane at fault


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("batch_size", [1, 16, 100])
def test_a_new_lane_that_is_wholly_refused_is_paused_after_10_requests_at_any_latency(
    latency: float, batch_size: int
) -> None:
    """Row: 422, the fault is the lane's. The issue allows 12."""
    simulation = Simulation(Darwin(refuses=lambda *_: True), latency=latency, batch_size=batch_size)
    simulation.add(ONE, 5000)
    simulation.run(while_=lambda: simulation.pause() is None)
    assert simulation.pause() is PauseKind.REFUSED
    assert len(simulation.darwin.requests) <= 10
    assert simulation.outcomes == {}


@pytest.mark.parametrize(
    ("latency", "already_sent"), [(0.1, 1), (0.3, 1), (1.0, 2), (2.0, 4), (5.0, 9), (20.0, 34)]
)
def test_a_lane_that_worked_is_paused_after_9_more_than_could_not_be_called_back(
    latency: float, already_sent: int
) -> None:
    """What is under way when the first refusal arrives: one for each token since its request left."""
    simulation = Simulation(Darwin(), latency=latency)
    simulation.add(ONE, 60_000)
    simulation.run(until=120)
    before, accepted = len(simulation.darwin.requests) - under_way(simulation), len(simulation.outcomes)
    simulation.darwin.refuses = lambda *_: True
    simulation.run(while_=lambda: simulation.pause() is None)
    assert len(simulation.darwin.requests) - before <= already_sent + 9
    assert len(simulation.outcomes) == accepted


@pytest.mark.parametrize(("latency", "doubtful"), [(0.1, 4), (0.3, 4), (1.0, 8)])
def test_a_sudden_outage_leaves_few_requests_in_doubt(latency: float, doubtful: int) -> None:
    """From one moment on there is no answer, for the twenty seconds that a request may take."""
    simulation = Simulation(Darwin(), latency=latency)
    simulation.add(ONE, 60_000)
    simulation.run(until=60)
    silent_from = simulation.now
    for _ in range(34):
        batch = simulation.team.cut(simulation.now, fit).batch
        if batch is not None:
            simulation.darwin.requests.append((simulation.now, batch))
        simulation.now += 0.6
    assert under_way(simulation) <= doubtful
    assert sent_between(simulation, silent_from, HOUR) <= doubtful

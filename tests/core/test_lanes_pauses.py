"""The order in which lanes are served, and what stands still while a lane or its team is paused."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.lanes_simulation import HOUR, ONE, TOKEN, TWO, Darwin, Simulation, fit, numbers
from worker.core.backlog import Batch, Fitness, PauseKind, TeamPauseKind
from worker.core.model import Lane, Reason

# The order of the lanes


def test_splitting_takes_at_most_a_quarter_of_the_tokens_while_others_wait() -> None:
    """Row: 413 to 422, splitting takes at most a quarter of the tokens."""
    simulation = Simulation(Darwin(refuses=lambda lane, number: lane == ONE and number % 5 == 0), ONE, TWO)
    simulation.add(ONE, 100)
    simulation.add(TWO, 100_000)
    simulation.run(while_=lambda: bool(simulation.team.lanes[ONE].held))
    splitting = [batch.piece is not None for _, batch in simulation.darwin.requests]
    assert sum(splitting) > 20
    for start in range(len(splitting)):
        for length in (4, 20, 100):
            window = splitting[start : start + length]
            assert sum(window) <= length // 4


def test_splitting_takes_every_token_while_nothing_else_waits() -> None:
    simulation = Simulation(Darwin(refuses=lambda _, number: number == 70))
    simulation.add(ONE, 100)
    simulation.run()
    requests = [at for at, _ in simulation.darwin.requests]
    assert requests == pytest.approx([TOKEN * number for number in range(len(requests))])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30)), min_size=1, max_size=20))
def test_the_lane_served_longest_ago_is_first(arrivals: list[tuple[int, int]]) -> None:
    lanes = [Lane("acme", name, "prod") for name in "abc"]
    simulation = Simulation(Darwin(), *lanes, batch_size=5)
    served = dict.fromkeys(lanes, float("-inf"))
    for which, count in arrivals:
        simulation.add(lanes[which], count)
        waiting = [lane for lane in lanes if simulation.team.lanes[lane].ready]
        batch = simulation.team.cut(simulation.now, fit).batch
        assert batch is not None
        assert served[batch.lane] == min(served[lane] for lane in waiting)
        served[batch.lane] = simulation.now
        simulation.answer(batch)
        simulation.now += TOKEN


@given(st.sampled_from(PauseKind), st.integers(1, 3))
def test_a_paused_lane_never_stops_another(kind: PauseKind, batches: int) -> None:
    """No lane stops another."""
    simulation = Simulation(Darwin(refuses=lambda lane, _: lane == ONE), ONE, TWO)
    simulation.team.pause_lane(ONE, kind, "paused", 0.0)
    simulation.add(ONE, 500)
    simulation.add(TWO, 100 * batches)
    simulation.run(until=batches * TOKEN)
    assert len(simulation.ended(Reason.ACCEPTED)) == 100 * batches
    assert simulation.darwin.sent_to(ONE) == []


# What is missing


def missing(since: float = 0.0) -> Simulation:
    simulation = Simulation(Darwin(), ONE, TWO)
    simulation.add(ONE, 3)
    simulation.team.pause_lane(ONE, PauseKind.MISSING, "404 no such dataset", since)
    return simulation


def test_what_darwins_lists_miss_is_not_probed_and_dead_lettered_after_the_grace() -> None:
    """Row: 404."""
    simulation = missing()
    assert simulation.team.confirm_missing(ONE, Reason.DATASET_MISSING, 60) == []
    assert simulation.team.next_at(60) is None
    assert simulation.team.cut(120, fit).batch is None
    simulation.end(simulation.team.confirm_missing(ONE, Reason.DATASET_MISSING, 899))
    assert simulation.outcomes == {}
    simulation.end(simulation.team.confirm_missing(ONE, Reason.DATASET_MISSING, 900))
    assert simulation.ended(Reason.DATASET_MISSING) == [0, 1, 2]


def test_what_darwins_lists_hold_is_probed_and_never_dead_lettered() -> None:
    """Row: 404, missing only when the lists confirm it."""
    simulation = missing()
    assert simulation.team.confirm_missing(ONE, None, HOUR) == []
    assert simulation.team.next_at(30) == 60
    simulation.run()
    assert simulation.ended(Reason.ACCEPTED) == [0, 1, 2]


def test_a_lane_that_is_missing_a_second_time_has_its_grace_again() -> None:
    simulation = missing()
    simulation.team.resume_lane(ONE)
    simulation.team.pause_lane(ONE, PauseKind.MISSING, "404", 800)
    assert simulation.team.confirm_missing(ONE, Reason.STORAGE_MISSING, 1000) == []


def test_a_pause_for_the_same_reason_keeps_its_beginning_and_one_for_another_begins_anew() -> None:
    team = missing().team
    team.pause_lane(ONE, PauseKind.MISSING, "404 again", 500)
    pause = team.lanes[ONE].pause
    assert pause is not None
    assert (pause.since, pause.why, pause.probe_at) == (0.0, "404 again", 560)
    team.pause_lane(ONE, PauseKind.REFUSED, "422", 600)
    pause = team.lanes[ONE].pause
    assert pause is not None
    assert (pause.kind, pause.since) == (PauseKind.REFUSED, 600)


# The team


@pytest.mark.parametrize("kind", [TeamPauseKind.DOWN, TeamPauseKind.KEY_REFUSED])
def test_nothing_is_cut_while_darwin_is_down_or_the_key_refused(kind: TeamPauseKind) -> None:
    """Row: 401, 403; row: 5xx, Darwin is down."""
    simulation = Simulation(Darwin(), ONE, TWO)
    simulation.add(ONE, 3)
    simulation.team.pause_team(kind, "no", 0.0)
    assert (simulation.team.next_at(500), simulation.team.cut(500, fit).batch) == (None, None)
    assert simulation.team.paused(ONE)
    assert simulation.team.paused(TWO)
    simulation.team.resume_team()
    simulation.run()
    assert simulation.ended(Reason.ACCEPTED) == [0, 1, 2]


def test_a_full_plan_is_probed_by_one_item_a_minute_and_dead_letters_nothing() -> None:
    """Row: ITEM_COUNT_LIMIT_EXCEEDED, 429 with INSUFFICIENT_REMAINING_STORAGE."""
    simulation = Simulation(Darwin(full_until=600), ONE, TWO)
    simulation.add(ONE, 250)
    simulation.add(TWO, 50)
    simulation.run(until=599)
    assert simulation.outcomes == {}
    sizes = Counter(len(batch.items) for _, batch in simulation.darwin.requests)
    assert sizes == {100: 1, 1: 9}
    simulation.run()
    assert len(simulation.ended(Reason.ACCEPTED)) == 300


def test_a_full_plan_is_probed_though_the_only_lane_is_paused_too() -> None:
    simulation = Simulation(Darwin(full_until=600))
    simulation.add(ONE, 20)
    simulation.team.pause_lane(ONE, PauseKind.FAILING, "no clear answer", 0.0)
    simulation.run()
    assert len(simulation.ended(Reason.ACCEPTED)) == 20


def test_a_refused_probe_of_a_full_plan_gives_way_to_another_item() -> None:
    simulation = Simulation(Darwin(refuses=lambda _, number: number == 19, full_until=100))
    simulation.add(ONE, 20)
    simulation.team.pause_team(TeamPauseKind.PLAN_FULL, "full", 0.0)
    simulation.run()
    assert simulation.ended(Reason.REFUSED_ALONE) == [19]
    assert len(simulation.ended(Reason.ACCEPTED)) == 19


def test_three_failures_in_a_row_over_ten_seconds_are_suspicious() -> None:
    """Row: 5xx, Darwin is down when three requests in a row over 10 s failed and token_info fails too."""
    team = Simulation(Darwin(), ONE, TWO).team
    for now in (0.0, 5.0):
        team.failed(Batch(ONE, []), [], now, now + 1)
    assert not team.suspicious(20.0)
    team.failed(Batch(TWO, []), [], 9.9, 11)
    assert not team.suspicious(9.9)
    assert team.suspicious(10.0)
    team.passed(Batch(TWO, []), 11.0)
    assert not team.suspicious(30.0)


def test_an_answer_of_any_kind_clears_the_suspicion() -> None:
    team = Simulation(Darwin(), ONE).team
    for now in (0.0, 5.0, 10.0):
        team.failed(Batch(ONE, []), [], now, now + 1)
    assert team.suspicious(10.0)
    team.cleared()
    assert not team.suspicious(10.0)


# Leases


def test_an_item_whose_lease_is_too_short_is_passed_over_and_one_that_is_gone_is_handed_out() -> None:
    """Law 3."""
    simulation = Simulation(Darwin())
    simulation.add(ONE, 3)
    fitness = [Fitness.HOLD, Fitness.GONE, Fitness.SEND]
    cut = simulation.team.cut(0.0, lambda item: fitness[item.record.message])
    assert cut.batch is not None
    assert (numbers(cut.batch.items), numbers(cut.gone)) == ([2], [1])
    assert numbers(list(simulation.team.lanes[ONE].ready)) == [0]


def test_a_piece_waits_a_second_for_a_short_lease_and_loses_who_is_gone() -> None:
    """Law 3."""
    simulation = Simulation(Darwin(refuses=lambda _, number: number == 0))
    simulation.add(ONE, 4)
    simulation.run(until=0.0)
    how = {0: Fitness.HOLD, 1: Fitness.GONE}
    cut = simulation.team.cut(1.0, lambda item: how.get(item.record.message, Fitness.SEND))
    assert cut.batch is not None
    assert (numbers(cut.gone), numbers(cut.batch.items)) == ([1], [2, 3])
    simulation.answer(cut.batch)
    assert simulation.team.next_at(1.0) == 2.0
    cut = simulation.team.cut(2.0, fit)
    assert cut.batch is not None
    assert numbers(cut.batch.items) == [0]


def test_a_trial_whose_items_are_all_gone_does_not_keep_its_lane_waiting() -> None:
    simulation = Simulation(Darwin(refuses=lambda *_: True))
    simulation.add(ONE, 2)
    simulation.run(until=0.0)
    for item in [item for _ in range(2) for item in simulation.team.cut(9.0, lambda _: Fitness.GONE).gone]:
        simulation.team.forget(item)
    assert (simulation.team.held, simulation.team.lanes[ONE].trial) == (0, None)
    simulation.darwin.refuses = lambda *_: False
    simulation.add(ONE, 1)
    simulation.run()
    assert simulation.ended(Reason.ACCEPTED) == [2]

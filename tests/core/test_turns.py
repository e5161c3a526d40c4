"""Whose turn it is to probe: once a minute for a fleet, and all of it hears of a good answer."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.core.turns import Ask, Later, Probed, Turn, Well, turn, well


def test_the_first_who_asks_has_the_turn() -> None:
    assert turn(Probed(), paused_for=60, now=1000) == (Probed(at=1000), Ask())


def test_who_comes_less_than_a_minute_later_looks_again_soon() -> None:
    assert turn(Probed(at=1000), paused_for=70, now=1010) == (Probed(at=1000), Later(5))
    assert turn(Probed(at=1000), paused_for=70, now=1058) == (Probed(at=1000), Later(2))


def test_after_a_minute_the_turn_is_anybodys() -> None:
    assert turn(Probed(at=1000), paused_for=70, now=1060) == (Probed(at=1060), Ask())


def test_a_good_probe_since_our_pause_began_ends_it_without_one_of_ours() -> None:
    probed = well(Probed(at=1000), 1001)
    assert turn(probed, paused_for=30, now=1010) == (probed, Well())


def test_a_good_probe_from_before_our_pause_says_nothing() -> None:
    probed = well(Probed(at=1000), 1001)
    assert turn(probed, paused_for=5, now=1010) == (probed, Later(5))


def test_a_clock_that_was_set_back_stops_nobody_for_longer_than_a_probe() -> None:
    assert turn(Probed(at=5000), paused_for=70, now=1000) == (Probed(at=1000), Ask())


def test_a_clock_up_to_two_seconds_behind_does_not_ask_again_what_was_just_asked() -> None:
    assert turn(Probed(at=1000), paused_for=70, now=998) == (Probed(at=1000), Later(5))
    assert turn(Probed(at=1000), paused_for=70, now=997.9) == (Probed(at=997.9), Ask())


@given(
    st.lists(st.tuples(st.floats(0.1, 20), st.booleans()), min_size=1, max_size=200),
    st.floats(0, 2),
)
def test_two_workers_whose_clocks_are_two_seconds_apart_ask_once_a_minute(
    looks: list[tuple[float, bool]], behind: float
) -> None:
    """Give or take by how much the clocks differ: a store without a clock of its own has nothing better to say."""
    probed, now, asked = Probed(), 1000.0, list[float]()
    for pause, slow in looks:
        now += pause
        probed, ours = turn(probed, paused_for=now, now=now - behind if slow else now)
        if ours == Ask():
            asked.append(now)
    assert all(later - earlier >= 58 - 1e-6 for earlier, later in pairwise(asked))


@given(st.lists(st.floats(0.1, 20), min_size=1, max_size=200))
def test_a_fleet_asks_at_most_once_a_minute_and_does_not_skip_one(
    pauses: list[float],
) -> None:
    probed, now, asked = Probed(), 0.0, list[float]()
    for pause in pauses:
        now += pause
        probed, ours = turn(probed, paused_for=now, now=now)
        if ours == Ask():
            asked.append(now)
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert all(60 <= gap <= 60 + 20 for gap in gaps)


def test_a_worker_that_looks_when_it_is_told_to_probes_every_minute() -> None:
    probed, now, asked = Probed(), 0.0, 0
    answer: Turn
    while now < 600:
        probed, answer = turn(probed, paused_for=now, now=now)
        match answer:
            case Ask():
                asked += 1
                now += 5
            case Later(seconds):
                now += seconds
            case Well():
                raise AssertionError
    assert asked == 10

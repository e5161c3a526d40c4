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

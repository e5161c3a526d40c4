"""A store's clock, known by the Date of its answers only (law 1: the ledger's own clock decides what has lapsed)."""

import math

from hypothesis import given
from hypothesis import strategies as st

from worker.core.store_clock import corrected

NOON = 1_800_000_000.0
skews = st.floats(-7200, 7200)
moments = st.floats(0, 86_400).map(lambda seconds: NOON + seconds)
waits = st.floats(0, 10)


def heard(offset: float, skew: float, moment: float, before: float, after: float) -> float:
    """The offset after an answer that the store made at *moment* of its own clock, which is *skew* ahead of ours."""
    return corrected(
        offset, told=math.floor(moment), asked=moment - skew - before, answered=moment - skew + after
    )


def test_a_clock_within_the_second_of_the_answer_stays_as_it_is() -> None:
    assert corrected(0.0, told=1000.0, asked=1000.2, answered=1000.3) == 0.0


def test_a_clock_that_is_behind_is_set_to_the_earliest_time_that_the_answer_allows() -> None:
    assert corrected(0.0, told=1000.0, asked=900.0, answered=900.5) == 99.5


def test_a_clock_that_is_ahead_is_set_to_the_latest_time_that_the_answer_allows() -> None:
    assert corrected(0.0, told=1000.0, asked=1100.0, answered=1100.5) == -99.0


def test_a_clock_that_was_put_right_loses_its_correction() -> None:
    assert corrected(99.5, told=1000.0, asked=1000.25, answered=1000.5) == 0.75


def test_an_answer_says_nothing_when_our_clock_was_set_back_under_it() -> None:
    assert corrected(3.0, told=1000.0, asked=1000.0, answered=400.0) == 3.0


def test_a_slow_answer_says_little() -> None:
    assert corrected(0.0, told=1000.0, asked=995.0, answered=1030.0) == 0.0


@given(moments, waits, waits)
def test_a_clock_that_is_right_is_never_touched(moment: float, before: float, after: float) -> None:
    assert heard(0.0, 0.0, moment, before, after) == 0.0


@given(skews, skews, moments, waits, waits)
def test_no_answer_makes_the_clock_worse(
    offset: float, skew: float, moment: float, before: float, after: float
) -> None:
    assert abs(heard(offset, skew, moment, before, after) - skew) <= abs(offset - skew) + 1e-6


@given(skews, skews, moments, waits, waits)
def test_after_one_answer_the_clock_is_off_by_a_second_and_the_call_at_most(
    offset: float, skew: float, moment: float, before: float, after: float
) -> None:
    assert abs(heard(offset, skew, moment, before, after) - skew) <= 1 + before + after + 1e-6


@given(skews, skews, st.lists(st.tuples(moments, waits, waits), min_size=1))
def test_two_clocks_that_heard_the_same_answers_agree_as_well_as_the_best_answer_allows(
    ours: float, theirs: float, answers: list[tuple[float, float, float]]
) -> None:
    """The clocks of two replicas are *ours* and *theirs* behind the store's; how well they agree is never lost again."""
    our_offset = their_offset = 0.0
    for moment, before, after in answers:
        our_offset = heard(our_offset, ours, moment, before, after)
        their_offset = heard(their_offset, theirs, moment, before, after)
    apart = abs((our_offset - ours) - (their_offset - theirs))
    assert apart <= 1 + min(before + after for _, before, after in answers) + 1e-6

"""How long to wait before another try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.backoff import backoff

failures = st.integers(0, 10_000)
jitter = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("count", "shortest"), [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (7, 30.0), (10_000, 30.0)]
)
def test_waits_double_from_a_second_to_a_minute_and_half_of_them_is_chance(
    count: int, shortest: float
) -> None:
    assert backoff(count, 0.0) == shortest
    assert backoff(count, 0.5) == shortest * 1.5


@given(failures, jitter, st.floats(0.01, 10), st.floats(0.01, 1000))
def test_no_wait_is_longer_than_the_longest_nor_shorter_than_half_the_first(
    count: int, chance: float, first: float, longest: float
) -> None:
    wait = backoff(count, chance, first, longest)
    assert min(first, longest) / 2 <= wait <= longest


@given(failures, failures, jitter)
def test_more_failures_never_shorten_the_wait(one: int, other: int, chance: float) -> None:
    assert backoff(min(one, other), chance) <= backoff(max(one, other), chance)

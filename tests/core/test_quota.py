"""The token bucket: law 4, and the row "429" of the answer table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core import quota
from worker.core.quota import Bucket

limits = st.integers(2, 300).flatmap(
    lambda limit: st.tuples(st.just(limit), st.integers(1, min(limit - 1, 20)))
)


def full(limit: int, burst: int, now: float) -> Bucket:
    """A bucket that nobody took from for a while."""
    return replace(quota.empty(limit, burst, now), tokens=float(burst))


def takes_of(bucket: Bucket, pauses: list[float], now: float = 0.0) -> list[float]:
    """The moments at which tokens were taken by somebody who asks, waits as told, and idles for *pauses*."""
    moments = []
    for pause in pauses:
        now += pause
        bucket, wait = quota.take(bucket, now)
        while wait > 0:
            now += wait
            bucket, wait = quota.take(bucket, now)
        moments.append(now)
    return moments


def drained(bucket: Bucket, now: float) -> Bucket:
    while True:
        bucket, wait = quota.take(bucket, now)
        if wait > 0:
            return bucket


@given(limits, st.lists(st.one_of(st.just(0.0), st.floats(0, 5), st.floats(0, 100)), max_size=400))
def test_no_window_of_60_seconds_sees_more_than_the_limit(
    limit_and_burst: tuple[int, int], pauses: list[float]
) -> None:
    """Law 4."""
    limit, burst = limit_and_burst
    moments = takes_of(full(limit, burst, 0.0), pauses)
    for i, first in enumerate(moments):
        assert sum(1 for moment in moments[i:] if moment < first + 60 - 1e-6) <= limit


@given(
    limits,
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["take", "429", "429 in 7 s"])), max_size=200),
)
def test_refusals_never_loosen_the_limit(
    limit_and_burst: tuple[int, int], steps: list[tuple[float, str]]
) -> None:
    """Law 4."""
    limit, burst = limit_and_burst
    bucket, now, moments = full(limit, burst, 0.0), 0.0, []
    for pause, step in steps:
        now += pause
        if step == "take":
            bucket, wait = quota.take(bucket, now)
            if wait == 0:
                moments.append(now)
        else:
            bucket = quota.refused(bucket, now, None if step == "429" else 7.0)
        assert 0 <= bucket.tokens <= burst
        assert 1 <= bucket.rate <= limit - burst
    for i, first in enumerate(moments):
        assert sum(1 for moment in moments[i:] if moment < first + 60 - 1e-6) <= limit


@given(limits, st.floats(0, 1e6))
def test_who_waits_as_told_gets_a_token(limit_and_burst: tuple[int, int], now: float) -> None:
    bucket = drained(full(*limit_and_burst, now), now)
    bucket, wait = quota.take(bucket, now)
    assert wait > 0
    _, wait = quota.take(bucket, now + wait)
    assert wait == 0


@given(limits)
def test_in_ten_minutes_the_quota_is_used_to_the_last_token(limit_and_burst: tuple[int, int]) -> None:
    limit, burst = limit_and_burst
    moments = takes_of(full(limit, burst, 0.0), [0.0] * (10 * limit))
    # A bucket of one token loses up to a millisecond with each; a deeper one loses nothing.
    slack = 1.0 if burst > 1 else 1.0 + 10 * limit * 0.001
    used = sum(1 for moment in moments if moment <= 600 + slack)
    assert used >= min(10 * limit, burst + 10 * (limit - burst))


def test_a_new_bucket_gives_its_burst_at_once_and_then_one_token_after_another() -> None:
    bucket = full(limit=62, burst=2, now=0.0)
    assert takes_of(bucket, [0.0] * 4) == pytest.approx([0.0, 0.0, 1.0, 2.0], abs=0.003)


def test_a_burst_that_leaves_no_refill_is_an_error() -> None:
    for limit, burst in [(1, 1), (2, 2), (5, 0), (0, 0)]:
        with pytest.raises(ValueError, match="the burst must be"):
            full(limit, burst, 0.0)


def test_the_bucket_is_frozen_until_retry_after() -> None:
    """Row: 429."""
    bucket = quota.refused(full(100, 2, 0.0), now=10.0, retry_after=30.0)
    assert quota.take(bucket, 10.0)[1] == 30.0
    assert quota.take(bucket, 39.0)[1] == 1.0
    assert quota.take(bucket, 41.0)[1] == 0.0


def test_retry_after_is_honoured_for_an_hour_at_most() -> None:
    bucket = quota.refused(full(100, 2, 0.0), now=0.0, retry_after=86400.0)
    assert quota.take(bucket, 0.0)[1] == 3600.0


def test_a_retry_after_in_the_past_freezes_nothing() -> None:
    bucket = quota.refused(full(100, 2, 0.0), now=0.0, retry_after=-5.0)
    assert quota.take(bucket, 1.0)[1] == 0.0


def test_without_retry_after_the_freeze_doubles_from_one_second_to_sixty() -> None:
    """Row: 429."""
    bucket, now, freezes = full(100, 2, 0.0), 0.0, []
    for _ in range(8):
        bucket = quota.refused(bucket, now, None)
        freezes.append(quota.take(bucket, now)[1])
        now += freezes[-1]
    assert freezes == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_quiet_minute_ends_the_row_of_refusals() -> None:
    bucket = quota.refused(quota.refused(full(100, 2, 0.0), 0.0, None), 1.0, None)
    assert bucket.refusals == 2
    bucket = quota.refused(bucket, 3.0 + 60.0, None)
    assert bucket.refusals == 1


def test_a_refusal_while_frozen_may_lengthen_the_freeze_and_slows_nothing() -> None:
    """Several requests may be under way when the first 429 comes."""
    once = quota.refused(full(100, 2, 0.0), 0.0, 10.0)
    assert quota.refused(once, 1.0, 5.0) == once
    longer = quota.refused(once, 1.0, 20.0)
    assert (longer.thaw, longer.rate, longer.refusals) == (21.0, once.rate, once.refusals)


def test_the_rate_resumes_lower_and_climbs_to_the_full_rate_again() -> None:
    """Row: 429."""
    bucket = quota.refused(full(102, 2, 0.0), 0.0, 10.0)
    assert bucket.rate == 70.0
    assert quota.refilled(bucket, 10.0 + 60.0).rate == pytest.approx(80.0)
    assert quota.refilled(bucket, 10.0 + 180.0).rate == pytest.approx(100.0)
    assert quota.refilled(bucket, 10.0 + 3600.0).rate == 100.0


def test_the_rate_never_falls_below_one_a_minute() -> None:
    bucket = full(100, 2, 0.0)
    for i in range(30):
        bucket = quota.refused(bucket, float(i), 0.0)
    assert bucket.rate == 1.0


def test_the_time_of_a_clock_that_was_set_back_holds_nobody_up() -> None:
    """A bucket half an hour ahead that no 429 froze: nothing but a clock explains it, so it begins anew."""
    ahead = full(100, 2, now=1860.0)
    assert quota.under(ahead, 100, 2, now=60.0) == Bucket(100, 2, tokens=0.0, rate=98.0, at=60.0)


def test_a_freeze_of_half_an_hour_is_no_clock_that_was_set_back() -> None:
    """Row: 429 with a long Retry-After."""
    frozen = quota.refused(full(100, 2, 60.0), now=60.0, retry_after=1800.0)
    assert quota.under(frozen, 100, 2, now=60.0) == frozen


def test_a_refusal_heard_by_a_clock_that_is_behind_slows_the_rate_all_the_same() -> None:
    """Row: 429. A bucket ahead of us is frozen only when a 429 froze it."""
    bucket = quota.refused(full(102, 2, now=100.0), now=99.1, retry_after=None)
    assert (bucket.rate, bucket.refusals, bucket.tokens) == (70.0, 1, 0.0)
    assert bucket.thaw == pytest.approx(100.1)


def test_other_limits_keep_what_a_refusal_slowed_and_it_climbs_back_under_them() -> None:
    """Row: 429. Two workers of a fleet may be set differently for as long as a rollout takes."""
    slowed = quota.refused(full(102, 2, 0.0), 0.0, retry_after=0.0)
    assert slowed.rate == 70.0
    lower = quota.under(slowed, 52, 2, now=0.0)
    assert lower.rate == pytest.approx(35.0)
    assert quota.under(lower, 102, 2, now=0.0).rate == pytest.approx(70.0)
    assert quota.refilled(lower, 60.0).rate == pytest.approx(40.0)


def test_other_limits_give_a_bucket_at_full_rate_the_full_rate_of_today() -> None:
    assert quota.under(full(52, 2, 0.0), 102, 2, now=0.0).rate == 100.0
    assert quota.under(full(102, 2, 0.0), 52, 2, now=0.0).rate == 50.0


@given(
    limits,
    limits,
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["take", "429"])), max_size=30),
    st.lists(st.one_of(st.just(0.0), st.floats(0, 5)), min_size=1, max_size=400),
)
def test_a_bucket_that_was_kept_never_gives_more_than_the_limits_of_today_allow(
    before: tuple[int, int], today: tuple[int, int], steps: list[tuple[float, str]], pauses: list[float]
) -> None:
    """Law 4: whatever the limits were, and whatever became of the bucket under them."""
    bucket, now = full(*before, 0.0), 0.0
    for pause, step in steps:
        now += pause
        bucket = quota.take(bucket, now)[0] if step == "take" else quota.refused(bucket, now, None)
    limit, burst = today
    bucket = quota.under(bucket, limit, burst, now)
    assert (bucket.limit, bucket.burst) == today
    assert 0 <= bucket.tokens <= burst
    assert 1 <= bucket.rate <= limit - burst
    moments = takes_of(bucket, pauses, now)
    for i, first in enumerate(moments):
        assert sum(1 for moment in moments[i:] if moment < first + 60 - 1e-6) <= limit


def test_much_lower_limits_slow_no_rate_below_one_a_minute() -> None:
    slowest = replace(full(100, 2, 0.0), tokens=0.0, rate=1.0)
    assert quota.under(slowest, 3, 2, now=0.0).rate == 1.0

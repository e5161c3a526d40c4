"""The token bucket: law 4, and the row "429" of the answer table."""

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core import quota
from worker.core.quota import Bucket
from worker.demo.twin.limits import Form, Limiter, limiter

limits = st.integers(2, 300).flatmap(
    lambda limit: st.tuples(st.just(limit), st.integers(1, min(limit - 1, 20)))
)


def full(limit: int, burst: int, now: float) -> Bucket:
    """A bucket that holds its whole burst."""
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


def test_a_bucket_that_rested_leaves_one_request_of_a_minute_to_the_network() -> None:
    """It lacks a twentieth to its burst of two: the second token comes 50 ms after the first, and in 60 s there are 61."""
    moments = takes_of(replace(full(62, 2, 0.0), tokens=0.0), [600.0] + [0.0] * 80)
    assert moments[1] - moments[0] == pytest.approx(0.051)
    assert sum(1 for moment in moments if moment < moments[0] + 60) == 61


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


@pytest.mark.parametrize("told", [-5.0, 0.0, 0.5])
def test_a_retry_after_of_no_time_freezes_for_a_second(told: float) -> None:
    """What is under way may be refused too, and is to slow the rate once."""
    bucket = quota.refused(full(100, 2, 0.0), now=0.0, retry_after=told)
    assert quota.take(bucket, 0.0)[1] == 1.0


def test_without_retry_after_the_freeze_doubles_from_one_second_to_sixty() -> None:
    """Row: 429."""
    bucket, now, freezes = full(100, 2, 0.0), 0.0, []
    for _ in range(8):
        bucket = quota.refused(bucket, now, None)
        freezes.append(quota.take(bucket, now)[1])
        now += freezes[-1]
    assert freezes == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


@pytest.mark.parametrize(("seconds", "refusals"), [(0.0, 3), (6.3, 3), (6.5, 1)])
def test_a_refusal_is_one_of_a_row_when_it_comes_five_seconds_and_two_tokens_after_the_thaw(
    seconds: float, refusals: int
) -> None:
    """100 a minute less 7 % twice are 86.49, and two of its tokens take 1.39 seconds."""
    bucket = quota.refused(quota.refused(full(102, 2, 0.0), 0.0, None), 1.0, None)
    assert (bucket.refusals, bucket.thaw) == (2, 3.0)
    assert bucket.rate == pytest.approx(86.49)
    assert quota.refused(bucket, 3.0 + seconds, None).refusals == refusals


def test_a_refusal_while_frozen_may_lengthen_the_freeze_and_slows_nothing() -> None:
    """Several requests may be under way when the first 429 comes."""
    once = quota.refused(full(100, 2, 0.0), 0.0, 10.0)
    assert quota.refused(once, 1.0, 5.0) == once
    longer = quota.refused(once, 1.0, 20.0)
    assert (longer.thaw, longer.rate, longer.refusals) == (21.0, once.rate, once.refusals)


def test_the_rate_resumes_lower_and_climbs_back_past_a_plateau() -> None:
    """Row: 429. RFC 9438, 4.2 and 4.7: where 20 a minute were refused, 18.6 resume, and the plateau is half way between, after
    the cube root of 0.7/20 minutes.
    """
    bucket = quota.refused(full(102, 2, 0.0), 0.0, 10.0)
    assert bucket.rate == pytest.approx(93.0)
    assert bucket.rate_at(10.0) == pytest.approx(93.0)
    assert bucket.rate_at(10.0 + 30.0) == pytest.approx(96.496, abs=0.001)
    assert bucket.rate_at(10.0 + 60.0) == pytest.approx(98.211, abs=0.001)
    assert bucket.rate_at(10.0 + 120.0) == 100.0
    assert bucket.rate_at(10.0 + 3600.0) == 100.0
    bucket = replace(bucket, rate=18.6)
    assert bucket.rate_at(10.0 + 19.626) == pytest.approx(19.3, abs=0.001)
    assert bucket.rate_at(10.0 + 60.0) == pytest.approx(25.394, abs=0.001)
    assert bucket.rate_at(10.0 + 114.0) < 100.0
    assert bucket.rate_at(10.0 + 116.0) == 100.0


def test_while_the_rate_is_slowed_no_burst_is_kept() -> None:
    """A server that is near its limit refuses the second of two that come together."""
    slowed = Bucket(limit=102, burst=2, tokens=0.0, rate=18.6, at=10.0, thaw=10.0, refusals=1)
    assert quota.refilled(slowed, 70.0).tokens == pytest.approx(1.05)
    assert quota.refilled(slowed, 200.0).tokens == pytest.approx(1.95)


def test_while_the_rate_climbs_the_tokens_of_every_moment_come_in() -> None:
    """19.3 a minute, and 100/5 times the cube of the minutes from the plateau, which is 0.327 minutes after the thaw. At full
    rate after 1.92 minutes, 100 a minute.
    """
    slowed = Bucket(limit=102, burst=2, tokens=0.0, rate=18.6, at=10.0, thaw=10.0, refusals=1)
    assert slowed.gained(10.0, 70.0) == pytest.approx(20.268, abs=0.001)
    assert slowed.gained(10.0, 130.0) == pytest.approx(77.188, abs=0.001)
    assert slowed.gained(70.0, 130.0) == pytest.approx(56.921, abs=0.001)
    assert slowed.gained(310.0, 370.0) == pytest.approx(100.0)
    in_two = slowed.gained(10.0, 125.147) + slowed.gained(125.147, 250.0)
    assert slowed.gained(10.0, 250.0) == pytest.approx(in_two)
    assert full(102, 2, 0.0).gained(0.0, 60.0) == 100.0


@given(st.floats(1.0, 100.0), st.floats(0, 300), st.floats(0, 300), st.floats(0, 300))
def test_what_comes_in_does_not_depend_on_how_often_one_looks(
    rate: float, begins: float, first: float, second: float
) -> None:
    bucket = Bucket(limit=102, burst=2, tokens=0.0, rate=rate, at=0.0, thaw=0.0, refusals=1)
    middle, end = begins + first, begins + first + second
    in_two = bucket.gained(begins, middle) + bucket.gained(middle, end)
    assert bucket.gained(begins, end) == pytest.approx(in_two, abs=1e-6)
    assert bucket.gained(begins, end) <= 100.0 * (end - begins) / 60 + 1e-6


@dataclass
class Backlog:
    """Somebody who always has something to send, and a server that counts with *limiter*."""

    limiter: Limiter
    bucket: Bucket
    now: float = 1000.0

    def sends(self, minutes: float) -> tuple[int, int]:
        """How many requests passed in so many minutes, and how many were refused."""
        passed, refused, ends = 0, 0, self.now + minutes * 60
        while self.now < ends:
            self.bucket, wait = quota.take(self.bucket, self.now)
            if wait:
                self.now += wait
                continue
            after = self.limiter.take(self.now)
            if after:
                self.bucket, refused = quota.refused(self.bucket, self.now, math.ceil(after)), refused + 1
            else:
                passed += 1
        return passed, refused


@pytest.mark.parametrize("form", ["bucket", "fixed", "sliding"])
@pytest.mark.parametrize(
    ("configured", "real", "seconds"), [(100, 60, 60.0), (600, 360, 60.0), (600, 360, 1.0)]
)
def test_a_lower_limit_is_found_and_kept_and_left_again_when_it_is_gone(
    form: Form, configured: int, real: int, seconds: float
) -> None:
    """Of 60 % of what is configured 90 % are used and under 3 % refused; then the server takes twice as much. It counts
    by the minute or by the second. Row: 429.
    """
    backlog = Backlog(limiter(form, round(real * seconds / 60), seconds), full(configured, 2, 1000.0))
    backlog.sends(5)
    passed, refused = backlog.sends(12)
    assert passed >= 0.9 * 12 * real
    assert refused <= 0.03 * (passed + refused)
    backlog.limiter = limiter(form, round(2 * real * seconds / 60), seconds)
    backlog.sends(5)
    passed, refused = backlog.sends(3)
    assert passed >= 3 * (configured - 2) - 1
    assert refused == 0


def test_the_rate_never_falls_below_one_a_minute() -> None:
    bucket = full(100, 2, 0.0)
    for i in range(80):
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
    assert (bucket.rate, bucket.refusals, bucket.tokens) == (93.0, 1, 0.0)
    assert bucket.thaw == pytest.approx(100.1)


def test_other_limits_keep_what_a_refusal_slowed_and_it_climbs_back_under_them() -> None:
    """Row: 429. Two workers of a fleet may be set differently for as long as a rollout takes."""
    slowed = quota.refused(full(102, 2, 0.0), 0.0, retry_after=0.0)
    assert slowed.rate == pytest.approx(93.0)
    lower = quota.under(slowed, 52, 2, now=0.0)
    assert lower.rate == pytest.approx(46.5)
    assert quota.under(lower, 102, 2, now=0.0).rate == pytest.approx(93.0)
    assert lower.rate_at(1.0 + 30.0) == pytest.approx(48.248, abs=0.001)


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

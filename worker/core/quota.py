"""One token bucket as a value: what Darwin lets one key send, and how a refusal slows it (law 4).

Refill is (limit - burst) a minute and the bucket holds *burst*, so no window of 60 s sees more than *limit* takes.
A 429 empties and freezes the bucket; then it refills more slowly and climbs back. *now* is in seconds on one clock for
all who share the bucket; while it goes back nothing is gained.
"""

import math
from dataclasses import dataclass, replace

MINUTE = 60.0
LONGEST_FREEZE = 3600.0
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
SLOWDOWN = 0.7
CLIMB = 0.1  # of the full rate, per minute
LOWEST_RATE = 1.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """*tokens* were at hand at *at*, with *rate* tokens a minute coming in. While frozen, *at* is the thaw ahead.

    *refusals* is the number of 429s in a row; *thaw* is when the freeze of the last one ended or will end.
    """

    limit: int
    burst: int
    tokens: float
    rate: float
    at: float
    thaw: float = -math.inf
    refusals: int = 0

    @property
    def full_rate(self) -> float:
        return float(self.limit - self.burst)


def empty(limit: int, burst: int, now: float) -> Bucket:
    """A bucket to begin with: the process before may have sent its burst a moment ago, so it holds nothing yet.

    *limit* in requests a minute; ValueError unless limit > burst >= 1.
    """
    if not limit > burst >= 1:
        raise ValueError(
            f"a limit of {limit} a minute with a burst of {burst}: the burst must be from 1 to limit - 1"
        )
    return Bucket(limit, burst, tokens=0.0, rate=float(limit - burst), at=now)


def under(bucket: Bucket, limit: int, burst: int, now: float) -> Bucket:
    """A bucket that was kept, under the limits of today. One whose time lies further ahead than any freeze was written
    by a clock that was set back since, and begins anew.
    """
    frozen_until = max(bucket.thaw, now)
    if bucket.at > now + LONGEST_FREEZE or bucket.at > frozen_until + MINUTE:
        return empty(limit, burst, now)
    if (bucket.limit, bucket.burst) == (limit, burst):
        return bucket
    full = float(limit - burst)
    slowed = max(LOWEST_RATE, bucket.rate / bucket.full_rate * full)
    rate = full if bucket.rate >= bucket.full_rate else slowed
    return replace(bucket, limit=limit, burst=burst, tokens=min(bucket.tokens, float(burst)), rate=rate)


def refilled(bucket: Bucket, now: float) -> Bucket:
    """The bucket as it stands at *now*; unchanged while it is frozen."""
    seconds = now - bucket.at
    if seconds <= 0:
        return bucket
    rate = min(bucket.full_rate, bucket.rate + CLIMB * bucket.full_rate * seconds / MINUTE)
    # The mean of both rates: exact on the climb, and too little, never too much, where the climb ends in between.
    gained = (bucket.rate + rate) / 2 * seconds / MINUTE
    return replace(bucket, tokens=min(float(bucket.burst), bucket.tokens + gained), rate=rate, at=now)


def take(bucket: Bucket, now: float) -> tuple[Bucket, float]:
    """One token, and 0; or no token, and the seconds after which to ask again (more than 0)."""
    bucket = refilled(bucket, now)
    if now < bucket.at:
        return bucket, bucket.at - now
    if bucket.tokens >= 1:
        return replace(bucket, tokens=bucket.tokens - 1), 0.0
    # Up to the next whole millisecond, so that rounding never makes somebody ask again at the same instant.
    wait = (1 - bucket.tokens) * MINUTE / bucket.rate
    return bucket, (math.floor(wait * 1000) + 1) / 1000


def refused(bucket: Bucket, now: float, retry_after: float | None) -> Bucket:
    """The bucket after a 429: empty and frozen for *retry_after* seconds (an hour at most), or for a backoff.

    A 429 that comes while the bucket is frozen answers a request sent before: it may lengthen the freeze, and does
    not slow the rate again. A 429 within a minute of the last thaw is one more in a row.
    """
    bucket = refilled(bucket, now)
    if now < bucket.thaw:
        refusals, rate = bucket.refusals, bucket.rate
    else:
        refusals = bucket.refusals + 1 if now < bucket.thaw + MINUTE else 1
        rate = max(LOWEST_RATE, bucket.rate * SLOWDOWN)
    if retry_after is None:
        freeze = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(refusals - 1, 10))
    else:
        freeze = min(LONGEST_FREEZE, max(0.0, retry_after))
    thaw = max(bucket.at, now + freeze)
    return replace(bucket, tokens=0.0, rate=rate, at=thaw, thaw=thaw, refusals=refusals)

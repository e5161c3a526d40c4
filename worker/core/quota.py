"""One token bucket as a value: what Darwin lets one key send, and how a refusal slows it (law 4).

Refill is (limit - burst) a minute and the bucket holds *burst*, so no window of 60 s sees more than *limit* takes.
Where the real limit is lower, refusals find it: each slows the rate, and then it follows the cubic curve of RFC 9438 with
fast convergence, never above the configured limit: soon near the rate that was refused, slowly past it, then ever
faster. So it lingers a little below a limit that it met, and leaves one that is gone. *now* is in seconds on one clock for
all who share the bucket; while it goes back nothing is gained.
"""

import math
from dataclasses import dataclass, replace

MINUTE = 60.0
LONGEST_FREEZE = 3600.0
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
IN_A_ROW = 5.0
"""Seconds, and two tokens' time: a refusal that comes so soon after the thaw is of the first requests after it."""

SLACK = 0.05
"""Tokens that a full bucket lacks to its burst: so 60 s see one take less than the limit, and where the network brings
requests closer together than they left, the server still sees no more than the limit. A bucket of one holds as much
more than its burst, for whoever asks a moment late.
"""

SLOWDOWN = 0.93
CLIMB = 1 / 5
"""Of the full rate, in the first minute past the plateau; eight times as much in two."""

LOWEST_RATE = 1.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """*tokens* were at hand at *at*; while frozen, *at* is the thaw ahead.

    *thaw* is when the freeze of the last 429 ended or will end, *rate* how many tokens a minute came in then, and
    *refusals* the number of 429s in a row.
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

    def capacity_at(self, now: float) -> float:
        """How many tokens it holds at most. One while the rate is slowed: what is near its limit refuses a burst."""
        slowed = self.rate_at(now) < self.full_rate
        return 1 + SLACK if slowed or self.burst == 1 else self.burst - SLACK

    def rate_at(self, now: float) -> float:
        """Tokens a minute that come in at *now*."""
        minutes = max(0.0, now - self.thaw) / MINUTE - self._plateau_at
        return min(self.full_rate, self._plateau_rate + CLIMB * self.full_rate * minutes**3)

    def gained(self, since: float, now: float) -> float:
        """The tokens of the time between: the integral of the rate."""
        steep = CLIMB * self.full_rate
        climb = self._plateau_at + math.cbrt((self.full_rate - self._plateau_rate) / steep)
        top = min(max(self.thaw + MINUTE * climb, since), now)
        at_full_rate = self.full_rate * (now - top) / MINUTE
        if top <= since:
            return at_full_rate
        first, last = ((at - self.thaw) / MINUTE - self._plateau_at for at in (since, top))
        return at_full_rate + self._plateau_rate * (last - first) + steep * (last**4 - first**4) / 4

    @property
    def _plateau_rate(self) -> float:
        """Half way between the rate that was refused and the one after it (RFC 9438, 4.7)."""
        return self.rate * (1 + SLOWDOWN) / (2 * SLOWDOWN)

    @property
    def _plateau_at(self) -> float:
        """Minutes from the thaw until the rate is that of the plateau."""
        return math.cbrt((self._plateau_rate - self.rate) / (CLIMB * self.full_rate))


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
    if now <= bucket.at:
        return bucket
    tokens = bucket.tokens + bucket.gained(bucket.at, now)
    return replace(bucket, tokens=min(bucket.capacity_at(now), tokens), at=now)


def take(bucket: Bucket, now: float) -> tuple[Bucket, float]:
    """One token, and 0; or no token, and the seconds after which to ask again (more than 0)."""
    bucket = refilled(bucket, now)
    if now < bucket.at:
        return bucket, bucket.at - now
    if bucket.tokens >= 1:
        return replace(bucket, tokens=bucket.tokens - 1), 0.0
    # Up to the next whole millisecond and never by less than ten microseconds, so that neither rounding nor the grain of
    # a store's clock makes somebody ask again at the same instant.
    wait = (1 - bucket.tokens) * MINUTE / bucket.rate_at(now)
    return bucket, (math.floor(wait * 1000 + 0.01) + 1) / 1000


def refused(bucket: Bucket, now: float, retry_after: float | None) -> Bucket:
    """The bucket after a 429: empty and frozen for *retry_after* seconds (a second at least, an hour at most), or for a
    backoff.

    A 429 that comes while the bucket is frozen answers a request sent before: it may lengthen the freeze, and does
    not slow the rate again.
    """
    bucket = refilled(bucket, now)
    if now < bucket.thaw:
        refusals, rate = bucket.refusals, bucket.rate
    else:
        soon = bucket.thaw + IN_A_ROW + 2 * MINUTE / bucket.rate
        refusals = bucket.refusals + 1 if now < soon else 1
        rate = max(LOWEST_RATE, bucket.rate_at(now) * SLOWDOWN)
    if retry_after is None:
        freeze = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(refusals - 1, 10))
    else:
        freeze = min(LONGEST_FREEZE, max(FIRST_BACKOFF, retry_after))
    thaw = max(bucket.at, now + freeze)
    return replace(bucket, tokens=0.0, rate=rate, at=thaw, thaw=thaw, refusals=refusals)

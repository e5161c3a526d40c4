"""Darwin's limits on requests in a minute, in the three forms that servers use.

The documentation gives a number and no form, so a client must be right under each of them. ``take`` counts a
request and answers 0, or counts nothing and answers the seconds until the next one will be let through.
"""

import math
from collections import deque
from typing import Literal, Protocol

MINUTE = 60.0
_ROUNDING = 1e-6

Form = Literal["bucket", "fixed", "sliding"]


class Limiter(Protocol):
    def take(self, now: float) -> float: ...


class TokenBucket:
    """Starts full with *limit* tokens, refilled evenly."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tokens = float(limit)
        self._at: float | None = None

    def take(self, now: float) -> float:
        since = 0.0 if self._at is None else max(0.0, now - self._at)
        self._tokens = min(self._limit, self._tokens + since * self._limit / MINUTE)
        self._at = now
        if self._tokens >= 1 - _ROUNDING:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * MINUTE / self._limit


class FixedWindow:
    """*limit* requests in each minute of the clock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._window = -1
        self._count = 0

    def take(self, now: float) -> float:
        window = math.floor(now / MINUTE)
        if window != self._window:
            self._window, self._count = window, 0
        if self._count < self._limit:
            self._count += 1
            return 0.0
        return (window + 1) * MINUTE - now


class SlidingWindow:
    """*limit* requests in any 60 seconds: the strictest form."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: deque[float] = deque()

    def take(self, now: float) -> float:
        while self._times and self._times[0] + MINUTE <= now + _ROUNDING:
            self._times.popleft()
        if len(self._times) < self._limit:
            self._times.append(now)
            return 0.0
        return self._times[0] + MINUTE - now


def limiter(form: Form, limit: int) -> Limiter:
    match form:
        case "bucket":
            return TokenBucket(limit)
        case "fixed":
            return FixedWindow(limit)
        case "sliding":
            return SlidingWindow(limit)

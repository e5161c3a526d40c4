"""Darwin's limits on requests in a minute, or in other windows of so many *seconds*, in the three forms that servers use.

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

    def __init__(self, limit: int, seconds: float = MINUTE) -> None:
        self._limit = limit
        self._seconds = seconds
        self._tokens = float(limit)
        self._at: float | None = None

    def take(self, now: float) -> float:
        since = 0.0 if self._at is None else max(0.0, now - self._at)
        self._tokens = min(self._limit, self._tokens + since * self._limit / self._seconds)
        self._at = now
        if self._tokens >= 1 - _ROUNDING:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self._seconds / self._limit


class FixedWindow:
    """*limit* requests in each window of the clock."""

    def __init__(self, limit: int, seconds: float = MINUTE) -> None:
        self._limit = limit
        self._seconds = seconds
        self._window = -1
        self._count = 0

    def take(self, now: float) -> float:
        window = math.floor(now / self._seconds)
        if window != self._window:
            self._window, self._count = window, 0
        if self._count < self._limit:
            self._count += 1
            return 0.0
        return (window + 1) * self._seconds - now


class SlidingWindow:
    """*limit* requests in any window: the strictest form."""

    def __init__(self, limit: int, seconds: float = MINUTE) -> None:
        self._limit = limit
        self._seconds = seconds
        self._times: deque[float] = deque()

    def take(self, now: float) -> float:
        while self._times and self._times[0] + self._seconds <= now + _ROUNDING:
            self._times.popleft()
        if len(self._times) < self._limit:
            self._times.append(now)
            return 0.0
        return self._times[0] + self._seconds - now


def limiter(form: Form, limit: int, seconds: float = MINUTE) -> Limiter:
    match form:
        case "bucket":
            return TokenBucket(limit, seconds)
        case "fixed":
            return FixedWindow(limit, seconds)
        case "sliding":
            return SlidingWindow(limit, seconds)

"""One small value that a fleet shares: the level of a quota, whose turn it is to probe.

A cell knows nothing of its value. Whoever changes it reads it, decides in plain Python, and swaps it only if nobody was
faster, so that the rules stand once, in the core, whatever the store.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Seen(NamedTuple):
    """What a cell held (None: nothing yet), and when: Unix seconds on the store's clock."""

    value: str | None
    now: float


class Cell(Protocol):
    """Both methods raise :class:`worker.core.errors.OutsideError` and end: every call has a deadline."""

    async def read(self) -> Seen:
        """The value as of the last swap by anybody."""
        ...

    async def swap(self, before: str | None, after: str) -> bool:
        """Put *after* where *before* still stands; False, and nothing is changed, where it does not."""
        ...


class MemoryCell:
    """The cell of a process that shares nothing. *now* in seconds, never going back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._value: str | None = None

    async def read(self) -> Seen:
        return Seen(self._value, self._now())

    async def swap(self, before: str | None, after: str) -> bool:
        if self._value != before:
            return False
        self._value = after
        return True

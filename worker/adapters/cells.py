"""One small value that a fleet shares: the level of a quota, whose turn it is to probe.

A cell knows nothing of its value. Whoever changes it reads it, decides in plain Python, and swaps it only if nobody was
faster, so that the rules stand once, in the core, whatever the store.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


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


def packed(value: "DataclassInstance") -> str:
    """A dataclass of plain values as a cell keeps it."""
    return json.dumps(asdict(value))


def unpacked(kind: type[T], text: str) -> T:
    """What was packed. While a fleet is upgraded a newer worker may have written more, which is let pass."""
    held = json.loads(text)
    return kind(**{field.name: held[field.name] for field in fields(kind) if field.name in held})

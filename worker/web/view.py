"""What the pages may know of the worker."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from worker.core.conditions import Condition


class View(Protocol):
    """Read-only. The mappings that are answered are JSON: docs/page.md describes them."""

    def conditions(self) -> Sequence[Condition]:
        """All that is raised now."""
        ...

    def heartbeats(self) -> Mapping[str, float]:
        """Seconds since each part of the worker last showed that it runs, by the part's name."""
        ...

    async def refresh(self) -> None:
        """Bring the gauges up to date; called before each scrape. Does not raise."""
        ...

    async def status(self) -> Mapping[str, object]:
        """How the worker does. Answers within a few seconds whatever is in the way, and does not raise."""
        ...

    async def why(self, bucket: str, key: str) -> Mapping[str, object]:
        """What became of one object. Raises :class:`~worker.core.errors.OutsideError` where it cannot be told now."""
        ...

    async def dead_letters(self) -> Mapping[str, object]:
        """What the dead-letter queue holds, by reason, as of the last minute. Raises as :meth:`why`."""
        ...

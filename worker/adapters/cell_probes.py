"""The turns of a fleet, or of one process, to probe what is paused; kept in a cell."""

from worker.adapters.cells import Cell, packed, unpacked
from worker.core import turns
from worker.core.turns import Later, Probed, Turn


class CellProbes:
    """The Probes port."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    async def turn(self, paused_for: float) -> Turn:
        seen = await self._cell.read()
        before = _probed(seen.value)
        after, turn = turns.turn(before, paused_for, seen.now)
        if after == before or await self._cell.swap(seen.value, packed(after)):
            return turn
        return Later(turns.LOOK_AGAIN)  # somebody was faster

    async def well(self) -> None:
        seen = await self._cell.read()
        found = turns.well(_probed(seen.value), seen.now)
        # Where somebody was faster, the others find out by a probe of their own.
        await self._cell.swap(seen.value, packed(found))


def _probed(value: str | None) -> Probed:
    return Probed() if value is None else unpacked(Probed, value)

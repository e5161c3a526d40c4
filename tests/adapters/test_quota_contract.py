"""What the Quota port promises, run on every kind of cell that a quota may be kept in."""

import asyncio
import random

import pytest

from tests.adapters.stores import Clock, Opening
from worker.adapters.cell_quota import CellQuota
from worker.adapters.cells import Cell, MemoryCell, Seen
from worker.core.errors import Unavailable


@pytest.fixture
def quota(cell: Cell) -> CellQuota:
    """62 requests a minute, burst 2: one token a second."""
    return CellQuota(cell, limit=62, burst=2)


@pytest.fixture
async def rested(quota: CellQuota, clock: Clock) -> CellQuota:
    """A quota that nobody took from for so long that it is full."""
    await quota.level()
    clock.time += 10
    return quota


async def test_a_new_quota_begins_empty(quota: CellQuota) -> None:
    """Law 4: the process before may have sent its burst a moment ago."""
    assert await quota.take() == pytest.approx(1.0, abs=0.01)


async def test_zero_means_that_a_token_was_taken(rested: CellQuota) -> None:
    assert await rested.take() == 0
    assert await rested.take() > 0


async def test_who_waits_as_told_gets_a_token(rested: CellQuota, clock: Clock) -> None:
    """Two are there but for a twentieth, and ten are taken."""
    started = clock.time
    for _ in range(10):
        if wait := await rested.take():
            clock.time += wait
            assert await rested.take() == 0
    assert clock.time - started == pytest.approx(8.05, abs=0.01)


async def test_the_level_is_the_tokens_at_hand(rested: CellQuota, clock: Clock) -> None:
    assert await rested.level() == pytest.approx(1.95)
    await rested.take()
    assert await rested.level() == pytest.approx(0.95)
    clock.time += 0.5
    assert await rested.level() == pytest.approx(1.45)


async def test_after_a_refusal_nothing_is_given_until_retry_after(rested: CellQuota, clock: Clock) -> None:
    """Row: 429."""
    await rested.refused(30.0)
    assert await rested.take() == pytest.approx(30.0)
    clock.time += 29
    assert await rested.take() == pytest.approx(1.0)
    clock.time += 3
    assert await rested.take() == 0


async def test_after_a_refusal_without_retry_after_there_is_a_backoff(rested: CellQuota) -> None:
    """Row: 429."""
    await rested.refused(None)
    assert await rested.take() == pytest.approx(1.0)
    assert await rested.level() == 0


# Clocks that differ, where the store has none to ask


class Behind:
    """The cell as a worker sees it whose clock is so many seconds behind."""

    def __init__(self, cell: Cell, seconds: float) -> None:
        self._cell = cell
        self._seconds = seconds

    async def read(self) -> Seen:
        seen = await self._cell.read()
        return Seen(seen.value, seen.now - self._seconds)

    async def swap(self, before: str | None, after: str) -> bool:
        return await self._cell.swap(before, after)


async def served(quotas: list[CellQuota], clock: Clock, seconds: float) -> list[list[float]]:
    """When each of several workers got its tokens that all want as many as they can get. They wait as they are told, and up
    to 0.3 s more, as it happens on a machine.
    """
    late = random.Random(1)  # noqa: S311 - a simulation, no secret
    ends = clock.time + seconds
    due = [clock.time + 0.01 * n for n in range(len(quotas))]
    tokens: list[list[float]] = [[] for _ in quotas]
    while min(due) < ends:
        asks = due.index(min(due))
        clock.time = max(clock.time, due[asks])
        wait = await quotas[asks].take()
        if wait == 0:
            tokens[asks].append(clock.time)
        due[asks] = clock.time + wait + late.uniform(0.001, 0.3)
    return tokens


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.9, 1.9])
async def test_a_worker_whose_clock_is_behind_gets_its_share_of_the_tokens(
    cell: Cell, clock: Clock, cell_opening: Opening[Cell], seconds: float
) -> None:
    """Law 4: the fleet sends what one would, and none of it starves."""
    minutes = 1 if cell_opening.slow else 3
    ahead, behind = CellQuota(cell, 62, 2), CellQuota(Behind(cell, seconds), 62, 2)
    await ahead.level()
    clock.time += 10
    first, second = await served([ahead, behind], clock, 60.0 * minutes)
    sent = sorted(first + second)
    assert min(len(first), len(second)) >= 15 * minutes
    assert len(sent) >= 58 * minutes
    assert all(sum(1 for at in sent if began <= at < began + 60 - 1e-6) <= 62 for began in sent)


@pytest.mark.parametrize("seconds", [0.9, 1.9])
async def test_a_refusal_heard_by_a_worker_whose_clock_is_behind_slows_the_fleet(
    rested: CellQuota, cell: Cell, clock: Clock, seconds: float
) -> None:
    """Row: 429, and law 4: nothing for the second of the first backoff; then 55.8 a minute, where it was 60."""
    behind = CellQuota(Behind(cell, seconds), 62, 2)
    assert await rested.take() == 0
    clock.time += 0.1
    await behind.refused(None)
    assert await rested.take() == pytest.approx(1.0, abs=0.11)
    clock.time += await rested.take()
    assert await rested.take() == pytest.approx(60 / 55.8, abs=0.02)


async def test_a_clock_set_back_by_half_an_hour_stops_nobody_for_half_an_hour(
    rested: CellQuota, clock: Clock
) -> None:
    """The bucket begins anew: one token a second, from now on."""
    clock.time = 10_000.0
    assert await rested.take() == 0
    clock.time -= 1800
    assert await rested.take() == pytest.approx(1.0, abs=0.01)


async def test_workers_of_other_limits_do_not_forget_for_each_other_that_darwin_refused(
    rested: CellQuota, cell: Cell, clock: Clock
) -> None:
    """Row: 429: still slowed, seconds after a worker of half the limit had its turn."""
    other = CellQuota(cell, 32, 2)
    for _ in range(5):
        await rested.refused(1.0)
        clock.time += 1.5
    clock.time += 3
    assert await other.take() == 0
    clock.time += 3
    assert await rested.take() == 0
    clock.time += 4
    assert await rested.take() == 0
    clock.time += await rested.take()
    assert await rested.take() == 0
    assert await rested.take() > 60 / 46


# The deadline


class Slow:
    """A store each call of which comes back within its own deadline; and somebody else is always faster."""

    def __init__(self, cell: Cell, seconds: float) -> None:
        self._cell = cell
        self._seconds = seconds

    async def read(self) -> Seen:
        await asyncio.sleep(self._seconds)
        return await self._cell.read()

    async def swap(self, before: str | None, after: str) -> bool:
        del before, after
        await asyncio.sleep(self._seconds)
        return False


@pytest.mark.looptime
async def test_one_change_takes_twenty_seconds_at_most_however_many_calls_it_needs() -> None:
    """Law 11: whoever waits for a token gives no sign of life meanwhile."""
    loop = asyncio.get_running_loop()
    quota = CellQuota(Slow(MemoryCell(loop.time), 6.0), 62, 2)
    for change in (quota.take(), quota.level(), quota.refused(1.0)):
        began = loop.time()
        with pytest.raises(Unavailable, match="within 20 s"):
            await change
        assert loop.time() - began == pytest.approx(20.0, abs=0.01)


@pytest.mark.looptime
async def test_a_change_that_others_always_outrun_is_given_up() -> None:
    quota = CellQuota(Slow(MemoryCell(asyncio.get_running_loop().time), 0.01), 62, 2)
    with pytest.raises(Unavailable, match="changed under our hands 20 times"):
        await quota.take()

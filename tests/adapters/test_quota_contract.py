"""What the Quota port promises, run on every implementation."""

import asyncio
from collections.abc import Callable

import pytest

from worker.adapters.cell_quota import CellQuota
from worker.adapters.cells import MemoryCell
from worker.pipeline.ports import Quota

pytestmark = pytest.mark.looptime


Opening = Callable[[], Quota]


@pytest.fixture
def opened() -> Opening:
    """Opens a quota of 62 requests a minute, burst 2: one token a second.

    The test opens it, for virtual time begins with the test's own body.
    """
    return lambda: CellQuota(MemoryCell(asyncio.get_running_loop().time), limit=62, burst=2)


async def rested(opened: Opening) -> Quota:
    """A quota that nobody took from for so long that it is full."""
    quota = opened()
    await quota.level()
    await asyncio.sleep(10)
    return quota


async def test_a_new_quota_begins_empty(opened: Opening) -> None:
    """Law 4: the process before may have sent its burst a moment ago."""
    quota = opened()
    assert await quota.take() == pytest.approx(1.0, abs=0.01)


async def test_zero_means_that_a_token_was_taken(opened: Opening) -> None:
    quota = await rested(opened)
    assert [await quota.take(), await quota.take()] == [0, 0]
    assert await quota.take() > 0


async def test_who_waits_as_told_gets_a_token(opened: Opening) -> None:
    quota = await rested(opened)
    started = asyncio.get_running_loop().time()
    for _ in range(10):
        if wait := await quota.take():
            await asyncio.sleep(wait)
            assert await quota.take() == 0
    assert asyncio.get_running_loop().time() - started == pytest.approx(8.0, abs=0.01)


async def test_the_level_is_the_tokens_at_hand(opened: Opening) -> None:
    quota = await rested(opened)
    assert await quota.level() == 2
    await quota.take()
    await quota.take()
    assert await quota.level() == pytest.approx(0)
    await asyncio.sleep(0.5)
    assert await quota.level() == pytest.approx(0.5)


async def test_after_a_refusal_nothing_is_given_until_retry_after(opened: Opening) -> None:
    """Row: 429."""
    quota = await rested(opened)
    await quota.refused(30.0)
    assert await quota.take() == pytest.approx(30.0)
    await asyncio.sleep(29)
    assert await quota.take() == pytest.approx(1.0)
    await asyncio.sleep(3)
    assert await quota.take() == 0


async def test_after_a_refusal_without_retry_after_there_is_a_backoff(opened: Opening) -> None:
    """Row: 429."""
    quota = await rested(opened)
    await quota.refused(None)
    assert await quota.take() == pytest.approx(1.0)
    assert await quota.level() == 0

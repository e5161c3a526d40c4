"""What a Cell promises, run on every implementation."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.adapters.stores import Clock, Opening
from worker.adapters.cells import Cell, Seen


@pytest.fixture
async def beside(cell_opening: Opening[Cell], cell: Cell, clock: Clock) -> AsyncIterator[Cell]:
    """Another process on the same cell; the same object again where it is no fleet's."""
    if not cell_opening.shared:
        yield cell
        return
    async with cell_opening.open(clock) as another:
        yield another


async def test_a_new_cell_holds_nothing(cell: Cell) -> None:
    assert (await cell.read()).value is None


async def test_the_time_is_that_of_the_store(cell: Cell, clock: Clock) -> None:
    assert await cell.read() == Seen(None, 1000.0)
    clock.time = 1_763_647_467.25
    assert await cell.read() == Seen(None, 1_763_647_467.25)


async def test_what_was_swapped_in_is_read_by_all(cell: Cell, beside: Cell) -> None:
    assert await cell.swap(None, "first")
    assert (await beside.read()).value == "first"
    assert await beside.swap("first", "second")
    assert (await cell.read()).value == "second"


@pytest.mark.parametrize("before", [None, "firs", "first ", "second"])
async def test_a_swap_of_what_stands_no_more_changes_nothing(cell: Cell, before: str | None) -> None:
    await cell.swap(None, "first")
    assert not await cell.swap(before, "third")
    assert (await cell.read()).value == "first"


async def test_a_swap_of_something_for_nothing_is_lost(cell: Cell) -> None:
    assert not await cell.swap("first", "second")
    assert (await cell.read()).value is None


@pytest.mark.parametrize("value", ['{"tokens": 1.5}', "Grüße \U0001f600", "two\nlines\x00", "x" * 5000])
async def test_any_text_is_kept_as_it_is(cell: Cell, value: str) -> None:
    assert await cell.swap(None, value)
    assert (await cell.read()).value == value
    assert await cell.swap(value, "next")


async def test_of_many_that_swap_the_same_value_one_wins(cell: Cell, beside: Cell) -> None:
    won = await asyncio.gather(*((cell if n % 2 else beside).swap(None, f"holder {n}") for n in range(20)))
    assert sum(won) == 1
    assert (await cell.read()).value == f"holder {won.index(True)}"


async def test_of_many_that_swap_in_the_same_value_one_wins(cell: Cell, beside: Cell) -> None:
    """A quota's takers all write the same level: had two of them won, a token would have been given twice."""
    await cell.swap(None, "2 tokens")
    won = await asyncio.gather(*((cell if n % 2 else beside).swap("2 tokens", "1 token") for n in range(20)))
    assert sum(won) == 1


async def test_nothing_is_lost_when_many_count_at_once(
    cell_opening: Opening[Cell], cell: Cell, beside: Cell
) -> None:
    tasks = 12 if cell_opening.slow else 50

    async def count(mine: Cell) -> None:
        while True:
            value = (await mine.read()).value
            if await mine.swap(value, str(int(value or 0) + 1)):
                return

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for n in range(tasks):
            group.create_task(count(cell if n % 2 else beside))
    assert (await cell.read()).value == str(tasks)

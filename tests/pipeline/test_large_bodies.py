"""What large and hostile bodies cost the rest of the process."""

import asyncio
from itertools import pairwise

import pytest

from tests.fakes.rig import notification, rig_of

pytestmark = pytest.mark.looptime


async def test_others_have_their_turn_between_any_two_large_bodies() -> None:
    """Leases are extended and the event loop shows its beat, however many bodies from hell come at once."""
    rig = rig_of()
    for _ in range(50):
        rig.queue.put("x" * 100_000)
    turns = [0]
    async with rig.running():
        while turns[-1] < 50:
            await asyncio.sleep(0)
            [read] = rig.registry_metrics.messages.labels(shape="unreadable").collect()
            turns.append(int(read.samples[0].value))
    assert max(after - before for before, after in pairwise(turns)) == 1


async def test_large_bodies_take_bounded_memory_however_many_wait() -> None:
    """A thousand messages of a mebibyte are no more than a few seconds' work for whoever wants to end the process."""
    rig = rig_of()
    body = (
        notification("in/a.png") + " " * 1_000_000
    )  # one string, shared by all: the test itself needs little memory
    for _ in range(400):
        rig.queue.put(body)
    most = 0
    async with rig.running():
        while rig.queue.stored:
            await asyncio.sleep(0.01)
            most = max(most, rig.flow.settling.book.open_characters)
    assert (
        64 * 2**20 <= most <= (64 + 80) * 2**20
    )  # what is on its way when the bound is reached comes on top
    assert rig.outcomes() == {"registered": 1, "duplicate": 399}
    assert rig.flow.settling.book.open_characters == 0


async def test_a_thousand_dead_letters_of_one_message_are_stored_with_signs_of_life_between() -> None:
    """Law 11: a dead-letter queue that is slow or away makes nobody look dead."""
    rig = rig_of()
    rig.queue.put('{"Records":[' + "0," * 999 + "0]}")
    rig.dead_letters.faults.seconds["send"] = (
        20.0  # what a call to a queue that is away may take, a hundred entries in ten calls
    )
    oldest = 0.0
    async with rig.running():
        while rig.queue.stored:
            await asyncio.sleep(5)
            oldest = max(oldest, *rig.heartbeats.ages().values())
    assert len(rig.dead_letters.stored) == 1_000
    assert rig.dead_letters.faults.calls["send"] == 10
    assert oldest < 30

"""The stop keeps its deadline whatever hangs, and what ends beside it breaks nothing (law 6). On virtual time."""

import asyncio

import pytest

from tests.fakes.rig import notification, rig_of, stopped
from worker.core.errors import Unavailable

pytestmark = pytest.mark.looptime

AWAY = Unavailable("away")


async def test_a_probe_that_hangs_does_not_outlast_the_stop() -> None:
    """Law 6: Darwin's lists take their time, the stop has its own."""
    rig = rig_of()
    rig.twin.world.teams["acme"].datasets["intake"].removed = True
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(10)
        rig.darwin["acme"].seconds = 19
        await asyncio.sleep(52)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began <= 25


async def test_messages_are_given_back_although_the_ledger_hangs() -> None:
    """Law 6: a ledger that does not answer keeps no message invisible."""
    rig = rig_of()
    rig.fault(kind="429", endpoint="register", times=1, retry_after=100)
    rig.upload("in/a.jpg")
    rig.ledger.faults.seconds["release"] = 20
    assert await stopped(rig, 10) <= 25
    assert len(rig.queue.visible) == 1
    assert rig.conserved()


async def test_a_delete_that_failed_is_tried_again_before_the_stop_ends() -> None:
    """Law 6: deletes flushed."""
    rig = rig_of()
    rig.queue.faults.fail("delete", AWAY)
    rig.upload("in/bad.xyz")
    async with rig.running():
        await asyncio.sleep(3)
        rig.stop.ask()
        await asyncio.sleep(12)
        rig.queue.faults.heal()
    assert not rig.queue.stored
    assert len(rig.dead_letters.stored) == 1


async def test_a_double_in_one_poll_is_given_back_after_the_stop() -> None:
    """Law 6: SQS may deliver a message twice at once."""
    rig = rig_of()
    gate = rig.queue.faults.hold("receive")
    rig.queue.put(notification("in/a.jpg"))
    rig.queue.put(notification("in/a.jpg"), double_of="message-1")
    async with rig.running():
        await asyncio.sleep(3)
        rig.stop.ask()
        gate.set()
    assert rig.conserved()
    assert not rig.items()["intake"]

"""What passes leaves no trace: conditions clear, parts go on, and no wait is taken for death (law 11). Virtual time."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.fakes.rig import Rig, rig_of
from worker.core.conditions import Name
from worker.core.errors import Unavailable
from worker.core.model import Message
from worker.core.queueing import Failure

pytestmark = pytest.mark.looptime

AWAY = Unavailable("away")


async def oldest_beat(rig: Rig, seconds: float) -> float:
    """The longest silence of any part, looked at for so long."""
    worst = 0.0
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        worst = max(worst, *rig.heartbeats.ages().values())
    return worst


async def test_a_release_that_failed_does_not_stop_the_worker_for_ever() -> None:
    """Law 4: store away, nothing is received; but somebody must find out that it is back."""
    rig = rig_of()
    rig.fault(kind="status", status=422, body="json", item="^bad")
    rig.ledger.faults.fail_next("release", AWAY)
    rig.upload("in/bad.jpg")
    async with rig.running():
        await asyncio.sleep(30)
        rig.upload("in/good.jpg")
        await rig.queue.until_empty(within=60)
        assert not rig.situation.has(Name.LEDGER_UNREACHABLE)


async def test_an_outage_of_the_ledger_and_of_the_leases_together_passes() -> None:
    rig = rig_of()
    rig.fault(kind="429", endpoint="register", times=1, retry_after=100)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(5)
        rig.queue.faults.fail("extend", AWAY)
        rig.queue.faults.fail("receive", AWAY)
        rig.ledger.faults.fail("claim", AWAY)
        await asyncio.sleep(400)
        rig.queue.faults.heal()
        rig.ledger.faults.heal()
        await rig.queue.until_empty(within=120)
        assert rig.situation.conditions.now() == ()


async def test_a_failed_extension_is_forgotten_once_nothing_is_left_to_extend() -> None:
    """Readiness tells what is: a condition that nobody meets any more is cleared."""
    rig = rig_of()
    rig.fault(kind="429", endpoint="register", times=1, retry_after=70)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(55)
        rig.queue.faults.fail("extend", AWAY)
        await rig.queue.until_empty(within=60)
        rig.queue.faults.heal()
        await asyncio.sleep(30)
        assert rig.situation.conditions.now() == ()


async def test_a_failed_store_is_forgotten_when_its_message_is_lost() -> None:
    rig = rig_of()
    rig.dead_letters.faults.fail("send", AWAY)
    rig.upload("in/bad.xyz")
    async with rig.running():
        await asyncio.sleep(5)
        rig.queue.faults.fail("extend", AWAY)
        rig.queue.faults.fail("receive", AWAY)
        await rig.queue.until(lambda: rig.flow.settling.book.returned == 1, within=200)
        rig.queue.purge()
        rig.queue.faults.heal()
        rig.dead_letters.faults.heal()
        await asyncio.sleep(60)
        assert rig.situation.conditions.now() == ()


async def test_a_poll_that_fails_slowly_is_no_silence() -> None:
    """Law 11: a receive of thirty seconds and the wait after it."""
    rig = rig_of()
    rig.queue.faults.fail("receive", AWAY)
    rig.queue.faults.seconds["receive"] = 40
    async with rig.running():
        assert await oldest_beat(rig, 900) < 60


async def test_an_outage_of_the_ledger_is_no_silence() -> None:
    """Law 11."""
    rig = rig_of()
    rig.upload("in/a.jpg", "in/a.jpg", "in/a.jpg")
    rig.ledger.faults.fail("look_up", AWAY)
    async with rig.running():
        await asyncio.sleep(1)
        rig.ledger.faults.heal()
        rig.fault(kind="slow", seconds=5)
        await asyncio.sleep(3)
        rig.ledger.faults.fail("look_up", AWAY)
        assert await oldest_beat(rig, 300) < 60


async def test_requests_that_all_wait_for_the_ledger_are_no_silence() -> None:
    """Law 11: every place for a request is taken, and none comes free while the ledger is away."""
    rig = rig_of(requests_per_minute=600)
    rig.fault(kind="slow-answer", seconds=15)
    async with rig.running():
        for n in range(40):
            rig.upload(f"in/{n}.jpg")
            await asyncio.sleep(0.2)
        rig.ledger.faults.fail("register", AWAY)
        assert await oldest_beat(rig, 200) < 60


async def test_a_verdict_that_met_a_lease_on_the_brink_is_carried_out() -> None:
    """Law 3: the lease ran out while its extension was under way, and SQS granted it after all."""
    rig = rig_of()
    rig.fault(kind="429", endpoint="register", times=1, retry_after=92)
    rig.ledger.faults.seconds["register"] = 29  # the verdict falls two seconds after the end of the lease
    rig.queue.faults.fail_next("extend", AWAY, times=55)
    extend = rig.queue.extend

    async def answered_late(messages: Sequence[Message], seconds: int) -> list[Failure | None]:
        results = await extend(messages, seconds)
        await asyncio.sleep(12)
        return results

    rig.queue.extend = answered_late  # type: ignore[method-assign]  # SQS does the work at once, and is slow to say so
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=200)
    assert rig.flow.settling.book.returned == 0


async def test_at_rest_a_lone_record_goes_out_within_milliseconds() -> None:
    rig = rig_of()
    async with rig.running():
        await asyncio.sleep(301.7)
        began = asyncio.get_running_loop().time()
        rig.upload("in/a.jpg")
        await rig.queue.until_empty()
        assert rig.darwin["acme"].sent_at[0] - began <= 0.01
        assert asyncio.get_running_loop().time() - began <= 0.2

"""Trouble with SQS: told, bounded, survived (design section 3, laws 2 and 3). On virtual time."""

import asyncio

import pytest

from tests.fakes.rig import Rig, notification, rig_of
from tests.fakes.watching import Watch, receive_counts, shown, until_not
from worker.core.conditions import Name
from worker.core.errors import OutsideError, Refused, Unavailable

pytestmark = pytest.mark.looptime

AWAY = Unavailable("no answer within 20 s")
THROTTLED = Unavailable("RequestThrottled: slow down")
DELETED = Refused("QueueDoesNotExist: The specified queue does not exist.")
EXPIRED = Refused("ExpiredToken. The AWS credentials have expired: renew them.")
OVER_LIMIT = Unavailable("OverLimit: 120,000 messages are in flight")
CALLS = ("receive", "extend", "delete", "send")


def fill(rig: Rig, messages: int = 600, records: int = 5) -> None:
    for message in range(messages):
        rig.queue.put(notification(*(f"in/{message}-{n}.jpg" for n in range(records))))


def whys(rig: Rig) -> set[str]:
    return {condition.why for condition in rig.situation.conditions.now()}


@pytest.mark.parametrize("error", [AWAY, DELETED, EXPIRED], ids=["away", "deleted", "expired"])
async def test_half_an_hour_without_sqs_is_told_and_loses_and_doubles_nothing(error: OutsideError) -> None:
    """Leases run out, for nobody can extend them; what Darwin has by then is in the ledger."""
    rig = rig_of()
    watch = Watch(rig)
    fill(rig)
    async with rig.running():
        await asyncio.sleep(10)
        for call in CALLS:
            rig.queue.faults.fail(call, error)
            rig.dead_letters.faults.fail(call, error)
        first = await watch.look(5)
        assert first.conditions[-1] == {"sqs_unreachable"}
        assert first.busiest("queue.receive") <= 40
        assert first.busiest("queue.extend") <= 60
        assert first.busiest("queue.delete") <= 250
        seen = await watch.look(25)
        assert seen.conditions == [{"sqs_unreachable"}]
        assert whys(rig) == {str(error)}
        assert shown(rig, Name.SQS_UNREACHABLE) == 1
        assert seen.called() == {"queue.receive"}
        assert seen.busiest("queue.receive") <= 5
        assert max(first.silence, seen.silence) <= 30
        rig.queue.faults.heal()
        rig.dead_letters.faults.heal()
        await rig.queue.until_empty(within=300)
        await asyncio.sleep(30)
        assert rig.situation.conditions.now() == ()
    assert rig.outcomes().keys() == {"registered", "duplicate"}
    assert len(rig.items()["intake"]) == 3000
    assert (rig.counters()["registered"], rig.counters()["resent"]) == (3000, 0)
    assert not rig.dead_letters.stored
    assert rig.conserved()


@pytest.mark.parametrize("error", [THROTTLED, OVER_LIMIT], ids=["throttled", "over limit"])
async def test_while_receives_fail_everything_else_goes_on(error: OutsideError) -> None:
    """With 120,000 messages in flight SQS hands out no more, and says so."""
    rig = rig_of()
    watch = Watch(rig)
    fill(rig, 1000, records=10)
    async with rig.running():
        await asyncio.sleep(10)
        rig.queue.faults.fail("receive", error)
        await asyncio.sleep(60)
        assert rig.flow.settling.book.open_records == 0
        seen = await watch.look(60)
        assert seen.conditions == [{"sqs_unreachable"}]
        assert whys(rig) == {str(error)}
        assert seen.called() == {"queue.receive"}
        assert seen.busiest("queue.receive") <= 40
        assert set(receive_counts(rig)) == {0}
        rig.queue.faults.heal()
        await until_not(rig, Name.SQS_UNREACHABLE, within=31)
        await rig.queue.until_empty(within=300)
        assert rig.situation.conditions.now() == ()
    assert rig.outcomes() == {"registered": 10_000}
    assert rig.flow.settling.book.returned == 0


async def test_while_deletes_fail_the_messages_stay_ours() -> None:
    rig = rig_of()
    watch = Watch(rig)
    fill(rig, 100)
    async with rig.running():
        rig.queue.faults.fail("delete", AWAY)
        await asyncio.sleep(120)
        seen = await watch.look(30)
        assert seen.conditions == [{"sqs_unreachable"}]
        assert seen.called() == {"queue.receive", "queue.delete", "queue.extend"}
        assert seen.busiest("queue.delete") <= 60
        assert seen.silence < 20
        assert receive_counts(rig) == {1: 100}
        rig.queue.faults.heal()
        await rig.queue.until_empty(within=60)
        assert rig.situation.conditions.now() == ()
    assert rig.outcomes() == {"registered": 500}
    assert rig.counters()["resent"] == 0


async def test_while_leases_cannot_be_extended_for_a_while_within_their_length_nothing_is_lost() -> None:
    rig = rig_of()
    watch = Watch(rig)
    fill(rig, 100)
    rig.twin.world.teams["acme"].plan_full = True
    async with rig.running():
        await asyncio.sleep(55)
        rig.queue.faults.fail("extend", AWAY)
        seen = await watch.look(50 / 60)
        assert {"plan_full", "sqs_unreachable"} in seen.conditions
        rig.queue.faults.heal()
        seen = await watch.look(3)
        assert seen.conditions[-1] == {"plan_full"}
        assert receive_counts(rig) == {1: 100}
        rig.twin.world.teams["acme"].plan_full = False
        await rig.queue.until_empty(within=120)
    assert rig.flow.settling.book.returned == 0


@pytest.mark.parametrize("error", [AWAY, DELETED], ids=["away", "deleted"])
async def test_without_the_dead_letter_queue_only_dead_letters_wait(error: OutsideError) -> None:
    rig = rig_of()
    watch = Watch(rig)
    rig.upload(*(f"in/{n}.xyz" for n in range(50)))
    fill(rig, 100)
    rig.dead_letters.faults.fail("send", error)
    async with rig.running():
        await asyncio.sleep(120)
        assert len(rig.items()["intake"]) == 500
        seen = await watch.look(30)
        assert seen.conditions == [{"dead_letters_unreachable"}]
        assert whys(rig) == {str(error)}
        assert shown(rig, Name.DEAD_LETTERS_UNREACHABLE) == 1
        assert seen.silence < 20
        assert receive_counts(rig) == {1: 50}
        assert seen.called() == {"queue.receive", "queue.extend", "dead_letters.send"}
        assert seen.busiest("dead_letters.send") <= 40
        rig.dead_letters.faults.heal()
        await rig.queue.until_empty(within=60)
        assert rig.situation.conditions.now() == ()
    assert len(rig.dead()) == len(rig.dead_letters.stored) == 50

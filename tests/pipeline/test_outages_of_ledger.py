"""A ledger that is away, or can be read and not written (a full disk): held, told, bounded (law 4). On virtual time."""

import asyncio

import pytest

from tests.fakes.rig import Rig, notification, rig_of
from tests.fakes.watching import Watch, receive_counts, shown, until, until_not
from worker.adapters.cells import Seen
from worker.core.conditions import Name
from worker.core.errors import Unavailable

pytestmark = pytest.mark.looptime

READS, WRITES = ("look_up",), ("claim", "register", "release")
FULL = Unavailable("database or disk is full")


def fill(rig: Rig) -> None:
    for message in range(800):
        rig.queue.put(notification(*(f"in/{message}-{n}.jpg" for n in range(10))))


@pytest.mark.parametrize("calls", [READS + WRITES, WRITES], ids=["all", "writes"])
async def test_half_an_hour_without_the_ledger_costs_nothing(calls: tuple[str, ...]) -> None:
    """Law 4: store away, nothing is sent. Nothing is received either, and what is open stays ours. The condition
    holds still, although a full disk can be read all the time.
    """
    rig = rig_of()
    watch = Watch(rig)
    fill(rig)
    async with rig.running():
        await asyncio.sleep(10)
        for call in calls:
            rig.ledger.faults.fail(call, FULL)
        await until(rig, Name.LEDGER_UNREACHABLE)
        await asyncio.sleep(60)
        held = receive_counts(rig)
        assert set(held) == {0, 1}
        seen = await watch.look(30)
        assert seen.conditions == [{"ledger_unreachable"}]
        assert {condition.why for condition in rig.situation.conditions.now()} == {str(FULL)}
        assert shown(rig, Name.LEDGER_UNREACHABLE) >= 1
        assert seen.silence < 20
        assert receive_counts(rig) == held
        assert seen.called() <= {"queue.extend", "ledger.claim", "ledger.look_up", "ledger.register"}
        assert seen.busiest("ledger.claim") <= 12
        assert seen.busiest("ledger.look_up") <= 24
        assert seen.busiest("ledger.register") <= 24
        await recovered(rig)


async def test_a_ledger_that_cannot_be_read_stops_the_receiving_and_not_what_was_looked_up() -> None:
    rig = rig_of()
    watch = Watch(rig)
    fill(rig)
    async with rig.running():
        await asyncio.sleep(10)
        rig.ledger.faults.fail("look_up", FULL)
        await until(rig, Name.LEDGER_UNREACHABLE)
        await asyncio.sleep(15)
        seen = await watch.look(30)
        assert seen.conditions == [{"ledger_unreachable"}]
        assert seen.silence < 20
        assert "queue.receive" not in seen.called()
        assert seen.busiest("ledger.look_up") <= 24
        assert set(receive_counts(rig)) == {0, 1}
        await recovered(rig)


async def test_a_write_that_failed_and_is_wanted_by_nobody_any_more_stops_nothing() -> None:
    """The leases of all that was held are lost while the disk is full; whoever receives next finds out that it is not."""
    rig = rig_of()
    rig.upload("in/a.jpg", "in/b.jpg")
    rig.ledger.faults.fail("claim", FULL)
    async with rig.running():
        await until(rig, Name.LEDGER_UNREACHABLE)
        rig.queue.faults.fail("extend", FULL)
        await rig.queue.until(lambda: rig.flow.settling.book.returned == 2, within=200)
        rig.queue.faults.heal()
        rig.ledger.faults.heal()
        await rig.queue.until_empty(within=120)
        await until_not(rig, Name.LEDGER_UNREACHABLE)
    assert rig.outcomes() == {"registered": 2}


async def recovered(rig: Rig) -> None:
    rig.ledger.faults.heal()
    await until_not(rig, Name.LEDGER_UNREACHABLE, within=20)
    await rig.queue.until_empty(within=300)
    assert rig.situation.conditions.now() == ()
    assert rig.outcomes() == {"registered": 8000}
    assert rig.counters()["resent"] == 0
    assert rig.flow.settling.book.returned == 0
    assert not rig.dead_letters.stored


async def test_a_store_that_is_away_is_not_taken_for_a_darwin_that_is_down() -> None:
    """Law 4: a question takes its token from the fleet's store, and fails with it."""
    rig = rig_of()
    rig.fault(kind="status", status=503, endpoint="register")
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(9)
        cell = rig.cells["quota/acme"]
        read = cell.read

        async def away() -> Seen:
            raise Unavailable("the store is away")

        cell.read = away  # type: ignore[method-assign]  # an outage of this one cell
        await asyncio.sleep(60)
        assert {condition.name for condition in rig.situation.conditions.now()} == {Name.LEDGER_UNREACHABLE}
        assert rig.darwin["acme"].probes == []
        cell.read = read  # type: ignore[method-assign]  # and its end
        rig.twin.world.faults.clear()
        await rig.queue.until_empty(within=300)
    assert rig.dead() == []

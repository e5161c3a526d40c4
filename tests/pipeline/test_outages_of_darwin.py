"""Trouble with Darwin costs nothing: no dead letter, no receive, no memory, no rush (design section 3). Virtual time."""

import asyncio
import sys
from itertools import pairwise

import pytest

from tests.fakes.rig import Rig, notification, rig_of
from tests.fakes.watching import Watch, receive_counts, shown, until, until_not
from worker.core.conditions import Name
from worker.demo.twin.switches import Switches

pytestmark = pytest.mark.looptime

OPEN = range(5000, 5400)
"""Open records at the most: 5000, and what the polls under way brought above that, each message counted as one."""


def fill(rig: Rig, messages: int, records: int = 5) -> None:
    for message in range(messages):
        rig.queue.put(notification(*(f"in/{message}-{n}.jpg" for n in range(records))))


async def test_two_hours_without_darwin_cost_nothing() -> None:
    """Row: broken connection; Darwin down. Receive counts stay, memory is flat, Darwin is asked once a minute."""
    rig = rig_of()
    watch = Watch(rig)
    fill(rig, messages=1300, records=10)
    darwin = rig.darwin["acme"]
    async with rig.running():
        await asyncio.sleep(15)
        assert 1500 < len(rig.items()["intake"]) < 3000
        darwin.unreachable = True
        await watch.look(10)
        held, open_records = receive_counts(rig), rig.flow.settling.book.open_records
        assert set(held) == {0, 1}
        assert open_records in OPEN
        probed, tasks, blocks = len(darwin.probes), len(asyncio.all_tasks()), sys.getallocatedblocks()

        seen = await watch.look(110)
        assert sys.getallocatedblocks() - blocks < 5000
        assert len(asyncio.all_tasks()) == tasks
        assert rig.flow.settling.book.open_records == open_records
        assert receive_counts(rig) == held
        assert seen.conditions == [{"darwin_down"}]
        assert shown(rig, Name.DARWIN_DOWN) == 1
        assert seen.silence < 20
        assert seen.called() == {"darwin.token_info", "queue.extend"}
        assert seen.busiest("queue.extend") <= 20, "for a thousand messages and more"
        gaps = [second - first for first, second in pairwise(darwin.probes[probed:])]
        assert 107 <= len(gaps) <= 110
        assert all(59 <= gap <= 62 for gap in gaps)

        darwin.unreachable = False
        await until_not(rig, Name.DARWIN_DOWN, within=61)
        resumed = asyncio.get_running_loop().time()
        await asyncio.sleep(60)
        assert 98 <= len([at for at in darwin.sent_at if at >= resumed - 1]) <= 100
        await rig.queue.until_empty(within=600)
    sizes = rig.twin.world.counters.batch_sizes
    assert sizes[100] >= 128, "of 130 full requests"
    assert not rig.dead_letters.stored
    assert rig.outcomes() == {"registered": 13_000}
    assert rig.flow.settling.book.returned == 0
    assert (rig.counters()["extensions"], rig.counters()["collisions"]) == (0, 0)


async def test_an_outage_told_by_503_is_an_outage() -> None:
    """Row: 5xx; Darwin down."""
    rig = rig_of()
    watch = Watch(rig)
    fill(rig, messages=300)
    async with rig.running():
        await asyncio.sleep(5)
        rig.fault(kind="status", status=503)
        await until(rig, Name.DARWIN_DOWN, within=60)
        await asyncio.sleep(60)
        held = receive_counts(rig)
        seen = await watch.look(30)
        assert seen.conditions == [{"darwin_down"}]
        assert seen.called() == {"darwin.token_info", "queue.extend"}
        assert 29 <= seen.total("darwin.token_info") <= 31
        assert receive_counts(rig) == held
        rig.twin.world.faults.clear()
        await rig.queue.until_empty(within=180)
        assert rig.situation.conditions.now() == ()
    assert rig.outcomes() == {"registered": 1500}
    assert not rig.dead_letters.stored


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_costs_nothing_and_a_good_one_in_its_file_ends_it_at_once(status: int) -> None:
    """Row: 401, 403."""
    rig = rig_of()
    watch = Watch(rig)
    fill(rig, messages=750, records=10)
    async with rig.running():
        await asyncio.sleep(5)
        rig.fault(kind="status", status=status, body="json")
        await until(rig, Name.KEY_REFUSED, within=60)
        await asyncio.sleep(60)
        held = receive_counts(rig)
        assert set(held) == {0, 1}
        seen = await watch.look(30)
        assert seen.conditions == [{"key_refused"}]
        assert shown(rig, Name.KEY_REFUSED) == 1
        assert seen.silence < 20
        assert seen.called() == {"darwin.token_info", "queue.extend"}
        assert 29 <= seen.total("darwin.token_info") <= 31
        assert receive_counts(rig) == held

        rig.twin.world.faults.clear()
        rig.twin.world.teams["acme"].key = "the next key"
        await asyncio.sleep(120)
        assert rig.situation.has(Name.KEY_REFUSED)
        before = len(rig.items()["intake"])
        rig.darwin["acme"].key_in_file = "the next key"
        await asyncio.sleep(10)
        assert len(rig.items()["intake"]) - before >= 1000, "ten full requests"
        await rig.queue.until_empty(within=600)
        assert rig.situation.conditions.now() == ()
    assert rig.outcomes() == {"registered": 7500}
    assert not rig.dead_letters.stored


@pytest.mark.parametrize("told_as", ["blocked", "429"])
async def test_a_full_plan_costs_nothing(told_as: str) -> None:
    """Rows: ITEM_COUNT_LIMIT_EXCEEDED; 429 with INSUFFICIENT_REMAINING_STORAGE. One item a minute asks for room."""
    rig = rig_of(switches=Switches.model_validate({"plan_full_as": told_as}))
    watch = Watch(rig)
    fill(rig, messages=750, records=10)
    team = rig.twin.world.teams["acme"]
    async with rig.running():
        await asyncio.sleep(5)
        team.plan_full = True
        await until(rig, Name.PLAN_FULL, within=60)
        await asyncio.sleep(60)
        held = receive_counts(rig)
        seen = await watch.look(30)
        assert seen.conditions == [{"plan_full"}]
        assert shown(rig, Name.PLAN_FULL) == 1
        assert seen.silence < 20
        assert {call for call in seen.called() if call.startswith("darwin")} == {"darwin.register"}
        assert 28 <= seen.total("darwin.register") <= 31
        assert receive_counts(rig) == held
        team.plan_full = False
        await rig.queue.until_empty(within=600)
        assert rig.situation.conditions.now() == ()
    assert rig.outcomes() == {"registered": 7500}
    assert not rig.dead_letters.stored


async def test_a_slow_darwin_is_not_down_and_gets_the_whole_quota() -> None:
    """Every answer takes 15 of the 20 seconds: nothing is raised, nothing is sent twice, 98 full requests a minute."""
    rig = rig_of()
    watch = Watch(rig)
    fill(rig, messages=2600)
    rig.darwin["acme"].seconds = 15
    async with rig.running():
        await asyncio.sleep(30)
        seen = await watch.look(1)
        assert seen.conditions == [set()]
        assert 96 <= seen.total("darwin.register") <= 100
        assert seen.silence < 20
        await rig.queue.until_empty(within=300)
    assert rig.outcomes() == {"registered": 13_000}
    assert rig.counters()["resent"] == 0


async def test_an_outage_longer_than_sqs_lets_anybody_hold_gives_back_and_spends_one_receive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A minute before the end, where an hour stands for SQS's twelve; then the messages wait in the queue, for nobody
    receives, and one more receive brings them when Darwin is back.
    """
    monkeypatch.setattr("worker.core.leases.LONGEST_HOLD", 3600.0)
    rig = rig_of()
    rig.darwin["acme"].unreachable = True
    rig.upload(*(f"in/{n}.jpg" for n in range(10)))
    async with rig.running():
        await asyncio.sleep(3600 - 90)
        assert (len(rig.queue.in_flight), receive_counts(rig)) == (10, {1: 10})
        await asyncio.sleep(60)
        assert (len(rig.queue.in_flight), receive_counts(rig)) == (0, {1: 10})
        await asyncio.sleep(1800)
        assert rig.flow.settling.book.returned == 10
        assert receive_counts(rig) == {1: 10}
        assert rig.situation.has(Name.DARWIN_DOWN)
        rig.darwin["acme"].unreachable = False
        rig.ledger.faults.seconds["register"] = 5
        await rig.queue.until(lambda: receive_counts(rig) == {2: 10}, within=120)
        await rig.queue.until_empty(within=120)
    assert rig.outcomes() == {"registered": 10}
    assert rig.conserved()


async def test_a_plan_that_is_full_for_longer_than_sqs_lets_anybody_hold_spends_one_receive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As above, but only a record can tell whether there is room again: so they are received anew, and held in their turn."""
    monkeypatch.setattr("worker.core.leases.LONGEST_HOLD", 3600.0)
    rig = rig_of()
    rig.twin.world.teams["acme"].plan_full = True
    rig.upload(*(f"in/{n}.jpg" for n in range(10)))
    async with rig.running():
        await asyncio.sleep(3600 - 90)
        assert (len(rig.queue.in_flight), receive_counts(rig)) == (10, {1: 10})
        await asyncio.sleep(60)
        assert rig.flow.settling.book.returned == 10
        await asyncio.sleep(1800)
        assert (len(rig.queue.in_flight), receive_counts(rig)) == (10, {2: 10})
        rig.twin.world.teams["acme"].plan_full = False
        await rig.queue.until_empty(within=400)
    assert rig.outcomes() == {"registered": 10}
    assert rig.flow.settling.book.returned == 10
    assert rig.conserved()

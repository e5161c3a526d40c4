"""What passes leaves no trace: conditions clear, parts go on, and no wait is taken for death (law 11). Virtual time."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.fakes.rig import Rig, notification, rig_of
from worker.adapters.cell_probes import CellProbes
from worker.adapters.cells import MemoryCell, Seen
from worker.core.asking import chunks_of_places
from worker.core.conditions import Name
from worker.core.darwin import HeldItem, Storage
from worker.core.errors import Unavailable
from worker.core.model import Message
from worker.core.queueing import Failure
from worker.core.turns import Ask

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


# The store of quota and turns


class AwayCell(MemoryCell):
    """The cell of a store that is away for as long as *away* says so; a call takes *seconds*, and *lost* of the swaps
    that are tried come too late.
    """

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop().time)
        self.away = False
        self.seconds = 0.0
        self.lost = 0

    async def read(self) -> Seen:
        await asyncio.sleep(self.seconds)
        if self.away:
            raise AWAY
        return await super().read()

    async def swap(self, before: str | None, after: str) -> bool:
        await asyncio.sleep(self.seconds)
        if self.lost:
            self.lost -= 1
            return False
        return await super().swap(before, after)


NAMES = ("quota/acme", "probes/acme/team", "probes/acme/plan")


def changes_of(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every condition that is raised or cleared from now on, as it happens."""
    told = list[str]()
    ring = rig.situation.changed.ring

    def told_of() -> None:
        told.append(", ".join(condition.name.value for condition in rig.situation.conditions.now()))
        ring()

    monkeypatch.setattr(rig.situation.changed, "ring", told_of)
    return told


async def test_a_store_that_is_away_while_darwin_is_down_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Readiness tells what is; what is raised and cleared every second says nothing."""
    cells = {name: AwayCell() for name in NAMES}
    rig = rig_of(cells=cells)
    rig.darwin["acme"].unreachable = True
    rig.upload(*(f"in/{n}.jpg" for n in range(30)))
    async with rig.running():
        await asyncio.sleep(90)
        assert rig.situation.has(Name.DARWIN_DOWN)
        changes = changes_of(rig, monkeypatch)
        for cell in cells.values():
            cell.away = True
        await asyncio.sleep(600)
        assert changes == ["darwin_down, ledger_unreachable"]
        for cell in cells.values():
            cell.away = False
        await asyncio.sleep(120)
        assert not rig.situation.has(Name.LEDGER_UNREACHABLE)
        rig.darwin["acme"].unreachable = False
        await rig.queue.until_empty(within=120)
        assert rig.situation.conditions.now() == ()


async def test_a_store_that_is_away_while_the_plan_is_full_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = {name: AwayCell() for name in NAMES}
    rig = rig_of(cells=cells)
    rig.twin.world.teams["acme"].plan_full = True
    rig.upload(*(f"in/{n}.jpg" for n in range(30)))
    async with rig.running():
        await asyncio.sleep(90)
        assert rig.situation.has(Name.PLAN_FULL)
        changes = changes_of(rig, monkeypatch)
        for cell in cells.values():
            cell.away = True
        await asyncio.sleep(600)
        assert changes == ["plan_full, ledger_unreachable"]
        for cell in cells.values():
            cell.away = False
        rig.twin.world.teams["acme"].plan_full = False
        await rig.queue.until_empty(within=120)
        assert rig.situation.conditions.now() == ()


async def test_deletes_that_fail_are_told_once_and_so_is_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = rig_of()
    rig.queue.faults.fail("delete", AWAY)
    async with rig.running():
        await asyncio.sleep(30)
        changes = changes_of(rig, monkeypatch)
        rig.upload(*(f"in/{n}.jpg" for n in range(30)))
        await asyncio.sleep(90)
        assert changes == ["sqs_unreachable"]
        rig.queue.faults.heal()
        await rig.queue.until_empty(within=60)
    assert changes == ["sqs_unreachable", ""]
    assert rig.conserved()


async def test_a_store_that_came_back_while_the_plan_is_full_is_forgotten_before_our_next_turn() -> None:
    """Another worker of the fleet asks for room at the moment: hearing so from the store is enough."""
    cells = {name: AwayCell() for name in NAMES}
    rig = rig_of(cells=cells)
    rig.twin.world.teams["acme"].plan_full = True
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(30)
        cells["probes/acme/plan"].away = True
        await asyncio.sleep(120)
        assert rig.situation.has(Name.LEDGER_UNREACHABLE)
        cells["probes/acme/plan"].away = False
        assert await CellProbes(cells["probes/acme/plan"]).turn(120) == Ask()
        await asyncio.sleep(20)
        assert [condition.name for condition in rig.situation.conditions.now()] == [Name.PLAN_FULL]


async def test_a_receive_that_failed_before_darwin_went_down_is_forgotten_while_nobody_receives() -> None:
    """What nobody would try now is no condition: SQS may be well again, and nothing here would tell."""
    rig = rig_of()
    rig.darwin["acme"].unreachable = True
    rig.upload(*(f"in/{n}.jpg" for n in range(30)))
    async with rig.running():
        await asyncio.sleep(5)
        rig.queue.faults.fail("receive", AWAY)
        await rig.queue.until(lambda: rig.situation.has(Name.DARWIN_DOWN))
        await asyncio.sleep(30)
        rig.queue.faults.heal()
        await asyncio.sleep(120)
        assert [condition.name for condition in rig.situation.conditions.now()] == [Name.DARWIN_DOWN]
        rig.darwin["acme"].unreachable = False
        await rig.queue.until_empty(within=120)
        assert rig.situation.conditions.now() == ()


# Signs of life (law 11)


@pytest.mark.parametrize(("seconds", "lost", "claim"), [(6.0, 40, 10.0), (9.0, 0, 45.0)])
async def test_a_slow_store_is_no_silence(seconds: float, lost: int, claim: float) -> None:
    """Law 11: a token takes its time, longer when others keep changing the cell, and then so does the claim."""
    cells = {name: AwayCell() for name in NAMES}
    rig = rig_of(cells=cells)
    rig.upload(*(f"in/{n}.jpg" for n in range(200)))
    async with rig.running():
        cells["quota/acme"].seconds = seconds
        cells["quota/acme"].lost = lost
        rig.ledger.faults.seconds["claim"] = claim
        assert await oldest_beat(rig, 600) < 60
        cells["quota/acme"].seconds = 0.0
        rig.ledger.faults.heal()
        await rig.queue.until_empty(within=300)


async def test_a_slow_release_before_a_slow_claim_is_no_silence() -> None:
    """Law 11: what a lost message had claimed is let go before the next batch is claimed."""
    rig = rig_of()
    rig.fault(kind="429", endpoint="register", times=1, retry_after=5)
    rig.upload("in/a.jpg", "in/b.jpg")
    async with rig.running():
        await asyncio.sleep(3)
        rig.flow.settling.lose(1, "SQS said no")
        rig.ledger.faults.seconds.update({"release": 40, "claim": 45})
        assert await oldest_beat(rig, 200) < 60
        rig.ledger.faults.heal()
        await rig.queue.until_empty(within=300)
    assert rig.ledger.faults.calls["release"] == 1


async def test_a_slow_list_that_many_doubted_records_ask_for_is_no_silence() -> None:
    """Law 11: records sent again come by the thousand, and each question to Darwin takes as long as it may."""
    rig = rig_of()
    find_items = rig.darwin["acme"].find_items

    async def as_the_adapter_asks(dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        held = list[HeldItem]()
        for chunk in chunks_of_places(places):
            held += await find_items(dataset_id, chunk)
        return held

    rig.darwin["acme"].find_items = as_the_adapter_asks  # type: ignore[method-assign]  # the fake asks all at once
    keys = [f"in/{n}.jpg" for n in range(200)]
    rig.upload(*keys)
    async with rig.running():
        await rig.queue.until_empty(within=30)
        rig.darwin["acme"].seconds = 19.0
        for key in keys:
            rig.queue.put(notification(key), {"again": "true"})
        assert await oldest_beat(rig, 300) < 60


async def test_a_ledger_that_hangs_before_each_of_many_writes_is_no_silence() -> None:
    """Law 11: claims that a dead worker left, whose items Darwin holds, are written one after another."""
    keys = [f"in/{n}.jpg" for n in range(30)]
    first = rig_of()
    first.upload(*keys, etag="old")
    first.ledger.faults.fail("register", AWAY)
    async with first.running():
        await asyncio.sleep(60)
    assert len(first.items()["intake"]) == 30
    first.ledger.faults.heal()
    first.ledger.lapse_all()
    second = rig_of(ledger=first.ledger, twin=first.twin, token="worker-2")
    second.upload(*keys, etag="new")
    second.ledger.faults.seconds["register"] = 5.0
    second.ledger.faults.fail("register", AWAY)
    async with second.running():
        assert await oldest_beat(second, 300) < 60
        second.ledger.faults.heal()


async def test_a_ledger_that_is_away_when_the_items_of_a_missing_storage_end_is_no_silence() -> None:
    """Law 11, row 404: what a request without an answer made is written to the ledger, however long that is away."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)
    rig.fault(kind="status", endpoint="register", status=404)

    async def none() -> list[Storage]:
        return []

    rig.darwin["acme"].storages = none  # type: ignore[method-assign]  # somebody took the storage away
    rig.upload(*(f"in/{n}.jpg" for n in range(5)))
    async with rig.running():
        await asyncio.sleep(14 * 60)
        rig.ledger.faults.fail("register", AWAY)
        assert await oldest_beat(rig, 600) < 60
        rig.ledger.faults.heal()
        await rig.queue.until_empty(within=120)
    assert rig.outcomes() == {"registered": 5}
    assert rig.dead() == []

"""Claims around the request (law 1), and the ledger's outages. On virtual time."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.fakes.rig import rig_of
from tests.pipeline.test_answer_table import plant
from worker.adapters.cells import MemoryCell
from worker.core.answers import Answer
from worker.core.claims import Claim, Entry
from worker.core.conditions import Name
from worker.core.errors import Unavailable
from worker.core.model import Identity, Lane, S3Object

pytestmark = pytest.mark.looptime

IDENTITY = Identity("acme", "intake", "/", "a.jpg")
OBJECT = S3Object("media", "in/a.jpg", None, "e1", 10)
AWAY = Unavailable("the ledger does not answer")


async def test_a_claim_is_taken_before_the_request_and_written_after_the_answer() -> None:
    """Law 1."""
    rig = rig_of()
    rig.fault(kind="slow", seconds=10, times=1)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(5)
        during = rig.ledger.entry(IDENTITY)
        assert during is not None
        assert not during.registered
        assert 40 <= during.expires_in <= 50
        await rig.queue.until_empty()
        after = rig.ledger.entry(IDENTITY)
        assert after is not None
        assert after.registered


async def test_a_record_that_meets_a_live_claim_waits_until_it_lapses() -> None:
    """Law 1: a dead worker's claim; the item is sent by us, once the claim has lapsed."""
    rig = rig_of()
    await rig.ledger.claim([Claim(IDENTITY, OBJECT)], "another", 50)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(45)
        assert not rig.darwin["acme"].sent_at
        assert len(rig.queue.in_flight) == 1
        await rig.queue.until_empty(within=30)
    assert rig.outcomes() == {"registered": 1}


async def test_a_record_that_meets_a_live_claim_is_a_duplicate_once_that_registers() -> None:
    """Law 1."""
    rig = rig_of()
    await rig.ledger.claim([Claim(IDENTITY, OBJECT)], "another", 50)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(10)
        await rig.ledger.register([Claim(IDENTITY, OBJECT)], "another")
        await rig.queue.until_empty(within=10)
    assert rig.outcomes() == {"duplicate": 1}
    assert not rig.darwin["acme"].sent_at


async def test_a_claim_that_another_took_between_look_up_and_claim_is_respected() -> None:
    """Law 1: the claim decides, not the look-up."""
    rig = rig_of()
    gate = rig.ledger.faults.hold("claim")
    rig.upload("in/a.jpg", "in/b.jpg")
    async with rig.running():
        await asyncio.sleep(1)
        rig.ledger.entries.clear()
        await rig.ledger.register([Claim(IDENTITY, OBJECT)], "another")
        gate.set()
        await rig.queue.until_empty()
    assert rig.outcomes() == {"registered": 1, "duplicate": 1}
    assert rig.items() == {"intake": ["/b.jpg"]}


async def test_a_request_leaves_only_under_a_claim_that_outlasts_it() -> None:
    """Laws 1 and 3: the claim was taken, and then the token for it was two minutes away."""
    rig = rig_of()
    gate = rig.ledger.faults.hold("claim")
    claimed_for = list[float]()
    register = rig.darwin["acme"].register

    async def watched(lane: Lane, body: Mapping[str, object], within: float) -> Answer:
        held = rig.ledger.entry(IDENTITY)
        assert held is not None
        claimed_for.append(held.expires_in)
        return await register(lane, body, within)

    rig.darwin["acme"].register = watched  # type: ignore[method-assign]  # only looks on
    async with rig.running():
        rig.upload("in/a.jpg")
        await asyncio.sleep(5)
        await rig.accounts["acme"].quota.refused(120)
        gate.set()  # by now the token in hand is stale
        await rig.queue.until_empty(within=200)
    assert len(claimed_for) == 1
    assert 20 <= claimed_for[0] <= 50
    assert rig.outcomes() == {"registered": 1}


async def test_a_worker_that_waited_too_long_for_its_token_leaves_the_item_to_who_claimed_it() -> None:
    """Law 1, a fleet in little: one of them claims, and is kept from sending; the other gets a second delivery."""
    cells = dict[str, MemoryCell]()
    first = rig_of(cells=cells, token="worker-1")
    second = rig_of(
        cells=cells,
        token="worker-2",
        ledger=first.ledger,
        twin=first.twin,
        queue=first.queue,
        dead_letters=first.dead_letters,
    )
    gate = first.ledger.faults.hold("claim")
    for rig in (first, second):
        rig.darwin["acme"].seconds = 8.0
    async with first.running():
        first.upload("in/a.jpg")
        await asyncio.sleep(5)
        await first.accounts["acme"].quota.refused(120)
        gate.set()
        async with second.running():
            for _ in range(10):
                first.upload("in/a.jpg")
                await asyncio.sleep(1)
            await first.queue.until_empty(within=400)
    assert len(first.darwin["acme"].sent_at) + len(second.darwin["acme"].sent_at) == 1
    assert first.counters() == {"resent": 0, "extensions": 0, "collisions": 0, "registered": 1}
    assert first.dead() == []


async def test_a_final_block_releases_the_claim_for_the_day_it_is_mended() -> None:
    """Law 1."""
    rig = rig_of()
    rig.fault(kind="status", status=422, body="json", item="^a")
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.dead() == [("in/a.jpg", "refused_alone")]
    assert not rig.ledger.entries


async def test_without_the_ledger_nothing_is_sent_nothing_is_received_and_nothing_is_lost() -> None:
    """Law 4: store away, nothing is sent."""
    rig = rig_of()
    for call in ("look_up", "claim"):
        rig.ledger.faults.fail(call, AWAY)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(30)
        rig.upload("in/b.jpg")
        await asyncio.sleep(300)
        assert rig.situation.has(Name.LEDGER_UNREACHABLE)
        assert not rig.darwin["acme"].sent_at
        assert [stored.receive_count for stored in rig.queue.stored] == [1, 0]
        rig.ledger.faults.heal()
        await rig.queue.until_empty(within=30)
        assert not rig.situation.has(Name.LEDGER_UNREACHABLE)
    assert rig.outcomes() == {"registered": 2}


async def test_a_ledger_that_fails_after_the_answer_is_written_before_the_delete() -> None:
    """Laws 1 and 2."""
    rig = rig_of()
    rig.ledger.faults.fail_next("register", AWAY, times=4)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(2)
        assert rig.queue.deleted == []
        await rig.queue.until_empty(within=60)
    assert rig.outcomes() == {"registered": 1}
    assert len(rig.darwin["acme"].sent_at) == 1


async def test_two_workers_on_one_queue_and_one_ledger_register_each_object_once() -> None:
    """Law 1, a fleet in little: doubles of every message, and each item sent by one of them."""
    first = rig_of(token="worker-1")
    second = rig_of(
        token="worker-2",
        ledger=first.ledger,
        twin=first.twin,
        queue=first.queue,
        dead_letters=first.dead_letters,
    )
    keys = [f"in/{n}.jpg" for n in range(300)]
    first.upload(*keys, *keys)
    async with first.running(), second.running():
        await first.queue.until_empty(within=300)
    assert len(first.items()["intake"]) == 300
    assert first.counters() == {"resent": 0, "extensions": 0, "collisions": 0, "registered": 300}
    registered = [rig.outcomes().get("registered", 0) for rig in (first, second)]
    assert sum(registered) == 300
    assert sum(rig.outcomes().get("duplicate", 0) for rig in (first, second)) == 300


async def test_a_takeover_whose_answer_was_lost_still_asks_whether_the_item_is_ours() -> None:
    """Row: ALREADY_EXISTS, claim lapsed: asked again, the ledger finds the claim ours and tells of no lapse."""
    rig = rig_of()
    gate = rig.ledger.faults.hold("claim")
    rig.ledger.faults.fail_next("claim", AWAY, done=True)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(5)  # the item was looked up, and the ledger held nothing
        now = rig.now()
        held = Entry(OBJECT, registered=False, token="dead worker", since=now, at=now)
        rig.ledger.entries[IDENTITY] = held, now - 1
        plant(rig, "a.jpg", at=now, key="in/a.jpg")
        gate.set()
        await rig.queue.until_empty(within=120)
    assert rig.outcomes() == {"registered": 1}

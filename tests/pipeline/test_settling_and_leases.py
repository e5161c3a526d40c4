"""Verdicts, dead letters and leases under faults (laws 2 and 3, design section 3). On virtual time."""

import asyncio
import json

import pytest

from tests.fakes.rig import Rig, event, lane, notification, rig_of
from worker.core.conditions import Name
from worker.core.errors import Unavailable
from worker.core.queueing import Failure
from worker.core.routes import Route

pytestmark = pytest.mark.looptime

AWAY = Unavailable("SQS does not answer")


async def test_a_message_with_several_records_waits_for_its_last_one() -> None:
    """Law 2; section 3: deleted only when every record in it has an outcome."""
    rig = rig_of()
    rig.fault(kind="slow", seconds=15, item="slow")
    rig.queue.put(notification("in/bad.xyz", "in/slow.jpg", "in/"))
    async with rig.running():
        await asyncio.sleep(10)
        assert rig.queue.deleted == []
        assert rig.conserved()
        await rig.queue.until_empty()
        assert rig.outcomes() == {"registered": 1, "ignored": 1, "rejected": 1}
    assert rig.dead() == [("in/bad.xyz", "unsupported_type")]
    assert rig.conserved()


async def test_an_unreadable_body_is_dead_lettered_verbatim_with_its_reason() -> None:
    """Outcome: unreadable."""
    rig = rig_of()
    rig.queue.put("{ not json")
    async with rig.running():
        await rig.queue.until_empty()
    (letter,) = rig.dead_letters.stored
    assert letter.body == "{ not json"
    assert letter.attributes["reason"] == "unreadable_body"
    assert rig.outcomes() == {"unreadable": 1}


async def test_one_unreadable_record_takes_no_neighbour_with_it() -> None:
    """Outcome: unreadable, beside a good one."""
    rig = rig_of()
    rig.queue.put(json.dumps({"Records": [{"s3": 1}, event("in/a.jpg")]}))
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.outcomes() == {"registered": 1, "unreadable": 1}


async def test_a_test_event_is_ignored_and_deleted() -> None:
    """Outcome: ignored, test event."""
    rig = rig_of()
    rig.queue.put(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "media"}))
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.outcomes() == {"ignored": 1}
    assert rig.conserved()


async def test_nothing_is_deleted_before_its_dead_letter_is_stored() -> None:
    """Law 2, section 3: the dead letter first, the delete last; a failed store is tried again."""
    rig = rig_of()
    rig.dead_letters.faults.fail("send", AWAY)
    rig.upload("in/bad.xyz")
    async with rig.running():
        await asyncio.sleep(300)
        assert rig.queue.deleted == []
        assert rig.situation.has(Name.DEAD_LETTERS_UNREACHABLE)
        rig.dead_letters.faults.heal()
        await rig.queue.until_empty()
        assert not rig.situation.has(Name.DEAD_LETTERS_UNREACHABLE)
    assert rig.dead() == [("in/bad.xyz", "unsupported_type")]
    assert rig.queue.deleted == ["message-1"]


async def test_one_refused_dead_letter_does_not_hold_the_verdicts_beside_it() -> None:
    """A batch call that failed in part is finished in part."""
    rig = rig_of()
    rig.dead_letters.fail_entries("send", Failure(lost=False, text="InternalError"))
    rig.upload("in/bad.xyz", "in/worse.xyz")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.dead() == [("in/bad.xyz", "unsupported_type"), ("in/worse.xyz", "unsupported_type")]


async def test_a_failed_delete_is_tried_again_and_nothing_is_doubled() -> None:
    """Law 2: the delete is the only thing that forgets a message."""
    rig = rig_of()
    rig.queue.faults.fail_next("delete", AWAY, times=3)
    rig.queue.fail_entries("delete", Failure(lost=False, text="InternalError"), times=2)
    rig.upload("in/a.jpg", "in/b.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=120)
    assert rig.outcomes() == {"registered": 2}
    assert len(rig.darwin["acme"].sent_at) == 1


async def test_a_dead_letter_is_stored_once_however_often_the_delete_fails() -> None:
    """Law 2."""
    rig = rig_of()
    rig.queue.faults.fail_next("delete", AWAY, times=5)
    rig.upload("in/bad.xyz")
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert len(rig.dead_letters.stored) == 1


async def test_a_lease_is_extended_through_every_wait() -> None:
    """Law 3: an hour of a full plan, thirty times the visibility, and still the first delivery."""
    rig = rig_of()
    rig.twin.world.teams["acme"].plan_full = True
    rig.upload("in/a.jpg", "in/b.jpg")
    async with rig.running():
        await asyncio.sleep(3600)
        assert [stored.receive_count for stored in rig.queue.stored] == [1, 1]
        rig.twin.world.teams["acme"].plan_full = False
        await rig.queue.until_empty(within=200)
    assert rig.outcomes() == {"registered": 2}


async def test_an_extension_that_fails_is_tried_again_while_the_lease_lasts() -> None:
    """Law 3."""
    rig = rig_of()
    rig.twin.world.teams["acme"].plan_full = True
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(10)
        rig.queue.faults.fail_next("extend", AWAY, times=20)
        await asyncio.sleep(600)
        assert [stored.receive_count for stored in rig.queue.stored] == [1]


async def test_a_lost_lease_fences_the_dead_letter_and_the_delete() -> None:
    """Law 3: no delete, no dead letter; the message comes back and is judged anew."""
    rig = rig_of()
    rig.dead_letters.faults.fail("send", AWAY)
    rig.upload("in/bad.xyz")
    async with rig.running():
        await asyncio.sleep(30)
        rig.queue.faults.fail("extend", AWAY)
        await rig.queue.until(lambda: rig.flow.settling.book.returned == 1, within=200)
        assert rig.queue.deleted == []
        assert not rig.dead_letters.stored
        rig.queue.faults.heal()
        rig.dead_letters.faults.heal()
        await rig.queue.until_empty(within=300)
    assert len(rig.dead_letters.stored) == 1
    assert rig.conserved()


async def test_what_darwin_answered_is_written_although_the_lease_was_lost() -> None:
    """Law 3: the ledger gets what is true, so the next delivery is a duplicate and not a collision."""
    rig = rig_of()
    rig.fault(kind="slow-answer", seconds=15, times=1)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(5)
        rig.flow.settling.lose(1, "SQS said no")
        await rig.queue.until_empty(within=300)
    assert rig.outcomes() == {"duplicate": 1}
    assert rig.flow.settling.book.returned == 1
    assert len(rig.darwin["acme"].sent_at) == 1


async def test_a_request_leaves_only_with_items_whose_lease_outlasts_its_timeout() -> None:
    """Law 3: while leases cannot be extended nothing is sent with them, and nothing is sent late."""
    rig = rig_of(visibility=60)
    rig.darwin["acme"].unreachable = True
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(28)
        rig.queue.faults.fail("extend", AWAY)
        await asyncio.sleep(33)
        ends = 60.0
        assert all(at + 20 <= ends for at in rig.darwin["acme"].sent_at)


async def test_a_stop_does_not_wait_for_verdicts_whose_lease_was_lost() -> None:
    """Law 6: after an outage nothing is open any more, though the next try of a delete was minutes of backoff away."""
    rig = rig_of(visibility=60)
    rig.upload(*(f"in/{n}.jpg" for n in range(20)))
    rig.queue.faults.fail("delete", AWAY)
    async with rig.running():
        await rig.queue.until(lambda: len(rig.items()["intake"]) == 20, within=30)
        await asyncio.sleep(40)
        rig.queue.faults.fail("extend", AWAY)
        rig.queue.faults.fail("receive", AWAY)
        await rig.queue.until(lambda: rig.flow.settling.book.returned == 20, within=70)
        asked = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - asked < 2
    assert rig.conserved()


async def test_a_second_delivery_of_an_open_message_takes_over_from_the_first() -> None:
    """SQS delivers at least once: the older delivery is fenced, and the item is sent once."""
    rig = rig_of()
    rig.fault(kind="slow", seconds=15, times=1)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(2)
        rig.queue.put(notification("in/a.jpg"), double_of="message-1")
        await rig.queue.until(lambda: len(rig.queue.deleted) >= 1, within=120)
    assert len(rig.darwin["acme"].sent_at) == 1
    assert rig.conserved()


@pytest.mark.parametrize("claims_lapsed", [False, True])
async def test_what_another_worker_took_over_unnoticed_is_doubled_by_nobody(*, claims_lapsed: bool) -> None:
    """Laws 1 and 3: in a suspended machine our clock stands still while SQS's and the store's go on. The leases look
    alive, so the ledger protects the items, then Darwin's names; the stale handle fences the delete.
    """
    first = rig_of()
    second = rig_of(
        token="worker-2",
        ledger=first.ledger,
        twin=first.twin,
        queue=first.queue,
        dead_letters=first.dead_letters,
    )
    first.fault(kind="slow-answer", seconds=15, times=1)
    first.upload("in/a.jpg", "in/b.jpg", "in/bad.xyz")
    first.dead_letters.faults.fail_next("send", AWAY)
    async with first.running():
        await first.queue.until(lambda: len(first.darwin["acme"].sent_at) == 1, within=5)
        for stored in first.queue.in_flight:
            stored.visible_at = asyncio.get_running_loop().time()
        if claims_lapsed:
            first.ledger.lapse_all()
        async with second.running():
            await first.queue.until_empty(within=200)
    assert first.items()["intake"] == ["/a.jpg", "/b.jpg"]
    assert first.dead() == [("in/bad.xyz", "unsupported_type")]
    counters = first.counters()
    assert (counters["extensions"], counters["collisions"]) == (0, 0)
    assert counters["resent"] == (2 if claims_lapsed else 0)
    assert first.conserved()
    assert second.conserved()


async def test_suspects_go_one_at_a_time() -> None:
    """Poison goes alone: a message at half of maxReceiveCount passes when no other suspect does."""
    rig = rig_of()
    for n in range(5):
        rig.queue.put(notification(f"in/{n}.jpg"), receive_count=5)
    async with rig.running():
        await rig.queue.until_empty(within=120)
    assert rig.twin.world.counters.batch_sizes == {1: 5}
    assert rig.outcomes() == {"registered": 5}


async def test_a_suspect_in_a_paused_lane_does_not_keep_the_others_waiting() -> None:
    """Poison goes alone, for as long as poison needs."""
    rig = Rig([Route("missing", lane("missing"), prefix="missing"), Route("all", lane(), prefix="in")])
    rig.twin.world.teams["acme"].datasets["missing"].removed = True
    rig.queue.put(notification("missing/a.jpg"), receive_count=5)
    async with rig.running():
        await asyncio.sleep(5)
        rig.upload("in/b.jpg")
        await rig.queue.until(lambda: len(rig.queue.deleted) == 1, within=60)
    assert rig.items()["intake"] == ["/b.jpg"]


async def test_a_record_sent_again_by_an_operator_doubts_the_ledger() -> None:
    """Section 2: `again` asks Darwin's item list, and claims anew what is not there."""
    rig = rig_of()
    async with rig.running():
        rig.upload("in/a.jpg", "in/b.jpg")
        await rig.queue.until_empty()
        del rig.twin.world.teams["acme"].datasets["intake"].items["/", "a.jpg"]
        for key in ("in/a.jpg", "in/b.jpg"):
            rig.queue.put(notification(key), {"again": "true"})
        await rig.queue.until_empty()
    assert rig.items() == {"intake": ["/a.jpg", "/b.jpg"]}
    assert rig.outcomes() == {"registered": 3, "duplicate": 1}


async def test_the_age_of_a_record_counts_first_deliveries_only() -> None:
    rig = rig_of()
    rig.upload("in/a.jpg")
    rig.queue.put(notification("in/b.jpg"), receive_count=1)
    rig.queue.put(notification("in/c.jpg"), {"attempts": "3", "first_seen": "2027-01-15T07:00:00Z"})
    async with rig.running():
        await rig.queue.until_empty()
    (family,) = rig.registry_metrics.record_age.collect()
    counts = [sample.value for sample in family.samples if sample.name.endswith("_count")]
    assert counts == [1.0]


async def test_a_dead_letter_tells_attempts_and_first_seen_across_deliveries() -> None:
    """Section 3: reason, detail, dataset, attempts and first-seen time in message attributes."""
    rig = rig_of()
    rig.queue.put(
        notification("in/bad.xyz"), {"attempts": "3", "first_seen": "2027-01-15T07:00:00Z"}, receive_count=1
    )
    async with rig.running():
        await rig.queue.until_empty()
    (letter,) = rig.dead_letters.stored
    assert letter.attributes["attempts"] == "5"
    assert letter.attributes["first_seen"] == "2027-01-15T07:00:00Z"
    assert letter.attributes["route"] == "all"
    assert len(letter.attributes) <= 10

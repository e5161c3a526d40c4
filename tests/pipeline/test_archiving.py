"""Receipts in the archive: what a verdict awaits, when it is written, and what becomes of it in trouble. On virtual time."""

import asyncio
import gc
import json
import re
from dataclasses import replace

import pytest

from tests.fakes.archive import FakeArchive
from tests.fakes.rig import Rig, event, notification, rig_of, stopped
from tests.fakes.watching import Watch, receive_counts, until
from tests.pipeline.test_groups import SCENES, scene
from worker.core.backlog import OpenItem
from worker.core.conditions import Name
from worker.core.errors import Refused, Unavailable
from worker.core.model import Item, Outcome, Record
from worker.core.routes import Group
from worker.core.settlement import Settled
from worker.demo.twin.state import Block

pytestmark = pytest.mark.looptime

AWAY = Unavailable("S3 does not answer")


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


def told(archive: FakeArchive) -> list[tuple[str, str, str]]:
    """Key, outcome and reason of each receipt, in the order of keys."""
    return sorted((line["key"] or "", line["outcome"], line["reason"]) for line in archive.receipts())


async def test_a_message_is_deleted_once_its_receipts_are_stored_a_minute_later(archive: FakeArchive) -> None:
    """Law 2: and the outcome counts with the delete."""
    rig = rig_of(archive=archive)
    rig.upload("in/a.jpg", "in/bad.xyz", "in/")
    async with rig.running():
        await asyncio.sleep(55)
        assert rig.items() == {"intake": ["/a.jpg"]}
        assert rig.dead() == [("in/bad.xyz", "unsupported_type")]
        assert (rig.queue.deleted, archive.stored, rig.outcomes()) == ([], {}, {})
        assert rig.conserved()
        await rig.queue.until_empty(within=10)
        assert told(archive) == [
            ("in/", "ignored", "folder_marker"),
            ("in/a.jpg", "registered", "accepted"),
            ("in/bad.xyz", "rejected", "unsupported_type"),
        ]
        assert rig.outcomes() == {"registered": 1, "ignored": 1, "rejected": 1}
        assert rig.conserved()
    assert len(archive.stored) == 1
    assert rig.registry_metrics.receipts._value.get() == 3  # noqa: SLF001 - the library tells it nowhere else


async def test_a_receipt_tells_all_that_is_known_of_its_record(archive: FakeArchive) -> None:
    rig = rig_of(archive=archive)
    rig.queue.put(json.dumps({"Records": [event("in/ä b/a.jpg")]}))
    await stopped(rig, after=2)
    [name] = archive.stored
    [line] = archive.receipts()
    assert name.startswith("2027/01/15/08/2027-01-15-08-00-0")
    assert name.endswith(".gz")
    assert line.pop("time").startswith("2027-01-15T08:00:00.")
    assert line == {
        "outcome": "registered",
        "reason": "accepted",
        "detail": None,
        "bucket": "media",
        "key": "in/ä b/a.jpg",
        "version_id": None,
        "etag": "e1",
        "size": 10,
        "event": "ObjectCreated:Put",
        "event_time": "2027-01-15T08:00:00.000Z",
        "route": "all",
        "team": "acme",
        "dataset": "intake",
        "path": "/ä b",
        "name": "a.jpg",
        "first_registered_at": None,
        "record": 0,
        "message_id": "message-1",
        "receive_count": 1,
        "first_seen": "2027-01-15T08:00:00.000Z",
        "attempts": 1,
        "worker": "worker-1",
    }


async def test_a_duplicate_repeats_the_first_registration(archive: FakeArchive) -> None:
    rig = rig_of(archive=archive)
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=70)
        rig.upload("in/a.jpg")
        await rig.queue.until_empty(within=70)
    first, again = archive.receipts()
    assert (first["outcome"], again["outcome"]) == ("registered", "duplicate")
    assert (again["dataset"], again["path"], again["name"]) == ("intake", "/", "a.jpg")
    assert again["time"] > "2027-01-15T08:01"
    assert again["first_registered_at"].startswith("2027-01-15T08:00:00.")


async def test_so_does_a_part_of_a_group_that_was_registered(archive: FakeArchive) -> None:
    """It made no item of its own."""
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", count=2))], archive=archive)
    async with rig.running():
        rig.put(*scene(1, "front", "back"))
        await rig.queue.until_empty(within=70)
        before = len(archive.receipts())
        rig.put(*scene(1, "front", "top"))
        await rig.queue.until_empty(within=70)
    extra, known = sorted(archive.receipts()[before:], key=lambda line: str(line["outcome"]))
    assert (extra["outcome"], extra["reason"], extra["name"]) == ("blocked", "too_many_parts", None)
    assert (known["outcome"], known["dataset"], known["path"], known["name"]) == (
        "duplicate",
        "intake",
        "/",
        "scene_1",
    )
    assert known["first_registered_at"].startswith("2027-01-15T08:00:00.")


async def test_a_third_of_the_open_limit_is_written_at_once(archive: FakeArchive) -> None:
    rig = rig_of(archive=archive, limit=30)
    async with rig.running():
        rig.upload(*(f"in/{n}/" for n in range(9)))
        await asyncio.sleep(30)
        assert not archive.stored
        rig.upload("in/9/")
        await rig.queue.until_empty(within=2)
    assert len(archive.receipts()) == 10


async def test_what_awaits_its_receipt_leaves_room_for_others_up_to_a_third_of_the_limit(
    archive: FakeArchive,
) -> None:
    """While S3 is away the rest counts, the intake stops, and nothing is lost: leases are extended."""
    rig = rig_of(archive=archive, limit=30)
    archive.faults.fail("put", AWAY)
    rig.upload(*(f"in/{n}/" for n in range(60)))
    watch = Watch(rig)
    async with rig.running():
        await until(rig, Name.ARCHIVE_UNREACHABLE)
        seen = await watch.look(10)
        assert (rig.flow.settling.book.open_records, len(rig.queue.visible)) == (40, 20)
        assert seen.silence < 60
        assert receive_counts(rig) == {1: 40, 0: 20}
        assert rig.conserved()
        archive.faults.heal()
        await rig.queue.until_empty(within=60)
        assert not rig.situation.has(Name.ARCHIVE_UNREACHABLE)
    assert len(told(archive)) == len(set(told(archive))) == 60
    assert rig.outcomes() == {"ignored": 60}


async def test_an_archive_that_refuses_is_told_with_its_own_words(archive: FakeArchive) -> None:
    rig = rig_of(archive=archive)
    archive.faults.fail("put", Refused("S3 PutObject: AccessDenied. Allow s3:PutObject"))
    rig.upload("in/a.jpg")
    async with rig.running():
        await until(rig, Name.ARCHIVE_UNREACHABLE)
        [condition] = rig.situation.conditions.now()
        assert (condition.subject, condition.why) == (
            "writing receipts",
            "S3 PutObject: AccessDenied. Allow s3:PutObject",
        )


async def test_no_receipt_is_written_before_the_dead_letter_is_stored(archive: FakeArchive) -> None:
    """Law 2."""
    rig = rig_of(archive=archive)
    rig.dead_letters.faults.fail("send", AWAY)
    rig.upload("in/bad.xyz")
    async with rig.running():
        await asyncio.sleep(180)
        assert not archive.stored
        rig.dead_letters.faults.heal()
        await rig.queue.until_empty(within=120)
    assert told(archive) == [("in/bad.xyz", "rejected", "unsupported_type")]
    assert len(rig.dead_letters.stored) == 1


async def test_a_lease_that_is_lost_meanwhile_fences_the_receipt_and_the_delete(archive: FakeArchive) -> None:
    """Law 3: the message comes back, and its next delivery has the receipt."""
    rig = rig_of(archive=archive)
    archive.faults.fail("put", AWAY)
    rig.upload("in/a.jpg")
    async with rig.running():
        await until(rig, Name.ARCHIVE_UNREACHABLE)
        rig.queue.faults.fail("extend", AWAY)
        await rig.queue.until(lambda: rig.flow.settling.book.returned == 1, within=200)
        assert rig.queue.deleted == []
        assert rig.conserved()
        rig.queue.faults.heal()
        archive.faults.heal()
        await rig.queue.until_empty(within=300)
    [line] = archive.receipts()
    assert (line["outcome"], line["receive_count"]) == ("duplicate", 2)
    assert rig.conserved()


async def test_an_answer_that_was_lost_leaves_a_receipt_twice_and_no_object_is_overwritten(
    archive: FakeArchive,
) -> None:
    rig = rig_of(archive=archive)
    archive.faults.fail_next("put", AWAY, done=True)
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=90)
    assert len(archive.stored) == 2
    assert told(archive) == [("in/a.jpg", "registered", "accepted")] * 2
    assert rig.outcomes() == {"registered": 1}


async def test_a_failed_delete_is_tried_again_and_writes_no_second_receipt(archive: FakeArchive) -> None:
    rig = rig_of(archive=archive)
    rig.queue.faults.fail_next("delete", AWAY, times=3)
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=120)
    assert len(archive.receipts()) == 1


async def test_a_stop_flushes_receipts_and_then_deletes(archive: FakeArchive) -> None:
    """Law 6."""
    rig = rig_of(archive=archive)
    rig.upload("in/a.jpg", "in/bad.xyz", "in/")
    assert await stopped(rig, after=8) < 4
    assert len(archive.receipts()) == 3
    assert rig.queue.stored == []
    assert rig.outcomes() == {"registered": 1, "ignored": 1, "rejected": 1}


async def test_a_stop_waits_for_what_is_sent_and_flushes_that_too(archive: FakeArchive) -> None:
    """Law 6."""
    rig = rig_of(archive=archive)
    rig.fault(kind="slow", seconds=8)
    rig.upload("in/a.jpg")
    assert 6 < await stopped(rig, after=2) < 10
    assert told(archive) == [("in/a.jpg", "registered", "accepted")]
    assert rig.queue.stored == []


@pytest.mark.parametrize("how", ["away", "silent"])
async def test_a_stop_while_the_archive_is_away_gives_back_in_time(archive: FakeArchive, how: str) -> None:
    """Law 6: whatever has no receipt comes again."""
    rig = rig_of(archive=archive)
    if how == "away":
        archive.faults.fail("put", AWAY)
    else:
        archive.faults.hold("put")
    rig.upload("in/a.jpg", "in/bad.xyz")
    assert await stopped(rig, after=5) <= 25
    assert rig.queue.deleted == []
    assert len(rig.queue.visible) == 2
    assert rig.flow.settling.book.returned == 2
    assert rig.conserved()


async def test_of_a_record_that_awaits_its_receipt_a_handle_and_a_line_are_kept_and_nothing_else(
    archive: FakeArchive,
) -> None:
    rig = rig_of(archive=archive)
    rig.upload(*(f"in/let-go/{n}.jpg" for n in range(50)))
    rig.queue.put(notification("in/let-go/bad.xyz", "in/let-go/"))
    async with rig.running():
        await asyncio.sleep(10)
        # Each part may hold what went through it last.
        rig.upload("in/last.jpg", "in/last.xyz")
        await asyncio.sleep(10)
        book = rig.flow.settling.book
        assert (book.awaiting, book.open_records, book.open_characters) == (54, 54, 0)
        kinds = (Record, Item, OpenItem, Settled, Outcome)
        assert not [each for each in gc.get_objects() if isinstance(each, kinds) and "let-go" in repr(each)]
        assert all(len(r.line) < 700 for each in book.awaiting_receipts() for r in each.receipts)


async def test_of_the_archives_own_objects_there_is_no_receipt_or_each_would_make_the_next(
    archive: FakeArchive,
) -> None:
    """Law 5: and nothing waits for one."""
    rig = Rig([replace(SCENES, prefix="", group=None, slot="")], archive=archive)
    own = "receipts/scene_1/front.mp4"
    rig.upload(own)
    async with rig.running():
        await rig.queue.until_empty(within=2)
        assert rig.outcomes() == {"ignored": 1}
        rig.queue.put(notification(own, "scene_1/front.mp4"))
        await rig.queue.until_empty(within=70)
    assert told(archive) == [("scene_1/front.mp4", "registered", "accepted")]
    assert rig.outcomes() == {"ignored": 2, "registered": 1}
    assert rig.conserved()


async def test_suspects_do_not_wait_for_each_others_receipts(archive: FakeArchive) -> None:
    """Design section 3: what awaits its receipt only can crash nobody."""
    rig = rig_of(archive=archive)
    for n in range(20):
        rig.queue.put(notification(f"in/{n}.jpg"), receive_count=5)
    rig.upload(*(f"in/other-{n}.jpg" for n in range(20)))
    async with rig.running():
        await rig.queue.until(lambda: rig.flow.settling.book.awaiting == 40, within=30)
        await rig.queue.until_empty(within=70)
    assert rig.outcomes() == {"registered": 40}


async def test_a_message_that_tells_of_nothing_has_a_receipt_too(archive: FakeArchive) -> None:
    rig = rig_of(archive=archive)
    rig.queue.put("{ not json")
    rig.queue.put(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "media"}))
    await stopped(rig, after=2)
    assert told(archive) == [("", "ignored", "test_event"), ("", "unreadable", "unreadable_body")]


async def test_no_secret_is_in_a_receipt(archive: FakeArchive) -> None:
    """Law 9."""
    rig = rig_of(archive=archive)
    echoed = "ODD ABCDEFG.0123456789ABCDEF0123456789ABCDEF"
    rig.twin.world.teams["acme"].blocks.append(Block(re.compile("a"), echoed))
    rig.upload("in/a.jpg")
    await stopped(rig, after=5)
    [line] = archive.receipts()
    assert line["reason"] == "other_darwin_reason"
    assert "ODD ***" in line["detail"]
    assert "0123456789" not in json.dumps(line)

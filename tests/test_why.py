"""`why`, for the situations that an object may be in. Each is brought about by the real pipeline, on virtual time, and the whole
answer stands here as a person reads it.
"""

import asyncio
import re
from pathlib import Path

import pytest

from tests.fakes.rig import START, lane
from tests.fakes.tracing import TracedRig
from worker.commands import why_shown
from worker.core.routes import Fallback, Group, Route
from worker.core.standing import Standing

pytestmark = pytest.mark.looptime

SCENES = Route(
    "scenes",
    lane("rig"),
    prefix="rig",
    regex="(?P<scene>[^/]+)/(?P<camera>[^/.]+)[.]mp4",
    item_name="{scene}",
    path="/",
    slot="{camera}",
    group=Group(by="{scene}/", slots=("front", "back", "left"), within=60),
)
FLAT = Route("flat", lane(), prefix="flat", path="/")
ALL = Route("all", lane(), prefix="in")
ROUTES = [SCENES, FLAT, ALL]
PAGE = Path(__file__).parent.parent / "docs" / "why.md"

Said = pytest.CaptureFixture[str]


async def why(rig: TracedRig, key: str, said: Said) -> str:
    """What is printed off a terminal."""
    trace = await rig.trace(key)
    said.readouterr()  # what the pipeline logged
    why_shown.show([trace.as_json()], as_json=False)
    return said.readouterr().out


async def test_registered(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("in/3/weld 07.jpg")
        await rig.queue.until_empty()
    said = await why(rig, "in/3/weld 07.jpg", capsys)
    assert said == (
        "s3://media/in/3/weld 07.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /3/weld 07.jpg in dataset intake of team acme\n"
        "  ledger        registered 2027-01-15T08:00:00Z for this object\n"
        "  dead letters  there are none\n"
        "  queue         empty\n"
        "  Darwin        complete, inserted 2027-01-15T08:00:00Z\n"
        "registered: It is registered as /3/weld 07.jpg in dataset intake, and Darwin is done with it; nothing is to be done.\n"
    )
    assert said in PAGE.read_text()


async def test_waiting_for_siblings(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("rig/one/front.mp4", "rig/one/back.mp4")
        await asyncio.sleep(10)
    said = await why(rig, "rig/one/front.mp4", capsys)
    assert said == (
        "s3://media/rig/one/front.mp4\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         scenes takes it\n"
        "                an event would now be postponed: group_incomplete. Of the group, no file for slot 'left' is there.\n"
        "  item          it would be /one in dataset rig of team acme\n"
        "  group         rig/one/: there are back.mp4, front.mp4; no file for slot 'left' is there\n"
        "  ledger        nothing under this item\n"
        "  dead letters  there are none\n"
        "  queue         about 0 waiting, 0 in flight, 1 delayed; SQS does not tell whether it is among them\n"
        "  Darwin        no item of this path and name\n"
        "waiting: It waits for the rest of its group: no file for slot 'left' is there; upload what is missing, and it goes on by itself.\n"
    )
    assert said in PAGE.read_text()


async def test_blocked(capsys: Said) -> None:
    """The group's time is over; its dead letter is that of another part."""
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("rig/one/front.mp4", "rig/one/back.mp4")
        await rig.queue.until_empty(within=100)
    assert await why(rig, "rig/one/front.mp4", capsys) == (
        "s3://media/rig/one/front.mp4\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         scenes takes it\n"
        "                an event would now be postponed: group_incomplete. Of the group, no file for slot 'left' is there.\n"
        "  item          it would be /one in dataset rig of team acme\n"
        "  group         rig/one/: there are back.mp4, front.mp4; no file for slot 'left' is there\n"
        "  ledger        nothing under this item\n"
        "  dead letters  of rig/one/back.mp4: blocked: missing_parts, first seen 2027-01-15T08:00:00Z, 2 attempts. Of the group 'rig/one/', no file for slot 'left' is there within 60 seconds.\n"
        "  queue         empty\n"
        "  Darwin        no item of this path and name\n"
        "blocked: Its group became a dead letter (missing_parts); upload what is missing, then replay it with `darwin-worker dead-letters replay`.\n"
    )


async def test_rejected(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("in/notes.xyz")
        await rig.queue.until_empty()
    assert await why(rig, "in/notes.xyz", capsys) == (
        "s3://media/in/notes.xyz\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "                an event would now be rejected: unsupported_type. The name has the extension '.xyz', which no type is known for; the route's type or types can name one.\n"
        "  item          none\n"
        "  ledger        not asked, for no item is known\n"
        "  dead letters  rejected: unsupported_type, first seen 2027-01-15T08:00:00Z, 1 attempt. The name has the extension '.xyz', which no type is known for; the route's type or types can name one.\n"
        "  queue         empty\n"
        "  Darwin        not asked, for no item is known\n"
        "rejected: It became a dead letter (unsupported_type); name the file's type in the route, or convert the file, then replay it with `darwin-worker dead-letters replay`.\n"
    )


async def test_ignored(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("in/empty.jpg", content=b"")
        await rig.queue.until_empty()
    assert await why(rig, "in/empty.jpg", capsys) == (
        "s3://media/in/empty.jpg\n"
        "  S3            0 bytes, etag d41d8cd98f00b204e9800998ecf8427e, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "                an event would now be ignored: empty_object. The object is empty.\n"
        "  item          none\n"
        "  ledger        not asked, for no item is known\n"
        "  dead letters  there are none\n"
        "  queue         empty\n"
        "  Darwin        not asked, for no item is known\n"
        "ignored: It is left alone because it is empty; nothing is to be done about it.\n"
    )


async def test_never_arrived(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    rig.objects.put("in/a.jpg", b"12345678", modified=START - 60)
    said = await why(rig, "in/a.jpg", capsys)
    assert said == (
        "s3://media/in/a.jpg\n"
        "  S3            8 bytes, etag 25d55ad283aa400af464c76d713c07ad, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        nothing under this item\n"
        "  dead letters  there are none\n"
        "  queue         empty\n"
        "  Darwin        no item of this path and name\n"
        "never_arrived: No claim, no item and no dead letter tells of it and the queue is empty, so its event never came; see with `darwin-worker check` that the bucket tells the queue of its objects, and send it with `darwin-worker backfill`.\n"
    )
    assert said in PAGE.read_text()


async def test_never_arrived_or_still_in_the_queue(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    rig.put("in/a.jpg", "in/b.jpg")
    assert await why(rig, "in/a.jpg", capsys) == (
        "s3://media/in/a.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        nothing under this item\n"
        "  dead letters  there are none\n"
        "  queue         about 2 waiting, 0 in flight, 0 delayed; SQS does not tell whether it is among them\n"
        "  Darwin        no item of this path and name\n"
        "never_arrived: No claim, no item and no dead letter tells of it, so it is one of the about 2 messages in the queue or its event never came; ask again when the queue has been worked off, and if nothing tells of it then, send it with `darwin-worker backfill`.\n"
    )


async def test_collision(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("flat/1/a.jpg")
        await rig.queue.until_empty()
        rig.put("flat/2/a.jpg")
        await rig.queue.until_empty()
    said = await why(rig, "flat/2/a.jpg", capsys)
    assert said == (
        "s3://media/flat/2/a.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         1 before it look at other buckets or prefixes\n"
        "                flat takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        registered 2027-01-15T08:00:00Z for another object, s3://media/flat/1/a.jpg\n"
        "  dead letters  blocked: name_collision, first seen 2027-01-15T08:00:00Z, 1 attempt. Darwin's item of this path and name was registered for another object: s3://media/flat/1/a.jpg\n"
        "  queue         empty\n"
        "  Darwin        complete, inserted 2027-01-15T08:00:00Z\n"
        "name_collision: Another object, s3://media/flat/1/a.jpg, is registered as /a.jpg in dataset intake, and so this one is not; give the two different paths or names in the routes, then replay it with `darwin-worker dead-letters replay`.\n"
    )
    assert said in PAGE.read_text()


async def test_foreign_item(capsys: Said) -> None:
    """As after the ledger was lost."""
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("in/a.jpg")
        await rig.queue.until_empty()
        rig.ledger.entries.clear()
        rig.put("in/a.jpg")
        await rig.queue.until_empty()
    assert await why(rig, "in/a.jpg", capsys) == (
        "s3://media/in/a.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        nothing under this item\n"
        "  dead letters  blocked: foreign_item, first seen 2027-01-15T08:00:00Z, 1 attempt. Darwin holds an item of this path and name that this worker did not register (on_existing: block)\n"
        "  queue         empty\n"
        "  Darwin        complete, inserted 2027-01-15T08:00:00Z\n"
        "foreign_item: It became a dead letter because Darwin had an item at /a.jpg in dataset intake that no worker had registered; rename or delete that item, or set `on_existing: accept` in the route, then replay it with `darwin-worker dead-letters replay`.\n"
    )


async def test_overwritten(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("in/a.jpg")
        await rig.queue.until_empty()
        rig.put("in/a.jpg", content=b"new")
        await rig.queue.until_empty()
    assert await why(rig, "in/a.jpg", capsys) == (
        "s3://media/in/a.jpg\n"
        "  S3            3 bytes, etag 22af645d1859cb5ca6da0c484f1f37ea, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        registered 2027-01-15T08:00:00Z for an earlier content of it (etag 9dd4e461268c8034f5c8564e155c67a6)\n"
        "  dead letters  there are none\n"
        "  queue         empty\n"
        "  Darwin        complete, inserted 2027-01-15T08:00:00Z\n"
        "overwritten: An earlier content of it is registered as /a.jpg in dataset intake, and Darwin keeps that; nothing is to be done, unless new versions are wanted: then set `on_overwrite: register` in the route and send it with `darwin-worker backfill`.\n"
    )


async def test_failed_in_darwins_processing(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("in/a.jpg")
        await rig.queue.until_empty()
    held = rig.held("a.jpg")
    held.processing, held.error = "error", "the storage answered 403"
    said = await why(rig, "in/a.jpg", capsys)
    assert said == (
        "s3://media/in/a.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        registered 2027-01-15T08:00:00Z for this object\n"
        "  dead letters  there are none\n"
        "  queue         empty\n"
        "  Darwin        error, inserted 2027-01-15T08:00:00Z: the storage answered 403\n"
        "failed_in_darwin: It is registered as /a.jpg in dataset intake, and Darwin failed to process it; mend what Darwin's error names, delete the item there, take back its claim with `darwin-worker forget`, and send it with `darwin-worker backfill`.\n"
    )
    assert said in PAGE.read_text()


async def test_key_refused(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    rig.put("in/a.jpg")
    rig.darwin["acme"].key = "withdrawn"
    assert await why(rig, "in/a.jpg", capsys) == (
        "s3://media/in/a.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        nothing under this item\n"
        "  dead letters  there are none\n"
        "  queue         about 1 waiting, 0 in flight, 0 delayed; SQS does not tell whether it is among them\n"
        "  Darwin        not told: Darwin refuses /api/users/token_info: 401\n"
        "key_refused: Darwin refuses the API key of team acme, so nothing of that team is registered; give the worker a key of this team that may add data to datasets, and it goes on by itself.\n"
    )


async def test_no_route(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put("rig/a.jpg")
        await rig.queue.until_empty()
    assert await why(rig, "rig/a.jpg", capsys) == (
        "s3://media/rig/a.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 look at other buckets or prefixes\n"
        "                not scenes: the key below the prefix does not match the regular expression (?P<scene>[^/]+)/(?P<camera>[^/.]+)[.]mp4\n"
        "                none takes it\n"
        "                an event would now be blocked: no_route. No route matches the object.\n"
        "  item          none\n"
        "  ledger        not asked, for no item is known\n"
        "  dead letters  blocked: no_route, first seen 2027-01-15T08:00:00Z, 1 attempt. No route matches the object.\n"
        "  queue         empty\n"
        "  Darwin        not asked, for no item is known\n"
        "no_route: It became a dead letter because no route takes it; write a route that does, then replay it with `darwin-worker dead-letters replay`.\n"
    )


async def test_no_route_and_left_alone(capsys: Said) -> None:
    rig = TracedRig(ROUTES, Fallback.IGNORE)
    rig.objects.put("rig/a.jpg", modified=START - 60)
    assert await why(rig, "rig/a.jpg", capsys) == (
        "s3://media/rig/a.jpg\n"
        "  S3            1 byte, etag 9dd4e461268c8034f5c8564e155c67a6, written 2027-01-15T07:59:00Z\n"
        "  route         2 look at other buckets or prefixes\n"
        "                not scenes: the key below the prefix does not match the regular expression (?P<scene>[^/]+)/(?P<camera>[^/.]+)[.]mp4\n"
        "                none takes it\n"
        "                an event would now be ignored: no_route. No route matches the object.\n"
        "  item          none\n"
        "  ledger        not asked, for no item is known\n"
        "  dead letters  there are none\n"
        "  queue         empty\n"
        "  Darwin        not asked, for no item is known\n"
        "no_route: No route takes it; if it should be registered, write a route that does, then send it with `darwin-worker backfill`.\n"
    )


async def test_not_in_s3_at_all(capsys: Said) -> None:
    rig = TracedRig(ROUTES)
    assert await why(rig, "in/a.jpg", capsys) == (
        "s3://media/in/a.jpg\n"
        "  S3            there is no such object\n"
        "  route         2 before it look at other buckets or prefixes\n"
        "                all takes it\n"
        "  item          /a.jpg in dataset intake of team acme\n"
        "  ledger        nothing under this item\n"
        "  dead letters  there are none\n"
        "  queue         empty\n"
        "  Darwin        no item of this path and name\n"
        "not_in_s3: There is no such object in S3; compare bucket and key letter by letter, for case, spaces and an encoding such as %20 count.\n"
    )


def test_the_page_knows_every_word() -> None:
    words = re.findall(
        r"^\| `(\w+)` \| [^|]+ \|$", PAGE.read_text().partition("### The words")[2], re.MULTILINE
    )
    assert words == [standing.value for standing in Standing]

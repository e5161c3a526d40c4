"""Objects that S3 is asked about before an item is made of them: on virtual time, S3 in memory."""

import asyncio
import json
import struct
import zlib
from dataclasses import replace

import pytest

from tests.fakes.rig import Rig, lane
from worker.core.errors import Refused, Unavailable
from worker.core.model import OnOverwrite
from worker.core.routes import OnRemoved, Route, Sidecars

pytestmark = pytest.mark.looptime

ALL = Route("all", lane(), prefix="in")
READ_ONLY = Route("thumbs", lane(readonly=True), prefix="in", sidecars=Sidecars("thumbs/{folder}/{stem}.jpg"))


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + b"rest"
    )


async def test_metadata_and_tags_of_the_object_fill_templates_at_one_call_each() -> None:
    route = replace(ALL, item_name="{metadata.patient}-{tags.side}.png")
    rig = Rig([route])
    async with rig.running():
        rig.put("in/a.png")
        rig.objects.put("in/a.png", metadata={"Patient": "p7"}, tags={"side": "left"})
        await rig.queue.until_empty()
    assert rig.items() == {"intake": ["/p7-left.png"]}
    assert rig.objects.calls == {"head": 1, "tags": 1}


async def test_an_object_without_the_metadata_that_its_name_asks_for_is_a_dead_letter() -> None:
    rig = Rig([replace(ALL, item_name="{metadata.patient}.png")])
    async with rig.running():
        rig.put("in/a.png")
        await rig.queue.until_empty()
    assert rig.dead() == [("in/a.png", "no_value")]
    assert rig.dead_letters.stored[0].attributes["detail"] == "The object has no metadata 'patient'."


async def test_with_head_an_object_that_has_gone_is_ignored_and_one_in_the_archive_is_a_dead_letter() -> None:
    rig = Rig([replace(ALL, head=True)])
    async with rig.running():
        rig.put("in/there.png", "in/gone.png", "in/cold.png")
        rig.objects.delete("in/gone.png")
        rig.objects.put("in/cold.png", storage_class="DEEP_ARCHIVE")
        await rig.queue.until_empty()
    assert rig.items() == {"intake": ["/there.png"]}
    assert rig.dead() == [("in/cold.png", "object_archived")]
    assert rig.outcomes() == {"registered": 1, "ignored": 1, "blocked": 1}


async def test_a_read_only_image_goes_with_its_thumbnail_and_the_size_that_its_bytes_tell() -> None:
    rig = Rig([READ_ONLY], readonly=True)
    async with rig.running():
        rig.put("in/line/a.png", content=png(4096, 3000))
        rig.put("thumbs/line/a.jpg")
        await rig.queue.until_empty(within=100)
    assert rig.items() == {"intake": ["/line/a.png"]}
    assert rig.outcomes()["registered"] == 1
    assert rig.outcomes()["ignored"] == 1, "the thumbnail's own event is no need"


async def test_an_item_waits_for_its_thumbnail_and_goes_when_it_is_there() -> None:
    rig = Rig([READ_ONLY], readonly=True)
    async with rig.running():
        rig.put("in/a.png", content=png(10, 20))
        await asyncio.sleep(60)
        assert rig.items() == {"intake": []}
        rig.objects.put("thumbs/a.jpg")
        await rig.queue.until_empty(within=200)
    assert rig.items() == {"intake": ["/a.png"]}


async def test_a_thumbnail_that_never_comes_is_named_in_the_dead_letter() -> None:
    rig = Rig([replace(READ_ONLY, sidecars=Sidecars("thumbs/{stem}.jpg", within=600))], readonly=True)
    async with rig.running():
        rig.put("in/a.png", content=png(10, 20))
        await rig.queue.until_empty(within=1000)
    assert rig.dead() == [("in/a.png", "sidecars_missing")]
    detail = rig.dead_letters.stored[0].attributes["detail"]
    assert detail == "Within 600 seconds there was not the thumbnail thumbs/a.jpg."
    assert rig.objects.calls["head"] <= 10


async def test_a_read_only_video_goes_with_its_frames_when_no_more_of_them_come() -> None:
    route = replace(
        READ_ONLY,
        fps=2,
        sidecars=Sidecars(
            "thumbs/{stem}.jpg", frames_high="hq/{stem}/", frames_low="lq/{stem}/", frames_quiet=60
        ),
    )
    rig = Rig([route], readonly=True)
    async with rig.running():
        rig.put("in/v.mp4")
        rig.objects.put("thumbs/v.jpg")
        for number in (1, 2, 10):
            rig.objects.put(f"hq/v/{number}.png", png(1920, 1080))
            rig.objects.put(f"lq/v/{number}.jpg")
        await asyncio.sleep(30)
        rig.objects.put("hq/v/11.png", png(1920, 1080))
        rig.objects.put("lq/v/11.jpg")
        await rig.queue.until_empty(within=400)
    assert rig.items() == {"intake": ["/v.mp4"]}


async def test_the_size_of_a_video_is_that_of_its_full_frames() -> None:
    """Small frames may lie beside them, and sort first."""
    sidecars = Sidecars(
        "thumbs/{stem}.jpg", frames_high="f/{stem}/*_hq.png", frames_low="f/{stem}/*_a.png", frames_quiet=0
    )
    rig = Rig([replace(READ_ONLY, sidecars=sidecars)], readonly=True)
    async with rig.running():
        rig.objects.put("thumbs/v.jpg")
        rig.objects.put("f/v/1_a.png", png(320, 180))
        rig.objects.put("f/v/1_hq.png", png(1920, 1080))
        rig.put("in/v.mp4")
        await rig.queue.until_empty(within=400)
    assert rig.items() == {"intake": ["/v.mp4"]}
    bodies = [json.dumps(body) for body in rig.darwin["acme"].bodies]
    assert '"width": 1920, "height": 1080' in bodies[0]


async def test_an_image_whose_size_its_bytes_do_not_tell_is_a_dead_letter() -> None:
    rig = Rig([READ_ONLY], readonly=True)
    async with rig.running():
        rig.put("in/a.png", content=b"no picture")
        rig.objects.put("thumbs/a.jpg")
        await rig.queue.until_empty()
    assert rig.dead() == [("in/a.png", "size_unknown")]


async def test_while_s3_does_not_answer_messages_are_held_and_the_worker_says_so() -> None:
    rig = Rig([replace(ALL, head=True)])
    rig.objects.failing = Unavailable("S3 does not answer")
    async with rig.running():
        rig.put("in/a.png")
        await asyncio.sleep(300)
        assert [(c.name.value, c.subject) for c in rig.situation.conditions.now()] == [
            ("s3_unreachable", "media")
        ]
        assert rig.objects.calls["head"] < 20
        rig.objects.failing = None
        await rig.queue.until_empty(within=100)
        assert rig.situation.conditions.now() == ()
    assert rig.items() == {"intake": ["/a.png"]}
    assert rig.outcomes() == {"registered": 1}


async def test_a_bucket_that_may_not_be_read_stops_no_other_route() -> None:
    rig = Rig([Route("asking", lane("asked"), prefix="in/ask", head=True), replace(ALL)])
    rig.objects.failing = Refused("s3:GetObject is not allowed")
    async with rig.running():
        rig.put("in/ask/a.png", "in/b.png")
        await asyncio.sleep(5)
        assert rig.items() == {"asked": [], "intake": ["/b.png"]}
        rig.objects.failing = None
        await rig.queue.until_empty(within=100)


async def test_a_removed_object_is_ignored_unless_its_route_archives_its_item() -> None:
    rig = Rig(
        [
            Route("keep", lane("kept"), prefix="in/keep"),
            Route("drop", lane("dropped"), prefix="in/drop", on_removed=OnRemoved.ARCHIVE),
        ]
    )
    async with rig.running():
        rig.put("in/keep/a.png", "in/drop/a.png", "in/drop/back.png")
        await rig.queue.until_empty()
        rig.removed("in/keep/a.png")
        rig.removed("in/drop/a.png")
        rig.removed("in/drop/never.png")
        rig.removed("in/drop/back.png")
        rig.objects.put("in/drop/back.png")
        await rig.queue.until_empty()
    datasets = rig.twin.world.teams["acme"].datasets
    assert {
        (slug, name): item.archived
        for slug, held in datasets.items()
        for (_, name), item in held.items.items()
    } == {("kept", "a.png"): False, ("dropped", "a.png"): True, ("dropped", "back.png"): False}
    assert rig.outcomes() == {"registered": 3, "ignored": 3, "archived": 1}


async def test_a_new_version_gets_a_name_of_its_own_where_the_route_says_so() -> None:
    rig = Rig([replace(ALL, on_overwrite=OnOverwrite.REGISTER)])
    async with rig.running():
        rig.put("in/a.png", content=b"1")
        await rig.queue.until_empty()
        rig.put("in/a.png", content=b"2")
        await rig.queue.until_empty()
        rig.put("in/a.png", content=b"2")
        await rig.queue.until_empty()
    assert rig.items() == {"intake": ["/a (c81e728d9d4c).png", "/a.png"]}
    assert rig.outcomes() == {"registered": 2, "duplicate": 1}


async def test_a_paused_route_sends_its_records_round_and_round_and_loses_no_receive() -> None:
    rig = Rig([replace(ALL, paused=True)])
    async with rig.running():
        rig.put("in/a.png")
        await asyncio.sleep(3600)
        assert rig.items() == {"intake": []}
        assert rig.outcomes() == {"postponed": 4}
    assert rig.dead_letters.stored == []


async def test_a_dataset_may_depend_on_the_object() -> None:
    known = Route("known", lane("line-1"), prefix="known")
    route = Route("lines", lane(""), prefix="in", regex="(?P<line>[^/]+)/.*", dataset="{line}")
    rig = Rig([known, replace(route, lane=lane("line-1"))], more_lanes=True)
    rig.twin.world.teams["acme"].datasets |= {
        slug: replace(rig.twin.world.teams["acme"].datasets["line-1"], slug=slug, items={})
        for slug in ("l2", "l3")
    }
    async with rig.running():
        rig.put("in/l2/a.png", "in/l3/a.png", "in/missing/a.png")
        await asyncio.sleep(60)
        assert rig.items()["l2"] == ["/l2/a.png"]
        assert rig.items()["l3"] == ["/l3/a.png"]
        await rig.queue.until_empty(within=2000)
        await asyncio.sleep(60)
        assert rig.situation.conditions.now() == ()
    assert rig.dead() == [("in/missing/a.png", "dataset_missing")]

"""Several objects, one item: on virtual time, S3 in memory."""

import asyncio
import random
from dataclasses import replace

import pytest

from tests.fakes.rig import Rig, lane
from worker.core.routes import Group, Route

pytestmark = pytest.mark.looptime

SCENES = Route(
    "scenes",
    lane(),
    prefix="in",
    regex="(?P<scene>[^/]+)/(?P<camera>[^/.]+)[.]mp4",
    item_name="{scene}",
    path="/",
    slot="{camera}",
    group=Group(by="{scene}/", slots=("front", "back", "left", "right")),
)
CAMERAS = ("front", "back", "left", "right")


def scene(number: int, *cameras: str) -> list[str]:
    return [f"in/scene_{number}/{camera}.mp4" for camera in cameras or CAMERAS]


async def test_four_objects_become_the_four_slots_of_one_item() -> None:
    rig = Rig([SCENES])
    async with rig.running():
        rig.put(*scene(1))
        await rig.queue.until_empty()
    assert rig.files() == {
        "/scene_1": [
            ("front", "in/scene_1/front.mp4"),
            ("back", "in/scene_1/back.mp4"),
            ("left", "in/scene_1/left.mp4"),
            ("right", "in/scene_1/right.mp4"),
        ]
    }
    assert rig.outcomes() == {"registered": 1, "waiting": 3}
    assert rig.counters()["extensions"] == 0
    assert rig.conserved()


async def test_the_part_that_comes_last_completes_the_group_at_once() -> None:
    rig = Rig([SCENES])
    async with rig.running():
        rig.put(*scene(1, "front", "back", "left"))
        await asyncio.sleep(60)
        assert rig.files() == {}
        assert rig.outcomes() == {"waiting": 2, "postponed": 1}
        rig.put(*scene(1, "right"))
        await asyncio.sleep(2)
        assert list(rig.files()) == ["/scene_1"]
        await rig.queue.until_empty(within=1000)
    assert rig.outcomes() == {"waiting": 2, "postponed": 1, "registered": 1, "duplicate": 1}


async def test_what_is_missing_after_the_routes_time_is_named_in_one_dead_letter() -> None:
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", slots=CAMERAS, within=3600))])
    async with rig.running():
        rig.put(*scene(1, "front", "left"))
        await rig.queue.until_empty(within=4000)
    assert rig.dead() == [("in/scene_1/front.mp4", "missing_parts")]
    [letter] = rig.dead_letters.stored
    assert letter.attributes["detail"] == (
        "Of the group 'in/scene_1/', no file for slots 'back', 'right' is there within 3600 seconds."
    )


async def test_a_dead_letter_of_a_group_that_is_complete_now_registers_it() -> None:
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", slots=CAMERAS, within=3600))])
    async with rig.running():
        rig.put(*scene(1, "front", "left"))
        await rig.queue.until_empty(within=4000)
        for key in scene(1, "back", "right"):
            rig.objects.put(key)  # of these nobody tells
        [letter] = rig.dead_letters.stored
        rig.queue.put(letter.body, letter.attributes)
        await rig.queue.until_empty()
    assert list(rig.files()) == ["/scene_1"]


async def test_a_witness_whose_object_is_deleted_stays_a_witness() -> None:
    """The key that sorts first vouches for the others, whose messages are gone."""
    rig = Rig([SCENES])
    async with rig.running():
        rig.put(*scene(1, "back", "front"))
        await asyncio.sleep(5)
        rig.objects.delete("in/scene_1/back.mp4")
        for key in scene(1, "left", "right", "back"):
            rig.objects.put(key, b"new")  # of these nobody tells
        await rig.queue.until_empty(within=1000)
    assert list(rig.files()) == ["/scene_1"]


async def test_a_group_that_loses_a_part_before_its_item_is_sent_is_not_forgotten() -> None:
    """The record that the item belongs to is its witness again, whoever receives it next."""
    rig = Rig([SCENES])
    async with rig.running():
        rig.fault(kind="status", status=503, endpoint="register")
        rig.put(*scene(1))
        await asyncio.sleep(5)
    rig.objects.delete("in/scene_1/right.mp4")
    next_one = Rig([SCENES], queue=rig.queue, objects=rig.objects, ledger=rig.ledger, twin=rig.twin)
    async with next_one.running():
        await asyncio.sleep(5)
    assert rig.outcomes() == {"waiting": 3}
    assert next_one.outcomes() == {"postponed": 1}


async def test_a_group_whose_objects_are_all_gone_is_ignored() -> None:
    rig = Rig([SCENES])
    async with rig.running():
        rig.put(*scene(1, "front", "back"))
        await asyncio.sleep(5)
        for key in scene(1, "front", "back"):
            rig.objects.delete(key)
        await rig.queue.until_empty(within=1000)
    assert rig.outcomes() == {"waiting": 1, "postponed": 1, "ignored": 1}


async def test_an_object_for_no_slot_of_the_list_is_a_dead_letter() -> None:
    rig = Rig([SCENES])
    async with rig.running():
        rig.put("in/scene_1/roof.mp4")
        await rig.queue.until_empty()
    assert rig.dead() == [("in/scene_1/roof.mp4", "unexpected_part")]


async def test_two_objects_for_one_slot_are_a_dead_letter_that_names_both() -> None:
    rig = Rig([replace(SCENES, regex="(?P<scene>[^/]+)/(?P<camera>[^/.]+)[.].*")])
    async with rig.running():
        rig.put(*scene(1), "in/scene_1/front.mov")
        await rig.queue.until_empty()
    [letter] = rig.dead_letters.stored
    assert letter.attributes["reason"] == "slot_taken_twice"
    assert "'in/scene_1/front.mov' and 'in/scene_1/front.mp4'" in letter.attributes["detail"]


async def test_by_count_a_part_too_many_is_a_dead_letter() -> None:
    route = replace(SCENES, group=Group(by="{scene}/", count=2))
    rig = Rig([route])
    async with rig.running():
        rig.put(*scene(1, "front", "back"))
        await rig.queue.until_empty()
        rig.put(*scene(1, "left"))
        await rig.queue.until_empty()
    assert [slot for slot, _ in rig.files()["/scene_1"]] == ["back", "front"]
    assert rig.dead() == [("in/scene_1/left.mp4", "too_many_parts")]


async def test_what_is_in_the_item_is_known_though_a_part_too_many_came_later() -> None:
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", count=2))])
    async with rig.running():
        rig.put(*scene(1, "back"))
        await asyncio.sleep(5)
        rig.put(*scene(1, "front"))
        await asyncio.sleep(5)
        rig.put(*scene(1, "left"))
        rig.put(*scene(1, "front"))
        await rig.queue.until_empty(within=1000)
    assert rig.dead() == [("in/scene_1/left.mp4", "too_many_parts")]
    assert rig.outcomes() == {"postponed": 1, "registered": 1, "blocked": 1, "duplicate": 2}


async def test_a_marker_completes_the_group_whenever_it_comes() -> None:
    route = replace(SCENES, group=Group(by="{scene}/", marker="_SUCCESS"))
    rig = Rig([route])
    async with rig.running():
        rig.put(*scene(1, "front", "back"))
        await asyncio.sleep(5)
        assert rig.files() == {}
        rig.put("in/scene_1/_SUCCESS", content=b"")
        await asyncio.sleep(5)
        assert [slot for slot, _ in rig.files()["/scene_1"]] == ["back", "front"]
        rig.put(*scene(1, "roof"))
        await rig.queue.until_empty(within=1000)
    assert rig.dead() == [("in/scene_1/roof.mp4", "late_part")]
    assert rig.counters()["extensions"] == 0


async def test_a_marker_that_came_first_waits_for_a_file() -> None:
    route = replace(SCENES, group=Group(by="{scene}/", marker="_SUCCESS", within=600))
    rig = Rig([route])
    async with rig.running():
        rig.put("in/scene_1/_SUCCESS", content=b"")
        await rig.queue.until_empty(within=700)
    assert rig.dead() == [("in/scene_1/_SUCCESS", "missing_parts")]


async def test_a_manifest_may_name_files_only_that_its_route_does_not_take() -> None:
    route = replace(SCENES, group=Group(by="{scene}/", manifest="manifest.json"), item_name="{filename}")
    rig = Rig([route])
    manifest = b'{"slots": [{"slot": "0", "file": "lidar.scan", "type": "video"}]}'
    async with rig.running():
        rig.objects.put("in/scene_1/lidar.scan")
        rig.put("in/scene_1/manifest.json", content=manifest)
        await rig.queue.until_empty()
    assert rig.files() == {"/scene_1": [("0", "in/scene_1/lidar.scan")]}


async def test_without_a_sign_the_group_is_complete_when_nothing_came_for_the_quiet_period() -> None:
    route = replace(SCENES, group=Group(by="{scene}/", quiet=120))
    rig = Rig([route])
    async with rig.running():
        rig.put(*scene(1, "front"))
        await asyncio.sleep(100)
        rig.put(*scene(1, "back"))
        await asyncio.sleep(100)
        assert rig.files() == {}
        await rig.queue.until_empty(within=1000)
    assert [slot for slot, _ in rig.files()["/scene_1"]] == ["back", "front"]
    assert rig.dead() == []


async def test_after_the_quiet_period_a_late_part_is_a_dead_letter() -> None:
    route = replace(SCENES, group=Group(by="{scene}/", quiet=120))
    rig = Rig([route])
    async with rig.running():
        rig.put(*scene(1, "front"))
        await rig.queue.until_empty(within=1000)
        rig.put(*scene(1, "back"))
        await rig.queue.until_empty(within=1000)
    assert [slot for slot, _ in rig.files()["/scene_1"]] == ["front"]
    assert rig.dead() == [("in/scene_1/back.mp4", "late_part")]


async def test_a_part_that_is_gone_again_or_empty_is_no_late_one() -> None:
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", quiet=60))])
    async with rig.running():
        rig.put(*scene(1, "front"))
        await rig.queue.until_empty(within=200)
        rig.put(*scene(1, "left"))
        rig.objects.delete("in/scene_1/left.mp4")
        rig.put(*scene(1, "back"), content=b"")
        await rig.queue.until_empty(within=200)
    assert rig.dead() == []
    assert rig.outcomes() == {"postponed": 1, "registered": 1, "ignored": 2}


async def test_a_part_that_comes_while_its_group_waits_for_a_token_is_not_lost() -> None:
    """It is in no listing that made the item, and so must be told of."""
    route = replace(SCENES, group=Group(by="{scene}/", quiet=60))
    rig = Rig([route])
    async with rig.running():
        rig.put(*scene(1, "front"))
        await asyncio.sleep(30)
        rig.fault(kind="status", status=503, times=5, endpoint="register")
        await asyncio.sleep(35)
        rig.put(*scene(1, "back"))
        await rig.queue.until_empty(within=3000)
    assert [slot for slot, _ in rig.files()["/scene_1"]] == ["front"]
    assert rig.dead() == [("in/scene_1/back.mp4", "late_part")]


async def test_a_part_that_comes_with_a_known_one_while_its_group_waits_for_a_token_is_not_lost_either() -> (
    None
):
    """The record that goes on is that of the known one, and speaks for both."""
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", quiet=60))])
    async with rig.running():
        rig.put(*scene(1, "front"))
        await asyncio.sleep(30)
        rig.fault(kind="status", status=503, times=3, endpoint="register")
        await asyncio.sleep(35)
        rig.put(*scene(1, "front", "back"))
        await rig.queue.until_empty(within=3000)
    assert [slot for slot, _ in rig.files()["/scene_1"]] == ["front"]
    assert rig.dead() == [("in/scene_1/front.mp4", "late_part")]
    [letter] = rig.dead_letters.stored
    assert letter.attributes["detail"] == (
        "The item of the group was registered before with 1 objects, and some of 2 that are there now are not in it; Darwin "
        "keeps it."
    )


async def test_a_part_that_is_overwritten_after_its_group_was_registered_is_ignored() -> None:
    rig = Rig([SCENES])
    async with rig.running():
        rig.put(*scene(1))
        await rig.queue.until_empty()
        rig.put(*scene(1, "back"), content=b"better")
        await rig.queue.until_empty()
    assert rig.outcomes() == {"registered": 1, "waiting": 3, "ignored": 1}


async def test_events_told_twice_make_no_second_item() -> None:
    rig = Rig([SCENES])
    async with rig.running():
        rig.put(*scene(1), *scene(1))
        await rig.queue.until_empty()
        rig.put(*scene(1))
        await rig.queue.until_empty()
    assert rig.counters()["registered"] == 1
    assert rig.outcomes() == {"registered": 1, "waiting": 10, "duplicate": 1}


async def test_five_hundred_scenes_of_four_cameras_in_any_order_are_all_right() -> None:
    rig = Rig([SCENES])
    keys = [key for number in range(500) for key in scene(number)]
    random.Random(4).shuffle(keys)  # noqa: S311 - no secret
    async with rig.running():
        for start in range(0, len(keys), 50):
            rig.put(*keys[start : start + 50])
            await asyncio.sleep(0.5)
        await rig.queue.until_empty(within=2000)
    files = rig.files()
    assert len(files) == 500
    assert all([slot for slot, _ in held] == list(CAMERAS) for held in files.values())
    assert rig.dead() == []
    assert rig.counters()["extensions"] == 0
    assert rig.conserved()


async def test_a_series_of_a_thousand_slices_costs_few_listings_and_one_request() -> None:
    route = Route(
        "series",
        lane(),
        prefix="in",
        glob="**/*.dcm",
        group=Group(count=1000),
    )
    rig = Rig([route])
    async with rig.running():
        rig.put(*(f"in/ct/7/{n}.dcm" for n in range(1000)))
        await rig.queue.until_empty(within=200)
    [(item, files)] = rig.files().items()
    assert item == "/ct/7"
    assert [key for _, key in files] == [f"in/ct/7/{n}.dcm" for n in range(1000)]
    assert {slot for slot, _ in files} == {"0"}
    assert rig.objects.calls["list"] <= 20
    assert len(rig.darwin["acme"].sent_at) == 1
    assert rig.counters()["registered"] == 1


MANIFEST = (
    b'{"name": "first", "slots": [{"slot": "0", "file": "front.mp4"}, {"slot": "1", "file": "sub/b.png"}]}'
)


async def test_a_manifest_tells_the_item_and_what_it_does_not_name_is_left_out() -> None:
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", manifest="item.json"))])
    async with rig.running():
        rig.put("in/scene_1/item.json", content=MANIFEST)
        rig.put("in/scene_1/front.mp4", "in/scene_1/roof.mp4")
        await asyncio.sleep(5)
        assert rig.files() == {}
        rig.objects.put("in/scene_1/sub/b.png")  # no route takes it, and nobody tells of it
        await rig.queue.until_empty(within=1000)
        rig.put("in/scene_1/roof.mp4")
        await rig.queue.until_empty(within=1000)
    assert rig.files() == {"/first": [("0", "in/scene_1/front.mp4"), ("1", "in/scene_1/sub/b.png")]}
    assert rig.dead() == []
    assert rig.outcomes()["ignored"] >= 1
    assert rig.conserved()


async def test_a_group_whose_manifest_changes_before_its_item_is_sent_is_not_forgotten() -> None:
    """Though its witness was a file that the manifest did not name."""
    routes = [replace(SCENES, group=Group(by="{scene}/", manifest="item.json"))]
    rig = Rig(routes)
    async with rig.running():
        rig.fault(kind="status", status=503, endpoint="register")
        rig.put(*scene(1, "back", "front"))
        rig.put("in/scene_1/item.json", content=b'{"slots": [{"slot": "0", "file": "front.mp4"}]}')
        await asyncio.sleep(5)
        rig.put("in/scene_1/item.json", content=b'{"slots": [{"slot": "0", "file": "left.mp4"}]}')
        await asyncio.sleep(5)
    assert rig.outcomes() == {"waiting": 3}
    next_one = Rig(routes, queue=rig.queue, objects=rig.objects, ledger=rig.ledger, twin=rig.twin)
    async with next_one.running():
        await asyncio.sleep(5)
    assert next_one.outcomes() == {"postponed": 1}


async def test_a_manifest_that_cannot_be_used_is_one_dead_letter_until_it_is_mended() -> None:
    rig = Rig([replace(SCENES, group=Group(by="{scene}/", manifest="item.json"))])
    async with rig.running():
        rig.put("in/scene_1/front.mp4")
        await asyncio.sleep(5)
        rig.put("in/scene_1/item.json", content=b'{"slotz": []}')
        await asyncio.sleep(5)
        assert [reason for _, reason in rig.dead()] == ["invalid_manifest"]
        rig.put("in/scene_1/item.json", content=b'{"slots": [{"slot": "0", "file": "front.mp4"}]}')
        await asyncio.sleep(5)
        assert rig.files() == {"/scene_1": [("0", "in/scene_1/front.mp4")]}

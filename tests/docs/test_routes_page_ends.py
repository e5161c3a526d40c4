"""The tables of sidecars, new versions, removals and pauses in docs/routes.md: what a row says becomes of the records is all
that becomes of them.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.ends import Scenarios, come_to_an_end, rig_for, routes_for, rows_of, said_of, told_by
from tests.docs.page import ROUTES_PAGE, Row, sections_of
from tests.docs.world import picture
from tests.fakes.rig import START, Rig
from worker.demo.twin.state import HeldItem, SentFile

pytestmark = pytest.mark.looptime

SIDECARS, VERSIONS, REMOVALS = "Sidecars", "New versions", "Removals"
PAUSING = "Pausing, and asking first"
SECTIONS = sections_of(ROUTES_PAGE)
ROWS = rows_of(SECTIONS, {SIDECARS, VERSIONS, REMOVALS, PAUSING})
WHEN = Scenarios()

CAR = picture(1920, 1080)


def put_frames(rig: Rig, full: int, small: int) -> None:
    for number in range(full):
        rig.objects.put(f"frames/drive/{number}.png", CAR)
    for number in range(small):
        rig.objects.put(f"small/drive/{number}.jpg")


def in_darwin(rig: Rig) -> list[str]:
    return rig.items()["intake"]


def detail(rig: Rig) -> str:
    """What the one dead letter says."""
    [letter] = rig.dead_letters.stored
    return letter.attributes["detail"]


def test_every_row_of_the_page_has_a_scenario_and_every_scenario_a_row() -> None:
    assert ROWS.keys() == WHEN.by_row.keys()
    assert len(ROWS) >= 25


# -- sidecars ---------------------------------------------------------------------------------------------------------------


@WHEN.of(SIDECARS, "the thumbnail of an image is there")
async def _(rig: Rig) -> None:
    rig.objects.put("thumbs/red/car.jpg")
    rig.put("incoming/red/car.png", content=CAR)
    await come_to_an_end(rig)
    assert in_darwin(rig) == ["/red/car.png"]


@WHEN.of(SIDECARS, "the thumbnail comes after the image")
async def _(rig: Rig) -> None:
    rig.put("incoming/car.png", content=CAR)
    await asyncio.sleep(60)
    rig.put("thumbs/car.jpg")
    await come_to_an_end(rig)
    assert in_darwin(rig) == ["/car.png"]


@WHEN.of(SIDECARS, "the thumbnail never comes")
async def _(rig: Rig) -> None:
    rig.put("incoming/car.png", content=CAR)
    await come_to_an_end(rig)
    assert "thumbs/car.jpg" in detail(rig)


@WHEN.of(SIDECARS, "frames still come")
async def _(rig: Rig) -> None:
    rig.objects.put("thumbs/drive.jpg")
    put_frames(rig, 2, 2)
    rig.put("incoming/drive.mp4")
    await asyncio.sleep(50)
    put_frames(rig, 3, 3)
    await asyncio.sleep(50)
    assert in_darwin(rig) == []
    await come_to_an_end(rig)
    assert in_darwin(rig) == ["/drive.mp4"]


@WHEN.of(SIDECARS, "small frames are fewer than full ones")
async def _(rig: Rig) -> None:
    rig.objects.put("thumbs/drive.jpg")
    put_frames(rig, 3, 2)
    rig.put("incoming/drive.mp4")
    await come_to_an_end(rig)
    assert "(2) for each below frames/drive/ (3)" in detail(rig)


@WHEN.of(SIDECARS, "more than 10,000 frames begin so")
async def _(rig: Rig) -> None:
    rig.objects.put("thumbs/drive.jpg")
    put_frames(rig, 10_001, 1)
    rig.put("incoming/drive.mp4")
    await come_to_an_end(rig)


@WHEN.of(SIDECARS, "the first bytes do not tell the size")
async def _(rig: Rig) -> None:
    rig.objects.put("thumbs/car.jpg")
    rig.put("incoming/car.png", content=b"no picture")
    await come_to_an_end(rig)


@WHEN.of(SIDECARS, "the image lies in the archive (GLACIER, DEEP_ARCHIVE)")
async def _(rig: Rig) -> None:
    rig.objects.put("thumbs/car.jpg")
    rig.put("incoming/car.png", content=CAR)
    rig.objects.put("incoming/car.png", CAR, storage_class="GLACIER")
    await come_to_an_end(rig)


@WHEN.of(SIDECARS, "the image was deleted meanwhile")
async def _(rig: Rig) -> None:
    rig.objects.put("thumbs/car.jpg")
    rig.put("incoming/car.png", content=CAR)
    rig.objects.delete("incoming/car.png")
    await come_to_an_end(rig)


@WHEN.of(SIDECARS, "it is a DICOM file")
async def _(rig: Rig) -> None:
    rig.put("incoming/scan.dcm")
    await come_to_an_end(rig)


@WHEN.of(SIDECARS, "the route takes the thumbnails too")
async def _(rig: Rig) -> None:
    rig.put("incoming/thumbs/car.jpg")
    await come_to_an_end(rig)


# -- new versions -------------------------------------------------------------------------------------------------------------


async def _written_twice(rig: Rig, key: str) -> None:
    for content in (b"one", b"two"):
        rig.put(key, content=content)
        await come_to_an_end(rig)


@WHEN.of(VERSIONS, "an object is written anew (`on_overwrite: ignore`, the default)")
async def _(rig: Rig) -> None:
    await _written_twice(rig, "kept/a.jpg")


@WHEN.of(VERSIONS, "an object is written anew (`on_overwrite: dead_letter`)")
async def _(rig: Rig) -> None:
    await _written_twice(rig, "told/a.jpg")


@WHEN.of(VERSIONS, "an object is written anew (`on_overwrite: register`)")
async def _(rig: Rig) -> None:
    await _written_twice(rig, "named/a.jpg")
    said = ROWS[VERSIONS, "an object is written anew (`on_overwrite: register`)"]["what becomes of it"]
    new, old = in_darwin(rig)
    assert old == "/named/a.jpg"
    assert f"`{new.removeprefix('/named/')}`" in said


@WHEN.of(VERSIONS, "the same content is written or told of again")
async def _(rig: Rig) -> None:
    for _again in range(2):
        rig.put("told/a.jpg")
        await come_to_an_end(rig)


@WHEN.of(VERSIONS, "a third version gets the name of the second")
async def _(rig: Rig) -> None:
    await _written_twice(rig, "once/a.jpg")
    rig.put("once/a.jpg", content=b"three")
    await come_to_an_end(rig)
    assert in_darwin(rig) == ["/once/a, second.jpg", "/once/a.jpg"]


@WHEN.of(VERSIONS, "two objects get one path and name")
async def _(rig: Rig) -> None:
    rig.put("flat/one/a.jpg")
    await come_to_an_end(rig)
    rig.put("flat/two/a.jpg")
    await come_to_an_end(rig)
    assert "flat/one/a.jpg" in detail(rig)


def plant(rig: Rig, path: str) -> None:
    """An item in Darwin that no worker registered."""
    held = HeldItem("id", path, "a.jpg", [SentFile("0", "a.jpg", "image", "elsewhere")], START - 86_400)
    rig.twin.world.teams["acme"].datasets["intake"].items[path, "a.jpg"] = held


@WHEN.of(
    VERSIONS,
    "Darwin had an item of this path and name before the worker (`on_existing: block`, the default)",
)
async def _(rig: Rig) -> None:
    plant(rig, "/kept")
    rig.put("kept/a.jpg")
    await come_to_an_end(rig)


@WHEN.of(VERSIONS, "Darwin had an item of this path and name before the worker (`on_existing: accept`)")
async def _(rig: Rig) -> None:
    plant(rig, "/before")
    rig.put("adopted/a.jpg")
    await come_to_an_end(rig)


# -- removals -----------------------------------------------------------------------------------------------------------------


async def _registered(rig: Rig, key: str) -> None:
    rig.put(key)
    await come_to_an_end(rig)
    assert in_darwin(rig) == [f"/{key}"]


def is_archived(rig: Rig, path: str) -> bool:
    return rig.twin.world.teams["acme"].datasets["intake"].items[path, "a.jpg"].archived


@WHEN.of(REMOVALS, "an object is removed (`on_removed: ignore`, the default)")
async def _(rig: Rig) -> None:
    await _registered(rig, "kept/a.jpg")
    rig.removed("kept/a.jpg")
    await come_to_an_end(rig)
    assert not is_archived(rig, "/kept")


@WHEN.of(REMOVALS, "an object is removed (`on_removed: archive`)")
async def _(rig: Rig) -> None:
    await _registered(rig, "mirrored/a.jpg")
    rig.removed("mirrored/a.jpg")
    await come_to_an_end(rig)
    assert is_archived(rig, "/mirrored")


@WHEN.of(REMOVALS, "an object is removed that was never registered")
async def _(rig: Rig) -> None:
    plant(rig, "/mirrored")
    rig.removed("mirrored/a.jpg")
    await come_to_an_end(rig)
    assert not is_archived(rig, "/mirrored")


@WHEN.of(REMOVALS, "an object is removed and is there again")
async def _(rig: Rig) -> None:
    await _registered(rig, "mirrored/a.jpg")
    rig.removed("mirrored/a.jpg")
    rig.objects.put("mirrored/a.jpg")
    await come_to_an_end(rig)
    assert not is_archived(rig, "/mirrored")


@WHEN.of(REMOVALS, "an object is written anew after its item was archived")
async def _(rig: Rig) -> None:
    await _registered(rig, "mirrored/a.jpg")
    rig.removed("mirrored/a.jpg")
    await come_to_an_end(rig)
    rig.put("mirrored/a.jpg", content=b"new")
    await come_to_an_end(rig)
    assert is_archived(rig, "/mirrored")


# -- pausing, and asking first ----------------------------------------------------------------------------------------------------


@WHEN.of(PAUSING, "an object of a paused route comes")
async def _(rig: Rig) -> None:
    rig.put("later/a.jpg")
    await asyncio.sleep(3600)
    assert rig.outcomes() == {"postponed": 4}


@WHEN.of(PAUSING, "an object is there (`head: true`)")
async def _(rig: Rig) -> None:
    rig.put("asked/a.jpg")
    await come_to_an_end(rig)


@WHEN.of(PAUSING, "an object has gone before it is sent (`head: true`)")
async def _(rig: Rig) -> None:
    rig.put("asked/a.jpg")
    rig.objects.delete("asked/a.jpg")
    await come_to_an_end(rig)


@WHEN.of(PAUSING, "an object lies in the archive (`head: true`)")
async def _(rig: Rig) -> None:
    rig.put("asked/a.jpg")
    rig.objects.put("asked/a.jpg", storage_class="DEEP_ARCHIVE")
    await come_to_an_end(rig)


# -- the tests ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "row"), ROWS.items(), ids=[": ".join(place) for place in ROWS])
async def test_what_becomes_of_an_object_is_what_the_page_says(
    place: tuple[str, str], row: Row, tmp_path: Path
) -> None:
    rig = rig_for(SECTIONS[place[0]], tmp_path)
    async with rig.running():
        await WHEN.by_row[place](rig)
    assert told_by(rig) == said_of(row)
    assert rig.conserved()


async def test_a_new_version_is_registered_when_the_item_was_deleted_and_the_dead_letter_replayed_with_again(
    tmp_path: Path,
) -> None:
    rig = rig_for(SECTIONS[VERSIONS], tmp_path)
    async with rig.running():
        await _written_twice(rig, "told/a.jpg")
        dataset = rig.twin.world.teams["acme"].datasets["intake"]
        dataset.drop(dataset.items["/told", "a.jpg"])
        [letter] = rig.dead_letters.stored
        rig.queue.put(letter.body, {"again": "true"})
        await come_to_an_end(rig)
    assert in_darwin(rig) == ["/told/a.jpg"]
    assert rig.outcomes() == {"registered": 2, "blocked": 1}


async def test_what_a_paused_route_held_goes_on_when_the_pause_is_over(tmp_path: Path) -> None:
    routes = routes_for(SECTIONS[PAUSING], tmp_path)
    paused = Rig(routes)
    async with paused.running():
        paused.put("later/a.jpg")
        await asyncio.sleep(100)
    after = Rig([replace(route, paused=False) for route in routes], queue=paused.queue)
    async with after.running():
        await asyncio.sleep(901)
    assert in_darwin(after) == ["/later/a.jpg"]

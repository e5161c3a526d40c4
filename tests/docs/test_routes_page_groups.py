"""The tables of groups in docs/routes.md: what a row says becomes of the records is all that becomes of them."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.docs.ends import Scenarios, come_to_an_end, rig_for, rows_of, said_of, told_by
from tests.docs.page import ROUTES_PAGE, Row, sections_of
from tests.fakes.rig import Rig

pytestmark = pytest.mark.looptime

SECTIONS = sections_of(ROUTES_PAGE)
ROWS = rows_of(SECTIONS, {title for title, each in SECTIONS.items() if each.within[-1:] == ("Groups",)})
WHEN = Scenarios()

BY_SLOTS, BY_COUNT, BY_MARKER = "Groups by slots", "Groups by count", "Groups by a marker"
BY_MANIFEST, BY_QUIET = "Groups by a manifest", "Groups by a quiet period"
SCENE = ("front.mp4", "back.mp4", "roof.mp4")
MANIFEST = SECTIONS[BY_MANIFEST].blocks_of("json")[0].encode()


def scene(number: int, *files: str) -> list[str]:
    return [f"incoming/scene_{number}/{file}" for file in files or SCENE]


def slices(*files: str) -> list[str]:
    return [f"incoming/ct-7/{file}" for file in files]


def run(*files: str) -> list[str]:
    return [f"incoming/run-118/{file}" for file in files]


def put_manifest(rig: Rig, content: bytes = MANIFEST) -> None:
    rig.put(*run("manifest.json"), content=content)


def test_every_row_of_the_page_has_a_scenario_and_every_scenario_a_row() -> None:
    assert ROWS.keys() == WHEN.by_row.keys()
    assert len(ROWS) >= 25


# -- by slots -------------------------------------------------------------------------------------------------------------


@WHEN.of(BY_SLOTS, "all parts come at once, in any order")
async def _(rig: Rig) -> None:
    rig.put(*scene(1, "roof.mp4", "front.mp4", "back.mp4"))
    await come_to_an_end(rig)
    assert rig.files("drives") == {"/scene_1": [*zip(("front", "back", "roof"), scene(1), strict=True)]}


@WHEN.of(BY_SLOTS, "the parts come one after the other")
async def _(rig: Rig) -> None:
    for file in ("front.mp4", "roof.mp4", "back.mp4"):
        rig.put(*scene(1, file))
        await asyncio.sleep(5)
    await come_to_an_end(rig)
    assert list(rig.files("drives")) == ["/scene_1"]


@WHEN.of(BY_SLOTS, "the parts of two groups are interleaved")
async def _(rig: Rig) -> None:
    rig.put(*(key for pair in zip(scene(1), scene(2), strict=True) for key in pair))
    await come_to_an_end(rig)
    assert list(rig.files("drives")) == ["/scene_1", "/scene_2"]


@WHEN.of(BY_SLOTS, "the parts are of different types")
async def _(rig: Rig) -> None:
    rig.put(*scene(1, "front.mp4", "back.png", "roof.mov"))
    await come_to_an_end(rig)
    item = rig.twin.world.teams["acme"].datasets["drives"].items["/", "scene_1"]
    assert [file.type for file in item.files] == ["video", "image", "video"]


@WHEN.of(BY_SLOTS, "the events of all parts are told twice")
async def _(rig: Rig) -> None:
    rig.put(*scene(1), *scene(1))
    await come_to_an_end(rig)
    rig.put(*scene(1))
    await come_to_an_end(rig)
    assert rig.counters()["registered"] == 1


@WHEN.of(BY_SLOTS, "a part never comes")
async def _(rig: Rig) -> None:
    rig.put(*scene(1, "front.mp4", "back.mp4"))
    await come_to_an_end(rig)
    assert "slot 'roof'" in detail(rig)


@WHEN.of(BY_SLOTS, "a part is deleted before the group is complete")
async def _(rig: Rig) -> None:
    rig.put(*scene(1, "front.mp4", "back.mp4"))
    await asyncio.sleep(5)
    rig.objects.delete(*scene(1, "back.mp4"))
    rig.put(*scene(1, "roof.mp4"))
    await come_to_an_end(rig)
    assert "slot 'back'" in detail(rig)


@WHEN.of(BY_SLOTS, "a part is empty")
async def _(rig: Rig) -> None:
    rig.put(*scene(1, "front.mp4", "roof.mp4"))
    rig.put(*scene(1, "back.mp4"), content=b"")
    await come_to_an_end(rig)
    assert "slot 'back'" in detail(rig)


@WHEN.of(BY_SLOTS, "all parts are deleted before the group is complete")
async def _(rig: Rig) -> None:
    rig.put(*scene(1, "front.mp4", "back.mp4"))
    await asyncio.sleep(5)
    for key in scene(1, "front.mp4", "back.mp4"):
        rig.objects.delete(key)
    await come_to_an_end(rig)
    assert rig.dead() == []


@WHEN.of(BY_SLOTS, "a part is overwritten before the group is complete")
async def _(rig: Rig) -> None:
    rig.put(*scene(1, "front.mp4"))
    await asyncio.sleep(5)
    rig.put(*scene(1, "front.mp4"), content=b"better")
    await asyncio.sleep(5)
    rig.put(*scene(1, "back.mp4", "roof.mp4"))
    await come_to_an_end(rig)
    assert list(rig.files("drives")) == ["/scene_1"]


@WHEN.of(BY_SLOTS, "a part is overwritten after the item was registered")
async def _(rig: Rig) -> None:
    rig.put(*scene(1))
    await come_to_an_end(rig)
    rig.put(*scene(1, "front.mp4"), content=b"better")
    await come_to_an_end(rig)


@WHEN.of(BY_SLOTS, "a part comes after the item was registered")
async def _(rig: Rig) -> None:
    rig.put(*scene(1))
    await come_to_an_end(rig)
    rig.put(*scene(1, "front.mov"))
    await come_to_an_end(rig)
    assert len(rig.files("drives")["/scene_1"]) == 3


@WHEN.of(BY_SLOTS, "two objects are for one slot")
async def _(rig: Rig) -> None:
    rig.put(*scene(1), *scene(1, "front.mov"))
    await come_to_an_end(rig)
    assert "front.mov' and 'incoming/scene_1/front.mp4'" in detail(rig)


@WHEN.of(BY_SLOTS, "a file is for no slot of the list")
async def _(rig: Rig) -> None:
    rig.put(*scene(1), *scene(1, "left.mp4"))
    await come_to_an_end(rig)
    assert "left.mp4" in detail(rig)


# -- by count ---------------------------------------------------------------------------------------------------------------


@WHEN.of(BY_COUNT, "so many files are there")
async def _(rig: Rig) -> None:
    rig.put(*slices("1.dcm", "2.dcm", "3.dcm"))
    await come_to_an_end(rig)
    assert list(rig.files("scans")) == ["/ct-7"]


@WHEN.of(BY_COUNT, "more files are there")
async def _(rig: Rig) -> None:
    rig.put(*slices("1.dcm", "2.dcm", "3.dcm", "4.dcm"))
    await come_to_an_end(rig)
    assert "holds 4 files" in detail(rig)


@WHEN.of(BY_COUNT, "a file of another type is among the slices")
async def _(rig: Rig) -> None:
    rig.put(*slices("1.dcm", "2.dcm", "3.png"))
    await come_to_an_end(rig)


@WHEN.of(BY_COUNT, "the files disagree about a placeholder of the item")
async def _(rig: Rig) -> None:
    rig.put(*slices("3-1.dcm", "3-2.dcm", "4-1.dcm"))
    await come_to_an_end(rig)
    assert "{day}" in detail(rig)


@WHEN.of(BY_COUNT, "more than 10,000 keys begin as the group's do")
async def _(rig: Rig) -> None:
    for number in range(10_001):
        rig.objects.put(f"incoming/ct-7/{number}.dcm")
    rig.put(*slices("1.dcm"))
    await come_to_an_end(rig)


# -- by a marker --------------------------------------------------------------------------------------------------------------


@WHEN.of(BY_MARKER, "the marker comes last")
async def _(rig: Rig) -> None:
    rig.put(*slices("1.dcm", "2.dcm"))
    await asyncio.sleep(5)
    rig.put(*slices("_SUCCESS"), content=b"")
    await come_to_an_end(rig)
    assert len(rig.files("scans")["/ct-7"]) == 2


@WHEN.of(BY_MARKER, "the marker comes first")
async def _(rig: Rig) -> None:
    rig.put(*slices("_SUCCESS"), content=b"")
    for file in ("1.dcm", "2.dcm"):
        await asyncio.sleep(5)
        rig.put(*slices(file))
    await come_to_an_end(rig)
    assert len(rig.files("scans")["/ct-7"]) == 1


@WHEN.of(BY_MARKER, "the marker never comes")
async def _(rig: Rig) -> None:
    rig.put(*slices("1.dcm", "2.dcm"))
    await come_to_an_end(rig)
    assert "_SUCCESS is not there" in detail(rig)


@WHEN.of(BY_MARKER, "a file comes after the marker")
async def _(rig: Rig) -> None:
    rig.put(*slices("1.dcm", "_SUCCESS"))
    await asyncio.sleep(5)
    rig.put(*slices("2.dcm"))
    await come_to_an_end(rig)


# -- by a manifest --------------------------------------------------------------------------------------------------------------


@WHEN.of(BY_MANIFEST, "all files are there that it names")
async def _(rig: Rig) -> None:
    put_manifest(rig)
    rig.put(*run("front.mp4", "stills/rear.png"))
    await come_to_an_end(rig)
    assert rig.files("drives") == {
        "/run-118": [("0", "incoming/run-118/front.mp4"), ("1", "incoming/run-118/stills/rear.png")]
    }


@WHEN.of(BY_MANIFEST, "a file that it names never comes")
async def _(rig: Rig) -> None:
    rig.put(*run("front.mp4"))
    put_manifest(rig)
    await come_to_an_end(rig)
    assert "incoming/run-118/stills/rear.png" in detail(rig)


@WHEN.of(BY_MANIFEST, "it is no JSON, or has a field that is not known")
async def _(rig: Rig) -> None:
    rig.put(*run("front.mp4"))
    put_manifest(rig, b'{"slots": [{"slot": "0", "fil": "front.mp4"}]}')
    await come_to_an_end(rig)
    assert "did you mean 'file'?" in detail(rig)


@WHEN.of(BY_MANIFEST, "two of its files are for one slot")
async def _(rig: Rig) -> None:
    rig.put(*run("front.mp4", "rear.mp4"))
    slots = b'{"slot": "0", "file": "front.mp4"}, {"slot": "0", "file": "rear.mp4"}'
    put_manifest(rig, b'{"slots": [%s]}' % slots)
    await come_to_an_end(rig)


@WHEN.of(BY_MANIFEST, "a file lies there that it does not name")
async def _(rig: Rig) -> None:
    rig.put(*run("front.mp4", "stills/rear.png", "notes.png"))
    put_manifest(rig)
    await come_to_an_end(rig)
    rig.put(*run("more.png"))
    await come_to_an_end(rig)
    assert len(rig.files("drives")["/run-118"]) == 2
    assert rig.dead() == []


# -- by a quiet period ------------------------------------------------------------------------------------------------------------


@WHEN.of(BY_QUIET, "files come one after the other, and then no more")
async def _(rig: Rig) -> None:
    for files in (["1.dcm", "2.dcm"], ["3.dcm"]):
        rig.put(*slices(*files))
        await asyncio.sleep(110)
        assert rig.files("scans") == {}
    await come_to_an_end(rig)
    assert len(rig.files("scans")["/ct-7"]) == 3


@WHEN.of(BY_QUIET, "a file comes after the quiet period")
async def _(rig: Rig) -> None:
    rig.put(*slices("1.dcm"))
    await come_to_an_end(rig)
    rig.put(*slices("2.dcm"))
    await come_to_an_end(rig)
    assert len(rig.files("scans")["/ct-7"]) == 1


# -- the tests ------------------------------------------------------------------------------------------------------------------


def detail(rig: Rig) -> str:
    """What the one dead letter says."""
    [letter] = rig.dead_letters.stored
    return letter.attributes["detail"]


@pytest.mark.parametrize(("place", "row"), ROWS.items(), ids=[": ".join(place) for place in ROWS])
async def test_what_becomes_of_a_group_is_what_the_page_says(
    place: tuple[str, str], row: Row, tmp_path: Path
) -> None:
    rig = rig_for(SECTIONS[place[0]], tmp_path)
    async with rig.running():
        await WHEN.by_row[place](rig)
    assert told_by(rig) == said_of(row)
    assert rig.conserved()
    assert rig.counters()["extensions"] == 0


async def test_a_part_that_is_uploaded_after_its_group_was_given_up_completes_it(tmp_path: Path) -> None:
    rig = rig_for(SECTIONS[BY_SLOTS], tmp_path)
    async with rig.running():
        rig.put(*scene(1, "front.mp4", "back.mp4"))
        await come_to_an_end(rig)
        assert rig.files("drives") == {}
        rig.put(*scene(1, "roof.mp4"))
        await come_to_an_end(rig)
    assert len(rig.files("drives")["/scene_1"]) == 3


@pytest.mark.parametrize(
    ("section", "keys", "deleted"),
    [
        (BY_SLOTS, scene(1, *SCENE, "front.mov"), scene(1, "front.mov")),
        (BY_COUNT, slices("1.dcm", "2.dcm", "3.dcm", "4.dcm"), slices("1.dcm")),
        (BY_COUNT, slices("1.dcm", "2.dcm", "3.png", "4.dcm"), slices("3.png")),
    ],
    ids=["two for one slot", "more than the count", "another type"],
)
async def test_a_group_goes_on_when_what_is_too_much_was_deleted_and_its_dead_letter_replayed(
    section: str, keys: list[str], deleted: list[str], tmp_path: Path
) -> None:
    rig = rig_for(SECTIONS[section], tmp_path)
    async with rig.running():
        rig.put(*keys)
        await come_to_an_end(rig)
        for key in deleted:
            rig.objects.delete(key)
        [letter] = rig.dead_letters.stored
        rig.queue.put(letter.body, letter.attributes)
        await come_to_an_end(rig)
    assert rig.counters()["registered"] == 1


async def test_a_late_part_is_in_the_item_when_that_was_deleted_and_the_dead_letter_replayed_with_again(
    tmp_path: Path,
) -> None:
    rig = rig_for(SECTIONS[BY_MARKER], tmp_path)
    async with rig.running():
        rig.put(*slices("1.dcm", "_SUCCESS"))
        await come_to_an_end(rig)
        rig.put(*slices("2.dcm"))
        await come_to_an_end(rig)
        dataset = rig.twin.world.teams["acme"].datasets["scans"]
        dataset.drop(dataset.items["/", "ct-7"])
        [letter] = rig.dead_letters.stored
        rig.queue.put(letter.body, {"again": "true"})
        await come_to_an_end(rig)
    assert len(rig.files("scans")["/ct-7"]) == 2


async def test_a_series_of_a_thousand_slices_costs_what_the_page_says(tmp_path: Path) -> None:
    costs = SECTIONS["What groups cost"].text
    listings, requests = re.search("at most ([0-9]+) listings and ([0-9]+) request", costs).groups()  # type: ignore[union-attr]  # where it is not, this fails
    rig = rig_for(SECTIONS[BY_MARKER], tmp_path)
    async with rig.running():
        rig.put(*slices(*(f"{number}.dcm" for number in range(1000)), "_SUCCESS"))
        await come_to_an_end(rig)
    assert len(rig.files("scans")["/ct-7"]) == 1000
    assert rig.objects.calls["list"] <= int(listings)
    assert len(rig.darwin["acme"].sent_at) == int(requests)

"""The items of groups and of manifests: one slot for each part, and what none may hold."""

import json
from typing import Any

import pytest

from tests.core.sample_groups import NOW, Groups, drafts, listed, member
from tests.core.sample_routes import LANE
from worker.core.forms import CannotBe
from worker.core.grouping import Verdicts
from worker.core.judging import Ready, judge
from worker.core.model import Item, ItemType, Kind, Outcome, Reason, S3Object, Slot
from worker.core.routes import Group, Sidecars

PARTS = Group(count=2)
SERIES = {"type": ItemType.DICOM}


def judged(groups: Groups, *keys: str, content: dict[str, Any] | None = None) -> Ready | Verdicts:
    part = groups.part(keys[0])
    seen = groups.seen(*keys)
    written = None if content is None else json.dumps(content).encode()
    return judge(part, seen, written, [member(keys[0])], NOW)


def made(groups: Groups, *keys: str, content: dict[str, Any] | None = None) -> Item:
    found = judged(groups, *keys, content=content)
    assert isinstance(found, Ready)
    return found.item(drafts(found.parts))


def refused(groups: Groups, *keys: str, content: dict[str, Any] | None = None) -> Outcome:
    with pytest.raises(CannotBe) as cannot:
        made(groups, *keys, content=content)
    return cannot.value.outcome


def test_each_part_of_a_group_is_a_slot_of_one_item() -> None:
    """The issue: scene_001/front.mp4 and scene_001/back.mp4 become slots of scene_001."""
    groups = Groups(
        Group(slots=("front", "back")),
        slot="{stem}",
        fps=5,
        tags=("night", "{filename}"),
        metadata={"cam": "{stem}"},
        layout={"version": 3, "slots_grid": [[["front"], ["back"]]]},
    )
    item = made(groups, "in/day 1/scene_001/back.mp4", "in/day 1/scene_001/front.mp4")
    etag = item.object.etag
    assert item == Item(
        LANE,
        "/day 1",
        "scene_001",
        S3Object("acme-media", "in/day 1/scene_001/", None, etag, 2),
        "rig",
        slots=(
            Slot(
                "front",
                "in/day 1/scene_001/front.mp4",
                ItemType.VIDEO,
                {"fps": 5, "metadata": {"cam": "front"}},
            ),
            Slot(
                "back", "in/day 1/scene_001/back.mp4", ItemType.VIDEO, {"fps": 5, "metadata": {"cam": "back"}}
            ),
        ),
        fields={
            "tags": ["night", "scene_001"],
            "layout": {"version": 3, "slots_grid": [[["front"], ["back"]]]},
        },
        grouped=True,
    )


def test_parts_of_different_types_stand_in_slots_of_their_own() -> None:
    groups = Groups(PARTS, slot="{filename}", fps=5)
    assert made(groups, "in/s/a.mp4", "in/s/b.png").slots == (
        Slot("a.mp4", "in/s/a.mp4", ItemType.VIDEO, {"fps": 5}),
        Slot("b.png", "in/s/b.png", ItemType.IMAGE, {}),
    )


def test_the_slices_of_a_series_share_a_slot_in_the_order_of_their_numbers() -> None:
    assert [(slot.name, slot.key) for slot in made(Groups(PARTS), "in/ct/10.dcm", "in/ct/9.dcm").slots] == [
        ("0", "in/ct/9.dcm"),
        ("0", "in/ct/10.dcm"),
    ]


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({}, ("in/s/a.png", "in/s/b.png")),
        ({}, ("in/s/a.dcm", "in/s/b.png")),
        ({}, ("in/s/a.ndpi", "in/s/b.ndpi")),
        ({"sidecars": Sidecars("t/{stem}.jpg"), **SERIES}, ("in/s/a.dcm", "in/s/b.dcm")),
    ],
)
def test_nothing_but_the_slices_of_a_series_shares_a_slot(
    fields: dict[str, Any], keys: tuple[str, str]
) -> None:
    """Duplicate parts have their end: two files of one camera, say. In a read-only storage nothing shares a slot."""
    assert refused(Groups(PARTS, **fields), *keys) == Outcome(
        Kind.BLOCKED,
        Reason.SLOT_TAKEN_TWICE,
        f"Slot '0' would hold {keys[0]!r} and {keys[1]!r}, and only the slices of a DICOM series share one.",
        "rig",
    )


def test_one_part_that_cannot_be_refuses_the_whole_item() -> None:
    assert refused(Groups(PARTS, slot="{stem}"), "in/s/a.png", "in/s/notes.txt") == Outcome(
        Kind.REJECTED,
        Reason.UNSUPPORTED_TYPE,
        "The name has the extension '.txt', which no type is known for; the route's type or types can name one.",
        "rig",
    )


def test_a_layout_may_not_name_a_slot_that_is_not_there() -> None:
    groups = Groups(PARTS, slot="{stem}", layout={"version": 1, "type": "grid", "slots": ["a", "c"]})
    assert refused(groups, "in/s/a.png", "in/s/b.png") == Outcome(
        Kind.REJECTED, Reason.INVALID_ITEM, "The layout names slot 'c', which the item does not have.", "rig"
    )


# -- manifests --------------------------------------------------------------------------------------------------------

DESCRIBED = Groups(Group(manifest="m.json"), fps=2, tags=("night",), metadata={"site": "{folder}"})
FRONT = {"slot": "front", "file": "front.mp4"}


def test_a_manifest_says_what_the_route_does_not() -> None:
    item = made(
        DESCRIBED,
        "in/s1/front.mp4",
        "in/s1/raw/vol.bin",
        "in/s1/unnamed.png",
        "in/s1/m.json",
        content={
            "name": "scene 1",
            "path": "rig//1/",
            "tags": {"weather": "rain"},
            "layout": {"version": 1, "type": "simple", "slots": ["front", "0"]},
            "slots": [
                {"slot": "0", "file": "raw/vol.bin", "type": "dicom", "extract_views": True},
                {**FRONT, "fps": "native", "as_frames": True, "metadata": {"own": 1}},
            ],
        },
    )
    assert (item.path, item.name, item.grouped, item.object.size) == ("/rig/1", "scene 1", True, 3)
    assert item.slots == (
        Slot(
            "0",
            "in/s1/raw/vol.bin",
            ItemType.DICOM,
            {"metadata": {"site": "s1/raw"}, "extract_views": "true"},
        ),
        Slot(
            "front",
            "in/s1/front.mp4",
            ItemType.VIDEO,
            {"fps": "native", "as_frames": True, "metadata": {"own": 1}},
        ),
    )
    assert item.fields == {
        "tags": {"weather": "rain"},
        "layout": {"version": 1, "type": "simple", "slots": ["front", "0"]},
    }


def test_what_a_manifest_does_not_say_is_as_the_route_says() -> None:
    item = made(DESCRIBED, "in/s1/front.mp4", "in/s1/m.json", content={"slots": [FRONT]})
    assert (item.path, item.name, item.fields) == ("/", "s1", {"tags": ["night"]})
    assert item.slots == (
        Slot("front", "in/s1/front.mp4", ItemType.VIDEO, {"fps": 2, "metadata": {"site": "s1"}}),
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"name": "a/b", "slots": [FRONT]}, "The item's name would be 'a/b', and a name holds no slash."),
        ({"name": "", "slots": [FRONT]}, "The item would have no name."),
        (
            {"path": "/a/..", "slots": [FRONT]},
            'The item\'s path would be \'/a/..\', and a segment "." or ".." is taken for a way up or down.',
        ),
        (
            {"slots": [{**FRONT, "slot": "a\n"}]},
            "The slot's name holds the character U+000A, which no name can hold.",
        ),
        (
            {"slots": [{**FRONT, "type": "image", "fps": 5}]},
            "The manifest gives fps for 'in/s1/front.mp4', and fps is for videos.",
        ),
        (
            {"slots": [{**FRONT, "extract_views": True}]},
            "The manifest has views extracted of 'in/s1/front.mp4', and that is for DICOM in slot '0'.",
        ),
        (
            {"slots": [{**FRONT, "type": "dicom", "extract_views": True}]},
            "The manifest has views extracted of 'in/s1/front.mp4', and that is for DICOM in slot '0'.",
        ),
        (
            {"slots": [FRONT], "layout": {"version": 1, "type": "simple", "slots": ["0"]}},
            "The layout names slot '0', which the item does not have.",
        ),
    ],
)
def test_what_darwin_would_refuse_of_a_manifest_is_rejected_before(content: dict[str, Any], why: str) -> None:
    assert refused(DESCRIBED, "in/s1/front.mp4", "in/s1/m.json", content=content) == Outcome(
        Kind.REJECTED, Reason.INVALID_ITEM, why, "rig"
    )


def test_a_manifest_that_cannot_be_read_blocks_its_group_and_says_what_to_do() -> None:
    assert refused(DESCRIBED, "in/s1/front.mp4", "in/s1/m.json", content={"slots": []}) == Outcome(
        Kind.BLOCKED,
        Reason.INVALID_MANIFEST,
        "The manifest 'in/s1/m.json' cannot be used: slots must be a list of 1 to 10000 slots. Mend it, then replay this.",
        "rig",
    )


def test_a_group_waits_for_the_files_that_its_manifest_names() -> None:
    content = {"slots": [FRONT, {"slot": "back", "file": "back.mp4"}]}
    found = judged(DESCRIBED, "in/s1/front.mp4", "in/s1/m.json", content=content)
    assert isinstance(found, Verdicts)
    assert found.later is not None
    outcome = found.later if isinstance(found.later, Outcome) else found.later.outcome
    assert outcome == Outcome(
        Kind.POSTPONED,
        Reason.GROUP_INCOMPLETE,
        "Of the group, in/s1/back.mp4, which its manifest names, is not there.",
        "rig",
    )


@pytest.mark.parametrize("file", ["../s2/front.mp4", "/front.mp4", "front.mp4/", "./front.mp4"])
def test_a_manifest_reaches_only_what_lies_below_its_folder(file: str) -> None:
    """And what S3 would list there."""
    groups = Groups(Group(manifest="m.json"))
    there = [listed("in/s1/front.mp4"), listed("in/s1/m.json")]
    seen = groups.seen(*there)
    content = json.dumps({"slots": [{"slot": "0", "file": file}]}).encode()
    found = judge(groups.part("in/s1/front.mp4"), seen, content, [member("in/s1/front.mp4")], NOW)
    assert isinstance(found, Verdicts)


def test_the_same_file_may_not_fill_one_slot_twice() -> None:
    content = {"slots": [FRONT, FRONT]}
    assert refused(DESCRIBED, "in/s1/front.mp4", "in/s1/m.json", content=content).reason is (
        Reason.SLOT_TAKEN_TWICE
    )

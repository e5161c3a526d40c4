"""From what a route says and an object tells to the item as Darwin takes it. Groups and manifests: test_forms_of_groups.py."""

from typing import Any

import pytest

from tests.core.sample_routes import LANE
from worker.core.forms import CannotBe, FileDraft, item_of, place_of, slot_name, type_of
from worker.core.model import Item, ItemType, Kind, OnExisting, OnOverwrite, Outcome, Reason, S3Object, Slot
from worker.core.routes import Route
from worker.core.rules import Rule
from worker.core.templates import Table

VIEWS = {"extract_views": "true"}


def rule(**fields: Any) -> Rule:
    return Rule(Route("r", LANE, **fields))


def made(key: str, *, version: str | None = None, etag: str | None = None, **fields: Any) -> Item:
    ready = rule(**fields)
    held = S3Object("acme-media", key, version, etag, 7)
    groups = ready.takes(held)
    assert groups is not None
    return item_of(ready, held, LANE, FileDraft(key, ready.values(held, groups)))


def refused(key: str, **fields: Any) -> Outcome:
    with pytest.raises(CannotBe) as cannot:
        made(key, **fields)
    assert str(cannot.value) == cannot.value.outcome.detail
    return cannot.value.outcome


def placed(key: str, path: str = "/{folder}", **fields: Any) -> tuple[str, str]:
    ready = rule(path=path, **fields)
    return place_of(ready, ready.values_of_key("acme-media", key))


@pytest.mark.parametrize(
    ("key", "prefix", "path", "name"),
    [
        ("weld.jpg", "", "/", "weld.jpg"),
        ("line-3/2031/weld 07.jpg", "", "/line-3/2031", "weld 07.jpg"),
        ("incoming/line-3/weld.jpg", "incoming", "/line-3", "weld.jpg"),
        ("incoming/line-3/weld.jpg", "/incoming/", "/line-3", "weld.jpg"),
        ("incoming/weld.jpg", "incoming", "/", "weld.jpg"),
        ("a//b///c.png", "", "/a/b", "c.png"),
        ("a/ b /c.png", "", "/a/ b ", "c.png"),
        ("a/...b/.hidden", "", "/a/...b", ".hidden"),
        ("ü/日本/🙂.png", "", "/ü/日本", "🙂.png"),
    ],
)
def test_the_folders_below_the_prefix_become_the_path(key: str, prefix: str, path: str, name: str) -> None:
    assert placed(key, prefix=prefix) == (path, name)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/{folder}", "/line-3/2031"),
        ("/intake", "/intake"),
        ("/", "/"),
        ("", "/"),
        ("intake/", "/intake"),
        ("/intake/{folder}", "/intake/line-3/2031"),
        ("/{folder}/raw", "/line-3/2031/raw"),
        ("/{{other}}", "/{other}"),
        ("/{ext}/{folder[:4]}", "/jpg/line"),
    ],
)
def test_a_route_may_put_its_items_elsewhere(template: str, path: str) -> None:
    assert placed("line-3/2031/weld.jpg", template) == (path, "weld.jpg")


def test_braces_in_a_key_are_only_braces() -> None:
    assert placed("{folder}/{0}/{x!r}/{folder}.png", "/in/{folder}") == (
        "/in/{folder}/{0}/{x!r}",
        "{folder}.png",
    )


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"item_name": "{folder}-{filename}"},
            "The item's name would be 'a/b-c.png', and a name holds no slash.",
        ),
        ({"item_name": "{stem[1:]}"}, "The item would have no name."),
        ({"item_name": "."}, "The item's name would be '.', which paths would take for a way up or down."),
        ({"slot": "{stem[1:]}"}, "The slot's name would be empty."),
        ({"tags": ("night", "{stem[1:]}")}, "A tag would be empty."),
        ({"dataset": "{stem[1:]}"}, "The dataset's slug would be empty."),
        (
            {"dataset": "{folder}"},
            "The dataset's slug would be 'a/b', and a slug holds no space and no slash.",
        ),
        (
            {"dataset": "line {stem}"},
            "The dataset's slug would be 'line c', and a slug holds no space and no slash.",
        ),
        (
            {"layout": {"version": 1, "type": "simple", "slots": ["1"]}},
            "The layout names slot '1', which the item does not have.",
        ),
        (
            {"slot": "{stem}", "layout": {"version": 3, "slots_grid": [[["c"], ["a", "b"]]]}},
            "The layout names slot 'a', which the item does not have.",
        ),
    ],
)
def test_what_darwin_would_refuse_is_rejected_before(fields: dict[str, Any], why: str) -> None:
    assert refused("a/b/c.png", **fields) == Outcome(Kind.REJECTED, Reason.INVALID_ITEM, why, "r")


def test_a_part_of_a_folder_may_not_be_a_way_up() -> None:
    """Though the key holds none."""
    assert refused("a../c.png", path="/{folder[1:]}") == Outcome(
        Kind.REJECTED,
        Reason.INVALID_ITEM,
        'The item\'s path would be \'/..\', and a segment "." or ".." is taken for a way up or down.',
        "r",
    )


def test_a_key_that_darwin_cannot_take_is_rejected() -> None:
    assert refused("a/../c.png") == Outcome(
        Kind.REJECTED,
        Reason.INVALID_KEY,
        'The key has a segment "." or "..", which paths would take for a way up or down.',
        "r",
    )


@pytest.mark.parametrize(
    ("fields", "reason", "why"),
    [
        ({"path": "/{metadata.site}"}, Reason.NO_VALUE, "The object has no metadata 'site'."),
        ({"tags": {"cam": "{tags.cam}"}}, Reason.NO_VALUE, "The object has no tag 'cam'."),
        ({"metadata": {"a": "{tags.a}"}}, Reason.NO_VALUE, "The object has no tag 'a'."),
        (
            {"slot": Table("{stem}", {"x": "0"})},
            Reason.NO_VALUE,
            "The table has no line for 'c', and no `otherwise`.",
        ),
        (
            {"dataset": Table("{stem}", {"x": "welds"})},
            Reason.NO_DATASET,
            "The table has no line for 'c', and no `otherwise`.",
        ),
        ({"dataset": "{metadata.set}"}, Reason.NO_DATASET, "The object has no metadata 'set'."),
    ],
)
def test_what_the_object_does_not_tell_blocks_it(fields: dict[str, Any], reason: Reason, why: str) -> None:
    """It may be replayed when the object, or the route, tells it."""
    assert refused("a/c.png", **fields) == Outcome(Kind.BLOCKED, reason, why, "r")


def test_one_object_is_sent_in_the_flat_form() -> None:
    assert made("line-3/weld.jpg", on_existing=OnExisting.ACCEPT) == Item(
        LANE,
        "/line-3",
        "weld.jpg",
        S3Object("acme-media", "line-3/weld.jpg", None, None, 7),
        "r",
        ItemType.IMAGE,
        OnExisting.ACCEPT,
    )


def test_the_flat_form_holds_the_fields_of_the_file_and_of_the_item() -> None:
    item = made(
        "gate/cam.mp4",
        fps=5,
        as_frames=False,
        tags=("night", "{folder}"),
        layout={"version": 1, "type": "simple", "slots": ["0"]},
        metadata={"site": "{folder}", "lens": {"mm": 35}, "channels": [1, 2]},
    )
    assert item.slots == ()
    assert item.type is ItemType.VIDEO
    assert item.fields == {
        "fps": 5,
        "as_frames": False,
        "metadata": {"site": "gate", "lens": {"mm": 35}, "channels": [1, 2]},
        "tags": ["night", "gate"],
        "layout": {"version": 1, "type": "simple", "slots": ["0"]},
    }


def test_a_slot_makes_the_slotted_form() -> None:
    item = made("gate/cam.mp4", slot="{stem}", fps="native", tags={"site": "{folder}"}, metadata={"n": 1})
    assert item.type is None
    assert item.slots == (
        Slot("cam", "gate/cam.mp4", ItemType.VIDEO, {"fps": "native", "metadata": {"n": 1}}),
    )
    assert item.fields == {"tags": {"site": "gate"}}


def test_multi_planar_views_need_slot_0_and_the_text_true() -> None:
    """darwin-api.md 1.4 and 1.6."""
    assert made("ct/vol.dcm", extract_views=True).slots == (Slot("0", "ct/vol.dcm", ItemType.DICOM, VIEWS),)
    assert made("ct/scan.nii.gz", extract_views=True).slots == (
        Slot("0", "ct/scan.nii.gz", ItemType.DICOM, VIEWS),
    )
    assert made("ct/vol.png", extract_views=True).slots == (Slot("0", "ct/vol.png", ItemType.IMAGE, {}),)


@pytest.mark.parametrize("key", ["a.png", "a.pdf", "a.dcm", "a.ndpi"])
def test_frames_are_of_videos_only(key: str) -> None:
    assert made(key, fps=5, as_frames=True).fields == {}


@pytest.mark.parametrize(
    ("key", "fields", "of_type"),
    [
        ("a.png", {}, ItemType.IMAGE),
        ("a.NII.GZ", {}, ItemType.DICOM),
        ("a.ndpi", {}, None),
        ("a.heic", {"types": {"heic": ItemType.IMAGE}}, ItemType.IMAGE),
        ("a.png", {"types": {"png": ItemType.DICOM}}, ItemType.DICOM),
        ("README", {"type": ItemType.PDF}, ItemType.PDF),
        ("a.png", {"type": ItemType.VIDEO, "types": {"png": ItemType.DICOM}}, ItemType.VIDEO),
    ],
)
def test_the_type_is_the_routes_or_that_of_the_extension(
    key: str, fields: dict[str, Any], of_type: ItemType | None
) -> None:
    assert type_of(rule(**fields), "in/" + key) is of_type


def test_a_slot_is_a_text_a_template_or_a_choice() -> None:
    told = {"stem": "front", "ext": "mp4"}
    assert slot_name(rule(), told) == "0"
    assert slot_name(rule(slot="left"), told) == "left"
    assert slot_name(rule(slot="{stem}-{ext}"), told) == "front-mp4"
    assert slot_name(rule(slot=Table("{stem}", {"front": "0", "back": "1"})), told) == "0"


def test_the_dataset_may_depend_on_the_object() -> None:
    """Law 9: metrics call it by the route's name then."""
    table = Table("{filename[:2]}", {"we": "welds"}, "rest")
    assert (made("weld.jpg", dataset=table).lane.dataset, made("weld.jpg", dataset=table).label) == (
        "welds",
        "",
    )
    assert made("seam.jpg", dataset=table).lane.dataset == "rest"
    by_folder = made("line-3/weld.jpg", dataset="scans-{folder}")
    assert (by_folder.lane.dataset, by_folder.label) == ("scans-line-3", "r")
    assert (made("weld.jpg").lane.dataset, made("weld.jpg").label) == ("intake", "")


@pytest.mark.parametrize(
    ("key", "version", "etag", "name", "versioned"),
    [
        ("a/weld.jpg", "3HL4k", "e1", None, "weld (3HL4k).jpg"),
        ("a/weld.jpg", None, "d41d8cd98f00b204e980", None, "weld (d41d8cd98f00).jpg"),
        ("a/scan.nii.gz", "v", None, None, "scan (v).nii.gz"),
        ("a/.png", "v", None, None, ".png (v)"),
        ("a/weld.jpg", "v", None, "{stem}", "weld (v)"),
        ("a/weld.jpg", "3/L4kq", None, None, "weld (3_L4kq).jpg"),
        ("a/weld.jpg", None, None, None, "weld ().jpg"),
    ],
)
def test_a_new_version_has_the_version_in_its_name(
    key: str, version: str | None, etag: str | None, name: str | None, versioned: str
) -> None:
    """By S3's id of it, or else by its content."""
    fields = {} if name is None else {"item_name": name}
    item = made(key, version=version, etag=etag, on_overwrite=OnOverwrite.REGISTER, **fields)
    assert item.versioned == versioned
    assert item.name == (name or "{filename}").format(filename=key.rpartition("/")[2], stem="weld")


def test_the_route_may_say_how_a_new_version_is_named() -> None:
    item = made(
        "a/weld.jpg", version="7", on_overwrite=OnOverwrite.REGISTER, versioned_name="{stem}-v{version}.{ext}"
    )
    assert item.versioned == "weld-v7.jpg"
    assert made("a/weld.jpg", version="7", on_overwrite=OnOverwrite.DEAD_LETTER).versioned == ""
    assert refused("a/weld.jpg", on_overwrite=OnOverwrite.REGISTER, versioned_name="{folder}/{version}") == (
        Outcome(
            Kind.REJECTED,
            Reason.INVALID_ITEM,
            "The item's name would be 'a/', and a name holds no slash.",
            "r",
        )
    )

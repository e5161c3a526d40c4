"""A route made ready: which objects it takes and why not, and what its templates are told."""

from typing import Any

import pytest

from tests.core.sample_routes import LANE
from worker.core.model import ItemType, S3Object
from worker.core.routes import Group, Route, Sidecars
from worker.core.rules import FieldError, Rule
from worker.core.templates import Table


def rule(**fields: Any) -> Rule:
    return Rule(Route("r", LANE, **fields))


def held(key: str, size: int | None = 7, bucket: str = "acme-media") -> S3Object:
    return S3Object(bucket, key, size=size)


PUT = "ObjectCreated:Put"


@pytest.mark.parametrize(
    ("fields", "taken", "other", "why"),
    [
        ({}, held("a.png"), None, ""),
        (
            {"bucket": "acme-media"},
            held("a.png"),
            held("a.png", bucket="acme"),
            "the object is not in bucket acme-media",
        ),
        ({"prefix": "/in/"}, held("in/a.png"), held("inn/a.png"), "the key is not below prefix in/"),
        ({"prefix": "in"}, held("in/a.png"), held("in"), "the key is not below prefix in/"),
        ({"prefix": "in"}, held("in/a.png"), held("In/a.png"), "the key is not below prefix in/"),
        (
            {"prefix": "in", "glob": "*.png"},
            held("in/a.png"),
            held("in/b/a.png"),
            "the key below the prefix does not match the glob *.png",
        ),
        (
            {"prefix": "in", "regex": r"\d+\.png"},
            held("in/7.png"),
            held("in/x7.png"),
            r"the key below the prefix does not match the regular expression \d+\.png",
        ),
        (
            {"prefix": "in", "exclude": ("tmp/**", "*.part")},
            held("in/a.png"),
            held("in/tmp/b/a.png"),
            "the key is excluded by tmp/**",
        ),
        (
            {"exclude": ("tmp/**", "*.part")},
            held("in/a.part"),
            held("a.part"),
            "the key is excluded by *.part",
        ),
        (
            {"extensions": ("PNG", ".nii.gz")},
            held("a.png"),
            held("a.jpg"),
            "the name ends in none of .png, .nii.gz",
        ),
        ({"extensions": ("nii.gz",)}, held("A.NII.GZ"), held("a.gz"), "the name ends in none of .nii.gz"),
        ({"extensions": ("png",)}, held(".png"), held("png"), "the name ends in none of .png"),
        (
            {"smallest": 10},
            held("a.png", 10),
            held("a.png", 9),
            "the object is smaller than 10 bytes, or of unknown size",
        ),
        (
            {"smallest": 10},
            held("a.png", 10),
            held("a.png", None),
            "the object is smaller than 10 bytes, or of unknown size",
        ),
        (
            {"largest": 10},
            held("a.png", 10),
            held("a.png", 11),
            "the object is larger than 10 bytes, or of unknown size",
        ),
        (
            {"largest": 10},
            held("a.png", 0),
            held("a.png", None),
            "the object is larger than 10 bytes, or of unknown size",
        ),
    ],
)
def test_a_route_takes_what_every_condition_lets_through_and_says_in_words_what_does_not(
    fields: dict[str, Any], taken: S3Object, other: S3Object | None, why: str
) -> None:
    ready = rule(**fields)
    assert ready.takes(taken, PUT) == {}
    assert ready.why_not(taken, PUT) is None
    if other is not None:
        assert ready.takes(other, PUT) is None
        assert ready.why_not(other, PUT) == why


@pytest.mark.parametrize(
    ("event", "taken"),
    [
        ("ObjectCreated:Put", True),
        ("ObjectCreated:CompleteMultipartUpload", True),
        ("ObjectCreated:Copy", False),
        ("ObjectCreated:", False),
        ("", True),
        ("ObjectRemoved:Delete", True),
        ("LifecycleExpiration:Delete", True),
    ],
)
def test_events_choose_among_the_ways_to_create_an_object(event: str, taken: bool) -> None:
    """Who lists objects knows no event, and a removal is of whatever was created."""
    ready = rule(events=("Put", "CompleteMultipartUpload"))
    assert (ready.takes(held("a.png"), event) is not None) is taken
    assert ready.why_not(held("a.png"), event) == (
        None if taken else "the event is none of Put, CompleteMultipartUpload"
    )


def test_a_removal_tells_no_size_and_so_is_of_an_object_of_any() -> None:
    ready = rule(smallest=10, largest=20)
    assert ready.takes(held("a.png", None), "ObjectRemoved:Delete") == {}
    assert ready.takes(held("a.png", None), PUT) is None


def test_the_first_condition_that_fails_is_the_one_that_is_told() -> None:
    ready = rule(bucket="acme-clinic", prefix="in", glob="*.png", smallest=10)
    assert ready.why_not(held("out/a.jpg", 1), PUT) == "the object is not in bucket acme-clinic"
    assert ready.why_not(held("out/a.jpg", 1, "acme-clinic"), PUT) == "the key is not below prefix in/"


def test_the_named_groups_of_the_regular_expression_are_told() -> None:
    ready = rule(
        prefix="in", regex=r"(?P<scene>\w+)/(?P<cam>\w+)\.mp4", path="/{scene}", item_name="{cam}.mp4"
    )
    groups = ready.takes(held("in/s1/front.mp4"))
    assert groups == {"scene": "s1", "cam": "front"}
    assert ready.named == {"scene", "cam"}
    assert ready.values(held("in/s1/front.mp4"), groups) == {
        "bucket": "acme-media",
        "key": "in/s1/front.mp4",
        "folder": "s1",
        "filename": "front.mp4",
        "scene": "s1",
        "cam": "front",
    }


@pytest.mark.parametrize(
    ("prefix", "key", "folder", "filename", "stem", "ext"),
    [
        ("", "weld.jpg", "", "weld.jpg", "weld", "jpg"),
        ("in", "in/weld.jpg", "", "weld.jpg", "weld", "jpg"),
        ("in", "in/a/b/Weld 7.JPG", "a/b", "Weld 7.JPG", "Weld 7", "JPG"),
        ("in", "out/weld.jpg", "out", "weld.jpg", "weld", "jpg"),
        ("", "a//weld.jpg", "a/", "weld.jpg", "weld", "jpg"),
        ("", "scan.nii.gz", "", "scan.nii.gz", "scan", "nii.gz"),
        ("", "scan.v2.nii.gz", "", "scan.v2.nii.gz", "scan.v2", "nii.gz"),
        ("", "slide.OME.TIF", "", "slide.OME.TIF", "slide", "OME.TIF"),
        ("", "notes.backup.txt", "", "notes.backup.txt", "notes.backup", "txt"),
        ("", "README", "", "README", "README", ""),
        ("", ".png", "", ".png", "", "png"),
        ("", "photo.", "", "photo.", "photo.", ""),
        ("", "ü.pñg", "", "ü.pñg", "ü", "pñg"),
    ],
)
def test_templates_are_told_the_parts_of_the_key_below_the_prefix(
    prefix: str, key: str, folder: str, filename: str, stem: str, ext: str
) -> None:
    """The extension is the longest one that is known, the route's own among them, or what follows the last dot."""
    ready = rule(prefix=prefix, types={"ome.tif": ItemType.IMAGE}, item_name="{stem}.{ext}")
    assert ready.values(held(key), {}) == {
        "bucket": "acme-media",
        "key": key,
        "folder": folder,
        "filename": filename,
        "stem": stem,
        "ext": ext,
    }


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"glob": "/a"}, "glob", "can match nothing"),
        ({"exclude": ("a", "{1..1000}")}, "exclude", "more than 100 alternatives"),
        ({"regex": "(?=a)"}, "regex", "no look-around"),
        ({"regex": "(?P<stem>a)"}, "regex", "may not be named 'stem'"),
        ({"regex": "(?P<version>a)"}, "regex", "may not be named 'version'"),
        ({"path": "/{fodler}"}, "path", "did you mean {folder}?"),
        ({"item_name": "{version}"}, "name", "no placeholder {version} here"),
        ({"dataset": Table("{x}", {})}, "dataset", "no placeholder {x} here"),
        ({"slot": "{"}, "slot", "stands alone"),
        ({"tags": ("a", "{x}")}, "tags", "no placeholder {x} here"),
        ({"tags": {"a": "{x}"}}, "tags", "no placeholder {x} here"),
        ({"metadata": {"a": 1, "b": "{x}"}}, "metadata", "no placeholder {x} here"),
        ({"versioned_name": "{versoin}"}, "versioned_name", "did you mean {version}?"),
        ({"group": Group("{x}", count=2)}, "group.by", "no placeholder {x} here"),
        ({"group": Group(count=2), "path": "/{tags.a}"}, "path", "no placeholder {tags.a} here"),
        ({"group": Group(count=2), "slot": "{metadata.a}"}, "slot", "no placeholder {metadata.a} here"),
        ({"group": Group("{metadata.a}", count=2)}, "group.by", "no placeholder {metadata.a} here"),
        ({"sidecars": Sidecars("{metadata.a}")}, "thumbnail", "no placeholder {metadata.a} here"),
        ({"sidecars": Sidecars("t", frames_high="{x}")}, "frames.high", "no placeholder {x} here"),
        ({"sidecars": Sidecars("t", frames_low="{x}")}, "frames.low", "no placeholder {x} here"),
        ({"sidecars": Sidecars("t", width="{x}")}, "width", "no placeholder {x} here"),
        ({"sidecars": Sidecars("t", height="{x}")}, "height", "no placeholder {x} here"),
    ],
)
def test_what_cannot_be_used_of_a_route_is_refused_by_field(
    fields: dict[str, Any], field: str, why: str
) -> None:
    """Bad input: an impossible template, an invalid regular expression; metadata of a group would be whose?"""
    with pytest.raises(FieldError) as refused:
        rule(**fields)
    assert refused.value.field == field
    assert why in refused.value.why


@pytest.mark.parametrize(
    ("fields", "metadata", "tags"),
    [
        ({}, False, False),
        ({"path": "/{metadata.site}"}, True, False),
        ({"item_name": "{tags.id}"}, False, True),
        ({"dataset": "{metadata.set}"}, True, False),
        ({"slot": Table("{tags.cam}", {"a": "0"})}, False, True),
        ({"tags": ("{metadata.a}", "{tags.b}")}, True, True),
        ({"metadata": {"a": "{tags.b}", "n": 1}}, False, True),
        ({"versioned_name": "{metadata.a}"}, True, False),
        ({"sidecars": Sidecars("t", width="{metadata.w}")}, True, False),
        ({"sidecars": Sidecars("t", height="{tags.h}")}, False, True),
    ],
)
def test_s3_is_asked_only_for_what_a_template_asks_for(
    fields: dict[str, Any], metadata: bool, tags: bool
) -> None:
    ready = rule(**fields)
    assert (ready.asks_metadata, ready.asks_tags) == (metadata, tags)


@pytest.mark.parametrize(
    ("group", "key", "beginning"),
    [
        (Group(marker="_SUCCESS"), "in/s1/_SUCCESS", "s1/"),
        (Group(marker="_SUCCESS"), "in/a/s1/_SUCCESS", "a/s1/"),
        (Group(marker="_SUCCESS"), "in/_SUCCESS", ""),
        (Group(marker="_SUCCESS"), "in/s1/x_SUCCESS", None),
        (Group(marker="_SUCCESS"), "in/s1/_SUCCESS/a", None),
        (Group(marker="_SUCCESS"), "out/s1/_SUCCESS", None),
        (Group(marker="_SUCCESS"), "inn/s1/_SUCCESS", None),
        (Group(manifest="manifest.json"), "in/s1/manifest.json", "s1/"),
        (Group(marker="done/_SUCCESS"), "in/s1/done/_SUCCESS", "s1/"),
        (Group("{stem[:4]}", marker="_SUCCESS"), "in/0001_SUCCESS", "0001"),
        (Group("{folder}/{stem[:4]}", marker=".done"), "in/a/0001.done", "a/0001"),
        (Group("{stem[:4]}_", marker="done"), "in/0001_done", "0001_"),
        (Group("{stem[:4]}_", marker="done"), "in/0001-done", None),
        (Group("{folder}/", marker="_SUCCESS"), "in/_SUCCESS", ""),
        (Group("{folder}/", marker="_SUCCESS"), "in/x_SUCCESS", None),
        (Group("{stem[:4]}/", marker="_SUCCESS"), "in/_SUCCESS", None),
        (Group(count=3), "in/s1/_SUCCESS", None),
    ],
)
def test_the_marker_of_a_group_tells_what_the_keys_of_its_parts_begin_with(
    group: Group, key: str, beginning: str | None
) -> None:
    """Whatever the patterns of the route say of its key."""
    assert rule(prefix="in", regex="no key", group=group).marks(held(key, 0)) == beginning


def test_a_marker_lies_in_the_bucket_of_its_route() -> None:
    ready = rule(bucket="acme-media", group=Group(marker="_SUCCESS"))
    assert ready.marks(held("s1/_SUCCESS")) == "s1/"
    assert ready.marks(held("s1/_SUCCESS", bucket="acme-clinic")) is None


@pytest.mark.parametrize(
    ("by", "key", "beginning"),
    [
        (None, "in/s1/a.mp4", "s1/"),
        (None, "in/a.mp4", ""),
        (None, "in/a/s1/a.mp4", "a/s1/"),
        ("{folder}/", "in/s1/a.mp4", "s1/"),
        ("{folder}/", "in/a.mp4", ""),
        ("{folder}/{stem[:4]}", "in/s1/0001_front.mp4", "s1/0001"),
        ("{folder}/{stem[:4]}", "in/0001_front.mp4", "0001"),
        ("{stem[:4]}_", "in/0001_front.mp4", "0001_"),
    ],
)
def test_a_part_tells_what_the_keys_of_its_group_begin_with(by: str | None, key: str, beginning: str) -> None:
    """A folder that is empty takes its slash along."""
    ready = rule(prefix="in", group=Group(by, count=2))
    assert ready.beginning(ready.values(held(key), {})) == beginning


@pytest.mark.parametrize(
    ("sidecars", "own", "other"),
    [
        (Sidecars("thumbs/{folder}/{stem}.jpg"), "thumbs/a/b/weld.jpg", "thumbs/a/b/weld.png"),
        (Sidecars("thumbs/{folder}/{stem}.jpg"), "thumbs/weld.jpg", "thumb/weld.jpg"),
        (Sidecars("{key}.thumb (1).jpg"), "in/a.png.thumb (1).jpg", "in/a.png.thumb 1.jpg"),
        (Sidecars("t/{stem}.jpg", frames_high="f/{stem}/hq/"), "f/gate/hq/1.png", "f/gate/lq/1.png"),
        (Sidecars("t/{stem}.jpg", frames_low="f/{stem}/lq/"), "f/gate/lq/a/1.png", "f/gate/1.png"),
        (Sidecars("t/{stem[:2]}.jpg"), "t/we.jpg", "t/.jpg"),
    ],
)
def test_the_sidecars_of_a_route_are_known_by_their_keys(sidecars: Sidecars, own: str, other: str) -> None:
    ready = rule(sidecars=sidecars).sidecars
    assert ready is not None
    assert ready.own(own)
    assert not ready.own(other)

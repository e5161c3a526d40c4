"""Manifests: what they may say of an item, and what is said of one that cannot be used."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.manifests import InvalidManifest, Manifest, ManifestSlot, read_manifest
from worker.core.model import ItemType


def manifest(*slots: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps(
        {"slots": [{"slot": "0", "file": "a.mp4", **slot} for slot in slots or [{}]], **fields}
    ).encode()


def test_a_manifest_says_every_field_of_an_item_and_of_its_files() -> None:
    content = b"""{
        "name": "scene 1", "path": "/rig", "tags": ["night", "rain"],
        "layout": {"version": 3, "slots_grid": [[["0"], ["1"]]]},
        "slots": [
            {"slot": "0", "file": "front.mp4", "type": "video", "fps": 5, "as_frames": false},
            {"slot": "1", "file": "back/vol.dcm", "extract_views": true, "metadata": {"site": {"id": [7, null]}}}
        ]
    }"""
    assert read_manifest(content) == Manifest(
        (
            ManifestSlot("0", "front.mp4", ItemType.VIDEO, {"fps": 5, "as_frames": False}),
            ManifestSlot(
                "1", "back/vol.dcm", None, {"metadata": {"site": {"id": [7, None]}}, "extract_views": "true"}
            ),
        ),
        "scene 1",
        "/rig",
        {"tags": ["night", "rain"], "layout": {"version": 3, "slots_grid": [[["0"], ["1"]]]}},
    )


def test_only_its_files_must_be_said_and_the_rest_is_as_the_route_says() -> None:
    assert read_manifest(manifest()) == Manifest((ManifestSlot("0", "a.mp4", None, {}),), None, None, {})
    nothing = {"type": None, "as_frames": None, "extract_views": False}
    assert read_manifest(manifest(nothing, name=None, path=None, tags=None, layout=None)) == read_manifest(
        manifest()
    )


@pytest.mark.parametrize("fps", [0, 5, 29.97, "native"])
def test_frames_a_second_are_a_number_or_native(fps: float | str) -> None:
    assert read_manifest(manifest({"fps": fps})).slots[0].fields == {"fps": fps}


def test_tags_may_be_a_mapping() -> None:
    assert read_manifest(manifest(tags={"weather": "rain"})).fields == {"tags": {"weather": "rain"}}
    assert read_manifest(manifest(tags=[])).fields == {"tags": []}


def test_windows_may_have_written_it() -> None:
    assert read_manifest(b"\xef\xbb\xbf" + manifest()) == read_manifest(manifest())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff", "it is no UTF-8"),
        (b"", "it is no JSON: Expecting value at line 1"),
        (b'{"slots": [\n}', "it is no JSON: Expecting value at line 2"),
        (b"[]", "the manifest must be an object"),
        (b"null", "the manifest must be an object"),
        (b"{}", "slots must be a list of 1 to 10000 slots"),
        (b'{"slots": []}', "slots must be a list of 1 to 10000 slots"),
        (b'{"slots": {}}', "slots must be a list of 1 to 10000 slots"),
        (b'{"slots": [7]}', "slot 1 must be an object"),
        (b'{"slots": [{"slot": "0", "file": "a"}, {"slot": "1"}]}', "slot 2 needs a slot and a file"),
        (b'{"slots": [{"slot": "", "file": "a"}]}', "slot 1 needs a slot and a file"),
        (b'{"slots": [{"slot": 0, "file": "a"}]}', "slot 1: slot is a text"),
        (manifest({"file": ["a"]}), "slot 1: file is a text"),
        (manifest({"type": "dcm"}), "slot 1: type is 'dcm'; it is one of image, video, pdf, dicom"),
        (manifest({"type": 7}), "slot 1: type is a text"),
        (manifest({"fps": -1}), 'slot 1: fps is a number from 0 on, or "native"'),
        (manifest({"fps": True}), 'slot 1: fps is a number from 0 on, or "native"'),
        (manifest({"fps": "5"}), 'slot 1: fps is a number from 0 on, or "native"'),
        (manifest({"as_frames": "true"}), "slot 1: as_frames is true or false"),
        (manifest({"extract_views": 1}), "slot 1: extract_views is true or false"),
        (manifest({"metadata": ["a"]}), "slot 1: metadata is an object"),
        (manifest({"metadata": None}), "slot 1: metadata is an object"),
        (manifest({"slto": "0"}), "slot 1 has a field 'slto', which is not known; did you mean 'slot'?"),
        (
            manifest({"width": 7}),
            (
                "slot 1 has a field 'width', which is not known; there are: slot, file, type, fps, as_frames, "
                "extract_views, metadata"
            ),
        ),
        (manifest(nmae="a"), "the manifest has a field 'nmae', which is not known; did you mean 'name'?"),
        (
            manifest(**{"x" * 9_999: 1}),
            f"the manifest has a field '{'x' * 40}', which is not known; there are: name, path, tags, layout, slots",
        ),
        (manifest(name=7), "the manifest: name is a text"),
        (manifest(path=[]), "the manifest: path is a text"),
        (manifest(layout=[]), "layout is an object"),
        (
            manifest(tags="night"),
            "tags is a list of texts, or an object from text to text, none of them empty",
        ),
        (manifest(tags=[""]), "tags is a list of texts, or an object from text to text, none of them empty"),
        (
            manifest(tags=["a\n"]),
            "tags is a list of texts, or an object from text to text, none of them empty",
        ),
        (
            manifest(tags={"a": 1}),
            "tags is a list of texts, or an object from text to text, none of them empty",
        ),
        (manifest(name="\ud800"), "it holds half a character (a lone surrogate)"),
        (manifest({"metadata": {"a": ["\udfff"]}}), "it holds half a character (a lone surrogate)"),
        (manifest({"fps": float("nan")}), "it holds a number that cannot be read"),
        (manifest({"metadata": {"a": float("inf")}}), "it holds a number that cannot be read"),
        (b'{"slots": [{"slot": "0", "file": "a", "fps": 1e999}]}', "it holds a number that cannot be read"),
        (b'{"slots": ' + b"9" * 5_000 + b"}", "it holds a number that cannot be read"),
        (b'{"name": "a", "name": "b"}', "the field 'name' stands twice in one object"),
        (
            b'{"slots": [{"slot": "0", "file": "a", "metadata": {"x": 1, "x": 2}}]}',
            "the field 'x' stands twice in one object",
        ),
        (
            manifest({"metadata": {"a": json.loads("[" * 70 + "]" * 70)}}),
            "it is nested more than 64 levels deep",
        ),
        (b"[" * 200_000, "it is nested more than 64 levels deep"),
        (b" " * 1_048_577, "it is longer than 1048576 bytes"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_where_and_why(content: bytes, why: str) -> None:
    """As strict as the routes file: what is not known is refused, and what stands twice. And what could not be written again."""
    with pytest.raises(InvalidManifest, match=f"^{re.escape(why)}$"):
        read_manifest(content)


def test_a_manifest_of_all_slots_that_it_may_have_is_read_and_of_one_more_is_not() -> None:
    def content(number: int) -> bytes:
        return b'{"slots":[' + b",".join([b'{"slot":"0","file":"a"}'] * number) + b"]}"

    assert len(read_manifest(content(10_000)).slots) == 10_000
    with pytest.raises(InvalidManifest, match="slots must be a list of 1 to 10000 slots"):
        read_manifest(content(10_001))


def test_a_field_that_stands_twice_among_many_is_found_at_once() -> None:
    """Whoever uploads may fill a mebibyte with fields."""
    fields = ",".join(f'"{number}":0' for number in [*range(90_000), 89_999])
    with pytest.raises(InvalidManifest, match="the field '89999' stands twice"):
        read_manifest(f"{{{fields}}}".encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
texts = st.sampled_from(["0", "a.mp4", "video", "native"])
loose_slots = st.fixed_dictionaries(
    {"slot": texts, "file": texts},
    optional=dict.fromkeys(("type", "fps", "as_frames", "extract_views", "metadata", "x"), json_values),
)
loose = st.fixed_dictionaries(
    {"slots": st.lists(loose_slots, min_size=1, max_size=3) | json_values},
    optional=dict.fromkeys(("name", "path", "tags", "layout", "x"), json_values),
)


@given(
    st.binary()
    | st.text().map(str.encode)
    | (loose | json_values).map(lambda value: json.dumps(value).encode())
)
def test_whatever_the_bytes_are_a_manifest_is_read_or_refused_in_a_sentence(content: bytes) -> None:
    try:
        read = read_manifest(content)
    except InvalidManifest as invalid:
        why = str(invalid)
    else:
        assert read.slots
        written = json.dumps([read.fields, [slot.fields for slot in read.slots]], allow_nan=False)
        assert written.encode()
        return
    assert 0 < len(why) < 300
    assert why.isprintable()


@given(st.integers(0, 400), st.binary(max_size=3))
def test_a_good_manifest_with_damage_is_read_or_refused(at: int, damage: bytes) -> None:
    content = manifest({"fps": 5, "metadata": {"a": [1]}}, {"slot": "1"}, name="scene", tags=["night"])
    try:
        assert read_manifest(content[:at] + damage + content[at + 1 :]).slots
    except InvalidManifest:
        return

"""Which registration bodies the twin takes, and what it says of the others (darwin-api.md sections 1 and 7.3)."""

import pytest

from tests.demo.twin_calls import REGISTER, REGISTER_READONLY, Calls, Json, photo
from worker.demo.twin.switches import Switches

IMAGE = {
    "name": "weld.png",
    "type": "image",
    "storage_key": "in/weld.png",
    "storage_thumbnail_key": "thumbs/weld.jpg",
    "width": 4096,
    "height": 3000,
}
SECTION = {
    "section_index": 1,
    "width": 1920,
    "height": 1080,
    "storage_hq_key": "hq/1.png",
    "storage_lq_key": "lq/1.jpg",
}
SEQUENCE = {
    "name": "gate.mp4",
    "type": "video",
    "fps": 2,
    "as_frames": False,
    "storage_key": "in/gate.mp4",
    "storage_thumbnail_key": "thumbs/gate.jpg",
    "sections": [SECTION],
}
PLAYLIST = {"index": "#EXTM3U\ndw/000.ts\n#EXT-X-ENDLIST\n", "bitrate": None}
PROCESSED = {
    "slot_name": "gate.mp4",
    "file_name": "gate.mp4",
    "type": "video",
    "storage_key": "dw/gate.mp4",
    "width": 1280,
    "height": 720,
    "native_fps": 25.0,
    "visible_frames": 50,
    "total_frames": 250,
    "size_bytes": 1048576,
    "hls_segments": {"high_quality": PLAYLIST, "low_quality": PLAYLIST},
    "storage_sections_key_prefix": "dw/sections/high",
    "storage_frames_manifest_key": "dw/frames_manifest.txt",
    "storage_thumbnail_key": "dw/thumbnail.jpg",
}


def slot(name: str = "0", **fields: object) -> dict[str, object]:
    return {"slot_name": name, "file_name": "a.jpg", "storage_key": f"in/{name}.jpg", **fields}


def refused(item: object, path: str = REGISTER) -> Json:
    """The errors of the only item of a request that is 422."""
    status, body = Calls().register(item, path=path)
    assert status == 422, body
    return body["errors"]["items"][0]


@pytest.mark.parametrize(
    "item",
    [
        photo(),
        photo(type="image", fps=1),
        photo("gate.mp4", type="video", fps=5, as_frames=False),
        photo("gate.mp4", fps="native", as_frames="true"),
        photo("gate.mp4", fps=0),
        photo("vol.dcm", type="dicom", extract_views="true"),
        photo("brain.nii.gz", type="dicom"),
        photo("brain.nii.gz"),
        photo("scan.PDF"),
        photo("weld 07+é&%.jpg", "/line 3/über", metadata={"shift": {"night": True}}),
        photo(file_name="other.jpg", slot_name="7"),
        photo(layout={"version": 1, "type": "simple", "slots": ["0"]}),
        photo(layout={"version": 2, "type": "grid", "slots": ["0"], "layout_shape": [1, 1]}),
        photo(layout={"version": 3, "slots_grid": [[["0"]]]}),
        {"name": "rig", "slots": [slot("0"), slot("1", type="video", fps="native")], "tags": ["night-shift"]},
    ],
)
def test_a_documented_item_is_taken(item: object) -> None:
    assert Calls().register(item)[0] == 200


@pytest.mark.parametrize(
    "item",
    [
        IMAGE,
        IMAGE | {"size_bytes": 10, "metadata": {"a": 1}},
        {"name": "weld", "slots": [{**IMAGE, "slot_name": "0", "file_name": "weld.png"} | {"name": None}]},
        SEQUENCE,
        {**SEQUENCE, "type": "image", "fps": 0, "metadata": {"base_key": "tiles", "levels": {}}},
        {"name": "gate.mp4", "slots": [PROCESSED]},
    ],
)
def test_a_documented_read_only_item_is_taken(item: dict[str, Json]) -> None:
    for one in item.get("slots", ()):
        one.pop("name", None)
    assert Calls().register(item, path=REGISTER_READONLY)[0] == 200


@pytest.mark.parametrize(
    ("field", "item"),
    [
        ("description", photo(description="x")),
        ("priority", photo(priority=1)),
        ("size_bytes", photo(size_bytes=1)),
        ("width", photo(width=1)),
        ("name", {"storage_key": "in/a.jpg"}),
        ("name", {"name": "", "storage_key": "in/a.jpg"}),
        ("name", photo("a/b.jpg")),
        ("name", {"name": "a\tb.jpg", "storage_key": "in/a.jpg"}),
        ("name", {"name": "a\u0085b.jpg", "storage_key": "in/a.jpg"}),
        ("name", {"name": "\ud800.jpg", "storage_key": "in/a.jpg"}),
        ("name", {"name": 7, "storage_key": "in/a.jpg"}),
        ("path", photo(path="/a\nb")),
        ("path", {"name": "a.jpg", "path": None, "storage_key": "in/a.jpg"}),
        ("storage_key", {"name": "a.jpg"}),
        ("storage_key", photo(storage_key="")),
        ("storage_key", photo(storage_key="in/")),
        ("storage_key", photo(storage_key="/in/a.jpg")),
        ("storage_key", photo(storage_key="in/\x7f.jpg")),
        ("type", photo(type="Image")),
        ("type", photo(type="tiledimage")),
        ("type", photo("notes.txt")),
        ("fps", photo("a.mp4", fps=-1)),
        ("fps", photo("a.mp4", fps="5")),
        ("fps", photo("a.dcm", fps=1)),
        ("fps", photo("a.jpg", fps=2)),
        ("fps", photo("a.jpg", fps="native")),
        ("tags", photo(tags="night-shift")),
        ("tags", photo(tags={"night-shift": 1})),
        ("slots", {"name": "rig", "slots": []}),
        ("slots", {"name": "rig", "slots": [slot("0"), slot("0")]}),
        ("slots", {"name": "rig", "slots": [slot("0", type="dicom"), slot("0", type="image")]}),
        ("storage_key", {"name": "rig", "slots": [slot("0")], "storage_key": "in/a.jpg"}),
        ("extract_views", photo("a.jpg", extract_views="true")),
        ("extract_views", photo("a.dcm", slot_name="1", extract_views=True)),
        ("layout.1.type", photo(layout={"version": 1, "type": "ring", "slots": ["0"]})),
        ("layout.2.layout_shape", photo(layout={"version": 2, "type": "grid", "slots": ["0"]})),
        ("layout", photo(layout={"version": 4})),
        ("layout", photo(layout={"version": 1, "type": "simple", "slots": ["0", "1"]})),
        ("layout", photo(layout={"version": 2, "type": "grid", "slots": ["1"], "layout_shape": [1, 1]})),
        ("layout", {"name": "rig", "slots": [slot("1")], "layout": {"version": 3, "slots_grid": [[["0"]]]}}),
    ],
)
def test_an_undocumented_item_is_refused_by_the_name_of_the_field(field: str, item: object) -> None:
    """Row: 422."""
    assert list(refused(item)) == [field]


@pytest.mark.parametrize("value", ["yes", 1, "True"])
def test_a_flag_is_a_boolean_or_its_word(value: object) -> None:
    assert list(refused(photo("a.mp4", as_frames=value))) == ["as_frames"]


@pytest.mark.parametrize(
    ("field", "item"),
    [
        ("width", {key: value for key, value in IMAGE.items() if key != "width"}),
        (
            "storage_thumbnail_key",
            {key: value for key, value in IMAGE.items() if key != "storage_thumbnail_key"},
        ),
        ("type", {key: value for key, value in IMAGE.items() if key != "type"}),
        ("height", {key: value for key, value in IMAGE.items() if key != "height"}),
        ("height", IMAGE | {"height": 0}),
        ("storage_thumbnail_key", IMAGE | {"storage_thumbnail_key": "/thumbs/weld.jpg"}),
        ("fps", IMAGE | {"fps": 1}),
        ("sections", {key: value for key, value in SEQUENCE.items() if key != "sections"}),
        ("sections.0.section_index", SEQUENCE | {"sections": [SECTION | {"section_index": 0}]}),
        ("sections.0.storage_hq_key", SEQUENCE | {"sections": [SECTION | {"storage_hq_key": "/hq/1.png"}]}),
        ("type", IMAGE | {"type": "dicom"}),
        ("type", SEQUENCE | {"type": "dicom"}),
        ("extract_views", SEQUENCE | {"extract_views": "true"}),
    ],
)
def test_a_read_only_item_has_fields_of_its_own(field: str, item: object) -> None:
    assert list(refused(item, REGISTER_READONLY)) == [field]


@pytest.mark.parametrize("field", ["fps", "as_frames", "sections", "total_size_bytes", "metadata", "tags"])
def test_what_is_not_listed_for_a_processed_video_is_no_field_of_it(field: str) -> None:
    errors = refused({"name": "gate.mp4", "slots": [PROCESSED | {field: 1}]}, REGISTER_READONLY)
    assert errors == {"slots": [{field: ["is not expected"]}]}


def test_a_playlist_is_its_text_and_not_its_key() -> None:
    segments = {"high_quality": PLAYLIST, "low_quality": PLAYLIST | {"index": "dw/low/index.m3u8"}}
    errors = refused(
        {"name": "gate.mp4", "slots": [PROCESSED | {"hls_segments": segments}]}, REGISTER_READONLY
    )
    assert [list(slot) for slot in errors["slots"]] == [["hls_segments.low_quality.index"]]


def test_the_slots_that_a_layout_names_in_vain_are_told() -> None:
    item = {
        "name": "rig",
        "slots": [slot("0")],
        "layout": {"version": 3, "slots_grid": [[["2"], ["0", "1"]]]},
    }
    assert refused(item) == {"layout": ["names slots that the item does not have: 1, 2"]}


def test_two_read_only_files_never_share_a_slot() -> None:
    file = {key: value for key, value in IMAGE.items() if key != "name"} | {
        "slot_name": "0",
        "file_name": "a.png",
    }
    assert list(refused({"name": "rig", "slots": [file, file]}, REGISTER_READONLY)) == ["slots"]


def test_the_errors_of_slots_stand_at_their_slots() -> None:
    item = {"name": "rig", "slots": [slot("0"), {"slot_name": "1", "storage_key": "in/a.jpg"}]}
    assert refused(item) == {"slots": [{}, {"file_name": ["Field required"]}]}


def test_the_errors_of_items_stand_at_their_items() -> None:
    _, body = Calls().register(photo(), photo(frob=1))
    assert body == {"errors": {"items": [{}, {"frob": ["is not expected"]}]}}


@pytest.mark.parametrize(
    ("field", "envelope"),
    [
        ("items", {"items": []}),
        ("dataset_slug", {"dataset_slug": None}),
        ("storage_slug", {"storage_slug": ""}),
        ("dataset", {"dataset": "intake"}),
        ("options.force_tiling", {"options": {"force_tiling": True}}),
    ],
)
def test_a_wrong_envelope_is_refused_by_the_name_of_the_field(field: str, envelope: dict[str, Json]) -> None:
    status, body = Calls().register(photo(), **envelope)
    assert (status, list(body["errors"])) == (422, [field])


def test_a_body_or_a_slot_that_is_no_object_is_refused() -> None:
    assert Calls().ask("POST", REGISTER, body=b"[]").status == 422
    assert refused({"name": "rig", "slots": [7]}) == {"slots": [{"detail": ["must be an object"]}]}


@pytest.mark.parametrize("item", [None, 7, "a.jpg", []])
def test_an_item_that_is_no_object_is_refused(item: object) -> None:
    assert refused(item) == {"detail": ["must be an object"]}


def test_by_switch_unknown_fields_are_passed_over() -> None:
    calls = Calls(Switches(unknown_fields="ignore"))
    assert (
        calls.register(photo(frob=1), {"name": "rig", "frob": 1, "slots": [slot(frob=1)]}, frob=1)[0] == 200
    )
    assert calls.register(photo("b/c.jpg", frob=1))[0] == 422

"""What S3 is asked of one object before it becomes an item, and what the answers make of it.

When a record comes again whose sidecars are not there: test_sidecars_waiting.py.
"""

import struct
from collections.abc import Mapping
from typing import Any

import pytest

from tests.core.sample_routes import LANE
from worker.core.forms import CannotBe, FileDraft
from worker.core.grouping import fingerprint
from worker.core.model import ItemType, Kind, Notes, Outcome, Reason
from worker.core.objects import Head, Listed
from worker.core.routes import Route, Sidecars
from worker.core.rules import Rule
from worker.core.sidecars import Absent, Facts, Wanted, draft, first_frame, wanted

NOW = 1_000_000.0
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", 640, 480, 8, 2) + bytes(3)
HEAD = Head("e", 7, None, "STANDARD", restored=False, metadata={"site": "oslo", "w": "640", "h": "480"})
SMALL = Head("t", 9, None, "STANDARD", restored=False, metadata={})
IMAGES = Sidecars("thumbs/{folder}/{stem}.jpg", within=3_600)
VIDEOS = Sidecars(
    "thumbs/{stem}.jpg",
    frames_high="frames/{stem}/hq/",
    frames_low="frames/{stem}/lq/",
    frames_quiet=60,
    within=3_600,
)


def rule(sidecars: Sidecars | None = None, **fields: Any) -> Rule:
    return Rule(Route("seen", LANE, prefix="in", sidecars=sidecars, **fields))


def values_of(ready: Rule, key: str) -> Mapping[str, str]:
    return ready.values_of_key("acme-media", key)


def asked_of(ready: Rule, key: str, of_type: ItemType | None = ItemType.IMAGE) -> Wanted:
    return wanted(ready, key, values_of(ready, key), of_type)


def drafted(
    ready: Rule, key: str, facts: Facts, of_type: ItemType = ItemType.IMAGE, notes: Notes | None = None
) -> FileDraft:
    return draft(ready, asked_of(ready, key, of_type), values_of(ready, key), facts, notes, NOW)


def refused(ready: Rule, key: str, facts: Facts, of_type: ItemType = ItemType.IMAGE) -> Outcome:
    with pytest.raises(CannotBe) as cannot:
        drafted(ready, key, facts, of_type)
    return cannot.value.outcome


def absent(ready: Rule, key: str, facts: Facts, of_type: ItemType, notes: Notes | None = None) -> Absent:
    with pytest.raises(Absent) as missing:
        drafted(ready, key, facts, of_type, notes)
    return missing.value


def frames(quality: str, *numbers: int) -> list[Listed]:
    return [Listed(f"frames/gate/{quality}/{number}.png", f"e{number}", 5) for number in numbers]


# -- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"head": True}, Wanted("in/a.png", head=True)),
        ({"path": "/{metadata.site}"}, Wanted("in/a.png", head=True)),
        ({"tags": ("{tags.site}",)}, Wanted("in/a.png", tags=True)),
        ({}, Wanted("in/a.png")),
    ],
)
def test_a_read_write_storage_needs_no_more_than_the_route_asks_for(
    fields: dict[str, Any], asked: Wanted
) -> None:
    """One HEAD, one read of tags, and only where they are asked for."""
    assert asked_of(rule(**fields), "in/a.png") == asked


@pytest.mark.parametrize(
    ("sidecars", "key", "of_type", "asked"),
    [
        (
            IMAGES,
            "in/a/b.png",
            ItemType.IMAGE,
            Wanted("in/a/b.png", thumbnail="thumbs/a/b.jpg", picture=True),
        ),
        (IMAGES, "in/b.png", ItemType.IMAGE, Wanted("in/b.png", thumbnail="thumbs/b.jpg", picture=True)),
        (
            Sidecars("t/{stem}.jpg", width="{metadata.w}", height="{metadata.h}"),
            "in/b.png",
            ItemType.IMAGE,
            Wanted("in/b.png", head=True, thumbnail="t/b.jpg"),
        ),
        (
            Sidecars("t/{stem}.jpg", width="640"),
            "in/b.png",
            ItemType.IMAGE,
            Wanted("in/b.png", thumbnail="t/b.jpg", picture=True),
        ),
        (
            VIDEOS,
            "in/gate.mp4",
            ItemType.VIDEO,
            Wanted(
                "in/gate.mp4",
                thumbnail="thumbs/gate.jpg",
                picture=True,
                high="frames/gate/hq/",
                low="frames/gate/lq/",
            ),
        ),
        (
            Sidecars("t/{stem}.jpg", frames_high="frames/{stem}/*.{ext}.png", width="1", height="2"),
            "in/scan.pdf",
            ItemType.PDF,
            Wanted("in/scan.pdf", thumbnail="t/scan.jpg", high="frames/scan/", high_ending=".pdf.png"),
        ),
    ],
)
def test_a_read_only_storage_needs_the_sidecars_of_the_type(
    sidecars: Sidecars, key: str, of_type: ItemType, asked: Wanted
) -> None:
    """Of a folder that is empty, the slash is not there either."""
    assert asked_of(rule(sidecars), key, of_type) == asked


@pytest.mark.parametrize(
    ("sidecars", "key", "of_type", "reason", "why"),
    [
        (
            IMAGES,
            "in/a.dcm",
            ItemType.DICOM,
            Reason.UNSUPPORTED_TYPE,
            "A read-only storage takes no DICOM; convert it to images.",
        ),
        (
            IMAGES,
            "in/a.ndpi",
            None,
            Reason.UNSUPPORTED_TYPE,
            "A read-only storage takes no files of this type; convert it to images.",
        ),
        (
            IMAGES,
            "in/a.mp4",
            ItemType.VIDEO,
            Reason.UNSUPPORTED_TYPE,
            "A read-only storage takes a video only with its frames, and the route names no folder of them.",
        ),
        (
            Sidecars("/{stem}"),
            "in/b/a.png",
            ItemType.IMAGE,
            Reason.INVALID_ITEM,
            "Of the thumbnail: The key starts with a slash, and Darwin's storage keys must not.",
        ),
        (
            Sidecars("t", frames_high="{folder[1:]}/hq/"),
            "in/b../a.mp4",
            ItemType.VIDEO,
            Reason.INVALID_ITEM,
            'Of the frames.high: The key has a segment "." or "..", which paths would take for a way up or down.',
        ),
    ],
)
def test_what_a_read_only_storage_does_not_take_is_rejected_before_anything_is_asked(
    sidecars: Sidecars, key: str, of_type: ItemType | None, reason: Reason, why: str
) -> None:
    with pytest.raises(CannotBe) as cannot:
        asked_of(rule(sidecars), key, of_type)
    assert cannot.value.outcome == Outcome(Kind.REJECTED, reason, why, "seen")


# -- a HEAD, tags -----------------------------------------------------------------------------------------------------


def test_templates_are_told_the_objects_metadata_and_tags() -> None:
    ready = rule(path="/{metadata.site}", tags=("{tags.Day}",))
    file = drafted(ready, "in/a.png", Facts(HEAD, {"Day": "mo"}))
    assert file == FileDraft(
        "in/a.png",
        {
            **values_of(ready, "in/a.png"),
            "metadata.site": "oslo",
            "metadata.w": "640",
            "metadata.h": "480",
            "tags.Day": "mo",
        },
    )


GONE = Outcome(Kind.IGNORED, Reason.OBJECT_GONE, "The object is not there any more.", "seen")


@pytest.mark.parametrize(
    ("ready", "facts"),
    [
        (rule(head=True), Facts()),
        (rule(path="/{metadata.site}"), Facts()),
        (rule(path="/{tags.site}"), Facts()),
        (rule(IMAGES), Facts(thumbnail=SMALL)),
    ],
)
def test_an_object_that_has_gone_is_said_instead_of_registered(ready: Rule, facts: Facts) -> None:
    assert refused(ready, "in/a.png", facts) == GONE


def test_an_object_in_the_archive_is_said_instead_of_registered_where_the_route_asks() -> None:
    cold = Head("e", 7, None, "GLACIER", restored=False, metadata={"site": "oslo"})
    assert refused(rule(head=True), "in/a.png", Facts(cold)) == Outcome(
        Kind.BLOCKED,
        Reason.OBJECT_ARCHIVED,
        "The object lies in the archive (GLACIER); restore it, then replay this.",
        "seen",
    )
    assert drafted(rule(path="/{metadata.site}"), "in/a.png", Facts(cold)).values["metadata.site"] == "oslo"


# -- pictures ---------------------------------------------------------------------------------------------------------


def test_a_picture_takes_its_thumbnail_and_the_size_that_its_first_bytes_tell() -> None:
    file = drafted(rule(IMAGES), "in/b.png", Facts(thumbnail=SMALL, picture=PNG))
    assert file.fields == {"storage_thumbnail_key": "thumbs/b.jpg", "width": 640, "height": 480}


@pytest.mark.parametrize(
    ("width", "height", "picture", "size"),
    [
        ("{metadata.w}", "{metadata.h}", None, (640, 480)),
        ("1024", None, PNG, (1024, 480)),
        (None, "0768", PNG, (640, 768)),
        ("1000000", "1", None, (1_000_000, 1)),
    ],
)
def test_the_route_may_tell_the_size(
    width: str | None, height: str | None, picture: bytes | None, size: tuple[int, int]
) -> None:
    ready = rule(Sidecars("t/{stem}.jpg", width=width, height=height))
    file = drafted(ready, "in/b.png", Facts(HEAD, thumbnail=SMALL, picture=picture))
    assert (file.fields["width"], file.fields["height"]) == size


@pytest.mark.parametrize("width", ["", "0", "-1", "1.5", "wide", "٣", "1000001", "9" * 5_000])
def test_a_size_that_is_no_number_of_pixels_blocks(width: str) -> None:
    """Exact pixels are what Darwin wants: a wrong one misplaces annotations."""
    ready = rule(Sidecars("t/{stem}.jpg", width="{metadata.w}", height="1"))
    head = Head("e", 7, None, "STANDARD", restored=False, metadata={"w": width})
    assert refused(ready, "in/b.png", Facts(head, thumbnail=SMALL)) == Outcome(
        Kind.BLOCKED,
        Reason.SIZE_UNKNOWN,
        f"The width would be {width!r}, which is no number of pixels.",
        "seen",
    )


def test_a_picture_that_tells_no_size_blocks_and_says_what_to_do() -> None:
    assert refused(rule(IMAGES), "in/b.png", Facts(thumbnail=SMALL, picture=b"not a picture")) == Outcome(
        Kind.BLOCKED,
        Reason.SIZE_UNKNOWN,
        "Width and height cannot be told from the first 262144 bytes; give them in the route, from the object's metadata for one.",
        "seen",
    )


def test_what_s3_does_not_tell_of_the_size_blocks() -> None:
    ready = rule(Sidecars("t", width="{metadata.x}", height="1"))
    assert refused(ready, "in/b.png", Facts(HEAD, thumbnail=SMALL)) == Outcome(
        Kind.BLOCKED, Reason.NO_VALUE, "The object has no metadata 'x'.", "seen"
    )


# -- videos -----------------------------------------------------------------------------------------------------------

HIGH, LOW = frames("hq", 1, 2, 10), frames("lq", 1, 2, 10)
ALL = Facts(thumbnail=SMALL, picture=PNG, high=HIGH, low=LOW)
QUIET = Notes(NOW - 300, fingerprint([*HIGH, *LOW]), NOW - 60)


def test_a_video_takes_its_frames_as_sections_numbered_from_1_in_the_order_of_their_numbers() -> None:
    """darwin-api.md 1.7."""
    facts = Facts(thumbnail=SMALL, picture=PNG, high=frames("hq", 1, 10, 2), low=frames("lq", 10, 2, 1))
    file = drafted(rule(VIDEOS), "in/gate.mp4", facts, ItemType.VIDEO, QUIET)
    assert file.fields == {
        "storage_thumbnail_key": "thumbs/gate.jpg",
        "sections": [
            {
                "section_index": index,
                "width": 640,
                "height": 480,
                "storage_hq_key": f"frames/gate/hq/{number}.png",
                "storage_lq_key": f"frames/gate/lq/{number}.png",
            }
            for index, number in [(1, 1), (2, 2), (3, 10)]
        ],
    }


def test_small_frames_may_be_left_out_and_what_is_no_frame_is_passed_over() -> None:
    """Objects that are empty, and those that do not end as frames do."""
    sidecars = Sidecars("t/{stem}.jpg", frames_high="f/{stem}/*.png", frames_quiet=0)
    there = [
        Listed("f/gate/", "e", 0),
        Listed("f/gate/1.png", "e", 0),
        Listed("f/gate/2.png", "e", 5),
        Listed("f/gate/2.jpg", "e", 5),
    ]
    facts = Facts(thumbnail=SMALL, picture=PNG, high=there)
    ready = rule(sidecars)
    asked = asked_of(ready, "in/gate.mp4", ItemType.VIDEO)
    assert first_frame(asked, there) == "f/gate/2.png"
    assert drafted(ready, "in/gate.mp4", facts, ItemType.VIDEO).fields["sections"] == [
        {"section_index": 1, "width": 640, "height": 480, "storage_hq_key": "f/gate/2.png"}
    ]


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        (Facts(picture=PNG, high=HIGH, low=LOW), "the thumbnail thumbs/gate.jpg"),
        (Facts(thumbnail=SMALL), "a frame below frames/gate/hq/"),
        (
            Facts(thumbnail=SMALL, high=[Listed("frames/gate/hq/1.png", "e", 0)]),
            "a frame below frames/gate/hq/",
        ),
        (Facts(thumbnail=SMALL, high=HIGH, low=LOW), "a frame below frames/gate/hq/"),
        (
            Facts(thumbnail=SMALL, picture=PNG, high=HIGH, low=LOW[:1]),
            "one frame below frames/gate/lq/ (1) for each below frames/gate/hq/ (3)",
        ),
    ],
)
def test_a_sidecar_that_is_not_there_is_waited_for(facts: Facts, what: str) -> None:
    """One frame that was listed and has gone since is no sign that the video has."""
    missing = absent(rule(VIDEOS), "in/gate.mp4", facts, ItemType.VIDEO, QUIET)
    assert (str(missing), missing.frames) == (what, "")


@pytest.mark.parametrize(
    "notes",
    [
        None,
        Notes(NOW - 300),
        Notes(NOW - 300, fingerprint(HIGH), NOW - 200),
        Notes(NOW - 300, fingerprint([*HIGH, *LOW]), NOW - 59),
    ],
)
def test_frames_that_were_not_unchanged_for_long_enough_are_waited_for(notes: Notes | None) -> None:
    missing = absent(rule(VIDEOS), "in/gate.mp4", ALL, ItemType.VIDEO, notes)
    assert str(missing) == "the last of the frames below frames/gate/hq/"
    assert missing.frames == fingerprint([*HIGH, *LOW])


def test_more_frames_than_one_request_should_carry_block() -> None:
    many = [Listed(f"frames/gate/hq/{number}.png", "e", 1) for number in range(10_001)]
    facts = Facts(thumbnail=SMALL, picture=PNG, high=many)
    assert refused(rule(VIDEOS), "in/gate.mp4", facts, ItemType.VIDEO) == Outcome(
        Kind.BLOCKED,
        Reason.TOO_MANY_PARTS,
        "More than 10000 frames lie below frames/gate/hq/, more than one request should carry.",
        "seen",
    )


def test_a_frame_whose_key_darwin_cannot_take_is_rejected() -> None:
    odd = [Listed("frames/gate/hq/1\n.png", "e", 1)]
    facts = Facts(thumbnail=SMALL, picture=PNG, high=odd, low=LOW[:1])
    assert refused(rule(VIDEOS), "in/gate.mp4", facts, ItemType.VIDEO) == Outcome(
        Kind.REJECTED,
        Reason.INVALID_KEY,
        "Of a frame: The key holds the character U+000A, which no name can hold.",
        "seen",
    )

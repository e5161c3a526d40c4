"""Groups: what a listing shows of one, when it is complete, and what its item is told of it.

Which of its records goes on: test_grouping_witnesses.py; many listings: test_grouping_histories.py.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.sample_groups import NOW, Groups, listed, member
from worker.core.forms import CannotBe
from worker.core.grouping import (
    Lacking,
    Seen,
    Whole,
    complete,
    fingerprint,
    has_key,
    has_keys,
    in_order,
    natural,
    registered,
    same_keys,
    stand_in,
    values_of_group,
)
from worker.core.model import Identity, ItemType, Kind, Notes, Outcome, Reason, Registration, S3Object
from worker.core.routes import Group, Route

SLOTS = Group(slots=("front", "back"), within=3_600)
RIG = Groups(SLOTS, slot="{stem}")
MARKED = Groups(Group(marker="_SUCCESS", within=3_600))
PAIR = Groups(Group(count=2, within=3_600))
QUIET = Groups(Group(quiet=60, within=3_600))


def keys_of(whole: Whole | Lacking) -> list[str]:
    assert isinstance(whole, Whole)
    return [part.listed.key for part in whole.parts]


# -- what a listing shows ---------------------------------------------------------------------------------------------


def test_a_listing_shows_the_parts_of_one_group_and_no_others() -> None:
    """Scene 1 and scene 10, an object that is empty, a folder marker, what Darwin wrote, what the route does not take."""
    groups = Groups(Group("{scene}", count=2), regex=r"(?P<scene>scene_\d+)/(?P<cam>\w+)\.mp4")
    seen = groups.seen(
        "in/scene_1/front.mp4",
        "in/scene_1/back.mp4",
        listed("in/scene_1/roof.mp4", size=0),
        "in/scene_1/",
        "in/scene_1/notes.txt",
        "in/scene_1/front.mp4/uploads/0d6f5f0e-3a55-4a0e-9f2e-7d0f3f0a1111/thumbnails/0.jpg",
        "in/scene_10/front.mp4",
    )
    assert [part.listed.key for part in seen.parts] == ["in/scene_1/front.mp4", "in/scene_1/back.mp4"]
    assert seen.parts[0].values == {
        "bucket": "acme-media",
        "key": "in/scene_1/front.mp4",
        "folder": "scene_1",
        "filename": "front.mp4",
        "scene": "scene_1",
        "cam": "front",
    }
    assert seen.marker is None


def test_a_listing_shows_the_marker_even_when_it_is_empty_and_never_as_a_part() -> None:
    seen = MARKED.seen("in/s1/a.mp4", listed("in/s1/_SUCCESS", size=0))
    assert seen.marker == listed("in/s1/_SUCCESS", size=0)
    assert [part.listed.key for part in seen.parts] == ["in/s1/a.mp4"]


def test_the_folder_of_a_group_does_not_hold_its_subfolders() -> None:
    seen = PAIR.seen("in/s1/a.mp4", "in/s1/raw/b.mp4")
    assert [part.listed.key for part in seen.parts] == ["in/s1/a.mp4"]
    assert PAIR.of("in/s1/raw/b.mp4").beginning == "in/s1/raw/"


def test_what_an_earlier_route_takes_is_no_part() -> None:
    groups = Groups(Group(count=2), Route("logs", RIG.of("in/s1/a.mp4").rule.route.lane, glob="**/*.log"))
    seen = groups.seen("in/s1/a.mp4", "in/s1/a.log")
    assert [part.listed.key for part in seen.parts] == ["in/s1/a.mp4"]


def test_the_first_is_the_part_whose_key_sorts_first_and_a_marker_only_where_there_is_no_part() -> None:
    """An earlier route may have taken the marker, so that no record of it knows of the group."""
    assert MARKED.seen("in/s1/b", "in/s1/a", "in/s1/_SUCCESS").first == "in/s1/a"
    assert MARKED.seen("in/s1/_SUCCESS").first == "in/s1/_SUCCESS"
    assert MARKED.seen(of="in/s1/a").first is None


# -- when it is complete ----------------------------------------------------------------------------------------------


def test_a_group_by_slots_is_complete_when_each_has_its_file_in_the_order_of_the_slots() -> None:
    group = RIG.of("in/s1/front.mp4")
    assert complete(group, RIG.seen("in/s1/back.mp4")) == Lacking("no file for slot 'front' is there")
    assert keys_of(complete(group, RIG.seen("in/s1/back.mp4", "in/s1/front.mp4"))) == [
        "in/s1/front.mp4",
        "in/s1/back.mp4",
    ]


def test_what_is_missing_is_named_but_not_all_of_it() -> None:
    groups = Groups(Group(slots=tuple("abcdefgh")), slot="{stem}")
    group = groups.of("in/s1/a.png")
    assert complete(
        group, groups.seen("in/s1/a.png", "in/s1/c.png", "in/s1/d.png", "in/s1/e.png")
    ) == Lacking("no file for slots 'b', 'f', 'g', 'h' is there")
    assert complete(group, groups.seen("in/s1/a.png")) == Lacking(
        "no file for slots 'b', 'c', 'd', 'e', 'f' and 2 more is there"
    )


def test_files_of_one_slot_go_by_the_numbers_in_their_names() -> None:
    """A DICOM series in one slot beside another."""
    groups = Groups(Group(slots=("ct", "pet")), slot="{filename[:-6]}", type=ItemType.DICOM)
    group = groups.of("in/s1/ct-1.dcm")
    whole = complete(group, groups.seen("in/s1/pet-1.dcm", "in/s1/ct-2.dcm", "in/s1/ct-1.dcm"))
    assert keys_of(whole) == ["in/s1/ct-1.dcm", "in/s1/ct-2.dcm", "in/s1/pet-1.dcm"]


def test_a_part_for_no_slot_of_the_group_blocks_it() -> None:
    with pytest.raises(CannotBe) as cannot:
        complete(RIG.of("in/s1/a.mp4"), RIG.seen("in/s1/front.mp4", "in/s1/roof.mp4"))
    assert cannot.value.outcome == Outcome(
        Kind.BLOCKED,
        Reason.UNEXPECTED_PART,
        "'in/s1/roof.mp4' would go to slot 'roof', and the route's slots are front, back. Exclude it, or name its slot.",
        "rig",
    )


def test_a_group_by_count_is_complete_when_so_many_are_there_and_blocked_when_more_are() -> None:
    group = PAIR.of("in/s1/a.dcm")
    assert complete(group, PAIR.seen("in/s1/a.dcm")) == Lacking("1 of 2 files are there")
    assert keys_of(complete(group, PAIR.seen("in/s1/10.dcm", "in/s1/9.dcm"))) == [
        "in/s1/9.dcm",
        "in/s1/10.dcm",
    ]
    with pytest.raises(CannotBe) as cannot:
        complete(group, PAIR.seen("in/s1/1.dcm", "in/s1/2.dcm", "in/s1/3.dcm"))
    assert cannot.value.outcome == Outcome(
        Kind.BLOCKED, Reason.TOO_MANY_PARTS, "The group holds 3 files, and its route says count: 2.", "rig"
    )


@pytest.mark.parametrize(
    ("groups", "name"), [(MARKED, "_SUCCESS"), (Groups(Group(manifest="manifest.json")), "manifest.json")]
)
def test_a_group_by_a_marker_or_a_manifest_needs_it(groups: Groups, name: str) -> None:
    group, marker = groups.of("in/s1/a.png"), f"in/s1/{name}"
    assert complete(group, groups.seen("in/s1/a.png")) == Lacking(f"{marker} is not there")
    assert keys_of(complete(group, groups.seen(marker, "in/s1/b.png", "in/s1/a.png"))) == [
        "in/s1/a.png",
        "in/s1/b.png",
    ]


def test_a_marker_needs_a_file_beside_it_and_a_manifest_names_what_it_needs() -> None:
    """Of the files that it names, none may be one that the route takes."""
    told = Groups(Group(manifest="manifest.json"))
    alone = complete(MARKED.of("in/s1/a.png"), MARKED.seen("in/s1/_SUCCESS"))
    assert alone == Lacking("no file beside in/s1/_SUCCESS is there")
    assert keys_of(complete(told.of("in/s1/a.png"), told.seen("in/s1/manifest.json"))) == []


def test_a_listing_alone_never_shows_that_a_group_is_quiet() -> None:
    assert complete(QUIET.of("in/s1/a"), QUIET.seen("in/s1/a")) == Lacking("it was not quiet for long enough")


# -- what the ledger holds, and what templates are told ---------------------------------------------------------------


def test_a_stand_in_tells_a_part_that_was_overwritten_from_one_that_came_late() -> None:
    group = PAIR.of("in/s1/a")

    def held(*there: Any) -> S3Object:
        seen = PAIR.seen(*there)
        return stand_in(group, seen.parts, seen)

    pair = held("in/s1/a", "in/s1/b")
    assert (pair.bucket, pair.key, pair.version, pair.size) == ("acme-media", "in/s1/", None, 2)
    assert pair == held("in/s1/b", "in/s1/a")
    assert pair.same_as(held("in/s1/a", "in/s1/b"))
    overwritten, late = held("in/s1/a", listed("in/s1/b", "new")), held("in/s1/a", "in/s1/b", "in/s1/c")
    assert not pair.same_as(overwritten)
    assert same_keys(pair, overwritten)
    assert not same_keys(pair, late)
    assert has_keys(late, pair)
    assert not has_keys(pair, late)
    assert has_key(pair, "in/s1/a")
    assert not has_key(pair, "in/s1/c")


def test_a_stand_in_holds_the_manifest_and_not_what_a_marker_holds() -> None:
    def held(groups: Groups, name: str, etag: str) -> S3Object:
        seen = groups.seen("in/s1/a", listed(f"in/s1/{name}", etag))
        return stand_in(groups.of("in/s1/a"), seen.parts, seen)

    described = Groups(Group(manifest="m.json"))
    assert held(described, "m.json", "1") != held(described, "m.json", "2")
    assert same_keys(held(described, "m.json", "1"), held(described, "m.json", "2"))
    assert held(MARKED, "_SUCCESS", "1") == held(MARKED, "_SUCCESS", "2")
    assert has_key(held(MARKED, "_SUCCESS", "1"), "in/s1/_SUCCESS")


def registration(groups: Groups, seen: Seen) -> Registration:
    """The group was registered as it was *seen*."""
    identity = Identity("acme", "intake", "/", "s1")
    return Registration(identity, stand_in(groups.of("in/s1/a"), seen.parts, seen), NOW - 100)


def test_of_a_group_that_was_registered_the_late_part_is_blocked_and_the_others_are_known() -> None:
    group, before = PAIR.of("in/s1/a"), registration(PAIR, PAIR.seen("in/s1/a", "in/s1/b"))
    known, late, gone = member("in/s1/a", 1), member("in/s1/c", 2), member("in/s1/d", 3)
    now = PAIR.seen("in/s1/a", "in/s1/b", "in/s1/c")
    assert registered(group, before, now, [known, late, gone]) == [
        (known, Outcome(Kind.DUPLICATE, Reason.IN_LEDGER, "", "rig", before)),
        (
            late,
            Outcome(
                Kind.BLOCKED,
                Reason.LATE_PART,
                "The item of the group was registered before with 2 objects, and without this one; Darwin keeps it.",
                "rig",
            ),
        ),
        (
            gone,
            Outcome(
                Kind.IGNORED, Reason.OBJECT_GONE, "The object is not there any more, or is empty.", "rig"
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("saw", "reason"),
    [
        ("", Reason.IN_LEDGER),
        (fingerprint([listed("in/s1/a"), listed("in/s1/b")]), Reason.IN_LEDGER),
        (fingerprint([listed("in/s1/a"), listed("in/s1/b"), listed("in/s1/c")]), Reason.LATE_PART),
    ],
)
def test_a_record_that_waited_for_quiet_speaks_for_the_late_ones_that_it_saw(
    saw: str, reason: Reason
) -> None:
    group, before = QUIET.of("in/s1/a"), registration(QUIET, QUIET.seen("in/s1/a", "in/s1/b"))
    now = QUIET.seen("in/s1/a", "in/s1/b", "in/s1/c")
    waited = member("in/s1/a", 1, Notes(NOW - 70, saw, NOW - 60))
    [(_, outcome)] = registered(group, before, now, [waited])
    assert outcome.reason is reason


@pytest.mark.parametrize(
    ("by", "key", "folder", "filename"),
    [
        (None, "in/day 1/scene_001/front.mp4", "day 1", "scene_001"),
        (None, "in/scene_001/front.mp4", "", "scene_001"),
        (None, "in/scene_/front.mp4", "", "scene_"),
        (None, "in/v1.2/front.mp4", "", "v1.2"),
        ("{folder}/{stem[:4]}", "in/a/0001_front.mp4", "a", "0001"),
        ("{stem[:5]}", "in/0001_front.mp4", "", "0001"),
        ("{stem[:4]}_", "in/0001_front.mp4", "", "0001"),
    ],
)
def test_the_item_of_a_group_is_named_by_what_its_keys_begin_with(
    by: str | None, key: str, folder: str, filename: str
) -> None:
    groups = Groups(Group(by, count=2))
    values = values_of_group(groups.of(key), groups.seen(key).parts)
    assert (values["folder"], values["filename"]) == (folder, filename)


def test_templates_of_the_item_may_ask_for_a_named_group_in_which_all_parts_agree() -> None:
    groups = Groups(
        Group("{scene}/", count=2),
        regex=r"(?P<scene>\w+)/(?P<day>\w+)-(?P<cam>\w+)\.mp4",
        item_name="{scene} {day}",
        slot="{cam}",
    )
    group = groups.of("in/s1/mo-front.mp4")
    agreeing = groups.seen("in/s1/mo-front.mp4", "in/s1/mo-back.mp4").parts
    assert values_of_group(group, agreeing)["day"] == "mo"
    assert "cam" not in values_of_group(group, agreeing)
    with pytest.raises(CannotBe) as cannot:
        values_of_group(group, groups.seen("in/s1/mo-front.mp4", "in/s1/tu-back.mp4").parts)
    assert cannot.value.outcome == Outcome(
        Kind.BLOCKED,
        Reason.PARTS_DISAGREE,
        "The files of the group 'in/s1/' disagree about {day}: 'mo' and 'tu'.",
        "rig",
    )


def test_parts_are_ordered_by_the_numbers_in_their_keys() -> None:
    keys = ["in/s/2.dcm", "in/s/10.dcm", "in/s/1.dcm", "in/s/a1.dcm", "in/s/010.dcm", "in/s/2"]
    parts = in_order(PAIR.seen(*keys).parts)
    assert [part.listed.key for part in parts] == [
        "in/s/1.dcm",
        "in/s/2",
        "in/s/2.dcm",
        "in/s/010.dcm",
        "in/s/10.dcm",
        "in/s/a1.dcm",
    ]


@given(st.integers(0, 10**40), st.integers(0, 10**40))
def test_numbers_go_by_their_size_however_long_they_are(one: int, other: int) -> None:
    assert (natural(f"in/{one}.dcm") < natural(f"in/{other}.dcm")) is (one < other)


@given(st.lists(st.text(st.sampled_from("01a/٣é.") | st.characters(codec=None), max_size=9), max_size=9))
def test_any_keys_have_one_order(keys: list[str]) -> None:
    backwards = keys[::-1]
    assert sorted(keys, key=natural) == sorted(backwards, key=natural)
    assert fingerprint(map(listed, keys)) == fingerprint(map(listed, backwards))


entries = st.builds(
    listed, st.text(st.sampled_from("ab/"), min_size=1, max_size=4), st.sampled_from(["1", "2"])
)
listings = st.lists(entries, max_size=5, unique_by=lambda entry: entry.key)


@given(listings, listings)
def test_a_fingerprint_changes_when_an_object_comes_goes_or_is_overwritten(
    one: list[Any], other: list[Any]
) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (set(one) == set(other))

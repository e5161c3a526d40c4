"""What the ledger and Darwin's item list say of an item: the row "ALREADY_EXISTS" of the answer table, and law 1."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.claims import Entry, exists, is_held, proven_ours
from worker.core.claims import known as known_of
from worker.core.darwin import HeldItem
from worker.core.model import (
    Identity,
    Item,
    Kind,
    Lane,
    OnExisting,
    OnOverwrite,
    Outcome,
    Reason,
    Registration,
    S3Object,
)

OBJECT = S3Object("media", "incoming/dir/a.jpg", None, "e1", 10)
ITEM = Item(Lane("acme", "intake", "prod"), "/dir", "a.jpg", OBJECT, "all")
CLAIMED = 1_800_000_000.0

# One place, in every form in which Darwin may tell it.
FORMS = {"/": ["", "/", "//"], "/dir": ["dir", "/dir", "/dir/", "dir/", "//dir"], "/a/b": ["a/b", "/a//b/"]}
paths = st.sampled_from(sorted(FORMS))
same_path = paths.flatmap(lambda path: st.tuples(st.sampled_from(FORMS[path]), st.sampled_from(FORMS[path])))


def known(entry: Entry, wanted: S3Object) -> Outcome:
    """What becomes of the item of an object."""
    outcome = known_of(entry, replace(ITEM, object=wanted))
    assert isinstance(outcome, Outcome)
    return outcome


def registered(object_: S3Object) -> Entry:
    return Entry(object_, registered=True, token="w1", since=CLAIMED, at=CLAIMED)


def duplicate_of(object_: S3Object, name: str = "a.jpg") -> Outcome:
    """It repeats what was registered first, and when."""
    before = Registration(Identity("acme", "intake", "/dir", name), object_, CLAIMED)
    return Outcome(Kind.DUPLICATE, Reason.IN_LEDGER, before=before)


def held(
    path: str = "/dir",
    name: str = "a.jpg",
    external: bool | None = True,
    inserted_at: float | None = CLAIMED + 1,
) -> HeldItem:
    return HeldItem(path, name, external, inserted_at)


# The claim was registered


def test_a_claim_registered_for_this_object_makes_it_a_duplicate() -> None:
    """Row: ALREADY_EXISTS, claim registered for this object."""
    assert known(registered(OBJECT), OBJECT) == duplicate_of(OBJECT)


def test_a_claim_registered_for_another_object_makes_it_a_collision() -> None:
    """Row: ALREADY_EXISTS, claim registered for another object."""
    outcome = known(registered(S3Object("media", "other/a.jpg", None, "e1", 10)), OBJECT)
    assert (outcome.kind, outcome.reason) == (Kind.BLOCKED, Reason.NAME_COLLISION)
    assert "s3://media/other/a.jpg" in outcome.detail


def test_the_same_key_in_another_bucket_is_another_object() -> None:
    """Row: ALREADY_EXISTS, claim registered for another object."""
    assert known(registered(replace(OBJECT, bucket="old")), OBJECT).reason is Reason.NAME_COLLISION


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (OBJECT, replace(OBJECT, etag="e2")),
        (OBJECT, replace(OBJECT, size=11)),
        (replace(OBJECT, version="v1"), replace(OBJECT, version="v2")),
    ],
)
def test_an_overwritten_object_is_ignored(before: S3Object, now: S3Object) -> None:
    """Outcome "ignored": overwritten object, by default."""
    outcome = known(registered(before), now)
    assert (outcome.kind, outcome.reason) == (Kind.IGNORED, Reason.OVERWRITTEN)


def test_the_version_says_more_than_etag_and_size() -> None:
    before = replace(OBJECT, version="v1", etag=None)
    assert known(registered(before), replace(OBJECT, version="v1")).kind is Kind.DUPLICATE


texts = st.sampled_from(["a", "b"])
objects = st.builds(
    S3Object, texts, texts, st.none() | texts, st.none() | texts, st.none() | st.integers(1, 2)
)


@given(objects, objects)
def test_every_pair_of_objects_is_a_duplicate_an_overwrite_or_a_collision(
    one: S3Object, other: S3Object
) -> None:
    outcome = known(registered(one), other)
    if (one.bucket, one.key) != (other.bucket, other.key):
        assert outcome.kind is Kind.BLOCKED
    else:
        assert outcome.kind in (Kind.DUPLICATE, Kind.IGNORED)
    assert known(registered(other), one).kind is outcome.kind
    assert known(registered(one), one).kind is Kind.DUPLICATE


# The claim was fresh


NEWER = replace(OBJECT, version=None, etag="e2")


def test_a_new_version_is_a_dead_letter_where_the_route_says_so() -> None:
    outcome = known_of(registered(OBJECT), replace(ITEM, object=NEWER, on_overwrite=OnOverwrite.DEAD_LETTER))
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.reason) == (Kind.BLOCKED, Reason.OVERWRITTEN)


def test_a_new_version_becomes_an_item_of_its_own_name_where_the_route_says_so() -> None:
    item = replace(ITEM, object=NEWER, on_overwrite=OnOverwrite.REGISTER, versioned="a (e2).jpg")
    assert known_of(registered(OBJECT), item) == replace(item, name="a (e2).jpg")


def test_a_version_that_was_named_and_is_registered_is_a_duplicate() -> None:
    named = replace(ITEM, name="v", object=NEWER, on_overwrite=OnOverwrite.REGISTER, versioned="v")
    assert known_of(registered(NEWER), named) == duplicate_of(NEWER, "v")


def test_two_versions_of_one_name_collide() -> None:
    named = replace(ITEM, name="v", object=NEWER, on_overwrite=OnOverwrite.REGISTER, versioned="v")
    outcome = known_of(registered(OBJECT), named)
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.reason) == (Kind.BLOCKED, Reason.NAME_COLLISION)


GROUP = S3Object("media", "rig/1/", None, "contents-" + "a" * 10 + "b" * 10, 2)


def test_a_group_that_was_registered_with_other_parts_makes_its_late_parts_known() -> None:
    later = replace(GROUP, etag="more-" + "a" * 10 + "b" * 10 + "c" * 10, size=3)
    assert known_of(registered(GROUP), replace(ITEM, grouped=True, object=later)) == Outcome(
        Kind.BLOCKED,
        Reason.LATE_PART,
        "The item of the group was registered with 2 objects, and some of 3 that were there soon after are not in it; "
        "Darwin keeps the item it has",
    )


def test_a_group_that_was_registered_with_more_than_this_listing_showed_is_a_duplicate() -> None:
    earlier = replace(GROUP, etag="less-" + "b" * 10, size=1)
    assert known_of(registered(GROUP), replace(ITEM, grouped=True, object=earlier)) == duplicate_of(GROUP)


def test_a_group_of_which_a_part_was_overwritten_is_overwritten() -> None:
    outcome = known_of(
        registered(GROUP),
        replace(ITEM, grouped=True, object=replace(GROUP, etag="other-" + "a" * 10 + "b" * 10)),
    )
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.reason) == (Kind.IGNORED, Reason.OVERWRITTEN)


def test_a_group_told_of_again_is_a_duplicate() -> None:
    assert known_of(registered(GROUP), replace(ITEM, grouped=True, object=GROUP)) == duplicate_of(GROUP)


def test_a_name_that_darwin_held_before_is_blocked_by_default() -> None:
    """Row: ALREADY_EXISTS, claim fresh and this its first request; on_existing: block."""
    outcome = exists(ITEM)
    assert (outcome.kind, outcome.reason) == (Kind.BLOCKED, Reason.FOREIGN_ITEM)
    assert "on_existing: block" in outcome.detail


def test_a_name_that_darwin_held_before_is_adopted_where_the_route_says_so() -> None:
    """Row: ALREADY_EXISTS, claim fresh and this its first request; on_existing: accept."""
    item = replace(ITEM, on_existing=OnExisting.ACCEPT)
    assert exists(item) == Outcome(Kind.EXISTING, Reason.ADOPTED)


# The claim had lapsed, or a request of it had no clear answer


def test_an_external_item_inserted_after_the_first_claim_is_ours() -> None:
    """Row: ALREADY_EXISTS, claim lapsed or unclear."""
    assert proven_ours(ITEM, CLAIMED, [held()])


@pytest.mark.parametrize(
    ("inserted_at", "ours"),
    [(CLAIMED - 120, True), (CLAIMED - 120.5, False), (CLAIMED, True), (CLAIMED + 86_400, True)],
)
def test_clocks_may_be_two_minutes_apart(inserted_at: float, ours: bool) -> None:
    """Row: ALREADY_EXISTS, 2 minutes of skew."""
    assert proven_ours(ITEM, CLAIMED, [held(inserted_at=inserted_at)]) is ours


@pytest.mark.parametrize(
    "other",
    [
        held(external=False),
        held(inserted_at=None),
        held(name="b.jpg"),
        held(name="A.jpg"),
        held(path="/elsewhere"),
    ],
    ids=["uploaded", "of no date", "another name", "another case", "another path"],
)
def test_what_our_request_cannot_have_made_is_not_ours(other: HeldItem) -> None:
    """Row: ALREADY_EXISTS, else on_existing."""
    assert not proven_ours(ITEM, CLAIMED, [other])


def test_an_item_in_processing_does_not_say_that_it_is_external() -> None:
    """darwin-api.md 6.1: no slots while processing."""
    assert proven_ours(ITEM, CLAIMED, [held(external=None)])


def test_an_empty_list_proves_nothing() -> None:
    assert not proven_ours(ITEM, CLAIMED, [])
    assert not is_held(ITEM, [])


def test_an_item_of_any_origin_and_age_is_held() -> None:
    """What a record that was sent again is judged by."""
    assert is_held(ITEM, [held(external=False, inserted_at=None)])
    assert not is_held(ITEM, [held(name="b.jpg"), held(path="/")])


@given(same_path)
def test_paths_compare_in_whatever_form_darwin_tells_them(forms: tuple[str, str]) -> None:
    """darwin-api.md, open unknown 10."""
    item = replace(ITEM, path=forms[0])
    assert is_held(item, [held(path=forms[1])])
    assert proven_ours(item, CLAIMED, [held(path=forms[1])])


@given(st.lists(st.tuples(paths, st.sampled_from(["a.jpg", "b.jpg"]), st.booleans()), max_size=6))
def test_other_items_of_the_list_decide_nothing(others: list[tuple[str, str, bool]]) -> None:
    elsewhere = [
        held(path, name, external) for path, name, external in others if (path, name) != ("/dir", "a.jpg")
    ]
    assert not proven_ours(ITEM, CLAIMED, elsewhere)
    assert not is_held(ITEM, elsewhere)
    assert proven_ours(ITEM, CLAIMED, [*elsewhere, held()])

"""What an item of Darwin's list says to what a bucket holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.darwin import HeldItem
from worker.core.differences import (
    MEANINGS,
    Difference,
    Kind,
    in_words,
    key_of,
    key_of_folder,
    of_unwanted,
    of_wanted,
    rank,
    state_of,
)
from worker.core.model import Identity, S3Object

NOW = 1_800_000_000.0
HOUR = 3_600.0
any_text = st.text(st.characters(codec=None, categories=["L", "P", "Cs", "Cc", "S"]), max_size=6)


def item(
    processing: str = "complete",
    inserted_at: float | None = NOW - 2 * HOUR,
    external: bool | None = True,
    trouble: str = "",
    *,
    archived: bool = False,
) -> HeldItem:
    return HeldItem("/in", "a.png", external, inserted_at, "018f", archived, processing, trouble)


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (item(), None),
        (item(""), None),
        (item("error"), Kind.FAILED),
        (item("cancelled", NOW), Kind.FAILED),
        (item("processing", NOW, trouble="no picture"), Kind.FAILED),
        (item("complete", trouble="a thumbnail is missing"), None),
        (item("processing"), Kind.STUCK),
        (item("uploading", NOW - HOUR), Kind.STUCK),
        (item("processing", NOW - HOUR + 1), None),
        (item("processing", None), None),
        (item("a word of next year"), Kind.STUCK),
        (item("error", archived=True), Kind.ARCHIVED),
    ],
)
def test_an_item_is_judged_by_its_processing_and_the_time_it_took(held: HeldItem, state: Kind | None) -> None:
    assert state_of(held, NOW, HOUR) == state


def test_an_item_that_somebody_uploaded_is_foreign_unless_the_route_takes_it() -> None:
    assert of_wanted(None, external=False, adopts=False) == Kind.FOREIGN
    assert of_wanted(Kind.FAILED, external=False, adopts=False) == Kind.FOREIGN
    assert of_wanted(Kind.ARCHIVED, external=False, adopts=False) == Kind.ARCHIVED
    assert of_wanted(None, external=False, adopts=True) is None
    assert of_wanted(Kind.FAILED, external=False, adopts=True) == Kind.FAILED
    assert of_wanted(None, external=None, adopts=False) is None
    assert of_wanted(Kind.STUCK, external=True, adopts=False) == Kind.STUCK


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (item(), Kind.STRAY),
        (item("error"), Kind.STRAY),
        (item(inserted_at=None), Kind.STRAY),
        (item(external=False), None),
        (item(archived=True), None),
        (item("processing", external=None), Kind.STUCK),
        (item("processing", NOW - 1, external=None), None),
        (item("error", external=None), Kind.FAILED),
        (item(inserted_at=NOW - 119), None),
        (item(inserted_at=NOW - 121), Kind.STRAY),
    ],
)
def test_an_item_that_no_object_accounts_for_is_a_stray_where_it_is_external_and_not_new(
    held: HeldItem, kind: Kind | None
) -> None:
    assert of_unwanted(held, state_of(held, NOW, HOUR), NOW) == kind


def test_of_several_items_at_one_place_the_one_that_is_of_use_counts() -> None:
    several = [item(archived=True), item(external=False), item(external=None)]
    assert sorted(several, key=rank) == [item(external=None), item(external=False), item(archived=True)]


def test_places_are_equal_in_every_form_of_their_path() -> None:
    forms = ("dir", "/dir", "/dir/", "//dir")
    assert len({key_of(Identity("acme", "intake", path, "a.png")) for path in forms}) == 1
    assert len({key_of_folder(Identity("acme", "intake", path, path)) for path in forms}) == 1


@given(st.tuples(*[any_text] * 4), st.tuples(*[any_text] * 4))
def test_other_places_have_other_keys_whatever_their_texts_hold(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    def place(texts: tuple[str, str, str, str]) -> tuple[str, str, list[str], str]:
        return texts[0], texts[1], [part for part in texts[2].split("/") if part], texts[3]

    same = key_of(Identity(*one)) == key_of(Identity(*other))
    assert same == (place(one) == place(other))


def test_how_far_darwin_is_is_told_in_words() -> None:
    assert in_words(item()) == ""
    assert in_words(item("processing")) == "Darwin says: processing."
    assert in_words(item("error", trouble="no picture")) == "error: no picture"


def test_every_kind_is_explained_and_has_a_row_of_the_same_fields() -> None:
    assert set(MEANINGS) == set(Kind)
    stray = Difference(Kind.STRAY, Identity("acme", "intake", "/in", "a.png"), time=0.0, item="018f")
    assert stray.row() == {
        "kind": "stray",
        "team": "acme",
        "dataset": "intake",
        "path": "/in",
        "name": "a.png",
        "route": "",
        "bucket": "",
        "key": "",
        "etag": None,
        "size": None,
        "time": "1970-01-01T00:00:00Z",
        "item": "018f",
        "detail": "",
    }
    incomplete = Difference(Kind.INCOMPLETE, None, "rig", S3Object("media", "a/\ud800.png", None, "e", 5))
    assert list(incomplete.row()) == list(stray.row())
    assert json.dumps(incomplete.row()["key"]) == '"a/\\ud800.png"'

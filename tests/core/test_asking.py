"""Questions to Darwin and what the answers say (darwin-api.md section 6)."""

from itertools import pairwise
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core import asking
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.model import Mode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
places = st.lists(st.tuples(st.sampled_from(["/", "/a", "/a/b", "/ünï/" + "x" * 300]) | texts, texts))
FIELDS = [
    "affected_item_count",
    "archived",
    "bucket",
    "id",
    "inserted_at",
    "is_external",
    "items",
    "name",
    "next",
    "page",
    "path",
    "prefix",
    "provider",
    "readonly",
    "selected_team",
    "slots",
    "slug",
    "status",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(list(FIELDS)),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(places)
def test_every_place_is_asked_for_once_and_in_its_order(places: list[tuple[str, str]]) -> None:
    chunks = asking.chunks_of_places(places)
    assert [place for chunk in chunks for place in chunk] == list(dict.fromkeys(places))
    assert all(chunks)


@given(places)
def test_no_query_of_several_places_is_too_long(places: list[tuple[str, str]]) -> None:
    for chunk in asking.chunks_of_places(places):
        assert len(chunk) == 1 or len(urlencode(asking.query_of_places(chunk))) <= 1500


@given(places)
def test_a_chunk_ends_only_where_the_next_place_does_not_fit(places: list[tuple[str, str]]) -> None:
    chunks = asking.chunks_of_places(places)
    for chunk, following in pairwise(chunks):
        assert len(urlencode(asking.query_of_places([*chunk, following[0]]), quote_via=quote)) >= 1500


def test_a_query_names_each_name_and_each_path_once() -> None:
    query = asking.query_of_places([("/a", "1.jpg"), ("/a", "2.jpg"), ("/b", "1.jpg")])
    assert query == [
        ("item_names[]", "1.jpg"),
        ("item_names[]", "2.jpg"),
        ("item_paths[]", "/a"),
        ("item_paths[]", "/b"),
    ]


@given(json_values)
def test_no_shape_of_an_answer_makes_a_reader_fail(payload: object) -> None:
    asking.team_of(payload)
    asking.datasets_of(payload)
    asking.storages_of(payload)
    asking.page_of(payload)
    asking.affected_of(payload)


def test_the_team_is_the_selected_one() -> None:
    assert asking.team_of({"id": 7, "selected_team": {"id": 1, "slug": "acme"}}) == "acme"
    assert asking.team_of({"selected_team": None}) is None
    assert asking.team_of([]) is None


def test_datasets_without_id_or_slug_are_left_out() -> None:
    payload = [
        {"id": 123, "slug": "intake", "name": "Intake", "archived": None},
        {"id": None, "slug": "a"},
        {"id": 5, "slug": None},
        {"id": True, "slug": "b"},
        None,
    ]
    assert asking.datasets_of(payload) == [Dataset(123, "intake")]
    assert asking.datasets_of({"datasets": []}) is None


def test_a_storage_is_read_with_its_mode_and_its_prefix_without_outer_slashes() -> None:
    row = {
        "name": "ACME Media",
        "slug": "acme-media",
        "readonly": True,
        "provider": "aws",
        "bucket": "media",
        "prefix": "/darwin/out/",
        "region": "eu-west-1",
    }
    assert asking.storages_of([row]) == [
        Storage(
            "ACME Media", "acme-media", Mode.READ_ONLY, provider="aws", bucket="media", prefix="darwin/out"
        )
    ]


def test_a_storage_needs_no_more_than_a_name() -> None:
    row = {"name": "acme", "slug": None, "readonly": None, "provider": None, "bucket": None, "prefix": None}
    assert asking.storages_of([row, {"name": None}, {}]) == [
        Storage("acme", "acme", Mode.READ_WRITE, provider="", bucket="", prefix="")
    ]


def test_an_item_of_a_page_is_read_with_its_id_place_origin_and_age() -> None:
    payload = {
        "items": [
            {
                "id": "018e",
                "name": "weld 07.jpg",
                "path": "/line-3",
                "slots": [{"slot_name": "0", "is_external": True}],
                "inserted_at": "2031-02-01T09:00:00Z",
            }
        ],
        "page": {"count": 1, "next": "018f", "previous": None},
    }
    held = HeldItem("/line-3", "weld 07.jpg", True, 1927702800.0, "018e", archived=False)
    assert asking.page_of(payload) == ([held], "018f")


@pytest.mark.parametrize(
    ("row", "archived"),
    [
        ({"archived": True, "status": "archived"}, True),
        ({"archived": True, "status": "new"}, True),
        ({"archived": None, "status": "archived"}, True),
        ({"archived": False, "status": "complete"}, False),
        ({"archived": None, "status": None}, False),
        ({"archived": "true"}, False),
        ({}, False),
    ],
)
def test_an_item_is_archived_by_its_own_field_or_by_its_status(
    row: dict[str, object], archived: bool
) -> None:
    page = asking.page_of({"items": [{"name": "a", **row}]})
    assert page == ([HeldItem("/", "a", None, None, "", archived)], None)


@pytest.mark.parametrize(
    ("row", "processing", "trouble"),
    [
        ({"processing_status": "complete"}, "complete", ""),
        (
            {"processing_status": "error", "uploads": [{"processing_error": {"message": "no such key"}}]},
            "error",
            "no such key",
        ),
        (
            {"processing_status": "error", "uploads": [{"slot_name": "0"}, {"processing_error": "denied"}]},
            "error",
            "denied",
        ),
        ({"uploads": [{"processing_error": {"message": None, "raw_error": "HTTP 403"}}]}, "", "HTTP 403"),
        ({"processing_status": None, "uploads": None}, "", ""),
        ({"processing_status": 3, "uploads": [None, {"processing_error": 7}]}, "", ""),
    ],
)
def test_an_item_says_how_far_its_processing_is_and_what_went_wrong_in_it(
    row: dict[str, object], processing: str, trouble: str
) -> None:
    page = asking.page_of({"items": [{"name": "a", **row}]})
    assert page == ([HeldItem("/", "a", None, None, processing=processing, trouble=trouble)], None)


def test_items_are_archived_by_their_ids_within_their_dataset() -> None:
    assert asking.archiving_of(123, ["018e", "018f"]) == {
        "filters": {"item_ids": ["018e", "018f"], "dataset_ids": [123]}
    }


@pytest.mark.parametrize("item_ids", [[], [""], ["018e", ""]])
def test_nothing_is_archived_without_an_id_for_that_might_mean_everything(item_ids: list[str]) -> None:
    with pytest.raises(ValueError, match="missing or empty"):
        asking.archiving_of(123, item_ids)


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        ({"affected_item_count": 3}, 3),
        ({"affected_item_count": 0}, 0),
        ({"affected_item_count": None}, None),
        ({"affected_item_count": True}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_was_archived_is_a_number_of_items(payload: object, count: int | None) -> None:
    assert asking.affected_of(payload) == count


@pytest.mark.parametrize(
    ("slots", "external"),
    [
        ([{"is_external": True}], True),
        ([{"is_external": False}], False),
        ([{"is_external": False}, {"is_external": True}], True),
        ([{"is_external": None}], None),
        ([{}], None),
        ([], None),
        (None, None),
    ],
)
def test_an_item_says_whether_it_is_external_or_does_not_yet(slots: object, external: bool | None) -> None:
    page = asking.page_of({"items": [{"name": "a", "path": None, "slots": slots}], "page": None})
    assert page == ([HeldItem("/", "a", external, None)], None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2031-02-01T09:00:00Z", 1927702800.0),
        ("2031-02-01T09:00:00.250000Z", 1927702800.25),
        ("2031-02-01T09:00:00", 1927702800.0),
        ("2031-02-01T10:00:00+01:00", 1927702800.0),
        ("yesterday", None),
        (None, None),
        (17, None),
    ],
)
def test_the_time_of_insertion_is_utc_unless_it_says_otherwise(text: object, moment: float | None) -> None:
    page = asking.page_of({"items": [{"name": "a", "inserted_at": text}]})
    assert page is not None
    assert page.items[0].inserted_at == moment


def test_an_item_list_without_items_is_no_empty_list() -> None:
    """Taken for an empty one, it would make an item of ours look like nobody's."""
    assert asking.page_of({"items": None}) is None
    assert asking.page_of({}) is None
    assert asking.page_of({"items": []}) == ([], None)


NOW = 1927702800.0  # Sat, 01 Feb 2031 09:00:00 GMT


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("120", None, 120.0),
        (" 120 ", None, 120.0),
        ("0", None, 0.0),
        ("1.5", None, 1.5),
        ("-5", None, 0.0),
        ("9" * 400, None, None),
        ("Sat, 01 Feb 2031 09:00:30 GMT", None, 30.0),
        ("Sat, 01 Feb 2031 09:00:30 GMT", "Sat, 01 Feb 2031 09:00:10 GMT", 20.0),
        ("Sat, 01 Feb 2031 09:00:30 GMT", "no date", 30.0),
        ("Sat, 01 Feb 2031 08:00:00 GMT", None, 0.0),
        ("soon", None, None),
        ("", None, None),
        ("1e3", None, None),
        ("nan", None, None),
        ("٣", None, None),
        (None, None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_answers_own_clock(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    """Row: 429."""
    assert asking.retry_after(value, date, NOW) == seconds


@given(
    st.text() | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,5} \d{1,3}:\d\d:\d\d \w{1,4}", fullmatch=True),
    st.text(),
)
def test_no_text_of_retry_after_is_worse_than_none(value: str, date: str) -> None:
    seconds = asking.retry_after(value, date, NOW)
    assert seconds is None or seconds >= 0

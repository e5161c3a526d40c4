"""The body of a request, and what its answer says of each item."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.model import Item, ItemType, Lane, S3Object, Slot
from worker.core.registration import Absent, Accepted, Blocked, body_of, correlate

LANE = Lane("acme", "intake", "acme-prod-media")


def item(path: str, name: str, type_: ItemType | None = ItemType.IMAGE) -> Item:
    key = f"incoming{path.rstrip('/')}/{name}"
    return Item(LANE, path, name, S3Object("acme-media", key), "welds", type_)


WELD_7 = item("/line-3/2031", "weld 07.jpg")
WELD_8 = item("/line-3/2031", "weld 08.jpg")


def entry(of: Item, *reasons: object, **changes: object) -> dict[str, object]:
    """An item as Darwin echoes it, with one slot for each reason."""
    slots = [
        {"slot_name": str(index), "file_name": of.name, "type": "image", "reason": reason}
        for index, reason in enumerate(reasons or [None])
    ]
    return {"id": "0d6f5f0e", "name": of.name, "path": of.path, "slots": slots, **changes}


def test_the_body_is_the_flat_form() -> None:
    assert body_of(LANE, [WELD_7, item("/", "slide.ndpi", None)]) == {
        "dataset_slug": "intake",
        "storage_slug": "acme-prod-media",
        "items": [
            {
                "path": "/line-3/2031",
                "name": "weld 07.jpg",
                "type": "image",
                "storage_key": "incoming/line-3/2031/weld 07.jpg",
            },
            {"path": "/", "name": "slide.ndpi", "storage_key": "incoming/slide.ndpi"},
        ],
    }


def test_the_body_is_the_slotted_form_where_an_item_has_slots() -> None:
    """darwin-api.md 1.4: the file fields stand on the slots, tags and layout on the item."""
    views = {"extract_views": "true"}
    series = Item(
        LANE,
        "/ct",
        "ct-4410",
        S3Object("acme-media", "incoming/ct-4410/"),
        "series",
        slots=(
            Slot("0", "incoming/ct-4410/vol 1.dcm", ItemType.DICOM, views),
            Slot("side", "incoming/ct-4410/x.ndpi"),
        ),
        fields={"tags": ["night-shift"], "layout": {"version": 1, "type": "grid", "slots": ["0", "side"]}},
        grouped=True,
    )
    assert body_of(LANE, [series])["items"] == [
        {
            "path": "/ct",
            "name": "ct-4410",
            "slots": [
                {
                    "slot_name": "0",
                    "file_name": "vol 1.dcm",
                    "type": "dicom",
                    "storage_key": "incoming/ct-4410/vol 1.dcm",
                    "extract_views": "true",
                },
                {"slot_name": "side", "file_name": "x.ndpi", "storage_key": "incoming/ct-4410/x.ndpi"},
            ],
            "tags": ["night-shift"],
            "layout": {"version": 1, "type": "grid", "slots": ["0", "side"]},
        }
    ]


def test_the_flat_form_has_the_fields_of_its_file_and_of_its_item() -> None:
    flat = replace(WELD_7, fields={"fps": "native", "tags": {"site": "oslo"}})
    assert body_of(LANE, [flat])["items"] == [
        {
            "path": "/line-3/2031",
            "name": "weld 07.jpg",
            "type": "image",
            "storage_key": "incoming/line-3/2031/weld 07.jpg",
            "fps": "native",
            "tags": {"site": "oslo"},
        }
    ]


def test_options_are_those_of_the_request_and_left_out_where_there_are_none() -> None:
    lane = LANE._replace(options=(("ignore_dicom_layout", True),))
    assert body_of(lane, []) == {
        "dataset_slug": "intake",
        "storage_slug": "acme-prod-media",
        "items": [],
        "options": {"ignore_dicom_layout": True},
    }
    assert "options" not in body_of(LANE, [])


def test_an_answer_may_take_some_items_and_block_others() -> None:
    """Row: 2xx, per item: in items registered, in blocked_items by reason, in neither."""
    answer = {"items": [entry(WELD_8)], "blocked_items": [entry(WELD_7, "ALREADY_EXISTS")]}
    assert correlate([WELD_7, WELD_8, item("/", "other.jpg")], answer) == [
        Blocked(("ALREADY_EXISTS",)),
        Accepted(),
        Absent(),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "OK",
        7,
        [],
        [{"items": []}],
        {},
        {"items": None},
        {"items": {}, "blocked_items": None},
        {"errors": {"code": "X"}},
    ],
)
def test_what_holds_neither_list_is_no_answer(payload: object) -> None:
    assert correlate([WELD_7], payload) is None


@pytest.mark.parametrize("missing", [{}, {"blocked_items": None}, {"blocked_items": "none"}])
def test_one_list_is_enough(missing: dict[str, object]) -> None:
    assert correlate([WELD_7], {"items": [entry(WELD_7)], **missing}) == [Accepted()]


@pytest.mark.parametrize("path", ["/line-3/2031", "line-3/2031", "/line-3/2031/", "//line-3//2031"])
def test_paths_meet_in_their_normal_form(path: str) -> None:
    assert correlate([WELD_7], {"items": [entry(WELD_7, path=path)]}) == [Accepted()]


@pytest.mark.parametrize("path", [None, 7, ["/"]])
def test_without_a_path_a_name_that_is_unique_will_do(path: object) -> None:
    twin = item("/line-4", "weld 07.jpg")
    answer = {"items": [entry(WELD_7, path=path), entry(WELD_8, path=path)]}
    assert correlate([WELD_7, WELD_8], answer) == [Accepted(), Accepted()]
    assert correlate([WELD_7, WELD_8, twin], answer) == [Absent(), Accepted(), Absent()]


def test_an_item_of_another_path_is_another_item() -> None:
    assert correlate([WELD_7], {"items": [entry(WELD_7, path="/line-4")]}) == [Absent()]


@pytest.mark.parametrize(
    ("blocked", "reasons"),
    [
        (entry(WELD_7, "already_exists"), ("ALREADY_EXISTS",)),
        (entry(WELD_7, None, "Unknown_Tags", None), ("UNKNOWN_TAGS",)),
        (entry(WELD_7, "B", "A", "b"), ("B", "A")),
        (entry(WELD_7, None), ("UNKNOWN",)),
        (entry(WELD_7, " "), ("UNKNOWN",)),
        (entry(WELD_7, {"code": 7}), ("UNKNOWN",)),
        (entry(WELD_7, slots=None), ("UNKNOWN",)),
        (entry(WELD_7, slots=[]), ("UNKNOWN",)),
        (entry(WELD_7, slots=[None, "x", {}]), ("UNKNOWN",)),
        (entry(WELD_7, slots=None, reason="already_exists"), ("ALREADY_EXISTS",)),
        ({"name": "weld 07.jpg"}, ("UNKNOWN",)),
    ],
)
def test_a_blocked_item_has_its_reasons_in_upper_case_or_an_unknown_one(
    blocked: dict[str, object], reasons: tuple[str, ...]
) -> None:
    answer = {"items": [], "blocked_items": [blocked]}
    assert correlate([WELD_7], answer) == [Blocked(reasons)]


@pytest.mark.parametrize("slots", [None, [], [None, 7], [{}], [{"reason": None}], [{"reason": ""}]])
def test_a_taken_item_needs_no_slots(slots: object) -> None:
    assert correlate([WELD_7], {"items": [entry(WELD_7, slots=slots)]}) == [Accepted()]


def test_an_item_that_is_blocked_in_part_is_blocked() -> None:
    answer = {"items": [entry(WELD_7, None, "file_upload_failed")]}
    assert correlate([WELD_7], answer) == [Blocked(("FILE_UPLOAD_FAILED",))]


def test_an_item_in_both_lists_is_blocked() -> None:
    answer = {"items": [entry(WELD_7)], "blocked_items": [entry(WELD_7, "ALREADY_EXISTS")]}
    assert correlate([WELD_7], answer) == [Blocked(("ALREADY_EXISTS",))]


def test_an_item_named_twice_has_all_its_reasons() -> None:
    answer = {"blocked_items": [entry(WELD_7, "A"), entry(WELD_7, "B", "A"), entry(WELD_7)]}
    assert correlate([WELD_7], answer) == [Blocked(("A", "B"))]


def test_strangers_in_an_answer_are_passed_over() -> None:
    answer = {"items": [None, 7, {}, {"name": 7}, {"name": None, "path": "/"}, entry(WELD_8)]}
    assert correlate([WELD_7], answer) == [Absent()]


names = st.sampled_from(["a.png", "b.png", "c.png"])
paths = st.sampled_from(["/", "/x", "/x/y"])
items = st.lists(st.builds(item, paths, names), unique_by=lambda it: it.identity, max_size=9)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
loose_entries = st.fixed_dictionaries(
    {},
    optional={
        "name": names | json_values,
        "path": paths | json_values,
        "slots": json_values | st.lists(st.fixed_dictionaries({"reason": json_values})),
        "reason": json_values,
    },
)
loose_lists = st.lists(loose_entries | json_values, max_size=5) | json_values


@given(
    items,
    json_values | st.fixed_dictionaries({}, optional={"items": loose_lists, "blocked_items": loose_lists}),
)
def test_any_answer_gives_one_echo_per_item_or_none(batch: list[Item], payload: object) -> None:
    """darwin-api.md, open unknowns."""
    echoes = correlate(batch, payload)
    if echoes is not None:
        assert len(echoes) == len(batch)
        for echo in echoes:
            assert not isinstance(echo, Blocked) or (
                echo.reasons and all(reason == reason.upper() for reason in echo.reasons)
            )


@given(items.flatmap(st.permutations), st.randoms(use_true_random=False))
def test_the_order_of_the_answer_means_nothing(batch: list[Item], random: Any) -> None:
    """Items meet their echoes by path and name: a faithful answer, shuffled, gives each item its own."""
    fates = [random.choice([Accepted(), Blocked(("ALREADY_EXISTS",)), Absent()]) for _ in batch]
    pairs = list(zip(batch, fates, strict=True))
    random.shuffle(pairs)
    answer = {
        "items": [entry(it) for it, fate in pairs if isinstance(fate, Accepted)],
        "blocked_items": [entry(it, *fate.reasons) for it, fate in pairs if isinstance(fate, Blocked)],
    }
    assert correlate(batch, answer) == fates

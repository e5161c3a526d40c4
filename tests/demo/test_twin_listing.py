"""What the twin tells of items, datasets, storages and keys (darwin-api.md section 6)."""

import json

import pytest

from tests.demo.twin_calls import ITEMS, NOON, REGISTER_READONLY, Calls, acme, photo
from worker.demo.twin.state import Storage, Team
from worker.demo.twin.switches import Switches


def listed(calls: Calls, *query: tuple[str, str]) -> list[tuple[str, str]]:
    """The (path, name) of the items on the first page."""
    _, body = calls.get(ITEMS, *query)
    return [(item["path"], item["name"]) for item in body["items"]]


def test_an_item_is_listed_with_its_slots_and_time_and_without_storage_keys() -> None:
    calls = Calls()
    calls.register(photo("weld 07.jpg", "line-3", storage_key="secret/place/weld 07.jpg"))
    _, body = calls.get(ITEMS)
    (item,) = body["items"]
    assert (item["path"], item["name"], item["inserted_at"]) == (
        "/line-3",
        "weld 07.jpg",
        "2026-01-01T12:00:00.000Z",
    )
    (slot,) = item["slots"]
    assert (slot["slot_name"], slot["file_name"], slot["type"], slot["is_external"]) == (
        "0",
        "weld 07.jpg",
        "image",
        True,
    )
    assert "secret" not in json.dumps(body)
    assert body["page"] == {"count": 1, "next": None, "previous": None}


def test_a_series_is_listed_as_one_slot() -> None:
    calls = Calls()
    slots = [{"slot_name": "0", "file_name": f"{n}.dcm", "storage_key": f"ct/{n}.dcm"} for n in (1, 2)]
    calls.register({"name": "ct", "slots": slots})
    (slot,) = calls.get(ITEMS)[1]["items"][0]["slots"]
    assert (slot["file_name"], slot["total_sections"]) == ("1.dcm", 2)


def test_by_switch_items_are_still_processing_and_show_uploads_in_place_of_slots() -> None:
    calls = Calls(Switches(items_processing=True))
    calls.register(photo())
    (item,) = calls.get(ITEMS)[1]["items"]
    assert (item["slots"], item["processing_status"], "layout" in item) == ([], "processing", False)
    assert item["uploads"][0]["slot_name"] == "0"
    assert listed(calls, ("statuses[]", "new")) == []
    assert listed(calls, ("statuses[]", "processing")) == [("/", "a.jpg")]


def test_filters_narrow_and_the_values_of_one_filter_widen() -> None:
    calls = Calls()
    calls.register(photo("a.jpg"), photo("b, c.jpg", "/x"), photo("d.jpg", "/x"))
    calls.register(photo("a.jpg"), dataset_slug="second")
    intake, second = (str(dataset["id"]) for dataset in calls.get("/api/datasets")[1])
    assert len(listed(calls)) == 4
    assert listed(calls, ("dataset_ids[]", second)) == [("/", "a.jpg")]
    names = [("item_names[]", "a.jpg"), ("item_names[]", "b, c.jpg")]
    assert listed(calls, ("dataset_ids[]", intake), *names) == [("/", "a.jpg"), ("/x", "b, c.jpg")]
    assert listed(calls, ("dataset_ids[]", intake), *names, ("item_paths[]", "x/")) == [("/x", "b, c.jpg")]
    assert listed(calls, ("item_names[]", "A.JPG")) == []
    assert listed(calls, ("dataset_ids[]", "1")) == []


def test_pages_follow_each_other_by_the_cursor_until_there_is_none() -> None:
    calls = Calls()
    calls.register(*[photo(f"{n}.jpg") for n in range(5)])
    pages, cursor = [], None
    for _ in range(3):
        query = [("page[size]", "2")] + ([("page[from]", cursor)] if cursor else [])
        _, body = calls.get(ITEMS, *query)
        pages.append([item["name"] for item in body["items"]])
        cursor = body["page"]["next"]
    assert pages == [["0.jpg", "1.jpg"], ["2.jpg", "3.jpg"], ["4.jpg"]]
    assert cursor is None


def test_a_page_has_five_hundred_items_at_most() -> None:
    calls = Calls(Switches(max_items=600))
    calls.register(*[photo(f"{n}.jpg") for n in range(501)])
    assert len(listed(calls)) == 500
    assert calls.get(ITEMS, ("page[size]", "501"))[0] == 422


def test_a_query_that_is_too_long_is_414() -> None:
    """Row: 414."""
    calls = Calls()
    assert calls.get(ITEMS, *[("item_names[]", "x" * 100)] * 50)[0] == 200
    assert calls.get(ITEMS, *[("item_names[]", "x" * 100)] * 100)[0] == 414


def test_only_the_datasets_of_the_key_are_listed() -> None:
    calls = Calls(teams=[acme(), Team("umbra", "umbra.key", ["dark"], [])])
    _, body = calls.get("/api/datasets")
    assert [(dataset["slug"], dataset["team_slug"]) for dataset in body] == [
        ("intake", "acme"),
        ("second", "acme"),
    ]
    assert len({dataset["id"] for dataset in body}) == 2


def test_a_removed_dataset_is_in_no_list_until_it_is_added_again() -> None:
    calls = Calls()
    calls.register(photo())
    calls.control("POST", "switch", teams={"acme": {"remove_dataset": "intake"}})
    assert [dataset["slug"] for dataset in calls.get("/api/datasets")[1]] == ["second"]
    assert listed(calls) == []
    assert calls.register(photo("b.jpg"))[0] == 404
    calls.control("POST", "switch", teams={"acme": {"add_dataset": "intake"}})
    assert calls.register(photo("b.jpg"))[0] == 200
    assert listed(calls) == [("/", "a.jpg"), ("/", "b.jpg")]


def test_storages_tell_name_slug_bucket_prefix_and_mode() -> None:
    status, body = Calls().get("/api/teams/acme/storage")
    assert status == 200
    assert body == [
        {
            "name": "Acme Media",
            "slug": "acme-media",
            "bucket": "acme-media",
            "prefix": "darwin",
            "readonly": False,
            "provider": "aws",
            "region": "eu-west-1",
            "default": True,
        },
        {
            "name": "archive",
            "slug": "archive",
            "bucket": "acme-archive",
            "prefix": "thumbs",
            "readonly": True,
            "provider": "aws",
            "region": "eu-west-1",
            "default": False,
        },
    ]


def test_token_info_tells_the_team_of_the_key() -> None:
    calls = Calls(teams=[acme(), Team("umbra", "umbra.key", [], [Storage("umbra", "umbra")])])
    assert calls.get("/api/users/token_info")[1]["selected_team"]["slug"] == "acme"
    reply = calls.ask("GET", "/api/users/token_info", key="umbra.key")
    assert json.loads(reply.body)["selected_team"]["slug"] == "umbra"


def test_items_of_both_endpoints_are_in_one_list() -> None:
    calls = Calls()
    calls.register(photo("a.jpg"))
    image = photo("b.jpg", type="image", width=1, height=1, storage_thumbnail_key="thumbs/b.jpg")
    calls.register(image, path=REGISTER_READONLY)
    assert listed(calls) == [("/", "a.jpg"), ("/", "b.jpg")]


@pytest.mark.parametrize(("later", "order"), [(1, ["a.jpg", "b.jpg"]), (-1, ["b.jpg", "a.jpg"])])
def test_items_are_listed_in_the_order_of_their_insertion(later: int, order: list[str]) -> None:
    calls = Calls()
    calls.register(photo("a.jpg"))
    calls.now = NOON + later
    calls.register(photo("b.jpg"))
    assert [name for _, name in listed(calls)] == order

"""How the twin archives items, and what an archived item still is to it (darwin-api.md section 6.2)."""

import json

import pytest

from tests.demo.twin_calls import ARCHIVE, ITEMS, KEY, Calls, Json, acme, names, photo, reasons
from worker.demo.twin.state import Team
from worker.demo.twin.switches import Switches


def archive(calls: Calls, filters: object, *, key: str = KEY) -> tuple[int, Json]:
    reply = calls.ask("POST", ARCHIVE, key=key, body=json.dumps({"filters": filters}).encode())
    return reply.status, json.loads(reply.body)


def dataset_id(calls: Calls, slug: str = "intake") -> int:
    return {dataset["slug"]: int(dataset["id"]) for dataset in calls.get("/api/datasets")[1]}[slug]


def registered(calls: Calls, *of: str) -> list[str]:
    """The ids of new items with these names."""
    return [item["id"] for item in calls.register(*map(photo, of))[1]["items"]]


def with_one_archived(switches: Switches | None = None) -> Calls:
    """A twin whose dataset had a.jpg, which is archived now."""
    calls = Calls(switches)
    item_ids = registered(calls, "a.jpg")
    answer = archive(calls, {"item_ids": item_ids, "dataset_ids": [dataset_id(calls)]})
    assert answer == (200, {"affected_item_count": 1})
    return calls


def listed(calls: Calls, *query: tuple[str, str]) -> list[tuple[str, str, bool]]:
    """The name, the status and the flag of the items."""
    return [(item["name"], item["status"], item["archived"]) for item in calls.get(ITEMS, *query)[1]["items"]]


def test_archived_items_stay_in_the_list_and_are_marked_there() -> None:
    calls = with_one_archived()
    calls.register(photo("b.jpg"))
    assert listed(calls) == [("a.jpg", "archived", True), ("b.jpg", "new", False)]
    assert listed(calls, ("statuses[]", "archived")) == [("a.jpg", "archived", True)]
    assert listed(calls, ("statuses[]", "new")) == [("b.jpg", "new", False)]
    calls.control("POST", "switch", items_processing=True)
    assert listed(calls) == [("a.jpg", "archived", True), ("b.jpg", "processing", False)]


def test_the_state_and_the_page_tell_which_items_are_archived() -> None:
    calls = with_one_archived()
    calls.register(photo("b.jpg"))
    assert [(item["name"], item["archived"]) for item in calls.held()] == [("a.jpg", True), ("b.jpg", False)]
    assert calls.ask("GET", "/").body.decode().count("<td>archived</td>") == 1


def test_the_answer_counts_the_items_that_were_not_archived_before() -> None:
    calls = Calls()
    first, second, _ = registered(calls, "a.jpg", "b.jpg", "c.jpg")
    intake = dataset_id(calls)
    assert archive(calls, {"item_ids": [first], "dataset_ids": [intake]})[1] == {"affected_item_count": 1}
    both = {"item_ids": [first, second], "dataset_ids": [intake]}
    assert archive(calls, both)[1] == {"affected_item_count": 1}
    assert [item["archived"] for item in calls.held()] == [True, True, False]


@pytest.mark.parametrize("wrong", ["item", "dataset", "removed"])
def test_items_that_the_filters_do_not_find_are_left_alone(wrong: str) -> None:
    calls = Calls()
    item_ids, found = registered(calls, "a.jpg"), [dataset_id(calls)]
    if wrong == "item":
        item_ids = ["018f"]
    elif wrong == "dataset":
        found = [dataset_id(calls, "second"), 1]
    else:
        calls.control("POST", "switch", teams={"acme": {"remove_dataset": "intake"}})
    answer = archive(calls, {"item_ids": item_ids, "dataset_ids": found})
    assert answer == (200, {"affected_item_count": 0})
    assert [item["archived"] for item in calls.held()] == [False]


def test_an_archived_item_still_holds_its_name() -> None:
    calls = with_one_archived()
    assert reasons(calls.register(photo("a.jpg"))[1]) == {"a.jpg": ["ALREADY_EXISTS"]}
    assert len(calls.held()) == 1


def test_by_switch_an_archived_item_frees_its_name_for_a_new_item() -> None:
    calls = with_one_archived(Switches(archived_names="free"))
    old = calls.held()[0]["id"]
    (new,) = registered(calls, "a.jpg")
    assert new != old
    assert listed(calls) == [("a.jpg", "archived", True), ("a.jpg", "new", False)]
    assert {item["id"]: item["archived"] for item in calls.held()} == {old: True, new: False}
    assert reasons(calls.register(photo("a.jpg"))[1]) == {"a.jpg": ["ALREADY_EXISTS"]}


def test_an_item_with_a_freed_name_can_be_archived_too_and_both_can_be_taken_away() -> None:
    calls = with_one_archived(Switches(archived_names="free"))
    filters = {"item_ids": registered(calls, "a.jpg"), "dataset_ids": [dataset_id(calls)]}
    assert archive(calls, filters)[1] == {"affected_item_count": 1}
    registered(calls, "a.jpg", "b.jpg")
    assert [item["archived"] for item in calls.held()] == [False, False, True, True]
    assert calls.control("DELETE", "items", dataset="intake", name="a.jpg") == (200, {"removed": 3})
    assert [item["name"] for item in calls.held()] == ["b.jpg"]


@pytest.mark.parametrize("archived_names", ["held", "free"])
def test_an_archived_item_keeps_its_place_in_the_plan(archived_names: str) -> None:
    calls = with_one_archived(Switches.model_validate({"archived_names": archived_names}))
    calls.control("POST", "switch", teams={"acme": {"plan_items": 1}})
    assert reasons(calls.register(photo("b.jpg"))[1]) == {"b.jpg": ["ITEM_COUNT_LIMIT_EXCEEDED"]}


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("filters", {}),
        ("filters", {"filters": None}),
        ("filters.item_ids", {"filters": {"dataset_ids": [1]}}),
        ("filters.item_ids", {"filters": {"item_ids": [], "dataset_ids": [1]}}),
        ("filters.item_ids", {"filters": {"item_ids": "018f", "dataset_ids": [1]}}),
        ("filters.item_ids.0", {"filters": {"item_ids": [""], "dataset_ids": [1]}}),
        ("filters.item_ids.0", {"filters": {"item_ids": [7], "dataset_ids": [1]}}),
        ("filters.dataset_ids", {"filters": {"item_ids": ["018f"]}}),
        ("filters.dataset_ids", {"filters": {"item_ids": ["018f"], "dataset_ids": []}}),
        ("filters.dataset_ids.0", {"filters": {"item_ids": ["018f"], "dataset_ids": ["intake"]}}),
        ("filters.select_all", {"filters": {"item_ids": ["018f"], "dataset_ids": [1], "select_all": True}}),
        ("item_ids", {"filters": {"item_ids": ["018f"], "dataset_ids": [1]}, "item_ids": ["018f"]}),
        ("detail", []),
    ],
)
def test_filters_that_are_not_as_documented_are_refused_by_the_name_of_the_field(
    field: str, body: object
) -> None:
    reply = Calls().ask("POST", ARCHIVE, body=json.dumps(body).encode())
    assert (reply.status, list(json.loads(reply.body)["errors"])) == (422, [field])


def test_a_body_that_is_no_json_is_400_and_one_of_another_type_415() -> None:
    calls = Calls()
    assert calls.ask("POST", ARCHIVE, body=b"{").status == 400
    headers = {"Authorization": f"ApiKey {KEY}", "Content-Type": "text/plain"}
    assert calls.twin.handle("POST", ARCHIVE, query=(), headers=headers, body=b"{}", now=0.0).status == 415


def test_archiving_needs_a_key_of_the_team_and_takes_post_alone() -> None:
    calls = Calls(teams=[acme(), Team("umbra", "umbra.key", [], [])])
    filters = {"item_ids": ["018f"], "dataset_ids": [1]}
    assert [archive(calls, filters, key=key)[0] for key in ("wrong", "umbra.key", KEY)] == [401, 403, 200]
    assert calls.ask("GET", ARCHIVE).status == 405


def test_archiving_counts_among_all_requests_and_not_among_registrations() -> None:
    calls = Calls(Switches(requests_per_minute=1, general_per_minute=3))
    filters = {"item_ids": ["018f"], "dataset_ids": [1]}
    assert [archive(calls, filters)[0] for _ in range(2)] == [200, 200]
    assert names(calls.register(photo())[1]) == ["a.jpg"]
    assert archive(calls, filters)[0] == 429


def test_a_planned_fault_may_hit_archiving_alone() -> None:
    calls = Calls()
    calls.control("POST", "faults", kind="drop-answer-after-work", endpoint="archive", times=1)
    (item_id,) = registered(calls, "a.jpg")
    body = json.dumps({"filters": {"item_ids": [item_id], "dataset_ids": [dataset_id(calls)]}}).encode()
    assert calls.ask("POST", ARCHIVE, body=body).drop
    assert [item["archived"] for item in calls.held()] == [True]
    assert calls.counters()["requests"]["archive"] == {"dropped": 1}

"""The control calls of the twin, and its page."""

import pytest

from tests.demo.twin_calls import ITEMS, Calls, acme, names, photo, reasons
from worker.demo.twin.state import Team


def test_a_foreign_item_lies_where_it_was_put_and_blocks_its_name() -> None:
    calls = Calls()
    status, _ = calls.control(
        "POST", "items", dataset="intake", path="x/", name="a.jpg", inserted_at="2025-06-01T00:00:00Z"
    )
    assert status == 200
    (item,) = calls.get(ITEMS)[1]["items"]
    assert (item["path"], item["inserted_at"]) == ("/x", "2025-06-01T00:00:00.000Z")
    assert item["slots"][0]["is_external"] is False
    assert reasons(calls.register(photo("a.jpg", "/x"))[1]) == {"a.jpg": ["ALREADY_EXISTS"]}


def test_a_foreign_item_may_be_external_and_is_put_there_now_unless_told() -> None:
    calls = Calls()
    calls.control("POST", "items", dataset="intake", name="a.jpg", external=True, storage_key="in/a.jpg")
    (item,) = calls.held()
    assert (item["external"], item["inserted_at"], item["storage_keys"]) == (
        True,
        "2026-01-01T12:00:00.000Z",
        ["in/a.jpg"],
    )


def test_a_foreign_item_is_no_registration_in_the_counters() -> None:
    calls = Calls()
    calls.control("POST", "items", dataset="intake", name="a.jpg")
    assert (calls.counters()["items_registered"], calls.counters()["items_received"]) == (0, 0)


@pytest.mark.parametrize(
    ("removal", "left"),
    [
        ({}, []),
        ({"path": "x"}, ["a.jpg", "b.jpg"]),
        ({"name": "a.jpg"}, ["b.jpg"]),
        ({"path": "/x", "name": "a.jpg"}, ["a.jpg", "b.jpg"]),
    ],
)
def test_items_are_taken_away_by_path_and_name(removal: dict[str, object], left: list[str]) -> None:
    calls = Calls()
    calls.register(photo("a.jpg"), photo("b.jpg"), photo("a.jpg", "/x"))
    status, body = calls.control("DELETE", "items", dataset="intake", **removal)
    assert (status, body) == (200, {"removed": 3 - len(left)})
    assert [item["name"] for item in calls.held()] == left


def test_an_item_may_be_stuck_or_fail_in_its_processing_and_come_through_after_all() -> None:
    calls = Calls()
    calls.register(photo("a.jpg"), photo("b.jpg"), photo("a.jpg", "/x"))
    told = {"dataset": "intake", "name": "a.jpg", "path": "/"}
    assert calls.control("POST", "progress", **told, processing="uploading") == (200, {"changed": 1})
    listed = calls.get(ITEMS)[1]["items"]
    assert [(item["status"], item["processing_status"], len(item["slots"])) for item in listed] == [
        ("uploading", "uploading", 0),
        ("new", "complete", 1),
        ("new", "complete", 1),
    ]
    calls.control("POST", "progress", **told, processing="error", error="The file is no picture")
    item = calls.get(ITEMS, ("statuses[]", "error"))[1]["items"][0]
    assert (item["path"], item["name"], item["slots"], "layout" in item) == ("/", "a.jpg", [], False)
    assert item["uploads"] == [
        {
            "slot_name": "0",
            "file_name": "a.jpg",
            "type": "image",
            "upload_id": None,
            "fps": None,
            "as_frames": False,
            "processing_status": "error",
            "processing_error": {
                "message": "The file is no picture",
                "type": None,
                "http_status_code": None,
                "stage": None,
                "raw_error": None,
                "storage_key": "in/a.jpg",
            },
        }
    ]
    assert calls.control("POST", "progress", dataset="intake", name="a.jpg", processing="complete") == (
        200,
        {"changed": 2},
    )
    assert calls.get(ITEMS, ("statuses[]", "error"))[1]["items"] == []


def test_a_progress_that_darwin_does_not_know_is_refused() -> None:
    calls = Calls()
    assert calls.control("POST", "progress", dataset="intake", name="a.jpg", processing="lost")[0] == 400


def test_an_item_that_was_taken_away_can_be_registered_again() -> None:
    calls = Calls()
    calls.register(photo())
    calls.control("DELETE", "items", dataset="intake")
    assert names(calls.register(photo())[1]) == ["a.jpg"]


def test_the_state_tells_what_is_held_counted_and_switched() -> None:
    calls = Calls()
    calls.register(photo())
    calls.ask("GET", "/nowhere")
    state = calls.control("GET", "state")[1]
    assert list(state) == ["teams", "counters", "faults", "switches"]
    (item,) = state["teams"]["acme"]["datasets"]["intake"]["items"]
    item.pop("id")
    assert item == {
        "path": "/",
        "name": "a.jpg",
        "slots": ["0"],
        "types": ["image"],
        "storage_keys": ["in/a.jpg"],
        "inserted_at": "2026-01-01T12:00:00.000Z",
        "external": True,
        "extensions": 0,
        "archived": False,
    }
    assert state["counters"]["requests"] == {"register_existing": {"200": 1}, "unknown": {"404": 1}}
    assert state["counters"]["log"][0] == {
        "at": 1767268800.0,
        "endpoint": "register_existing",
        "status": "200",
        "items": 1,
    }
    assert state["switches"]["max_items"] == 100


def test_the_state_holds_no_key() -> None:
    calls = Calls()
    assert b"0123456789abcdef" not in calls.ask("GET", "/_twin/state").body


def test_switches_of_one_team_leave_the_other_alone() -> None:
    umbra = Team("umbra", "umbra.key", ["intake"], [])
    calls = Calls(teams=[acme(), umbra])
    calls.control("POST", "switch", teams={"acme": {"plan_full": True}})
    state = calls.control("GET", "state")[1]["teams"]
    assert (state["acme"]["plan_full"], state["umbra"]["plan_full"]) == (True, False)


def test_a_switch_that_is_not_named_stays_as_it_is() -> None:
    calls = Calls()
    calls.control("POST", "switch", max_items=5, teams={"acme": {"plan_items": 3}})
    calls.control("POST", "switch", echo_path="bare", teams={"acme": {"paused": False}})
    state = calls.control("GET", "state")[1]
    assert (state["switches"]["max_items"], state["switches"]["echo_path"]) == (5, "bare")
    assert state["teams"]["acme"]["plan_items"] == 3


def test_a_limit_on_the_plan_is_lifted_by_null() -> None:
    calls = Calls()
    calls.control("POST", "switch", teams={"acme": {"plan_items": 0}})
    assert names(calls.register(photo())[1]) == []
    calls.control("POST", "switch", teams={"acme": {"plan_items": None}})
    assert names(calls.register(photo())[1]) == ["a.jpg"]


def test_a_key_is_changed_a_tag_added_and_a_storage_removed_by_switch() -> None:
    calls = Calls()
    calls.control("POST", "switch", teams={"acme": {"add_tags": ["x"], "remove_storage": "archive"}})
    assert names(calls.register(photo(tags=["x"]))[1]) == ["a.jpg"]
    assert [storage["slug"] for storage in calls.get("/api/teams/acme/storage")[1]] == ["acme-media"]
    calls.control("POST", "switch", teams={"acme": {"key": "new.key"}})
    assert calls.ask("GET", ITEMS).status == 401
    assert calls.ask("GET", ITEMS, key="new.key").status == 200


@pytest.mark.parametrize(
    ("method", "call", "body", "status"),
    [
        ("POST", "switch", {"max_itemz": 1}, 400),
        ("POST", "switch", {"max_items": 0}, 400),
        ("POST", "switch", {"teams": {"acme": {"plan_ful": True}}}, 400),
        ("POST", "switch", {"max_items": 1, "teams": {"nobody": {}}}, 404),
        ("POST", "switch", {"teams": {"acme": {"remove_dataset": "none"}}}, 404),
        ("POST", "items", {"dataset": "none", "name": "a.jpg"}, 404),
        ("POST", "items", {"dataset": "intake"}, 400),
        ("POST", "items", {"dataset": "intake", "name": "a.jpg", "inserted_at": "2025-06-01T00:00:00"}, 400),
        ("DELETE", "items", {"dataset": "intake", "team": "nobody"}, 404),
        ("POST", "blocks", {"item": "(", "reason": "X"}, 400),
        ("GET", "faults", {}, 404),
        ("POST", "nowhere", {}, 404),
    ],
)
def test_a_control_call_that_cannot_be_done_says_so(
    method: str, call: str, body: dict[str, object], status: int
) -> None:
    calls = Calls()
    assert calls.control(method, call, **body)[0] == status
    assert calls.control("GET", "state")[1]["switches"]["max_items"] == 100


def test_the_page_shows_items_and_counters_and_escapes_what_others_wrote() -> None:
    calls = Calls()
    calls.register(photo("<script>alert(1)<b>.jpg", storage_key="in/<i>.jpg"))
    calls.control("POST", "faults", kind="status", item="<u>", status=500)
    calls.control("POST", "blocks", item="x", reason="<em>")
    calls.register(photo("x.jpg"))
    reply = calls.ask("GET", "/", key=None)
    text = reply.body.decode()
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "&lt;script&gt;alert(1)&lt;b&gt;.jpg" in text
    assert not any(
        tag in text for tag in ("<script", "<b>", "<i>", "<u>", "<em>", "http://", "https://", "src=")
    )
    assert '<meta http-equiv="refresh" content="2">' in text


def test_the_page_shows_the_latest_two_hundred_items() -> None:
    calls = Calls()
    for hundred in range(3):
        calls.now += 1
        calls.register(*[photo(f"{hundred}-{n}.jpg") for n in range(100)])
    text = calls.ask("GET", "/").body.decode()
    assert (text.count("<td>0-"), text.count("<td>1-"), text.count("<td>2-")) == (0, 100, 100)

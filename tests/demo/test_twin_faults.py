"""Planned faults: what each does, which requests it hits, and how often."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.demo.twin_calls import ITEMS, NOON, REGISTER_READONLY, Calls, names, photo
from worker.demo.twin.faults import Fault, Faults, Target


def with_fault(**fault: object) -> Calls:
    calls = Calls()
    status, _ = calls.control("POST", "faults", **fault)
    assert status == 200
    return calls


@pytest.mark.parametrize("status", [500, 502, 503, 504, 403, 422])
@pytest.mark.parametrize(
    ("body", "kind"), [("html", "text/html"), ("json", "application/json"), ("empty", None)]
)
def test_a_status_comes_instead_of_the_work(status: int, body: str, kind: str | None) -> None:
    """Row: 5xx."""
    calls = with_fault(kind="status", status=status, body=body)
    reply = calls.send(photo())
    assert reply.status == status
    assert reply.headers.get("Content-Type", "").startswith(kind or "")
    assert (reply.body == b"") == (body == "empty")
    assert calls.held() == []


@pytest.mark.parametrize(("work", "registered"), [("none", 0), ("half", 2), ("all", 3)])
def test_a_bad_status_may_come_after_some_of_the_work(work: str, registered: int) -> None:
    calls = with_fault(kind="status", status=500, work=work)
    assert calls.send(*[photo(f"{n}.jpg") for n in range(3)]).status == 500
    assert len(calls.held()) == registered


def test_an_answer_is_dropped_after_the_work() -> None:
    """Row: broken connection."""
    calls = with_fault(kind="drop-answer-after-work")
    reply = calls.send(photo())
    assert (reply.drop, reply.body, len(calls.held())) == (True, b"", 1)
    assert calls.counters()["requests"]["register_existing"] == {"dropped": 1}


def test_a_request_is_dropped_before_the_work() -> None:
    calls = with_fault(kind="drop-before-work")
    assert calls.send(photo()).drop
    assert calls.held() == []


def test_a_slow_request_works_when_its_time_has_come() -> None:
    """Row: time-out."""
    calls = with_fault(kind="slow", seconds=30)
    reply = calls.send(photo())
    assert reply.delay == 30
    assert (calls.held(), calls.counters()["requests"]) == ([], {})
    assert reply.then is not None
    assert reply.then(NOON + 30).status == 200
    assert [item["inserted_at"] for item in calls.held()] == ["2026-01-01T12:00:30.000Z"]
    assert calls.counters()["requests"] == {"register_existing": {"200": 1}}


def test_a_slow_answer_comes_long_after_the_work() -> None:
    calls = with_fault(kind="slow-answer", seconds=30)
    reply = calls.send(photo())
    assert (reply.delay, reply.status, reply.then) == (30, 200, None)
    assert len(calls.held()) == 1


def test_html_comes_with_200_and_without_work() -> None:
    """Row: HTML."""
    calls = with_fault(kind="html")
    reply = calls.send(photo())
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert calls.held() == []


@pytest.mark.parametrize(("work", "registered"), [(None, 1), ("none", 0)])
def test_truncated_json_comes_with_200_after_the_work(work: str | None, registered: int) -> None:
    """Row: truncated JSON."""
    calls = with_fault(kind="truncated-json", work=work)
    reply = calls.send(photo())
    assert reply.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)
    assert len(calls.held()) == registered


@pytest.mark.parametrize(
    ("fault", "header"),
    [
        ({}, None),
        ({"retry_after": 7}, "7"),
        ({"retry_after": 7, "retry_after_form": "date"}, "Thu, 01 Jan 2026 12:00:07 GMT"),
    ],
)
def test_a_429_comes_with_and_without_retry_after(fault: dict[str, object], header: str | None) -> None:
    calls = with_fault(kind="429", **fault)
    reply = calls.send(photo())
    assert (reply.status, reply.headers.get("Retry-After")) == (429, header)
    assert calls.held() == []


def test_omitted_items_are_registered_and_in_neither_list() -> None:
    calls = with_fault(kind="omit-items", item="^b")
    _, body = calls.register(photo("a.jpg"), photo("b.jpg"))
    assert (names(body), body["blocked_items"]) == (["a.jpg"], [])
    assert [item["name"] for item in calls.held()] == ["a.jpg", "b.jpg"]


def test_an_item_that_always_fails_fails_its_batch_and_no_other() -> None:
    calls = with_fault(kind="item-always-fails", item=r"^bad\.jpg$", status=500)
    assert calls.send(photo("a.jpg"), photo("bad.jpg")).status == 500
    assert calls.send(photo("bad.jpg")).status == 500
    assert calls.send(photo("a.jpg")).status == 200


def test_a_fault_strikes_as_often_as_planned() -> None:
    calls = with_fault(kind="status", times=2)
    assert [calls.ask("GET", ITEMS).status for _ in range(3)] == [503, 503, 200]


def test_a_fault_without_a_number_strikes_until_it_is_cleared() -> None:
    calls = with_fault(kind="status")
    assert {calls.ask("GET", ITEMS).status for _ in range(20)} == {503}
    calls.control("DELETE", "faults")
    assert calls.ask("GET", ITEMS).status == 200


def test_one_fault_may_be_cleared_by_its_number() -> None:
    calls = Calls()
    calls.control("POST", "faults", kind="status", status=500)
    _, body = calls.control("POST", "faults", kind="status", status=502)
    calls.control("DELETE", "faults", number=1)
    assert body == {"number": 2}
    assert calls.ask("GET", ITEMS).status == 502


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({"endpoint": "register"}, [503, 503, 200]),
        ({"endpoint": "register_existing_readonly"}, [422, 503, 200]),
        ({"endpoint": "items"}, [422, 422, 503]),
        ({}, [503, 503, 503]),
    ],
)
def test_a_fault_hits_the_endpoints_that_it_names(fault: dict[str, object], statuses: list[int]) -> None:
    calls = with_fault(kind="status", **fault)
    hit = [calls.send(7).status, calls.send(7, path=REGISTER_READONLY).status, calls.ask("GET", ITEMS).status]
    assert hit == statuses


def test_a_fault_hits_the_dataset_and_team_that_it_names() -> None:
    calls = with_fault(kind="status", dataset="second", team="acme")
    assert calls.send(photo()).status == 200
    assert calls.send(photo(), dataset_slug="second").status == 503


def test_no_fault_hides_a_bad_key_or_spares_a_token() -> None:
    calls = with_fault(kind="status")
    assert calls.ask("GET", ITEMS, key="wrong").status == 401
    calls.control("POST", "switch", general_per_minute=1)
    assert [calls.ask("GET", ITEMS).status for _ in range(2)] == [503, 429]


@given(seed=st.integers(0, 1000), probability=st.floats(min_value=0.05, max_value=1))
def test_chance_is_the_same_in_each_run_of_a_seed(seed: int, probability: float) -> None:
    runs = []
    for _ in range(2):
        faults = Faults()
        faults.plan(Fault(kind="status", probability=probability, seed=seed))
        runs.append([faults.strike(Target("items")) is not None for _ in range(50)])
    assert runs[0] == runs[1]


def test_a_probability_is_about_what_it_says() -> None:
    faults = Faults()
    faults.plan(Fault(kind="status", probability=0.25, seed=1))
    assert 200 < sum(faults.strike(Target("items")) is not None for _ in range(1000)) < 300


def test_the_fault_planned_first_decides() -> None:
    calls = with_fault(kind="status", status=500, times=1)
    calls.control("POST", "faults", kind="status", status=502)
    assert [calls.ask("GET", ITEMS).status for _ in range(2)] == [500, 502]


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("kind", {"kind": "earthquake"}),
        ("item", {"kind": "status", "item": "("}),
        ("item", {"kind": "omit-items"}),
        ("frob", {"kind": "status", "frob": 1}),
    ],
)
def test_a_misspelt_fault_is_refused_by_the_name_of_the_field(word: str, fault: dict[str, object]) -> None:
    status, body = Calls().control("POST", "faults", **fault)
    assert status == 400
    assert word in json.dumps(body)


def test_the_state_lists_what_is_planned_and_how_often_it_struck() -> None:
    calls = with_fault(kind="status", status=500, times=2)
    calls.ask("GET", ITEMS)
    planned = calls.control("GET", "state")[1]["faults"]
    assert planned == [{"number": 1, "struck": 1, "kind": "status", "times": 2, "status": 500}]

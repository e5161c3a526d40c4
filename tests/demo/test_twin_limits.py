"""The twin's limits on requests: their three forms, and the 429 that tells of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.demo.twin_calls import ITEMS, NOON, Calls, photo
from worker.demo.twin.limits import FixedWindow, Form, SlidingWindow, TokenBucket, limiter
from worker.demo.twin.state import Storage, Team
from worker.demo.twin.switches import Switches

FORMS: list[Form] = ["bucket", "fixed", "sliding"]
gaps = st.lists(st.floats(min_value=0, max_value=30), max_size=60)


def test_a_bucket_starts_full_and_is_refilled_evenly() -> None:
    bucket = TokenBucket(60)
    assert [bucket.take(100.0) for _ in range(60)] == [0.0] * 60
    assert bucket.take(100.0) == pytest.approx(1.0)
    assert bucket.take(101.0) == 0.0
    assert bucket.take(101.5) == pytest.approx(0.5)


def test_a_fixed_window_begins_with_the_minute_of_the_clock() -> None:
    window = FixedWindow(2)
    assert [window.take(119.0), window.take(119.5), window.take(119.9)] == [0.0, 0.0, pytest.approx(0.1)]
    assert window.take(120.0) == 0.0


def test_a_sliding_window_looks_back_sixty_seconds() -> None:
    window = SlidingWindow(2)
    assert [window.take(100.0), window.take(130.0), window.take(150.0)] == [0.0, 0.0, 10.0]
    assert window.take(160.0) == 0.0
    assert window.take(160.0) == 30.0


@given(gaps=gaps, limit=st.integers(1, 10))
def test_no_sixty_seconds_of_a_sliding_window_see_more_than_the_limit(gaps: list[float], limit: int) -> None:
    window, now, passed = SlidingWindow(limit), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if window.take(now) == 0:
            passed.append(now)
    assert all(sum(at <= other < at + 59.99 for other in passed) <= limit for at in passed)


@given(form=st.sampled_from(FORMS), gaps=gaps, limit=st.integers(1, 10))
def test_who_waits_as_told_is_let_through(form: Form, gaps: list[float], limit: int) -> None:
    one, now = limiter(form, limit), 1000.0
    for gap in gaps:
        now += gap
        wait = one.take(now)
        assert 0 <= wait < 60.001
        if wait:
            now += wait
            assert one.take(now) == 0


@given(form=st.sampled_from(FORMS), limit=st.integers(1, 10), tries=st.integers(0, 20))
def test_what_is_refused_does_not_count(form: Form, limit: int, tries: int) -> None:
    one = limiter(form, limit)
    for _ in range(limit):
        one.take(60.0)
    assert len({one.take(60.0) for _ in range(tries)}) <= 1


@pytest.mark.parametrize(
    ("form", "header"), [("seconds", "60"), ("date", "Thu, 01 Jan 2026 12:01:00 GMT"), ("absent", None)]
)
def test_too_many_registrations_are_429_with_retry_after_in_the_form_of_the_switch(
    form: str, header: str | None
) -> None:
    """Row: 429."""
    calls = Calls(Switches.model_validate({"requests_per_minute": 1, "retry_after": form}))
    assert calls.send(photo()).status == 200
    reply = calls.send(photo("b.jpg"))
    assert (reply.status, reply.headers.get("Retry-After")) == (429, header)
    assert len(calls.held()) == 1


def test_retry_after_is_never_too_early() -> None:
    calls = Calls(Switches(requests_per_minute=1, retry_after="seconds"))
    calls.send(photo())
    calls.now = NOON + 0.25
    wait = int(calls.send(photo()).headers["Retry-After"])
    assert wait == 60
    calls.now += wait
    assert calls.send(photo()).status == 200


def test_both_registration_endpoints_share_a_limit_and_reading_has_its_own() -> None:
    calls = Calls(Switches(requests_per_minute=2))
    for endpoint in ("register_existing", "register_existing_readonly"):
        assert calls.ask("POST", f"{ITEMS}/{endpoint}", body=b"{}").status == 422
        assert calls.ask("GET", ITEMS).status == 200
    assert calls.send(photo()).status == 429
    assert calls.ask("GET", ITEMS).status == 200


def test_all_requests_of_a_key_have_a_limit_too() -> None:
    calls = Calls(Switches(general_per_minute=2))
    assert [calls.ask("GET", ITEMS).status for _ in range(3)] == [200, 200, 429]
    assert calls.send(photo()).status == 429


def test_each_key_has_limits_of_its_own() -> None:
    teams = [Team(name, name, ["intake"], [Storage("media", "media")]) for name in ("acme", "umbra")]
    calls = Calls(Switches(general_per_minute=1), teams=teams)
    asked = [calls.ask("GET", "/api/datasets", key=key).status for key in ("acme", "umbra", "acme")]
    assert asked == [200, 200, 429]


def test_a_bad_key_costs_nothing() -> None:
    calls = Calls(Switches(general_per_minute=1))
    assert [calls.ask("GET", ITEMS, key="wrong").status for _ in range(3)] == [401, 401, 401]
    assert calls.ask("GET", ITEMS).status == 200


def test_control_calls_and_the_page_are_never_limited() -> None:
    calls = Calls(Switches(general_per_minute=1))
    assert {calls.ask("GET", "/_twin/state", key=None).status for _ in range(5)} == {200}
    assert {calls.ask("GET", "/", key=None).status for _ in range(5)} == {200}


def test_a_new_limit_starts_afresh_and_other_switches_leave_it_alone() -> None:
    calls = Calls(Switches(requests_per_minute=1))
    calls.send(photo())
    calls.control("POST", "switch", max_items=10)
    assert calls.send(photo()).status == 429
    calls.control("POST", "switch", requests_per_minute=2, limiter="bucket")
    assert calls.send(photo()).status == 200


def test_registrations_are_counted_by_second_and_by_batch_size() -> None:
    calls = Calls()
    calls.send(photo("a.jpg"), photo("b.jpg"))
    calls.send(photo("c.jpg"))
    calls.now += 1
    calls.send(photo("d.jpg"))
    counters = calls.counters()
    second = math.floor(NOON)
    assert counters["registrations_in_second"] == {str(second): 2, str(second + 1): 1}
    assert counters["batch_sizes"] == {"1": 2, "2": 1}

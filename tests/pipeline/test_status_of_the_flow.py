"""What the status says of a flow, on virtual time."""

import asyncio
import json
from typing import Any

import pytest

from tests.fakes.rig import Rig, event, lane, rig_of
from worker.core.routes import Route
from worker.pipeline.status import MOST_LANES, status_of

pytestmark = pytest.mark.looptime


def told(rig: Rig) -> dict[str, Any]:
    """The status; it must be JSON."""
    status = status_of(rig.context, rig.flow.settling.book, rig.accounts.values())
    json.dumps(status, allow_nan=False)
    return status


async def test_a_worker_without_anything_to_do_is_idle() -> None:
    rig = rig_of()
    async with rig.running():
        status = told(rig)
    assert status == {
        "state": "idle",
        "ready": True,
        "now": "2027-01-15T08:00:00.000Z",
        "conditions": [],
        "records": {
            "received": 0,
            "open": 0,
            "returned": 0,
            "most_open": 5000,
            "outcomes": dict.fromkeys(
                (
                    "registered",
                    "duplicate",
                    "existing",
                    "archived",
                    "waiting",
                    "postponed",
                    "ignored",
                    "blocked",
                    "rejected",
                    "unreadable",
                ),
                0,
            ),
        },
        "oldest": None,
        "last_registered": None,
        "last_error": None,
        "lanes": [
            {
                "team": "acme",
                "dataset": "intake",
                "storage": "prod",
                "options": {},
                "waiting": 0,
                "under_way": 0,
                "batch_items": 100,
                "paused": None,
            }
        ],
        "lanes_not_told": 0,
        "dead_letters_since_start": [],
        "batches": [],
        "history": {
            "step_seconds": 5.0,
            "until": None,
            "received": [],
            "registered": [],
            "blocked": [],
            "age": [],
        },
    }


async def test_what_was_registered_last_and_each_request_are_told() -> None:
    rig = rig_of()
    async with rig.running():
        rig.upload("in/line/weld 07.jpg")
        await rig.queue.until_empty()
        status = told(rig)
    registered, [batch] = status["last_registered"], status["batches"]
    assert registered.pop("at").startswith("2027-01-15T08:00:0")
    assert registered == {
        "team": "acme",
        "dataset": "intake",
        "path": "/line",
        "name": "weld 07.jpg",
        "object": "s3://media/in/line/weld 07.jpg",
    }
    assert {name: batch[name] for name in ("team", "dataset", "storage", "items", "status", "said")} == {
        "team": "acme",
        "dataset": "intake",
        "storage": "prod",
        "items": 1,
        "status": 200,
        "said": "",
    }


async def test_while_darwin_is_down_the_worker_waits_and_says_what_it_holds_and_why() -> None:
    rig = rig_of()
    rig.fault(kind="status", status=503, body="json")
    async with rig.running():
        rig.upload("in/a.jpg", "in/b.jpg")
        await asyncio.sleep(120)
        status = told(rig)
        rig.twin.world.faults.clear()
        await rig.queue.until_empty(within=300)
    assert (status["state"], status["ready"]) == ("waiting", False)
    [condition] = status["conditions"]
    assert (condition["condition"], condition["subject"]) == ("darwin_down", "acme")
    [held] = status["lanes"]
    assert (held["waiting"], held["under_way"], held["paused"]["kind"]) == (2, 0, "darwin_down")
    assert held["paused"]["seconds"] > 60
    assert status["oldest"] == {"seconds": 120.0, "object": "s3://media/in/a.jpg", "receive_count": 1}
    error = status["last_error"]
    assert error["what"] == "darwin_down: acme"
    assert "503" in error["why"]


async def test_a_request_that_darwin_did_not_take_is_the_last_error_until_a_later_one() -> None:
    rig = rig_of()
    rig.fault(kind="status", status=503, body="json", times=1)
    async with rig.running():
        rig.upload("in/a.jpg")
        await rig.queue.until_empty(within=120)
        status = told(rig)
    error = status["last_error"]
    assert error["what"] == "request of 1 items to acme/intake from prod"
    assert error["why"].startswith("status 503: ")


async def test_dead_letters_are_told_by_reason_the_most_frequent_first() -> None:
    rig = rig_of()
    async with rig.running():
        rig.queue.put("no notification <script>")
        rig.upload("in/a.docx", "in/<script>alert(1)</script>.xlsx", "out/of every route.jpg")
        await rig.queue.until_empty()
        status = told(rig)
    reasons = status["dead_letters_since_start"]
    assert [(each["reason"], each["outcome"], each["count"]) for each in reasons] == [
        ("unsupported_type", "rejected", 2),
        ("no_route", "blocked", 1),
        ("unreadable_body", "unreadable", 1),
    ]
    assert [example["object"] for example in reasons[0]["examples"]] == [
        "s3://media/in/<script>alert(1)</script>.xlsx",
        "s3://media/in/a.docx",
    ]
    assert reasons[2]["examples"][0]["object"] is None


async def test_the_history_tells_what_came_in_each_step() -> None:
    rig = rig_of()
    book = rig.flow.settling.book
    async with rig.running():
        rig.context.recent.sample(book, rig.now())
        for _ in range(3):
            rig.queue.put(json.dumps({"Records": [event(f"in/{name}.jpg") for name in "ab"]}))
            rig.upload("in/a.docx")
            await asyncio.sleep(5)
            rig.context.recent.sample(book, rig.now())
        history = told(rig)["history"]
    assert history == {
        "step_seconds": 5.0,
        "until": "2027-01-15T08:00:15.000Z",
        "received": [3, 3, 3],
        "registered": [2, 0, 0],
        "blocked": [1, 1, 1],
        "age": [0.0, 0.0, 0.0],
    }


async def test_of_many_lanes_those_are_told_that_hold_the_most() -> None:
    rig = Rig([Route(f"r{n}", lane(f"d{n}"), prefix=f"{n}/") for n in range(MOST_LANES + 5)])
    rig.fault(kind="status", status=503, body="json")
    async with rig.running():
        rig.upload("104/a.jpg", "104/b.jpg", "7/a.jpg")
        await asyncio.sleep(1)
        status = told(rig)
        rig.twin.world.faults.clear()
        await rig.queue.until_empty(within=300)
    lanes = status["lanes"]
    assert (len(lanes), status["lanes_not_told"]) == (100, 5)
    assert [each["dataset"] for each in lanes[:2]] == ["d104", "d7"]

"""The stop, as a platform asks for it: in time, clean, and without loss (law 6)."""

import json
import signal
import time

from tests.system.conftest import Start
from tests.system.outside import Cloud, Letter, until
from tests.system.processes import Twin

DRAIN_SECONDS = 8


def told_of(cloud: Cloud, key: str) -> Letter:
    """S3's notification of a new object, for keys that need no encoding: quicker than thousands of uploads."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2026-01-02T03:04:05.678Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": cloud.bucket},
            "object": {"key": key, "size": 1, "eTag": "e", "sequencer": "0A"},
        },
    }
    return Letter(json.dumps({"Records": [record]}), {})


def test_a_stop_under_load_ends_in_time_with_code_0_and_leaves_everything_to_the_next_worker(
    cloud: Cloud, twin: Twin, start: Start
) -> None:
    keys = {
        "good": [f"many/{n}.jpg" for n in range(2400)],
        "rejected": [f"many/{n}.xyz" for n in range(60)],
        "ignored": [f"many/{n}/" for n in range(40)],
    }
    cloud.send(told_of(cloud, key) for kind in keys.values() for key in kind)
    twin.control("faults", {"kind": "slow-answer", "seconds": 1, "endpoint": "register"})

    drain_seconds = 12  # the last request leaves in their middle, and three seconds are left for its answer
    first = start(
        WORKER_QUOTA__REQUESTS_PER_MINUTE="120",
        WORKER_BATCH__MAX_ITEMS="50",
        WORKER_DRAIN_SECONDS=str(drain_seconds),
    )
    until("Darwin holds 200 items", lambda: len(twin.items()) >= 200)
    asked_at = time.monotonic()
    first.ask_to_stop()
    assert first.ended(drain_seconds) == 0
    took = time.monotonic() - asked_at

    assert took < drain_seconds
    visible, hidden = cloud.waiting()
    assert hidden == 0, "every message is given back"
    assert visible >= 1000, "there was to be a load left"
    assert first.lines("worker stopped")[0]["open_records"] == 0

    twin.control("faults", {}, "DELETE")
    second = start()
    until("the queue is empty", cloud.emptied, seconds=60)
    assert second.stop() == 0
    assert set(twin.items().values()) == set(keys["good"])
    dead = {
        json.loads(letter.body)["Records"][0]["s3"]["object"]["key"] for letter in cloud.take_dead_letters(60)
    }
    assert dead == set(keys["rejected"])
    ignored = [
        told for worker in (first, second) for told in worker.outcomes().elements() if told[0] == "ignored"
    ]
    assert ignored == [("ignored", "folder_marker")] * 40
    counters = twin.counters()
    assert (counters["items_resent"], counters["extensions"], counters["collisions"]) == (0, 0, 0)


def test_a_stop_does_not_wait_for_answers_past_its_deadline_and_the_next_worker_proves_what_was_done(
    cloud: Cloud, twin: Twin, start: Start
) -> None:
    """Law 6, and row ALREADY_EXISTS: "an earlier request of it had no clear answer"."""
    keys = [f"{n}.jpg" for n in range(30)]
    cloud.notify_queue()
    cloud.upload(*keys)
    twin.control("faults", {"kind": "slow-answer", "seconds": 60, "endpoint": "register"})
    patient = {"WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "20", "WORKER_QUEUE__VISIBILITY_SECONDS": "36"}
    first = start(**patient, WORKER_DRAIN_SECONDS=str(DRAIN_SECONDS))
    until("Darwin did the work", lambda: len(twin.items()) == 30)
    first.ask_to_stop()
    assert first.ended(DRAIN_SECONDS) == 0
    assert cloud.waiting() == (30, 0)

    twin.control("faults", {}, "DELETE")
    second = start()
    until("the queue is empty", cloud.emptied)
    assert second.stop() == 0
    assert second.outcomes() == {("registered", "proven_ours"): 30}
    counters = twin.counters()
    assert (counters["items_resent"], counters["extensions"], counters["collisions"]) == (30, 0, 0)


def test_a_second_signal_ends_the_worker_at_once(cloud: Cloud, twin: Twin, start: Start) -> None:
    cloud.notify_queue()
    cloud.upload("one.jpg")
    twin.control("faults", {"kind": "slow-answer", "seconds": 60, "endpoint": "register"})
    worker = start()
    until("a request is under way", lambda: twin.counters()["items_received"] == 1)
    worker.ask_to_stop()
    until("it has heard", lambda: bool(worker.lines("worker stopping")))
    worker.ask_to_stop()
    assert worker.ended(2) == 128 + signal.SIGTERM


def test_an_idle_worker_stops_with_code_0_and_says_what_it_did(cloud: Cloud, start: Start) -> None:
    cloud.notify_queue()
    cloud.upload("a.jpg", "b.jpg", "c.xyz")
    worker = start()
    until("the queue is empty", cloud.emptied)
    assert worker.stop() == 0
    (said,) = worker.lines("worker stopped")
    told = {
        name: said[name]
        for name in ("open_records", "received", "returned", "registered", "rejected", "ignored")
    }
    assert told == {
        "open_records": 0,
        "received": 4,
        "returned": 0,
        "registered": 2,
        "rejected": 1,
        "ignored": 1,
    }
    assert worker.errors() == ""

"""A signal at each phase loses and doubles nothing (laws 1, 2 and 6): the end of one worker, and what the next one finds.

Each phase is held from outside until the signal was sent: calls to SQS and to Darwin in a proxy, writes to the ledger
in a connection that waits for a file to go away.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import DATASET, STORAGE, Twin, Worker
from tests.system.proxy import Proxy, running_proxy
from tests.system.test_stop_from_outside import told_of

DRAIN_SECONDS = 7
PLATFORMS_PATIENCE = 5
"""Seconds by which the drain is shorter than what a platform allows: 25 of 30, as deployed."""

PATIENT = {"WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "20", "WORKER_QUEUE__VISIBILITY_SECONDS": "36"}
SHORT_POLLS = {"WORKER_QUEUE__WAIT_SECONDS": "0"}
"""A stop waits for the polls under way, and :meth:`Proxy.wait_until_idle` for those of the dead."""

LEDGER_THAT_WAITS = dedent(
    """
    import os, pathlib, sqlite3, time

    gates = pathlib.Path(os.environ["TEST_GATES"])
    connect = sqlite3.connect

    class Waiting(sqlite3.Connection):
        writes = None

        def execute(self, sql, *values):
            if "INSERT" in sql:
                self.writes = "register" if "ON CONFLICT" in sql else "claim"
            if sql == "COMMIT" and self.writes:
                gate = gates / self.writes
                if gate.exists():
                    (gates / (self.writes + "-met")).touch()
                while gate.exists():
                    time.sleep(0.01)
                self.writes = None
            return super().execute(sql, *values)

    sqlite3.connect = lambda *args, **values: connect(*args, factory=Waiting, **values)
    """
)
"""What Python runs at its start."""


@dataclass
class Stage:
    """The worker's world, with a hand on everything that it calls."""

    sqs: Proxy
    darwin: Proxy
    settings: dict[str, str]
    gates: Path

    def hold_ledger(self, writing: str) -> None:
        (self.gates / writing).touch()

    def ledger_is_held(self, writing: str) -> bool:
        return (self.gates / f"{writing}-met").exists()

    def send_before_any_poll(self, cloud: Cloud, keys: Sequence[str]) -> None:
        """So that one is received, and then the others by tens: twenty make three requests at most."""
        receiving = self.sqs.hold("ReceiveMessage")
        receiving.wait_until_met()
        send(cloud, *keys)
        receiving.release()

    def release_all(self) -> None:
        self.sqs.release_all()
        self.darwin.release_all()
        self._free_ledger()

    def lose_all(self) -> None:
        """What is held never arrives."""
        self.sqs.lose_all()
        self.darwin.lose_all()
        self._free_ledger()

    def _free_ledger(self) -> None:
        for writing in ("claim", "register"):
            (self.gates / writing).unlink(missing_ok=True)


@pytest.fixture
def stage(cloud: Cloud, twin: Twin, tmp_path: Path) -> Iterator[Stage]:
    code, gates = tmp_path / "code", tmp_path / "gates"
    code.mkdir()
    gates.mkdir()
    (code / "sitecustomize.py").write_text(LEDGER_THAT_WAITS)
    with ExitStack() as stack:
        sqs, darwin = (stack.enter_context(running_proxy(url)) for url in (cloud.endpoint, twin.url))
        settings = {
            "AWS_ENDPOINT_URL": sqs.url,
            "DARWIN_BASE_URL": darwin.url,
            "PYTHONPATH": str(code),
            "TEST_GATES": str(gates),
            "WORKER_DRAIN_SECONDS": str(DRAIN_SECONDS),
            **PATIENT,
            **SHORT_POLLS,
        }
        made = Stage(sqs, darwin, settings, gates)
        yield made
        made.release_all()


def send(cloud: Cloud, *keys: str) -> None:
    cloud.send(told_of(cloud, key) for key in keys)


def let_one_pass(cloud: Cloud, key: str) -> None:
    """A lane may have two requests under way until one has passed, and four then."""
    send(cloud, key)
    until("it is done", cloud.emptied)


def end(worker: Worker, stage: Stage, cloud: Cloud, how: str) -> None:
    """A stop whose calls go through once it was heard; or a kill, whose calls are lost or arrive all the same."""
    if how == "stop":
        worker.ask_to_stop()
        until("it has heard", lambda: bool(worker.lines("worker stopping")))
        stage.release_all()
        assert worker.ended(DRAIN_SECONDS) == 0
        assert worker.errors() == ""
    else:
        worker.kill()
        if how == "kill, calls arrive":
            stage.release_all()
        else:
            stage.lose_all()
        stage.sqs.end_leases(cloud)


def dead_keys(cloud: Cloud, wanted: int) -> list[str]:
    return [
        json.loads(letter.body)["Records"][0]["s3"]["object"]["key"]
        for letter in cloud.take_dead_letters(wanted)
    ]


@pytest.mark.parametrize(
    ("how", "letters"), [("stop", 1), ("kill, calls lost", 1), ("kill, calls arrive", 2)]
)
def test_a_signal_loses_and_doubles_nothing_at_any_phase_beyond_the_lanes(
    how: str, letters: int, cloud: Cloud, twin: Twin, start: Start, stage: Stage, tmp_path: Path
) -> None:
    """In the request (before and after the work), between answer and ledger, between ledger and delete, writing a dead
    letter, postponing, polling: one record or more in each phase when the signal comes.

    A kill between a dead letter and its delete leaves the letter twice; who reads them folds them (section 3).
    """
    twin.change_team(add_dataset="films")
    routes = tmp_path / "routes.yaml"
    told = [
        f"  - {{name: {name}, prefix: {name}/, dataset: {dataset}, storage: {STORAGE}}}\n"
        for name, dataset in (("films", "films"), ("photos", DATASET))
    ]
    routes.write_text("routes:\n" + "".join(told))
    settings = stage.settings | {
        "WORKER_ROUTES_FILE": str(routes),
        "WORKER_LIMITS__OPEN_RECORDS": "40",
        # What is held must not be given up, and sent again, while the other phases are being reached.
        "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "60",
        "WORKER_QUEUE__VISIBILITY_SECONDS": "120",
    }
    unset = {"WORKER_DARWIN__DATASET": None, "WORKER_DARWIN__STORAGE": None}
    worker = start(**settings, **unset)
    worker.wait_until_ready()
    let_one_pass(cloud, "photos/first.jpg")

    deleting = stage.sqs.hold("DeleteMessageBatch")
    send(cloud, "films/deleting.mov")
    deleting.wait_until_met()

    before = stage.darwin.hold("POST", about="before.mov")
    send(cloud, "films/before.mov")
    before.wait_until_met()

    stage.darwin.hold("POST", about="photos/", after=True)
    photos = [f"photos/{number}.jpg" for number in range(20)]
    stage.send_before_any_poll(cloud, photos)
    until("Darwin registered all photos", lambda: len(twin.items()) == 21)

    postponing = stage.sqs.hold("SendMessageBatch", about="events")
    send(cloud, "photos/over-its-share.jpg")
    postponing.wait_until_met()

    stage.hold_ledger("register")
    send(cloud, "films/answered.mov")
    until("the ledger's write is held", lambda: stage.ledger_is_held("register"))

    # Late, for a send that is held for as long as a call may take is tried again, and its letter is there twice.
    writing = stage.sqs.hold("SendMessageBatch", about="dead-letters")
    send(cloud, "films/refused.xyz")
    writing.wait_until_met()

    polling = stage.sqs.hold("ReceiveMessage")
    polling.wait_until_met()
    stage.sqs.hold("ReceiveMessage", after=True)
    send(cloud, "films/polled.mov")
    polling.release()
    until("a poll took the last message", lambda: cloud.waiting().visible == 0)

    end(worker, stage, cloud, how)
    if how == "stop":
        # The copy is delayed for a second.
        assert cloud.waiting() in ((1, 1), (2, 0)), "what was polled is given back, and the copy is there"

    second = start(**settings, **unset)
    second.wait_until_ready()
    until("the queue is empty", cloud.emptied, seconds=60)
    assert second.stop() == 0
    films = ("deleting", "before", "answered", "polled")
    assert sorted(twin.items("films").values()) == sorted(f"films/{name}.mov" for name in films)
    assert sorted(twin.items().values()) == sorted([*photos, "photos/first.jpg", "photos/over-its-share.jpg"])
    assert dead_keys(cloud, letters) == ["films/refused.xyz"] * letters
    counters = twin.counters()
    assert (counters["extensions"], counters["collisions"]) == (0, 0)
    if how == "stop":
        assert counters["items_resent"] == 0


@pytest.mark.parametrize("how", ["stop", "kill, calls lost"])
def test_a_signal_while_records_wait_for_a_token_leaves_them_to_the_next_worker(
    how: str, cloud: Cloud, twin: Twin, start: Start, stage: Stage
) -> None:
    """In the backlog, and waiting for a token: with three a minute, none comes soon."""
    keys = [f"{number}.jpg" for number in range(12)]
    send(cloud, *keys)
    worker = start(**stage.settings, WORKER_QUOTA__REQUESTS_PER_MINUTE="3", WORKER_BATCH__MAX_ITEMS="1")
    until("all wait", lambda: worker.metrics()["darwin_worker_records_open"] == len(keys))
    end(worker, stage, cloud, how)
    assert cloud.waiting() == (12, 0)

    second = start(**stage.settings)
    second.wait_until_ready()
    until("the queue is empty", cloud.emptied)
    assert second.stop() == 0
    assert second.outcomes() == {("registered", "accepted"): 12}
    assert sorted(twin.items().values()) == sorted(keys)
    assert twin.counters()["items_resent"] == 0


@pytest.mark.parametrize("how", ["stop", "kill, calls lost"])
def test_a_signal_while_claiming_loses_and_doubles_nothing(
    how: str, cloud: Cloud, twin: Twin, start: Start, stage: Stage
) -> None:
    """Law 1: a claim that nobody used is released, or lapses."""
    keys = [f"{number}.jpg" for number in range(12)]
    stage.hold_ledger("claim")
    send(cloud, *keys)
    worker = start(**stage.settings)
    until("the ledger's write is held", lambda: stage.ledger_is_held("claim"))
    end(worker, stage, cloud, how)
    assert cloud.waiting().hidden == 0

    second = start(**stage.settings)
    second.wait_until_ready()
    until("the queue is empty", cloud.emptied)
    assert second.stop() == 0
    assert sorted(twin.items().values()) == sorted(keys)
    counters = twin.counters()
    assert (counters["items_resent"], counters["extensions"], counters["collisions"]) == (0, 0, 0)


def test_a_stop_ends_in_time_although_every_call_hangs(
    cloud: Cloud, twin: Twin, start: Start, stage: Stage
) -> None:
    """Law 6: all inside one deadline, also where SQS and Darwin never answer again. It is shorter than the platform's, for
    the process itself needs a moment to end.
    """
    worker = start(**stage.settings)
    worker.wait_until_ready()
    deleting = stage.sqs.hold("DeleteMessageBatch")
    send(cloud, "deleting.jpg")
    deleting.wait_until_met()
    sending = stage.darwin.hold("POST")
    send(cloud, "sending.jpg")
    sending.wait_until_met()
    stage.sqs.hold("ReceiveMessage", after=True)
    stage.sqs.hold("ChangeMessageVisibilityBatch")
    worker.ask_to_stop()
    assert worker.ended(DRAIN_SECONDS + PLATFORMS_PATIENCE) == 0
    stage.lose_all()
    stage.sqs.end_leases(cloud)

    second = start(**stage.settings)
    second.wait_until_ready()
    until("the queue is empty", cloud.emptied)
    assert second.stop() == 0
    assert sorted(twin.items().values()) == ["deleting.jpg", "sending.jpg"]

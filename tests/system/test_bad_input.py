"""What a user can get wrong: one clear line, the documented exit code, no traceback, and nothing taken from the queue.

Exit codes: 1 something outside is in the way, 2 wrong settings.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import (
    DARWIN_PREFIX,
    DATASET,
    HOST,
    STORAGE,
    Twin,
    Worker,
    free_port,
    running_twin,
)

END_SECONDS = 20
FROM_FILE: dict[str, str | None] = {"WORKER_DARWIN__DATASET": None, "WORKER_DARWIN__STORAGE": None}
"""What must be unset when there is a routes file."""


@pytest.fixture(autouse=True)
def untouched(cloud: Cloud) -> Iterator[None]:
    """An object is told of in the queue, and after the test it still is, in nobody's hands."""
    cloud.notify_queue()
    cloud.upload("a.jpg")
    until("S3 told of itself and of the object", lambda: cloud.waiting() == (2, 0))
    yield
    assert cloud.waiting() == (2, 0)


def complaint(worker: Worker, code: int) -> str:
    """The one line that the worker ends with."""
    assert worker.ended(END_SECONDS) == code, worker.output()
    assert "Traceback" not in worker.output()
    (line,) = worker.errors().splitlines()
    assert line.startswith("darwin-worker: ")
    return line.removeprefix("darwin-worker: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"WORKER_QUEUE__VISIBILTY_SECONDS": "30"},
            (
                "WORKER_QUEUE__VISIBILTY_SECONDS is no setting of this worker; "
                "did you mean WORKER_QUEUE__VISIBILITY_SECONDS?"
            ),
        ),
        ({"DARWIN_TEAM": None}, "DARWIN_TEAM is not set; it takes the team's slug"),
        (
            {"WORKER_QUEUE__URL": None},
            "WORKER_QUEUE__URL is not set; it takes the URL of the SQS queue that the events of S3 come to",
        ),
        (
            {"DARWIN_BASE_URL": "darwin.v7labs.com"},
            (
                "DARWIN_BASE_URL is 'darwin.v7labs.com': it must begin with https:// (or http://) and name a host; "
                "it takes the address of Darwin"
            ),
        ),
        (
            {"WORKER_QUEUE__VISIBILITY_SECONDS": "9"},
            (
                "WORKER_QUEUE__VISIBILITY_SECONDS is 9, but a lease must outlast one receive (1), one request (5) "
                "and 4 seconds around them; set it to 10 or more"
            ),
        ),
        (
            {"DARWIN_API_KEY": None, "DARWIN_API_KEY_FILE": "/nowhere/key"},
            "DARWIN_API_KEY_FILE is '/nowhere/key', which cannot be read: No such file or directory",
        ),
    ],
    ids=["unknown", "missing", "no queue", "bad URL", "broken law", "no key file"],
)
def test_a_wrong_setting_is_named_with_what_to_do(start: Start, changes: dict[str, str], said: str) -> None:
    assert complaint(start(**changes), code=2) == said


def test_a_misspelt_route_field_is_named_with_its_file_and_route(start: Start, tmp_path: Path) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text(f"routes:\n  - {{name: all, dataset: {DATASET}, storage: {STORAGE}, pth: /x}}\n")
    worker = start(WORKER_ROUTES_FILE=str(routes), **FROM_FILE)
    assert complaint(worker, 2) == f"{routes}: route 'all': there is no field 'pth'; did you mean 'path'?"


def test_a_routes_file_that_is_no_yaml_is_named_with_the_line(start: Start, tmp_path: Path) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text("routes: [\n")
    worker = start(WORKER_ROUTES_FILE=str(routes), **FROM_FILE)
    assert complaint(worker, 2).startswith(f"{routes}, line 2: ")


def test_a_ledger_that_cannot_be_written_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    said = complaint(start(WORKER_LEDGER__URL=f"sqlite://{tmp_path}/file/ledger.sqlite3"), code=1)
    assert said.startswith(f"The ledger's folder {tmp_path}/file cannot be made: ")
    assert "Set WORKER_LEDGER__URL" in said


def test_a_second_worker_on_the_same_ledger_is_refused_and_the_first_goes_on(
    cloud: Cloud, start: Start, tmp_path: Path
) -> None:
    other = cloud.make_queue("other")
    first = start(WORKER_QUEUE__URL=other, WORKER_QUEUE__DEAD_LETTER_URL=cloud.dead_letter_url)
    first.wait_until_ready()
    said = complaint(start(WORKER_WEB__PORT=str(free_port())), code=1)
    assert said == (
        f"Another process holds the ledger {tmp_path}/ledger.sqlite3: a SQLite ledger serves one worker. "
        "Stop the other one, or give this one a file of its own."
    )
    assert first.page("readyz")[0] == 200


def test_a_port_that_is_taken_is_named(start: Start) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        said = complaint(start(WORKER_WEB__PORT=str(port)), code=1)
    assert said.startswith(f"cannot serve metrics and health on {HOST}:{port} (")
    assert said.endswith("set WORKER_WEB__HOST and WORKER_WEB__PORT to an address that is free")


# Queues


def test_a_queue_that_nobody_serves_is_named(start: Start) -> None:
    nobody = f"http://{HOST}:{free_port()}"
    said = complaint(start(AWS_ENDPOINT_URL=nobody, WORKER_QUEUE__URL=f"{nobody}/1/events"), code=1)
    assert said.startswith(f"SQS GetQueueAttributes on {nobody}/1/events: ")
    assert said.endswith("Check the network, the region and AWS_ENDPOINT_URL.")


def test_a_queue_that_does_not_exist_is_named(cloud: Cloud, start: Start) -> None:
    said = complaint(start(WORKER_QUEUE__URL=f"{cloud.queue_url}-not"), code=1)
    assert said.startswith(f"SQS GetQueueAttributes on {cloud.queue_url}-not: ")
    assert said.endswith("Check the queue's name, account and region.")


def test_a_queue_without_a_dead_letter_queue_is_refused(cloud: Cloud, start: Start) -> None:
    bare = cloud.make_queue("bare")
    assert complaint(start(WORKER_QUEUE__URL=bare), code=1) == (
        f"The queue {bare} has no redrive policy, so there is no dead-letter queue: give it one, or set "
        "WORKER_QUEUE__DEAD_LETTER_URL."
    )


def test_a_dead_letter_queue_that_does_not_exist_is_refused(cloud: Cloud, start: Start) -> None:
    missing = f"{cloud.dead_letter_url}-not"
    said = complaint(start(WORKER_QUEUE__DEAD_LETTER_URL=missing), code=1)
    assert said.startswith(f"SQS GetQueueAttributes on {missing}: ")
    assert said.endswith("Check the queue's name, account and region.")


# Darwin


def test_a_wrong_key_keeps_the_worker_waiting_and_is_told_once(twin: Twin, start: Start) -> None:
    """Row: 401, 403. Nothing is received before Darwin was asked."""
    worker = start(DARWIN_API_KEY="wrong-key")
    until(
        "Darwin refused twice", lambda: twin.counters()["requests"].get("token_info", {}).get("401", 0) >= 2
    )
    assert "401" in worker.conditions()["key_refused"]
    assert (worker.page("readyz")[0], worker.page("healthz")[0]) == (503, 200)
    raised = [line["condition"] for line in worker.lines("condition raised")]
    assert raised.count("key_refused") == 1
    assert worker.stop() == 0
    assert (worker.errors(), "wrong-key" in worker.output()) == ("", False)


def test_a_darwin_that_cannot_be_reached_keeps_the_worker_waiting(start: Start) -> None:
    worker = start(DARWIN_BASE_URL=f"http://{HOST}:{free_port()}")
    until("it says that Darwin is down", lambda: "darwin_down" in worker.conditions())
    assert (worker.page("readyz")[0], worker.page("healthz")[0]) == (503, 200)
    assert worker.stop() == 0
    assert worker.errors() == ""


def test_a_storage_that_darwin_does_not_know_is_named_with_those_there_are(start: Start) -> None:
    said = complaint(start(WORKER_DARWIN__STORAGE="prd"), code=1)
    assert "team acme has no storage 'prd' in Darwin (it has: prod)" in said


def test_a_read_only_storage_is_refused_where_no_route_says_what_it_needs(cloud: Cloud, start: Start) -> None:
    with running_twin(cloud.bucket, f"archive:{cloud.bucket}:old:ro") as twin:
        said = complaint(start(DARWIN_BASE_URL=twin.url, WORKER_DARWIN__STORAGE="archive"), code=2)
    assert said == (
        "Route 'environment': storage 'archive' is read-only in Darwin, which then makes no thumbnail: say with `thumbnail` "
        "where it lies, or use a read-write storage."
    )


def test_a_route_that_watches_the_place_where_darwin_writes_is_refused(cloud: Cloud, start: Start) -> None:
    """Law 5."""
    said = complaint(start(WORKER_DARWIN__PREFIX=f"{DARWIN_PREFIX}/"), code=2)
    assert said.startswith(
        f"Route 'environment' watches prefix 'darwin/' of bucket '{cloud.bucket}', where Darwin writes"
    )
    assert said.endswith("Watch another prefix, or change the storage's.")

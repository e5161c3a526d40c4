"""`darwin-worker status`: what it asks, what it shows, and how it ends."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from tests.web.viewed import TOKEN, Worker
from worker.cli import main
from worker.commands.running import url_of
from worker.commands.status_shown import lasting
from worker.settings import Web
from worker.web import server

STATUS: dict[str, object] = {
    "version": "0.1.0",
    "worker": "worker-1",
    "started": "2027-01-15T08:00:00.000Z",
    "uptime_seconds": 7260.0,
    "state": "waiting",
    "ready": False,
    "now": "2027-01-15T10:01:00.000Z",
    "conditions": [
        {
            "condition": "darwin_down",
            "subject": "acme",
            "since": "2027-01-15T10:00:00+00:00",
            "why": "status 503",
            "advice": "Wait, or see V7's status page; messages are held and nothing is lost.",
        }
    ],
    "queue": {"url": "https://sqs/1/q", "asked": "x", "waiting": 1204, "in_flight": 10, "delayed": 2},
    "dead_letters": {"url": "https://sqs/1/d", "asked": "x", "unknown": "SQS is away"},
    "records": {
        "received": 1500,
        "open": 310,
        "returned": 0,
        "most_open": 5000,
        "outcomes": {"registered": 1188, "ignored": 2, "blocked": 0},
    },
    "oldest": {"seconds": 75.2, "object": "s3://media/a\x1b[31m.jpg", "receive_count": 1},
    "last_registered": {
        "at": "2027-01-15T09:59:00.000Z",
        "team": "acme",
        "dataset": "intake",
        "path": "/line",
        "name": "b.jpg",
        "object": "s3://media/line/b.jpg",
    },
    "last_error": {"at": "2027-01-15T10:00:00.000Z", "what": "request of 3 items", "why": "status 503"},
    "lanes": [
        {
            "team": "acme",
            "dataset": "intake",
            "storage": "prod",
            "options": {},
            "waiting": 300,
            "under_way": 10,
            "batch_items": 100,
            "paused": {"kind": "darwin_down", "why": "status 503", "seconds": 60.0},
        }
    ],
    "lanes_not_told": 3,
    "dead_letters_since_start": [],
    "batches": [],
    "history": {
        "step_seconds": 5.0,
        "until": None,
        "received": [3, 4],
        "registered": [2, 1],
        "blocked": [0, 0],
        "age": [0.0, 1.0],
    },
    "quota": [
        {
            "team": "acme",
            "registration": {"a_minute": 100, "sent_in_a_minute": 73, "tokens": 0.35, "burst": 2},
            "general": {"a_minute": 1000, "tokens": None, "burst": 2},
        }
    ],
}


@contextmanager
def running(worker: Worker, token: str | None = None) -> Iterator[str]:
    """The URL of a worker that runs beside the command."""
    loop, started, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    urls: list[str] = []

    async def serve() -> None:
        secret = None if token is None else SecretStr(token)
        async with server.serving(worker, CollectorRegistry(), "127.0.0.1", 0, secret) as port:
            urls.append(f"http://127.0.0.1:{port}")
            started.set()
            await ended.wait()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(10)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKER_WEB__TOKEN", raising=False)


def test_a_worker_that_waits_ends_the_command_with_1_and_everything_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running(Worker(told=STATUS)) as url:
        assert main(["status", "--url", url]) == 1
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "waiting  darwin-worker 0.1.0, up for 2 h 1 min",
        "! darwin_down acme, since 2027-01-15T10:00:00+00:00: status 503",
        "  Wait, or see V7's status page; messages are held and nothing is lost.",
        "queue         1,204 waiting, 10 in flight, 2 delayed",
        "in hand       310 of 5,000 records; the oldest waits for 75 s (s3://media/a\\x1b[31m.jpg)",
        "dead letters  not known: SQS is away",
        "since start   1,188 registered, 2 ignored",
        "last minute   7 received, 3 registered",
        "registered    last at 2027-01-15T09:59:00.000Z: intake /line/b.jpg",
        "last error    2027-01-15T10:00:00.000Z request of 3 items: status 503",
        "quota acme    73 of 100 requests sent in the last minute, 0.3 of 2 tokens at hand; of all else unknown",
        "lane                       waiting  under way  batch  state",
        "acme/intake from prod          300         10    100  paused for 60 s: status 503",
        "and 3 more that hold less",
    ]


def test_a_ready_worker_ends_it_with_0_and_json_is_all_that_it_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ready = STATUS | {"state": "running", "ready": True, "conditions": []}
    with running(Worker(told=ready)) as url:
        assert main(["status", "--json", "--url", url]) == 0
    assert json.loads(capsys.readouterr().out) == ready


def test_a_worker_that_has_nothing_to_tell_yet_is_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    bare = STATUS | {
        "state": "starting",
        "queue": None,
        "dead_letters": None,
        "oldest": None,
        "last_registered": None,
        "last_error": None,
        "lanes": [],
        "lanes_not_told": 0,
        "quota": [],
    }
    with running(Worker(told=bare)) as url:
        assert main(["status", "--url", url]) == 1
    shown = capsys.readouterr().out
    assert "queue         not asked yet" in shown
    assert "registered    nothing yet" in shown
    assert "last error    none" in shown


def test_the_token_is_taken_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(Worker(told=STATUS | {"ready": True}), TOKEN) as url:
        assert main(["status", "--json", "--url", url]) == 1
        assert (
            "set WORKER_WEB__TOKEN to the token that the worker was started with" in capsys.readouterr().err
        )
        monkeypatch.setenv("WORKER_WEB__TOKEN", TOKEN)
        assert main(["status", "--json", "--url", url]) == 0
    assert TOKEN not in capsys.readouterr().out


def test_the_worker_of_the_settings_is_asked_when_none_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(Worker(told=STATUS | {"ready": True}), TOKEN) as url:
        for name, value in {
            "WORKER_QUEUE__URL": "https://sqs.eu-west-1.amazonaws.com/1/uploads",
            "DARWIN_API_KEY": "k",
            "DARWIN_TEAM": "acme",
            "WORKER_DARWIN__DATASET": "intake",
            "WORKER_DARWIN__STORAGE": "prod",
            "WORKER_WEB__PORT": url.rpartition(":")[2],
            "WORKER_WEB__TOKEN": TOKEN,
        }.items():
            monkeypatch.setenv(name, value)
        assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["worker"] == "worker-1"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104 - the default of the setting
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("192.0.2.1", "http://192.0.2.1:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_a_worker_that_listens_everywhere_is_asked_on_loopback(host: str, url: str) -> None:
    assert url_of(Web(host=host, port=80)) == url


def test_a_worker_that_is_not_there_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", "http://127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("darwin-worker: No worker answers at http://127.0.0.1:9 (")
    assert error.count("\n") == 1


def test_an_address_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", "localhost:8080"]) == 2
    assert "write http://host:port" in capsys.readouterr().err


def test_a_status_of_another_release_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    with running(Worker(told={"ready": True, "state": "running"})) as url:
        assert main(["status", "--url", url]) == 1
        assert "--json shows it" in capsys.readouterr().err
        assert main(["status", "--url", url, "--json"]) == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (99.0, "99 s"),
        (100, "1 min"),
        (3599, "59 min"),
        (7260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_lengths_of_time_are_told_as_people_say_them(seconds: float, words: str) -> None:
    assert lasting(seconds) == words

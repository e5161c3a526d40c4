"""`why` and `forget` as commands, with a SQLite ledger and nobody else to be reached: not S3, not SQS, not Darwin."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.servers import running_redis
from worker.adapters.redis_ledger import RedisLedger
from worker.adapters.redis_store import RedisStore
from worker.adapters.sqlite_ledger import SqliteLedger
from worker.cli import main
from worker.core.claims import Claim, Entry
from worker.core.model import Identity, S3Object

NOBODY = "http://127.0.0.1:9"
TOKEN = "a-token-of-these-tests"
ITEM = Identity("acme", "intake", "/1", "a.jpg")
OBJECT = S3Object("media", "in/1/a.jpg", None, "e1", 10)
PLACE = "s3://media/in/1/a.jpg"

Said = pytest.CaptureFixture[str]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger is by the settings; there is none yet."""
    file = tmp_path / "ledger.sqlite3"
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": NOBODY,
        "AWS_MAX_ATTEMPTS": "1",
        "DARWIN_API_KEY": "abcdefg.0123456789abcdef0123456789abcdef",
        "DARWIN_TEAM": "acme",
        "DARWIN_BASE_URL": NOBODY,
        "WORKER_DARWIN__DATASET": "intake",
        "WORKER_DARWIN__STORAGE": "prod",
        "WORKER_DARWIN__PREFIX": "in",
        "WORKER_QUEUE__URL": f"{NOBODY}/1/events",
        "WORKER_LEDGER__URL": f"sqlite://{file}",
        "WORKER_WEB__PORT": "9",
        "WORKER_WEB__TOKEN": TOKEN,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return file


def write(file: Path, *claims: Claim) -> None:
    """As registered."""

    async def written() -> None:
        async with SqliteLedger.open(file, time.time) as opened:
            await opened.register(claims, "w1")

    asyncio.run(written())


def read(file: Path, identity: Identity = ITEM) -> Entry | None:
    async def found() -> Entry | None:
        async with SqliteLedger.open(file, time.time) as opened:
            [entry] = await opened.look_up([identity])
            return entry

    return asyncio.run(found())


@contextmanager
def held(file: Path) -> Iterator[None]:
    """By another process, as far as SQLite can tell."""
    loop = asyncio.new_event_loop()
    opening = SqliteLedger.open(file, time.time)
    loop.run_until_complete(opening.__aenter__())
    try:
        yield
    finally:
        loop.run_until_complete(opening.__aexit__(None, None, None))
        loop.close()


@contextmanager
def worker_answering(answer: Mapping[str, object]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """A worker's port, and what it is asked: the path, and the authorization."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            serving.join()


ANSWER = {
    "object": PLACE,
    "standing": "registered",
    "sentence": "It is registered.",
    "lines": [{"about": "S3", "text": "10 bytes"}],
    "unknown": {},
}


@pytest.mark.parametrize("command", ["why", "forget"])
@pytest.mark.parametrize("word", ["media/in/1/a.jpg", "s3://", "s3://media", "s3:///a.jpg"])
@pytest.mark.usefixtures("ledger")
def test_what_names_no_object_is_told_with_code_2(command: str, word: str, capsys: Said) -> None:
    assert main([command, word]) == 2
    assert capsys.readouterr().err == f"darwin-worker: {word!r} names no object; write s3://bucket/key\n"


def test_with_nobody_there_the_ledger_answers_and_the_others_are_named(ledger: Path, capsys: Said) -> None:
    write(ledger, Claim(ITEM, OBJECT))
    assert main(["why", "--json", PLACE, "s3://media/in/1/b.jpg"]) == 1
    one, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["standing"], other["standing"]) == ("registered", "unknown")
    assert list(one["unknown"]) == ["S3", "dead letters", "queue", "Darwin"]
    assert one["sentence"] == (
        "It is registered as /1/a.jpg in dataset intake, but Darwin did not say what it has made of it since; ask again later (S3, "
        "dead letters, queue and Darwin did not tell)."
    )


def test_where_no_worker_ever_ran_no_ledger_is_made(ledger: Path, capsys: Said) -> None:
    assert main(["why", "--json", PLACE]) == 1
    unknown = json.loads(capsys.readouterr().out)["unknown"]
    assert unknown["ledger"].startswith(f"There is no ledger {ledger}: no worker with these settings has run")
    assert main(["forget", PLACE, "--yes"]) == 1
    assert capsys.readouterr().err.startswith(f"darwin-worker: There is no ledger {ledger}")
    assert not ledger.exists()


def test_while_a_worker_holds_the_ledger_that_worker_is_asked(
    ledger: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker_answering(ANSWER) as (port, asked), held(ledger):
        monkeypatch.setenv("WORKER_WEB__PORT", str(port))
        assert main(["why", PLACE]) == 0
    assert capsys.readouterr().out == f"{PLACE}\n  S3  10 bytes\nregistered: It is registered.\n"
    assert asked == [("/why?object=s3://media/in/1/a.jpg", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "No worker answers at http://127.0.0.1:9"),
        ({"object": PLACE, "verdict": "fine"}, "is of another version and tells it in another way."),
    ],
)
def test_where_that_worker_does_not_tell_the_command_answers_without_the_ledger(
    ledger: Path,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
    answer: Mapping[str, object] | None,
    why: str,
) -> None:
    with worker_answering(answer or {}) as (port, _), held(ledger):
        if answer is not None:
            monkeypatch.setenv("WORKER_WEB__PORT", str(port))
        assert main(["why", "--json", PLACE]) == 1
    unknown = json.loads(capsys.readouterr().out)["unknown"]["ledger"]
    assert unknown.startswith(f"Another process holds the ledger {ledger}: most likely the running worker.")
    assert why in unknown


def test_a_ledger_that_workers_share_is_asked_and_changed_beside_them(
    capsys: Said, monkeypatch: pytest.MonkeyPatch, ledger: Path
) -> None:
    with running_redis() as server:

        async def written(*, live: bool) -> None:
            async with RedisStore.open(server.url) as store:
                shared = RedisLedger(store)
                if live:
                    await shared.claim([Claim(ITEM, OBJECT)], "w1", 1000)
                else:
                    await shared.register([Claim(ITEM, OBJECT)], "w1")

        monkeypatch.setenv("WORKER_LEDGER__URL", server.url)
        asyncio.run(written(live=True))
        assert main(["why", "--json", PLACE]) == 1
        told = json.loads(capsys.readouterr().out)
        assert (told["standing"], "ledger" in told["unknown"]) == ("in_hand", False)
        assert main(["forget", PLACE, "--yes"]) == 1
        assert "Nothing was forgotten: a worker holds the claim just now, for" in capsys.readouterr().out

        asyncio.run(written(live=False))
        assert main(["forget", PLACE, "--yes"]) == 0
    assert not ledger.exists()


def test_while_a_worker_holds_the_ledger_nothing_is_forgotten(ledger: Path, capsys: Said) -> None:
    with held(ledger):
        assert main(["forget", PLACE, "--yes"]) == 1
    assert capsys.readouterr().err == (
        f"darwin-worker: Another process holds the ledger {ledger}: most likely the running worker. Stop it with SIGTERM (docker "
        "stop, systemctl stop, kubectl scale --replicas=0), run this again, and start it.\n"
    )


def test_what_is_forgotten_is_gone_and_nothing_else_is(ledger: Path, capsys: Said) -> None:
    other = Claim(ITEM._replace(name="b.jpg"), S3Object("media", "in/1/b.jpg"))
    write(ledger, Claim(ITEM, OBJECT), other)
    assert main(["forget", PLACE, "--yes"]) == 0
    assert capsys.readouterr().out.endswith("Forgotten. `darwin-worker backfill` sends the object again.\n")
    assert read(ledger) is None
    assert read(ledger, other.identity) is not None
    assert main(["forget", PLACE, "--yes"]) == 0
    assert capsys.readouterr().out.endswith("The ledger holds nothing there: there is nothing to forget.\n")


def test_where_nobody_can_be_asked_nothing_is_forgotten(ledger: Path, capsys: Said) -> None:
    write(ledger, Claim(ITEM, OBJECT))
    assert main(["forget", PLACE]) == 1
    assert capsys.readouterr().out.endswith("Nothing was forgotten. With --yes nobody is asked.\n")
    assert read(ledger) is not None


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("\n", 1)])
def test_a_person_is_asked_first(ledger: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> None:
    write(ledger, Claim(ITEM, OBJECT))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdin, "readline", lambda: said, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["forget", PLACE]) == code
    assert (read(ledger) is None) == (code == 0)


def test_the_place_that_was_registered_may_be_given(ledger: Path, capsys: Said) -> None:
    wrong = ITEM._replace(dataset="wrong", path="/")
    write(ledger, Claim(wrong, OBJECT), Claim(ITEM, OBJECT))
    assert main(["forget", PLACE, "--dataset", "wrong", "--path", "/", "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["item"], told["item_now"]) == (wrong._asdict(), ITEM._asdict())
    assert (told["forgotten"], told["in_darwin"], told["ledger"]["registered"]) == (True, None, True)
    assert read(ledger, wrong) is None
    assert read(ledger) is not None


def test_the_entry_of_another_object_is_not_forgotten(ledger: Path, capsys: Said) -> None:
    write(ledger, Claim(ITEM, S3Object("media", "elsewhere/a.jpg")))
    assert main(["forget", PLACE, "--yes"]) == 1
    assert capsys.readouterr().out.endswith(
        "Nothing was forgotten: the entry is that of s3://media/elsewhere/a.jpg. Name that object if it is meant, or say where "
        "this one was registered: --dataset, --path, --name.\n"
    )
    assert read(ledger) is not None


def test_where_the_routes_make_no_item_the_place_must_be_given(ledger: Path, capsys: Said) -> None:
    old = S3Object("media", "old/a.jpg")
    write(ledger, Claim(ITEM, old))
    assert main(["forget", "s3://media/old/a.jpg", "--dataset", "intake", "--yes"]) == 2
    assert capsys.readouterr().err == (
        "darwin-worker: The routes make no item of the object now, so say where it was registered: --path, --name; `darwin-worker "
        "why` tells why they do not\n"
    )
    words = ["--dataset", "intake", "--path", "1/", "--name", "a.jpg", "--yes"]
    assert main(["forget", "s3://media/old/a.jpg", *words]) == 0
    assert read(ledger) is None

"""The worker as a process of its own, the Darwin twin on a port of its own, and what can be seen of them from outside."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

from tests.system.outside import AWS_SECRET, REGION, Cloud, TooLate, until
from worker.demo.twin import server
from worker.demo.twin.state import Storage, Team
from worker.demo.twin.switches import Switches

HOST = "127.0.0.1"
TEAM, DATASET, STORAGE, DARWIN_PREFIX = "acme", "intake", "prod", "darwin"
KEY = "the-key-that-nobody-may-see"
"""Not of the shape of Darwin's keys, so that nothing is spared by its shape."""

OURS = ("AWS_", "DARWIN_", "WORKER_")
"""How the variables begin that a worker reads."""

OPENING_SECONDS = 10

Asked = tuple[int, str]
"""The status and the body of an answer."""

T = TypeVar("T")


def ask(url: str, method: str = "GET", body: object = None) -> Asked:
    """Raises OSError where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)  # noqa: S310 - http, our own
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def free_port() -> int:
    """A port that nobody listens on, from below those that systems give to outgoing connections."""
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            return port


class Twin:
    """Darwin, as far as anybody outside can tell."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, call: str, body: object, method: str = "POST") -> Any:
        status, answer = ask(f"{self.url}/_twin/{call}", method, body)
        assert status == 200, answer
        return json.loads(answer)

    def change_team(self, **switches: object) -> None:
        self.control("switch", {"teams": {TEAM: switches}})

    def state(self) -> Any:
        return json.loads(ask(f"{self.url}/_twin/state")[1])

    def items(self, dataset: str = DATASET) -> dict[tuple[str, str], str]:
        """The storage key of each item by its path and name."""
        held = self.state()["teams"][TEAM]["datasets"][dataset]["items"]
        return {(item["path"], item["name"]): item["storage_keys"][0] for item in held}

    def counters(self) -> Any:
        return self.state()["counters"]


@contextmanager
def running_twin(bucket: str, *storage_words: str, journal: Path | None = None) -> Iterator[Twin]:
    """A twin of one team. *storage_words*: other storages, as ``name:bucket:prefix[:ro]``. *journal*: the file that tells
    of each registration.
    """
    storages = [Storage(STORAGE, bucket, DARWIN_PREFIX)]
    for word in storage_words:
        name, of_bucket, prefix, *readonly = word.split(":")
        storages.append(Storage(name, of_bucket, prefix, readonly=bool(readonly)))
    with twin_of([Team(TEAM, KEY, [DATASET], storages)], journal) as twin:
        yield twin


@contextmanager
def twin_of(teams: Sequence[Team], journal: Path | None = None) -> Iterator[Twin]:
    """A twin of these teams, with a generous quota. It runs in a thread: nearly every test needs one, and a process takes
    as long to start as many a test takes in all.
    """
    switches = Switches(requests_per_minute=6000, general_per_minute=12000)
    with (
        nullcontext() if journal is None else journal.open("w") as file,
        _in_a_thread(server.running_twin(teams, switches, journal=file)) as running,
    ):
        yield Twin(running.url)


@contextmanager
def _in_a_thread(opening: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """What *opening* opens, on an event loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        opened = asyncio.run_coroutine_threadsafe(opening.__aenter__(), loop).result(OPENING_SECONDS)
        try:
            yield opened
        finally:
            ended = opening.__aexit__(None, None, None)
            asyncio.run_coroutine_threadsafe(ended, loop).result(OPENING_SECONDS)
    finally:
        asyncio.run_coroutine_threadsafe(_end_what_is_left(), loop).result(OPENING_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_what_is_left() -> None:
    """An answer that a killed worker waits for no more may be under way still."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def settings_for(cloud: Cloud, darwin_url: str, folder: Path) -> dict[str, str]:
    """The environment of a worker that has little to wait for: quick leases, quick polls, a generous quota."""
    return {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": cloud.account,
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "DARWIN_API_KEY": KEY,
        "DARWIN_TEAM": TEAM,
        "DARWIN_BASE_URL": darwin_url,
        "WORKER_DARWIN__DATASET": DATASET,
        "WORKER_DARWIN__STORAGE": STORAGE,
        "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "5",
        "WORKER_QUEUE__URL": cloud.queue_url,
        "WORKER_QUEUE__WAIT_SECONDS": "1",
        "WORKER_QUEUE__VISIBILITY_SECONDS": "21",
        "WORKER_QUOTA__REQUESTS_PER_MINUTE": "6000",
        "WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE": "6000",
        "WORKER_LEDGER__URL": f"sqlite://{folder}/ledger.sqlite3",
        "WORKER_WEB__HOST": HOST,
        "WORKER_WEB__PORT": str(free_port()),
        "WORKER_DRAIN_SECONDS": "10",
        "WORKER_LOG__FORMAT": "json",
    }


class Worker:
    """``python -m worker run`` with *settings*, and nothing of the caller's own AWS_, DARWIN_ or WORKER_ variables.

    Its output is kept in files in *folder*, which must be its own.
    """

    def __init__(self, settings: Mapping[str, str], folder: Path) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.url = f"http://{HOST}:{settings.get('WORKER_WEB__PORT', 8080)}"
        self._out, self._err = folder / "stdout", folder / "stderr"
        self._lines: list[Mapping[str, Any]] = []
        self._read = 0
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker", "run"],
                env=own | {"HOME": str(folder)} | dict(settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    # How it ends

    def ask_to_stop(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        """As the platform does that lost its patience: nothing can be finished."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """As a machine does that is suspended: it notices nothing, and its time goes on."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def ended(self, seconds: float) -> int:
        """The exit code. Raises :class:`TooLate` when it does not end within *seconds*."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TooLate(f"the worker did not end within {seconds:g} s:\n{self.output()}") from None

    def stop(self) -> int:
        """Ask for a stop and wait for its end; the exit code."""
        self.ask_to_stop()
        return self.ended(12)

    # What it says

    def errors(self) -> str:
        return self._err.read_text()

    def output(self) -> str:
        """All that it wrote."""
        return self._out.read_text() + self.errors()

    def lines(self, event: str) -> list[Mapping[str, Any]]:
        """The log lines of this event so far."""
        with self._out.open("rb") as out:
            out.seek(self._read)
            for raw in out:
                if raw.endswith(b"\n"):
                    self._lines.append(json.loads(raw))
                    self._read += len(raw)
        return [line for line in self._lines if line["event"] == event]

    def outcomes(self) -> Counter[tuple[str, str]]:
        """How many records had each outcome, for each reason, by its lines about settled messages."""
        records = [record for line in self.lines("message settled") for record in line["records"]]
        return Counter((record["outcome"], record["reason"]) for record in records)

    # What its port tells

    def page(self, name: str) -> Asked:
        """The status and the text of a page; 0 and nothing where nobody listens yet."""
        try:
            return ask(f"{self.url}/{name}")
        except OSError:
            assert self.process.poll() is None, f"the worker ended by itself:\n{self.output()}"
            return 0, ""

    def metrics(self) -> Counter[str]:
        """The sum of each metric over its labels."""
        sums = Counter[str]()
        for line in self.page("metrics")[1].splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                sums[series.partition("{")[0]] += float(value)  # type: ignore[assignment]  # typeshed counts in int only
        return sums

    def conditions(self) -> dict[str, str]:
        """Why it is not ready, by the name of each condition."""
        _, body = self.page("readyz")
        raised = json.loads(body)["conditions"] if body else []
        return {condition["condition"]: condition["why"] for condition in raised}

    def wait_until_ready(self, seconds: float = 30.0) -> None:
        until("the worker is ready", lambda: self.page("readyz")[0] == 200, seconds)


@contextmanager
def running_stub(module: str, *words: str) -> Iterator[str]:
    """The address of a stub, which tells its port in its first line: the last word there."""
    command = [sys.executable, "-m", module, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stub:  # noqa: S603 - our own program
        try:
            assert stub.stdout is not None
            yield f"http://{HOST}:{stub.stdout.readline().split()[-1]}"
        finally:
            stub.terminate()

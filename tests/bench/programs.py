"""What is measured, as processes: our worker, its peers, the stub that serves them; and what they cost."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.loads import DATASET, STORAGE, TEAM, Load
from tests.system.processes import HOST, OURS, ask, free_port

ROOT = Path(__file__).parents[2]
PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
LOOK_EVERY = 0.05
WORKER = (sys.executable, "-m", "worker", "run")
PEERS = ROOT / "tests" / "bench" / "peers"


@dataclass(frozen=True)
class Cost:
    """Of a process until now: seconds of CPU, and MiB of memory now and at its most."""

    cpu: float
    rss: float
    peak: float


class Program:
    """One process that works on the queue."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        own = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        with log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                command,
                env=own | dict(environ),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def cost(self) -> Cost:
        folder = Path(f"/proc/{self.process.pid}")
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        kibibytes = {name: int(status[name].split()[0]) for name in ("VmRSS", "VmHWM")}
        return Cost(
            (int(times[11]) + int(times[12])) / TICKS,
            kibibytes["VmRSS"] / 1024,
            kibibytes["VmHWM"] / 1024,
        )

    def check(self) -> None:
        """Raises with what it said when it has ended by itself."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended: {self._log.read_text()[-2000:]}")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Bench:
    """The stub, the place for files, and what was started; all of it ends with the context."""

    def __init__(self, stub: "subprocess.Popen[str]", url: str, folder: Path, ends: ExitStack) -> None:
        self.url = url
        self._stub = stub
        self._folder = folder
        self._ends = ends
        self._started = 0

    # The stub

    def call(self, what: str, body: object = None) -> Any:
        status, text = ask(f"{self.url}/_bench/{what}", "GET" if body is None else "POST", body)
        assert status == 200, text
        return json.loads(text)

    def set(self, **switches: object) -> None:
        self.call("set", switches)

    def put(self, count: int, load: Load = Load.S3) -> None:
        self.call("put", {"load": load.value, "count": count})

    def until(self, done: Callable[[Mapping[str, Any]], bool], seconds: float, *programs: Program) -> bool:
        """Whether it came to that within so many seconds, as far as the stub's progress tells."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for program in programs:
                program.check()
            if done(self.call("progress")):
                return True
            with suppress(subprocess.TimeoutExpired):
                self._stub.wait(LOOK_EVERY)
                raise RuntimeError("the stub has ended")
        return False

    def clear(self) -> None:
        self.call("clear", {})

    # What works on it

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Program:
        """A program that the queue is empty for: the answer comes when it polls."""
        self._started += 1
        before = self.call("progress")["pollers"]
        program = Program(name, command, environ, self._folder / f"{self._started:02d} {name}.log")
        self._ends.callback(program.end)
        if not self.until(lambda told: told["pollers"] > before, 60, program):
            raise RuntimeError(f"{name} does not poll")
        return program

    def worker(self, ledger: str = "sqlite", **settings: str) -> Program:
        """Ours, with defaults (a log line for each message too) but for the quota, which does not bind. *ledger*: ``sqlite``, or a URL."""
        name = f"worker {self._started + 1}"
        return self.start(name, WORKER, self._settings(ledger, settings))

    def make_table(self, ledger: str, **settings: str) -> None:
        """As an operator makes the table of a DynamoDB ledger."""
        command = [sys.executable, "-m", "worker", "check", "--create"]
        environ = os.environ | self._settings(ledger, settings)
        subprocess.run(command, cwd=ROOT, env=environ, check=False, capture_output=True, timeout=60)  # noqa: S603 - our own program

    def _settings(self, ledger: str, settings: Mapping[str, str]) -> dict[str, str]:
        if ledger == "sqlite":
            ledger = f"sqlite://{self._folder}/{self._started + 1}.sqlite3"
        where = {
            "WORKER_DARWIN__DATASET": DATASET,
            "WORKER_DARWIN__STORAGE": STORAGE,
            "WORKER_DARWIN__PREFIX": "in",
        }
        return {
            **self._environ(),
            "DARWIN_TEAM": TEAM,
            "WORKER_QUEUE__URL": self.queue_url,
            "WORKER_QUOTA__REQUESTS_PER_MINUTE": "600000",
            "WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE": "600000",
            "WORKER_LEDGER__URL": ledger,
            "WORKER_WEB__HOST": HOST,
            "WORKER_WEB__PORT": str(free_port()),
            "WORKER_LOG__FORMAT": "json",
            **({} if "WORKER_ROUTES_FILE" in settings else where),
            **settings,
        }

    def peer(self, name: str, *command: str) -> Program:
        environ = self._environ() | {
            "QUEUE_URL": self.queue_url,
            "DARWIN_TEAM": TEAM,
            "DARWIN_DATASET": DATASET,
            "DARWIN_STORAGE": STORAGE,
        }
        return self.start(name, command, environ)

    @property
    def queue_url(self) -> str:
        return f"{self.url}/000000000000/events"

    def _environ(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "DARWIN_API_KEY": "key",
            "DARWIN_BASE_URL": self.url,
            "HOME": str(self._folder),
        }


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A stub of its own, and nothing working on it yet."""
    command = [sys.executable, "-m", "tests.bench.stub"]
    with (
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stub,  # noqa: S603 - our own program
        ExitStack() as ends,
    ):
        ends.callback(stub.terminate)
        assert stub.stdout is not None
        own = Path(ends.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        yield Bench(stub, f"http://{HOST}:{stub.stdout.readline().split()[-1]}", own, ends)

"""A backfill of many objects, killed three times while it sends and resumed each time, with a worker running beside it.

S3, SQS and Darwin are :mod:`tests.soak.backfill_stub`; the command and the worker are the real processes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests.soak.processes import environ_for, running_worker
from tests.system.outside import until
from tests.system.processes import ask, running_stub

DEATHS = 3
KIBIBYTE = 2**10
LONGEST = 900.0
"""Seconds until all of it must be done."""


class Usage(NamedTuple):
    """Of one run of the command, or of several: seconds, those of CPU, and bytes at most."""

    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0

    def with_(self, other: "Usage") -> "Usage":
        return Usage(self.seconds + other.seconds, self.cpu + other.cpu, max(self.peak, other.peak))


@dataclass(frozen=True)
class Told:
    """What came of it. *code*, *said*: of the last run. *runs*: all of them. *state* and *books* are the stub's in the end, when
    the worker had done everything, *until_done* seconds after the beginning.
    """

    code: int
    said: str
    runs: "Usage"
    until_done: float
    state: Mapping[str, Any]
    books: Mapping[str, Any]


def killed_and_resumed(objects: int, folder: Path) -> Told:
    """SIGKILL hits the command when a quarter, a half and three quarters of the objects are sent, in the middle of a send."""
    runs, began = Usage(), time.monotonic()
    with (
        running_stub("tests.soak.backfill_stub", "--objects", str(objects)) as url,
        running_worker(url, folder, folder / "worker.log"),
    ):
        for death in range(1, DEATHS + 1):
            ask(f"{url}/_soak/hold", "POST", {"at": objects * death // (DEATHS + 1)})
            _, _, used = _run(url, folder, killed=True)
            runs = runs.with_(used)
        ask(f"{url}/_soak/hold", "POST", {"at": None})
        code, said, used = _run(url, folder, killed=False)
        until("the worker has done everything", lambda: _state(url)["waiting"] == 0, LONGEST)
        done = time.monotonic() - began
        return Told(code, said, runs.with_(used), done, _state(url), json.loads(ask(f"{url}/_soak/books")[1]))


def _run(url: str, folder: Path, *, killed: bool) -> tuple[int, str, Usage]:
    """Exit code, what it said, and what it used."""
    words = [sys.executable, "-m", "worker", "backfill", "s3://media/", "--json"]
    began = time.monotonic()
    with (folder / "said").open("w+") as said:
        command = subprocess.Popen(words, env=environ_for(url, folder), stdout=said, stderr=subprocess.STDOUT)  # noqa: S603 - our own program
        try:
            if killed:
                until("the send that is held", lambda: _held(url, command.pid, said), LONGEST)
                command.kill()
            _, status, usage = os.wait4(command.pid, 0)
            command.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if command.returncode is None:
                command.kill()
                command.wait()
        said.seek(0)
        cpu = usage.ru_utime + usage.ru_stime
        used = Usage(time.monotonic() - began, cpu, usage.ru_maxrss * KIBIBYTE)
        return command.returncode, said.read(), used


def _held(url: str, process: int, said: IO[str]) -> bool:
    ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    assert ended is None, f"the command ended by itself:\n{Path(said.name).read_text()}"
    return bool(_state(url)["holds"])


def _state(url: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(ask(f"{url}/_soak/state")[1])
    return state


def main(objects: int, results: Path) -> int:
    """The exit code: 1 when an object is not registered once. What is printed is kept in ``backfill.txt``, too."""
    with tempfile.TemporaryDirectory() as folder:
        told = killed_and_resumed(objects, Path(folder))
    again = told.state["sent"] - told.books["registered"] - told.books["blocked"] - told.books["refused"]
    well = told.code == 0 and not told.books["wrong"]
    lines = [
        f"{objects:,} objects, killed {DEATHS} times: {told.runs.seconds:.0f} s in all runs",
        f"{objects / told.runs.seconds:,.0f} objects/s counted, listed, routed and sent, {told.runs.cpu / objects * 1e6:,.0f} us of CPU for each",
        f"memory: never more than {told.runs.peak / 2**20:.1f} MiB",
        f"{told.until_done:.0f} s until the worker had done everything; {again:,} were sent twice",
        f"books: {told.books['wrong']} wrong",
        *(f"  {wrong}" for wrong in told.books["named"]),
        f"the last run said: {told.said.strip()}",
        *(f"  {count:>10,}  {name}" for name, count in sorted(told.state.items())),
        "all is well" if well else "NOT WELL",
    ]
    (results / "backfill.txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))  # noqa: T201 - a command prints its answer
    return 0 if well else 1

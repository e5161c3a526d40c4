# ruff: noqa: T201 - a command prints its answer
"""``python -m tests.soak``: a million records over the wire through one worker, with faults, and its memory watched.

The worker is the real process with a SQLite ledger; SQS and Darwin are :mod:`tests.soak.stub`. What it took is written to
``tests/soak/results/``: ``worker.log``, ``samples.csv``, ``memory.svg`` and ``summary.txt``. With ``--backfill`` it is
:mod:`tests.soak.backfill`.
"""

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from tests.plot import Curve, svg
from tests.soak import backfill
from tests.soak.processes import running_worker
from tests.system.processes import ask, running_stub

RESULTS = Path(__file__).parent / "results"
MEBIBYTE = 2**20
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
STUCK_AFTER = 120.0
"""Seconds without any progress at which there is no use in waiting."""

SHOWN_EVERY = 30.0
MOST_GROWTH = 0.10
"""Share by which the memory may be larger at the end than at half of the run."""


@dataclass(frozen=True)
class Sample:
    """One look at the run, *seconds* after its begin. *records*: told of by the queue so far. *cpu* in seconds."""

    seconds: float
    records: int
    waiting: int
    rss: int
    open: int
    cpu: float


def _look(process: int, worker_url: str, state: dict[str, Any], began: float) -> Sample:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    told = re.search(r"^darwin_worker_records_open (\S+)", _page(worker_url), re.MULTILINE)
    return Sample(
        time.monotonic() - began,
        state["told_of"],
        state["waiting"],
        pages * PAGE,
        int(float(told[1])) if told else 0,
        (int(times[11]) + int(times[12])) / TICKS,
    )


def _page(worker_url: str) -> str:
    try:
        return ask(f"{worker_url}/metrics")[1]
    except OSError:
        return ""  # not up yet


def _watch(stub_url: str, worker_url: str, worker: "subprocess.Popen[bytes]", records: int) -> list[Sample]:
    """Sample every second until the queue has told of everything and holds nothing."""
    samples = list[Sample]()
    began = changed = shown = time.monotonic()
    last: dict[str, Any] = {}
    while True:
        state = json.loads(ask(f"{stub_url}/_soak/state")[1])
        if worker.poll() is not None:
            raise SystemExit("the worker ended by itself, see worker.log among the results")
        samples.append(_look(worker.pid, worker_url, state, began))
        now = time.monotonic()
        progress = {name: state.get(name, 0) for name in ("told_of", "records done", "items")}
        if progress != last:
            last, changed = progress, now
        if now - changed > STUCK_AFTER:
            print(f"nothing has moved for {STUCK_AFTER:g} s: {state}", flush=True)
            return samples
        if now - shown >= SHOWN_EVERY:
            shown = now
            print(_line(samples, records), flush=True)
        if state["told_of"] >= records and state["waiting"] == 0:
            return samples
        with suppress(subprocess.TimeoutExpired):
            worker.wait(1.0)


def _line(samples: list[Sample], records: int) -> str:
    latest = samples[-1]
    return (
        f"{latest.seconds:6.0f} s  {latest.records:>9,} of {records:,}  {_rate(samples, 30):6,.0f} records/s  "
        f"{latest.rss / MEBIBYTE:6.1f} MiB  {latest.open:>5} open  {latest.waiting:>5} in the queue"
    )


def _rate(samples: list[Sample], seconds: int) -> float:
    earlier, latest = samples[max(0, len(samples) - 1 - seconds)], samples[-1]
    return (latest.records - earlier.records) / max(latest.seconds - earlier.seconds, 1e-9)


def _at(samples: list[Sample], share: float) -> Sample:
    """The first look at which so much of all was told of."""
    wanted = share * samples[-1].records
    return next(sample for sample in samples if sample.records >= wanted)


def _slope(samples: list[Sample]) -> float:
    """Bytes for each record, by least squares over the second half of the records."""
    half = [sample for sample in samples if sample.records >= samples[-1].records / 2]
    x = [sample.records for sample in half]
    y = [sample.rss for sample in half]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((each - mean_x) ** 2 for each in x)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else 0.0


def _summary(
    samples: list[Sample], state: dict[str, Any], books: dict[str, Any], code: int
) -> tuple[str, bool]:
    """What is printed in the end, and whether all is well."""
    last, told, marks = samples[-1], _at(samples, 1.0), [_at(samples, share) for share in (0.1, 0.5)]
    growth = last.rss / marks[1].rss - 1
    lines = [
        (
            f"{last.records:,} records in {told.seconds:.0f} s: {last.records / told.seconds:,.0f} records/s, "
            f"{told.cpu / last.records * 1000:.3f} ms of CPU for each"
        ),
        f"{last.seconds:.0f} s until the queue was empty, what was lost on the way having come back",
        (
            f"memory in MiB: {marks[0].rss / MEBIBYTE:.1f} at 10 %, {marks[1].rss / MEBIBYTE:.1f} at 50 %, "
            f"{last.rss / MEBIBYTE:.1f} at the end"
        ),
        (
            f"  {growth:+.1%} since half, {_slope(samples):+.1f} bytes for each record of the second half, "
            f"never more than {max(sample.rss for sample in samples) / MEBIBYTE:.1f}"
        ),
        f"the worker ended with {code}; {state['waiting']} messages left in the queue",
        f"books: {books['wrong']} wrong",
        *(f"  {wrong}" for wrong in books["named"]),
        *(f"  {count:>10,}  {name}" for name, count in books.items() if name not in ("wrong", "named")),
        "counted by the stub:",
        *(f"  {count:>10,}  {name}" for name, count in sorted(state.items())),
    ]
    well = not books["wrong"] and not state["waiting"] and code == 0 and growth <= MOST_GROWTH
    return "\n".join([*lines, "all is well" if well else "NOT WELL"]), well


def _write(results: Path, samples: list[Sample], summary: str) -> None:
    with (results / "samples.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(field.name for field in fields(Sample))
        rows.writerows(astuple(sample) for sample in samples)
    every = samples[:: max(1, len(samples) // 900)]
    rates = [_rate(samples[: samples.index(sample) + 1], 30) for sample in every]
    memory = [(sample.seconds, sample.rss / MEBIBYTE) for sample in every]
    pace = [(sample.seconds, rate) for sample, rate in zip(every, rates, strict=True)]
    picture = svg(
        f"{samples[-1].records:,} records through one worker",
        [Curve("MiB of memory", "#06c", memory)],
        [Curve("records/s", "#c60", pace)],
    )
    (results / "memory.svg").write_text(picture)
    (results / "summary.txt").write_text(summary + "\n")


def main() -> int:
    """The exit code: 1 when the books do not balance, or the memory is not flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--records", type=int, help="a million; for a backfill 200,000")
    parser.add_argument(
        "--backfill",
        action="store_true",
        help="in place of it, a backfill that is killed three times and resumed, beside a worker",
    )
    parser.add_argument("--seed", type=int, default=None, help="without it, another one each time")
    parser.add_argument("--faults", type=float, default=1.0, help="how many times as often as usual")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    arguments = parser.parse_args()
    results: Path = arguments.results
    results.mkdir(parents=True, exist_ok=True)
    if arguments.backfill:
        return backfill.main(arguments.records or 200_000, results)
    records = arguments.records or 1_000_000
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    print(f"{records:,} records, seed {seed}", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stub(
            "tests.soak.stub",
            *("--records", str(records), "--seed", str(seed), "--faults", str(arguments.faults)),
        ) as stub_url,
        running_worker(stub_url, Path(folder), results / "worker.log") as (worker_url, worker),
    ):
        samples = _watch(stub_url, worker_url, worker, records)
        worker.terminate()
        code = worker.wait(60)
        state = json.loads(ask(f"{stub_url}/_soak/state")[1])
        books = json.loads(ask(f"{stub_url}/_soak/books")[1])
    summary, well = _summary(samples, state, books, code)
    _write(results, samples, summary)
    print(summary)
    print(f"plot and samples are in {results}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

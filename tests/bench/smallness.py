"""Sections 6 to 8: memory, a lone record, the start, and what SQS and AWS charge."""

import random
import statistics
import time
from pathlib import Path

from tests.bench import costs
from tests.bench.figures import Found, Line
from tests.bench.programs import Bench, Program, bench
from tests.plot import Curve

RECORDS = 1_000_000
LOOK_EVERY = 1.0
LONE = 300
STARTS = 5


def memory(folder: Path, records: int = RECORDS) -> Found:
    """A million records through one worker with a SQLite ledger, and nothing slows it."""
    found = Found()
    with bench(folder) as on:
        worker = on.worker()
        on.put(records)
        points, began, left = list[tuple[float, float, float]](), time.monotonic(), records
        while left:
            on.until(lambda _: False, LOOK_EVERY, worker)
            left = on.call("progress")["waiting"]
            points.append((time.monotonic() - began, worker.cost().rss, records - left))
        peak = worker.cost().peak
    early = max(rss for _, rss, done in points if done <= records / 10 or done == points[0][2])
    growth = points[-1][1] - early
    found.measured["MiB"] = peak
    found.lines.append(
        Line(
            6,
            f"{records:,} records",
            "worker, SQLite",
            {
                "MiB at most": f"{peak:.1f}",
                "most in the first tenth": f"{early:.1f}",
                "at the end": f"{points[-1][1]:.1f}",
                "records/s": f"{records / points[-1][0]:,.0f}",
            },
            "at most 120 MiB, flat after the first tenth (within 2 MiB)",
            peak <= 120 and growth <= 2,
        )
    )
    found.plots["memory"] = (
        f"{records:,} records through one worker",
        [Curve("MiB of memory", "#06c", [(at, rss) for at, rss, _ in points])],
        [Curve("records done", "#c60", [(at, done) for at, _, done in points])],
    )
    return found


def lone(folder: Path) -> Found:
    """One record at a time to an idle worker; then a worker that starts and finds one."""
    found = Found()
    draw = random.Random(5)  # noqa: S311 - pauses, no secret
    with bench(folder) as on:
        worker = on.worker()
        on.until(lambda _: False, 2.0, worker)
        _one(on, worker)
        on.clear()
        for _ in range(LONE):
            on.until(lambda _: False, draw.uniform(0.05, 0.2), worker)
            _one(on, worker)
        lags = sorted(on.call("state")["lags"])
    median, slowest = statistics.median(lags), lags[int(len(lags) * 0.99)]
    found.lines.append(
        Line(
            7,
            "from SQS's delivery to the request at Darwin",
            "worker, SQLite",
            {"median": f"{median * 1000:.1f} ms", "99th percentile": f"{slowest * 1000:.1f} ms"},
        )
    )
    starts = list[float]()
    for _ in range(STARTS):
        with bench(folder) as on:
            on.put(1)
            began = time.monotonic()
            on.worker()
            on.until(lambda told: told["requests"] > 0, 30)
            starts.append(on.call("state")["answered"][0][0] - began)
    found.lines.append(
        Line(
            7,
            "from the start of the process to its first registration",
            "worker, SQLite",
            {"median": f"{statistics.median(starts):.2f} s", "slowest": f"{max(starts):.2f} s"},
            "under 2 s",
            statistics.median(starts) < 2,
        )
    )
    return found


def _one(on: Bench, worker: Program) -> None:
    on.put(1)
    assert on.until(lambda told: told["waiting"] == 0, 30, worker)


def idle(folder: Path, seconds: float = 40.0) -> Found:
    """Nothing to do: what SQS is asked, and what it costs."""
    found = Found()
    with bench(folder) as on:
        worker = on.worker()
        on.put(5_000)
        on.until(lambda told: told["waiting"] == 0, 60, worker)
        on.until(lambda _: False, 12.0, worker)  # the polls of the busy time end
        on.clear()
        before = worker.cost().cpu
        on.until(lambda _: False, seconds, worker)
        calls = sum(on.call("state")["calls"].values())
        cpu = worker.cost().cpu - before
    found.lines.append(
        Line(
            8,
            "an idle worker",
            "worker, SQLite",
            {"SQS calls an hour": f"{calls * 3600 / seconds:,.0f}", "CPU": f"{100 * cpu / seconds:.2f} %"},
        )
    )
    return found


def bills(measured: dict[str, float], rate: float = 100.0) -> Found:
    """Dollars for a million files at *rate* files a second, by the figures of the sections before."""
    found = Found()
    calls = measured["sqs calls"]
    found.lines.append(
        Line(
            8,
            "behind a backlog",
            "worker, SQLite",
            {"SQS calls for 1,000 records": f"{calls:.0f}"},
            "near 200: a receive and a delete for ten",
            calls <= 210,
        )
    )
    for ledger, name in ((None, "SQLite"), (costs.Dynamodb(writes=2.02, reads=1.02), "DynamoDB")):
        one = costs.Measured(rate, measured[f"cpu {name}"], calls, measured["MiB"], ledger)
        found.lines.append(
            _bill(f"worker on Fargate (ARM), {name}", costs.worker_bill(one, costs.FARGATE_ARM), rate)
        )
    flow = costs.lambda_bill(costs.LambdaFlow(), costs.LAMBDA_ARM_GIB_SECOND)
    found.lines.append(_bill("one POST per record (V7's page), Lambda (ARM)", flow, rate))
    return found


def _bill(who: str, bill: costs.Bill, rate: float) -> Line:
    return Line(
        8,
        f"a million files, {rate:g} a second",
        who,
        {
            "dollars": f"{bill.total:.2f}",
            "compute": f"{bill.compute:.2f}",
            "requests": f"{bill.requests:.2f}",
            "ledger": f"{bill.ledger:.2f}",
        },
    )

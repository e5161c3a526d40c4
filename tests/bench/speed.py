"""Sections 4 and 5: CPU for each record, beside the SDK's bare loop, and records a second where no quota binds."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.figures import Found, Line
from tests.bench.loads import DATASET, ROUTES, SLOTS, STORAGE, Load
from tests.bench.programs import Bench, Program, bench
from tests.bench.quotas import PEER_COMMANDS
from tests.servers import running_redis
from worker.demo.engines import running_ministack

RECORDS = 20_000
WARM = 2_000
DYNAMODB_RECORDS = 5_000
PATIENCE = 300.0
BARE = (sys.executable, "-m", "tests.bench.peers.bare_loop")
MOST = {"SQLite": 2.5, "Redis": 3.0, "DynamoDB": 6.0}
TABLE = "darwin-worker"


class Ran(NamedTuple):
    """*cpu*: seconds of all programs for each record. *seconds*: from the first delivery to the empty queue."""

    cpu: float
    seconds: float
    records: int
    state: Mapping[str, Any]

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


def ran(on: Bench, records: int, *programs: Program, load: Load = Load.S3, warm: int = WARM) -> Ran:
    """What it took until the queue was empty, after some records more that nobody counts."""
    if warm:
        on.put(warm, load)
        _until_empty(on, programs)
    on.clear()
    before = sum(program.cost().cpu for program in programs)
    on.put(records, load)
    _until_empty(on, programs)
    state = on.call("state")
    cpu = sum(program.cost().cpu for program in programs) - before
    return Ran(cpu / records, state["emptied_at"] - state["first_delivered_at"], records, state)


def _until_empty(on: Bench, programs: tuple[Program, ...]) -> None:
    if not on.until(lambda told: told["waiting"] == 0, PATIENCE, *programs):
        raise RuntimeError(f"not empty after {PATIENCE:g} s: {on.call('progress')}")


def cpu(folder: Path) -> Found:
    found = Found()
    with bench(folder) as on:
        floor = ran(on, RECORDS, on.peer("bare loop", *BARE))
    found.lines.append(_line("receive and delete, nothing else", "bare SDK loop", floor, floor))

    def measured(what: str, ledger: str, one: Ran) -> None:
        most = MOST[ledger]
        found.lines.append(_line(what, f"worker, {ledger}", one, floor, most))
        found.measured[f"cpu {ledger}"] = one.cpu

    with bench(folder) as on:
        measured("one prefix", "SQLite", sqlite := ran(on, RECORDS, on.worker()))
    found.measured["sqs calls"] = sum(sqlite.state["calls"].values()) / sqlite.records * 1000
    with running_redis() as redis, bench(folder) as on:
        measured("one prefix", "Redis", ran(on, RECORDS, on.worker(redis.url)))
    with running_ministack() as endpoint, bench(folder) as on:
        url, there = f"dynamodb://{TABLE}", {"AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        on.make_table(url, **there)
        worker = on.worker(url, **there)
        measured("one prefix", "DynamoDB", ran(on, DYNAMODB_RECORDS, worker, warm=500))
    for what, load, settings in (
        ("inside SNS", Load.SNS, {}),
        ("a thousand routes", Load.ROUTES, routes_of(folder, _THOUSAND)),
        ("groups of four, each record counted", Load.GROUPS, routes_of(folder, _GROUPS)),
    ):
        with bench(folder) as on:
            one = ran(on, RECORDS, on.worker(**settings), load=load)
        found.lines.append(_line(what, "worker, SQLite", one, floor))
    for name, command in PEER_COMMANDS.items():
        with bench(folder) as on:
            one = ran(on, 4_000, on.peer(name, *command), warm=500)
        found.lines.append(_line("one prefix", name, one, floor))
    return found


def _line(what: str, who: str, one: Ran, floor: Ran, most: float | None = None) -> Line:
    times = one.cpu / floor.cpu
    return Line(
        4,
        what,
        who,
        {"microseconds of CPU a record": f"{one.cpu * 1e6:,.0f}", "times the bare loop": f"{times:.2f}"},
        "" if most is None else f"at most {most:g} times",
        None if most is None else times <= most,
    )


_THOUSAND = [
    {"name": f"r{number:04d}", "prefix": f"in/r{number:04d}/", "dataset": DATASET, "storage": STORAGE}
    for number in range(ROUTES)
]
_GROUPS = [
    {
        "name": "scenes",
        "prefix": "in/",
        "regex": r"(?P<scene>[^/]+)/(?P<slot>[a-z]+)\.png",
        "dataset": DATASET,
        "storage": STORAGE,
        "path": "/",
        "item_name": "{scene}",
        "slot": "{slot}",
        "group": {"by": "{scene}/", "complete": {"slots": list(SLOTS)}, "within": "1h"},
    }
]


def routes_of(folder: Path, routes: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Settings of a worker with these routes; JSON is YAML too."""
    file = folder / f"routes {len(routes)}.yaml"
    file.write_text(json.dumps({"routes": list(routes)}))
    return {"WORKER_ROUTES_FILE": str(file)}


def throughput(folder: Path) -> Found:
    """No quota binds. The stub takes a core for itself, so two workers share the other one of two."""
    found = Found()
    far = {"sqs_latency": 0.015, "darwin_latency": 0.3}
    for what, switches in (("answers at once", {}), ("SQS 15 ms, Darwin 300 ms", far)):
        with bench(folder) as on:
            on.set(**switches)
            found.lines.append(_pace(what, "worker, SQLite", one := ran(on, RECORDS, on.worker())))
        if not switches:
            found.measured["records a second"] = one.per_second
        with running_redis() as redis, bench(folder) as on:
            on.set(**switches)
            workers = [on.worker(redis.url, WORKER_REPLICAS="2") for _ in range(2)]
            found.lines.append(_pace(what, "2 workers, Redis", ran(on, RECORDS, *workers)))
        with bench(folder) as on:
            on.set(**switches)
            found.lines.append(_pace(what, "bare SDK loop", ran(on, RECORDS, on.peer("bare loop", *BARE))))
        for name, command in PEER_COMMANDS.items():
            with bench(folder) as on:
                on.set(**switches)
                found.lines.append(_pace(what, name, ran(on, 2_000, on.peer(name, *command), warm=200)))
    return found


def _pace(what: str, who: str, one: Ran) -> Line:
    return Line(5, what, who, {"records/s": f"{one.per_second:,.0f}"})

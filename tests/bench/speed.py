"""Sections 4 and 5: CPU for each record, beside the SDK's bare loop, and records a second where no quota binds."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.figures import Found, Line
from tests.bench.loads import DATASET, ROUTES, SLOTS, STORAGE, Load
from tests.bench.programs import Bench, Program, bench
from tests.bench.quotas import PEER_COMMANDS
from tests.servers import running_redis
from worker.demo.engines import running_ministack

RECORDS = 20_000
SOME = 600
"""Records for a peer that sends one request after the other, or that waits a minute at a time."""

PAIRS, PIECES, PIECE = 3, 20, 500
"""CPU is measured of so many processes, of each in so many pieces of so many records."""

PATIENCE = 300.0
BARE = (sys.executable, "-m", "tests.bench.peers.bare_loop")
MOST = {"SQLite": 2.5, "Redis": 3.0, "DynamoDB": 6.0}


class Ran(NamedTuple):
    """*seconds*: from the first delivery to the empty queue."""

    seconds: float
    records: int
    state: Mapping[str, Any]

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


def ran(on: Bench, records: int, *programs: Program) -> Ran:
    """What it took until the queue was empty, after some records that nobody counts."""
    on.put(records // 10)
    _until_empty(on, programs)
    on.clear()
    on.put(records)
    _until_empty(on, programs)
    state = on.call("state")
    return Ran(state["emptied_at"] - state["first_delivered_at"], records, state)


def _until_empty(on: Bench, programs: Sequence[Program]) -> None:
    if not on.until(lambda told: told["waiting"] == 0, PATIENCE, *programs):
        raise RuntimeError(f"not empty after {PATIENCE:g} s: {on.call('progress')}")


class Side(NamedTuple):
    """A program with a stub of its own."""

    on: Bench
    program: Program

    def cpu(self, records: int, load: Load = Load.S3) -> float:
        """Seconds of CPU that so many records more take it."""
        before = self.program.cost().cpu
        self.on.put(records, load)
        _until_empty(self.on, [self.program])
        return self.program.cost().cpu - before


@contextmanager
def _floor(folder: Path) -> Iterator[Side]:
    with bench(folder) as on:
        yield Side(on, on.peer("bare loop", *BARE))


def beside(
    folder: Path, start: Callable[[Bench], Program], load: Load = Load.S3, piece: int = PIECE
) -> tuple[float, float]:
    """Seconds of CPU for a record, of the floor and of the other. Both in turns, a short piece each, so that a machine whose
    pace changes tells the same of both; and several processes of each, for no two of them have the same pace.
    """
    of_floor = of_other = 0.0
    for _ in range(PAIRS):
        with _floor(folder) as floor, bench(folder) as on:
            one = Side(on, start(on))
            floor.cpu(4 * piece)
            one.cpu(4 * piece, load)
            for _ in range(PIECES):
                of_floor += floor.cpu(piece)
                of_other += one.cpu(piece, load)
    return of_floor / (PAIRS * PIECES * piece), of_other / (PAIRS * PIECES * piece)


def cpu(folder: Path) -> Found:
    found = Found()

    def measured(
        what: str, who: str, start: Callable[[Bench], Program], load: Load = Load.S3, piece: int = PIECE
    ) -> None:
        least, own = beside(folder, start, load, piece)
        ledger = who.removeprefix("worker, ") if load is Load.S3 else ""
        found.lines.append(_line(what, who, own, least, MOST.get(ledger)))
        if ledger in MOST:
            found.measured[f"cpu {ledger}"] = own

    measured("one prefix", "worker, SQLite", Bench.worker)
    with bench(folder) as on:
        worker = on.worker()
        on.clear()
        on.put(RECORDS)
        _until_empty(on, [worker])
        found.measured["sqs calls"] = sum(on.call("state")["calls"].values()) / RECORDS * 1000
        found.measured["MiB"] = worker.cost().peak
    # Each worker has a ledger of its own: the records of its stub are the same, and would be duplicates.
    with running_redis() as redis:
        numbers = count()
        measured("one prefix", "worker, Redis", lambda on: on.worker(f"{redis.url}/{next(numbers)}"))
    with running_ministack() as endpoint:
        there = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint}

        def with_table(on: Bench) -> Program:
            url = f"dynamodb://worker-{next(numbers)}"
            on.make_table(url, **there)
            return on.worker(url, **there)

        measured("one prefix", "worker, DynamoDB", with_table, piece=PIECE // 4)
    for what, load, settings in (
        ("inside SNS", Load.SNS, {}),
        ("a thousand routes", Load.ROUTES, routes_of(folder, _THOUSAND)),
        ("groups of four, each record counted", Load.GROUPS, routes_of(folder, _GROUPS)),
    ):
        measured(what, "worker, SQLite", methodcaller("worker", **settings), load)
    for name, command in PEER_COMMANDS.items():
        measured("one prefix", name, methodcaller("peer", name, *command), piece=PIECE // 4)
    return found


def _line(what: str, who: str, own: float, floor: float, most: float | None) -> Line:
    times = own / floor
    return Line(
        4,
        what,
        who,
        {
            "microseconds of CPU a record": f"{own * 1e6:,.0f}",
            "the bare loop beside it": f"{floor * 1e6:,.0f}",
            "times": f"{times:.2f}",
        },
        "" if most is None else f"at most {most:g} times the bare loop",
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
                found.lines.append(_pace(what, name, ran(on, SOME, on.peer(name, *command))))
    return found


def _pace(what: str, who: str, one: Ran) -> Line:
    return Line(5, what, who, {"records/s": f"{one.per_second:,.0f}"})

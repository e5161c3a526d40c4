"""Records what a fleet's metrics tell over a day that is made in ten minutes; a second of it stands for a minute.

Two real workers on MiniStack, with Redis for ledger and quota and the Darwin twin behind them, whose quota is 20 records a
second. The queue is told of objects by the :data:`PHASES` and by chance, which is seeded; for a while Darwin answers 503.
Once a second: the objects told of so far, SQS's two counts, the sum of ``darwin_worker_records_total``, and whether Darwin
answers and at least one worker knows.
"""

import csv
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from tests.servers import running_redis
from tests.system.outside import Cloud
from tests.system.processes import Twin, Worker, free_port, running_twin, settings_for
from tests.system.test_stop_from_outside import told_of
from worker.demo.engines import running_ministack

RECORDED = Path(__file__).parent / "recorded.csv"
QUOTA = 20.0
"""Records a second: 240 requests a minute with 5 items each."""

WORKERS, OPEN, BATCH, BURST, PER_MINUTE = 2, 40, 5, 2, 242


@dataclass(frozen=True)
class Phase:
    """*load*: as a share of the quota."""

    name: str
    seconds: int
    load: float
    down: bool = False


PHASES = (
    Phase("quiet", 60, 0.25),
    Phase("a burst", 30, 3.0),
    Phase("after it", 130, 0.3),
    Phase("steady", 120, 0.55),
    Phase("Darwin is down", 75, 0.3, down=True),
    Phase("evening", 185, 0.4),
)


@dataclass(frozen=True)
class Sample:
    """*told* and *done* since the beginning; *available*: 0 or 1."""

    second: int
    told: int
    visible: int
    in_flight: int
    done: int
    available: int


def recorded() -> list[Sample]:
    with RECORDED.open(newline="") as file:
        return [Sample(**{name: int(cell) for name, cell in row.items()}) for row in csv.DictReader(file)]


def record() -> None:
    """Ten minutes."""
    with ExitStack() as stack:
        cloud = stack.enter_context(closing(Cloud(stack.enter_context(running_ministack()))))
        redis = stack.enter_context(running_redis())
        twin = stack.enter_context(running_twin(cloud.bucket))
        twin.control("switch", {"requests_per_minute": PER_MINUTE})
        settings = settings_for(cloud, twin.url, Path(stack.enter_context(tempfile.TemporaryDirectory()))) | {
            "WORKER_LEDGER__URL": f"{redis.url}/0",
            "WORKER_REPLICAS": str(WORKERS),
            "WORKER_QUOTA__REQUESTS_PER_MINUTE": str(PER_MINUTE),
            "WORKER_QUOTA__BURST": str(BURST),
            "WORKER_BATCH__MAX_ITEMS": str(BATCH),
            "WORKER_LIMITS__OPEN_RECORDS": str(OPEN),
        }
        workers = [_started(settings, stack) for _ in range(WORKERS)]
        for worker in workers:
            worker.wait_until_ready()
        _write(_samples(cloud, twin, workers))


def _started(settings: dict[str, str], stack: ExitStack) -> Worker:
    own = settings | {"WORKER_WEB__PORT": str(free_port())}
    worker = Worker(own, Path(stack.enter_context(tempfile.TemporaryDirectory())))
    stack.callback(worker.kill)
    return worker


def _samples(cloud: Cloud, twin: Twin, workers: Sequence[Worker]) -> list[Sample]:
    chance = random.Random(7)  # noqa: S311 - no secret
    samples: list[Sample] = []
    began, told = time.monotonic(), 0
    for phase in PHASES:
        if phase.down:
            twin.control("faults", {"kind": "status", "status": 503})
        else:
            twin.control("faults", {}, "DELETE")
        for _ in range(phase.seconds):
            more = round(chance.expovariate(1 / (phase.load * QUOTA)))
            cloud.send(told_of(cloud, f"in/{number}.jpg") for number in range(told, told + more))
            told += more
            _wait_until(began + len(samples) + 1, workers[0])
            samples.append(_sample(len(samples) + 1, told, cloud, workers, answers=not phase.down))
    return samples


def _wait_until(moment: float, worker: Worker) -> None:
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(max(0.001, moment - time.monotonic()))
        raise RuntimeError(f"a worker ended by itself:\n{worker.output()}")


def _sample(second: int, told: int, cloud: Cloud, workers: Sequence[Worker], *, answers: bool) -> Sample:
    pages = [worker.page("metrics")[1] for worker in workers]
    waiting = cloud.waiting()
    knowing = sum('darwin_worker_condition{condition="darwin_down"} 0.0' in page for page in pages)
    done = sum(
        int(float(line.rpartition(" ")[2]))
        for page in pages
        for line in page.splitlines()
        if line.startswith("darwin_worker_records_total{")
    )
    return Sample(second, told, waiting.visible, waiting.hidden, done, int(answers and knowing > 0))


def _write(samples: Sequence[Sample]) -> None:
    with RECORDED.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(field.name for field in fields(Sample))
        rows.writerows(astuple(sample) for sample in samples)

"""Rolling updates under load, as Kubernetes makes them: a new pod first, then the old one is asked to stop; three times over."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.servers import running_redis
from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import Asked, Twin, Worker, ask, free_port

DEPLOYMENT = Path(__file__).parent.parent.parent / "deploy" / "kubernetes" / "base" / "deployment.yaml"
REPLICAS, UPDATES = 2, 3
DRAIN_SECONDS = 10
AT_ONCE, UPLOAD_EVERY = 4, 0.25
ANSWER_SECONDS = 1.0
"""Of a registration, so that there is always one under way when a stop is asked for."""

GONE: Asked = (0, "")


def pod() -> dict[str, Any]:
    return dict(yaml.safe_load(DEPLOYMENT.read_text())["spec"]["template"]["spec"])


def path_of(probe: str) -> str:
    """What Kubernetes asks our pods for."""
    [container] = pod()["containers"]
    return str(container[probe]["httpGet"]["path"])


READINESS, LIVENESS = path_of("readinessProbe"), path_of("livenessProbe")
GRACE_SECONDS = pod()["terminationGracePeriodSeconds"]


def probed(worker: Worker, path: str) -> Asked:
    """GONE where nobody listens any more."""
    try:
        return ask(f"{worker.url}{path}")
    except OSError:
        return GONE


def wait_until_ready(worker: Worker) -> None:
    until("the new pod is ready", lambda: probed(worker, READINESS)[0] == 200)


def watch_its_end(worker: Worker) -> None:
    """Not ready and yet alive, for as long as it answers at all; ended by itself, and all is well."""
    ready: list[Asked] = []
    alive: list[Asked] = []

    def ended() -> bool:
        ready.append(probed(worker, READINESS))
        alive.append(probed(worker, LIVENESS))
        return worker.process.poll() is not None

    until("the old pod has ended", ended, GRACE_SECONDS)
    assert worker.ended(0) == 0
    statuses = [status for status, _ in ready]
    assert 503 in statuses, "it was to be seen before it was gone"
    assert 200 not in statuses[statuses.index(503) :]
    assert all('"stopping"' in body for status, body in ready if status == 503)
    assert {status for status, _ in alive} <= {200, GONE[0]}


@contextmanager
def uploads(cloud: Cloud) -> Iterator[list[str]]:
    """They go on for as long as the context is open; the keys so far."""
    keys: list[str] = []
    over = threading.Event()

    def upload() -> None:
        while not over.wait(UPLOAD_EVERY):
            some = [f"in/{number}.jpg" for number in range(len(keys), len(keys) + AT_ONCE)]
            cloud.upload(*some)
            keys.extend(some)

    with ThreadPoolExecutor(1) as hand:
        uploading = hand.submit(upload)
        try:
            yield keys
        finally:
            over.set()
            uploading.result(30)


def test_rolling_updates_under_load_lose_nothing_and_double_nothing(
    cloud: Cloud, twin: Twin, start: Start
) -> None:
    """Laws 1, 2 and 6, as a platform sees them. What is ending counts no more, so the next new pod starts beside it."""
    pods: list[Worker] = []
    cloud.notify_queue()
    twin.control("faults", {"kind": "slow-answer", "seconds": ANSWER_SECONDS, "endpoint": "register"})
    with running_redis() as redis:

        def new_pod() -> Worker:
            pods.append(
                start(
                    WORKER_LEDGER__URL=f"{redis.url}/0",
                    WORKER_REPLICAS=str(REPLICAS + 1),
                    WORKER_DRAIN_SECONDS=str(DRAIN_SECONDS),
                    WORKER_WEB__PORT=str(free_port()),
                )
            )
            return pods[-1]

        serving = [new_pod() for _ in range(REPLICAS)]
        for worker in serving:
            wait_until_ready(worker)
        with uploads(cloud) as keys:
            surge = new_pod()
            for left in reversed(range(REPLICAS * UPDATES)):
                wait_until_ready(surge)
                assert [probed(worker, READINESS)[0] for worker in serving] == [200] * REPLICAS
                old, *others = serving
                serving = [*others, surge]
                old.ask_to_stop()
                if left:
                    surge = new_pod()
                watch_its_end(old)
        until("the queue is empty", cloud.emptied)
        assert [worker.stop() for worker in serving] == [0] * REPLICAS

    assert len(keys) >= 100, "there was to be a load"
    assert sorted(twin.items().values()) == sorted(keys)
    counters = twin.counters()
    assert counters["items_registered"] == len(keys)
    assert (counters["items_resent"], counters["extensions"], counters["collisions"]) == (0, 0, 0)
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)
    outcomes = sum((worker.outcomes() for worker in pods), Counter[tuple[str, str]]())
    assert outcomes == {("registered", "accepted"): len(keys), ("ignored", "test_event"): 1}
    assert [worker.errors() for worker in pods] == [""] * len(pods)
    each_stop_costs_one_receive_at_most(pods)


def each_stop_costs_one_receive_at_most(pods: list[Worker]) -> None:
    """And each process' books balance at its end: what it received was settled there or given back."""
    given_back = 0
    for worker in pods:
        [told] = worker.lines("worker stopped")
        settled = sum(worker.outcomes().values())
        assert (told["open_records"], told["received"]) == (0, settled + told["returned"])
        given_back += told["returned"]
    receives = [line["receive_count"] for worker in pods for line in worker.lines("message settled")]
    assert sum(receives) - len(receives) == given_back

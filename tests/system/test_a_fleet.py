"""Several workers on one queue, one ledger and one quota."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.servers import running_redis
from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import Twin, Worker, free_port

PER_MINUTE, BURST = 182, 2


@pytest.fixture(params=["redis", "dynamodb"])
def ledger(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[str]:
    """The URL of a fleet's ledger."""
    if request.param == "redis":
        with running_redis() as server:
            yield f"{server.url}/0"
    else:
        cloud.client("dynamodb").create_table(
            TableName="darwin-ledger",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield "dynamodb://darwin-ledger"


def fleet(start: Start, ledger: str, workers: int, **changes: str) -> list[Worker]:
    return [
        start(
            WORKER_LEDGER__URL=ledger,
            WORKER_REPLICAS=str(workers),
            WORKER_WEB__PORT=str(free_port()),
            **changes,
        )
        for _ in range(workers)
    ]


def test_a_fleet_shares_the_work_and_the_quota(cloud: Cloud, twin: Twin, start: Start, ledger: str) -> None:
    """Law 4: one bucket for all. No window holds more requests than the bucket gives."""
    cloud.notify_queue()
    keys = [f"in/{n}.jpg" for n in range(100)]
    workers = fleet(
        start,
        ledger,
        2,
        WORKER_QUOTA__REQUESTS_PER_MINUTE=str(PER_MINUTE),
        WORKER_BATCH__MAX_ITEMS="5",
        WORKER_LIMITS__OPEN_RECORDS="20",  # or one of them may take all that there is
    )
    for worker in workers:
        worker.wait_until_ready()
    cloud.upload(*keys)
    until("Darwin holds a hundred items", lambda: len(twin.items()) >= 100, seconds=60)
    until("the queue is empty", cloud.emptied)

    lines = [worker.lines("request answered") for worker in workers]
    assert min(map(len, lines)) >= 1, "both workers were to send something"
    times = sorted(left(line) for told in lines for line in told)
    for first in range(len(times)):
        for last in range(first, len(times)):
            allowed = BURST + (times[last] - times[first]) * (PER_MINUTE - BURST) / 60
            assert last - first + 1 <= allowed + 1, "a request leaves a little after its token was taken"
    counters = twin.counters()
    assert (counters["items_registered"], counters["items_resent"], counters["collisions"]) == (100, 0, 0)


def left(line: Mapping[str, Any]) -> float:
    """When the request left, by the line about its answer."""
    return float(datetime.fromisoformat(line["timestamp"]).timestamp() - line["seconds"])


def test_a_dead_workers_claims_lapse_and_are_taken_over(
    cloud: Cloud, twin: Twin, start: Start, ledger: str
) -> None:
    """Law 1; row: ALREADY_EXISTS, claim lapsed and taken over."""
    cloud.notify_queue()
    twin.control("faults", {"kind": "slow-answer", "seconds": 30, "endpoint": "register", "times": 1})
    [first] = fleet(start, ledger, 1, WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS="2")
    first.wait_until_ready()
    cloud.upload("in/a.jpg")
    until("Darwin has done the work of a request that is not answered", lambda: bool(twin.items()))
    first.kill()

    [second] = fleet(start, ledger, 1, WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS="2")
    until("the queue is empty", cloud.emptied, seconds=80)
    # The line about a message is written after its deletion.
    until("the second worker tells of it", lambda: second.outcomes() == {("registered", "proven_ours"): 1})
    counters = twin.counters()
    assert (counters["items_registered"], counters["items_resent"], counters["collisions"]) == (1, 1, 0)
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)

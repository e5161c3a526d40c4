"""A process that stood still: its leases are lost, its verdicts are fenced, and nothing is lost or doubled (law 3)."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import Twin
from tests.system.proxy import Proxy, running_proxy
from tests.system.test_stop_from_outside import told_of

VISIBILITY = 7
SETTINGS = {
    "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "1",
    "WORKER_QUEUE__VISIBILITY_SECONDS": str(VISIBILITY),
    "WORKER_QUEUE__WAIT_SECONDS": "0",
    "WORKER_BATCH__MAX_ITEMS": "5",
    "WORKER_QUOTA__REQUESTS_PER_MINUTE": "60",
}
KEYS = [f"{number}.jpg" for number in range(25)]


@pytest.fixture
def proxies(cloud: Cloud, twin: Twin) -> Iterator[tuple[Proxy, Proxy]]:
    with ExitStack() as stack:
        yield stack.enter_context(running_proxy(cloud.endpoint)), stack.enter_context(running_proxy(twin.url))


@pytest.mark.parametrize("its_clock_goes_on", [True, False])
def test_leases_that_ran_out_while_the_process_stood_still_lose_and_double_nothing(
    cloud: Cloud, twin: Twin, start: Start, proxies: tuple[Proxy, Proxy], *, its_clock_goes_on: bool
) -> None:
    """Law 3: a request under way, a backlog and a verdict, all out of date when the process wakes.

    With its clock gone on (a signal, a starved container) the process finds that by itself. In a machine that was
    suspended the monotonic clock stood still while SQS's went on: then the stale receipt handle tells, or the message
    comes a second time, and the ledger keeps its item from being sent twice.
    """
    sqs, darwin = proxies
    cloud.send(told_of(cloud, key) for key in KEYS)
    deleting = sqs.hold("DeleteMessageBatch")
    worker = start(AWS_ENDPOINT_URL=sqs.url, DARWIN_BASE_URL=darwin.url, **SETTINGS)
    deleting.wait_until_met()
    sending = darwin.hold("POST", after=True)
    sending.wait_until_met()
    until("the others wait", lambda: worker.metrics()["darwin_worker_records_open"] == len(KEYS))

    worker.freeze()
    sqs.lose_all()
    if its_clock_goes_on:
        asleep_until = time.monotonic() + VISIBILITY
        until("the leases ran out", lambda: time.monotonic() > asleep_until and cloud.waiting().hidden == 0)
    else:
        sqs.end_leases(cloud)
    sending.release()
    worker.thaw()

    until("the queue is empty", cloud.emptied, seconds=60)
    assert worker.metrics()["darwin_worker_leases_lost_total"] > 0
    assert worker.stop() == 0
    assert sorted(twin.items().values()) == sorted(KEYS)
    counters = twin.counters()
    assert (counters["extensions"], counters["collisions"]) == (0, 0)
    assert counters["items_resent"] <= 5, "those of the request whose answer came too late"
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)

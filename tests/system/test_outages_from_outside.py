"""Outages in the middle of a run, over the wire: told while they last, survived, and paid for by nobody."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers import RedisServer, running_redis
from tests.system.conftest import Start
from tests.system.outside import AWS_SECRET, Cloud, until
from tests.system.processes import Twin, Worker
from tests.system.proxy import BROKEN, Call, Proxy, Reply, running_proxy

UNAVAILABLE = Reply.of_sqs(503, "ServiceUnavailable", "Service is temporarily unavailable")
DENIED = Reply.of_sqs(403, "AccessDenied", "not authorized to perform: sqs:receivemessage")
EXPIRED = Reply.of_sqs(403, "ExpiredToken", "The security token included in the request is expired")


@dataclass
class Aws:
    """What is answered in its place: *refusal* to calls to SQS, only to those with the session *token* where there is one,
    *credentials* to who asks for them. It counts what was *refused*.
    """

    proxy: Proxy
    refusal: Reply | None = None
    token: str | None = None
    credentials: Reply | None = None
    refused: int = 0

    def instead(self, call: Call) -> Reply | None:
        if call.name == "GET /credentials":
            return self.credentials
        if self.refusal is None or not call.to_sqs or self.token not in (None, call.token):
            return None
        self.refused += 1
        return self.refusal


@pytest.fixture
def aws(cloud: Cloud) -> Iterator[Aws]:
    with running_proxy(cloud.endpoint) as proxy:
        made = Aws(proxy)
        proxy.instead = made.instead
        yield made


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server that keeps what it answered for when it is killed."""
    with running_redis("--appendonly", "yes") as running:
        yield running


def shown(worker: Worker, name: str) -> float:
    """What the metric tells of a condition."""
    wanted = f'darwin_worker_condition{{condition="{name}"}} '
    (line,) = (line for line in worker.page("metrics")[1].splitlines() if line.startswith(wanted))
    return float(line.removeprefix(wanted))


def for_seconds(seconds: float, worker: Worker, condition: str) -> None:
    """So long the worker must be alive, not ready, and say why."""
    ends = time.monotonic() + seconds

    def over() -> bool:
        status, body = worker.page("readyz")
        assert status == 503
        assert condition in body
        assert worker.page("healthz")[0] == 200
        assert shown(worker, condition) >= 1
        return time.monotonic() >= ends

    until("the outage is over", over, seconds + 5)


def nothing_lost_nothing_twice(cloud: Cloud, twin: Twin, keys: list[str]) -> None:
    until("the queue is empty", cloud.emptied, seconds=60)
    assert sorted(twin.items().values()) == sorted(keys)
    counters = twin.counters()
    assert (counters["items_resent"], counters["extensions"], counters["collisions"]) == (0, 0, 0)
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)


def test_twenty_seconds_without_sqs_lose_and_double_nothing(
    cloud: Cloud, twin: Twin, start: Start, aws: Aws
) -> None:
    """It answers 503, then breaks connections off, then denies access; requests to Darwin were under way."""
    cloud.notify_queue()
    first, second, third = ([f"{folder}/{n}.jpg" for n in range(60)] for folder in "abc")
    worker = start(AWS_ENDPOINT_URL=aws.proxy.url)
    cloud.upload(*first)
    until("the first are registered", lambda: len(twin.items()) == len(first))
    twin.control("faults", {"kind": "slow-answer", "seconds": 3, "times": 4, "endpoint": "register"})
    cloud.upload(*second)
    until("a request is under way", lambda: twin.counters()["items_received"] > len(first))

    aws.refusal = UNAVAILABLE
    cloud.upload(*third)
    aws.proxy.wait_until_idle()
    until("it says that SQS is away", lambda: "sqs_unreachable" in worker.conditions())
    for_seconds(7, worker, "sqs_unreachable")
    aws.refusal = BROKEN
    for_seconds(7, worker, "sqs_unreachable")
    aws.refusal = DENIED
    for_seconds(6, worker, "sqs_unreachable")
    assert aws.refused < 20 * 50, "calls, of which the SDK makes two where it was asked for one"
    aws.refusal = None

    worker.wait_until_ready(seconds=60)
    assert shown(worker, "sqs_unreachable") == 0
    nothing_lost_nothing_twice(cloud, twin, first + second + third)
    assert worker.stop() == 0
    assert worker.errors() == ""


def test_twenty_seconds_without_redis_lose_and_double_nothing(
    cloud: Cloud, twin: Twin, start: Start, redis: RedisServer
) -> None:
    """It is killed while a request is under way, and started again: nothing is received and nothing is sent meanwhile."""
    cloud.notify_queue()
    first, second, third = ([f"{folder}/{n}.jpg" for n in range(60)] for folder in "abc")
    worker = start(WORKER_LEDGER__URL=redis.url)
    cloud.upload(*first)
    until("the first are registered", lambda: len(twin.items()) == len(first))
    twin.control("faults", {"kind": "slow-answer", "seconds": 3, "times": 4, "endpoint": "register"})
    cloud.upload(*second)
    until("a request is under way", lambda: twin.counters()["items_received"] > len(first))

    redis.stop()
    until("it says that the ledger is away", lambda: "ledger_unreachable" in worker.conditions())
    cloud.upload(*third)
    for_seconds(20, worker, "ledger_unreachable")
    assert not set(third) & set(twin.items().values())
    redis.start()

    worker.wait_until_ready(seconds=20)
    assert shown(worker, "ledger_unreachable") == 0
    nothing_lost_nothing_twice(cloud, twin, first + second + third)
    assert worker.stop() == 0
    assert worker.errors() == ""


def test_a_start_without_redis_waits_for_it_and_says_so(
    cloud: Cloud, twin: Twin, start: Start, redis: RedisServer
) -> None:
    """Each question to Darwin takes a token from there: it must not look as if Darwin were down."""
    cloud.notify_queue()
    cloud.upload("a.jpg")
    redis.stop()
    worker = start(WORKER_LEDGER__URL=redis.url)
    until("it says that the ledger is away", lambda: "ledger_unreachable" in worker.conditions())
    assert worker.conditions().keys() == {"starting", "ledger_unreachable"}
    assert worker.page("healthz")[0] == 200
    redis.start()
    worker.wait_until_ready()
    nothing_lost_nothing_twice(cloud, twin, ["a.jpg"])
    assert worker.stop() == 0


def credentials(cloud: Cloud, token: str, lasting: timedelta) -> Reply:
    """What ECS and EKS tell a container. An emulator takes the access key for the account, so only the token is new."""
    told = {
        "AccessKeyId": cloud.account,
        "SecretAccessKey": AWS_SECRET,
        "Token": token,
        "Expiration": (datetime.now(UTC) + lasting).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return Reply(200, json.dumps(told).encode())


def test_expired_credentials_are_told_and_new_ones_are_taken_up_without_a_restart(
    cloud: Cloud, twin: Twin, start: Start, aws: Aws
) -> None:
    """The provider of credentials is away while the old ones end, and comes back with new ones."""
    cloud.notify_queue()
    aws.credentials = credentials(cloud, "first-token", timedelta(minutes=12))
    worker = start(
        AWS_ENDPOINT_URL=aws.proxy.url,
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{aws.proxy.url}/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN="secret",
    )
    cloud.upload("before.jpg")
    until("the first is registered", lambda: len(twin.items()) == 1)

    aws.credentials = Reply(500)
    aws.refusal, aws.token = EXPIRED, "first-token"
    cloud.upload("after.jpg")
    aws.proxy.wait_until_idle()
    until("it says that SQS is away", lambda: "sqs_unreachable" in worker.conditions())
    for_seconds(2, worker, "sqs_unreachable")
    assert worker.conditions()["sqs_unreachable"].endswith(
        "ExpiredToken. The AWS credentials have expired: renew them."
    )

    aws.credentials = credentials(cloud, "second-token", timedelta(hours=6))
    worker.wait_until_ready(seconds=40)
    nothing_lost_nothing_twice(cloud, twin, ["before.jpg", "after.jpg"])
    assert worker.stop() == 0
    for token in ("first-token", "second-token"):
        assert token not in worker.output()

"""What a million files cost, from public prices and measured figures: our worker on Fargate, and V7's Lambda flow.

Prices are AWS's on demand in us-east-1, in dollars, without taxes, free tiers and discounts. Below each stands the page
that publishes it. AWS's pages fill in their tables by script; where "by a copy" stands, the number was read in what
others copied from AWS's page or price list. All were read on 2026-11-25.
"""

import math
from dataclasses import dataclass

MILLION = 1_000_000
HOUR = 3600.0
GIB = 2**30


@dataclass(frozen=True, slots=True)
class FargatePrice:
    vcpu_hour: float
    gib_hour: float


FARGATE_X86 = FargatePrice(vcpu_hour=0.04048, gib_hour=0.004445)
FARGATE_ARM = FargatePrice(vcpu_hour=0.03238, gib_hour=0.00356)
"""Linux. https://aws.amazon.com/fargate/pricing/, by a copy of its examples and price list of 2026-10-09."""

SQS_MILLION_REQUESTS = 0.40
SQS_CHUNK_KIB = 64
"""A standard queue, up to 100 billion requests a month; a call is one request for each 64 KiB begun.
https://aws.amazon.com/sqs/pricing/, by copies of 2026-03 and 2026-06.
"""

S3_SENDS_PER_1000 = 1000.0
"""S3 sends each event as a message of its own, and the owner of the queue pays for the sending like any other's: from
general knowledge, read on no page of AWS.
"""

DYNAMODB_MILLION_WRITES = 0.625
DYNAMODB_MILLION_READS = 0.125
"""Request units: a write of 1 KiB begun, done or refused by its condition, and a consistent read of 4 KiB begun.
https://aws.amazon.com/dynamodb/pricing/on-demand/, by a copy of AWS's price list of 2026-07-31.
"""

LAMBDA_MILLION_REQUESTS = 0.20
LAMBDA_X86_GIB_SECOND = 0.0000166667
LAMBDA_ARM_GIB_SECOND = 0.0000133334
"""The first tier. https://aws.amazon.com/lambda/pricing/, by copies of 2024 and 2026-05."""


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    gib: float
    hour: float


VALKEY_NODES = (
    Node("cache.t4g.micro", 0.5, 0.0128),
    Node("cache.t4g.small", 1.37, 0.0256),
    Node("cache.t4g.medium", 3.09, 0.052),
    Node("cache.r8g.large", 14.18, 0.1756),
    Node("cache.r8g.xlarge", 29.68, 0.3511),
    Node("cache.r8g.2xlarge", 61.33, 0.7022),
    Node("cache.r8g.4xlarge", 124.65, 1.4044),
    Node("cache.r8g.8xlarge", 251.27, 2.8088),
    Node("cache.r8g.12xlarge", 377.9, 4.2132),
    Node("cache.r8g.16xlarge", 504.52, 5.6177),
)
"""ElastiCache for Valkey. https://aws.amazon.com/elasticache/pricing/, by a copy of AWS's price list of 2026-10-02; the
memory by AWS's page of node-type specific parameters.
"""

NODE_USABLE = 0.75
"""ElastiCache reserves a quarter of a node's memory by default ("Why is the available memory less than in the pricing?",
AWS Knowledge Center).
"""

KEPT_SECONDS = 30 * 86_400.0
"""How long Redis keeps an entry of the ledger (worker/adapters/redis_ledger.py)."""


@dataclass(frozen=True, slots=True)
class Task:
    """A size that Fargate has."""

    vcpu: float
    gib: float


TASKS = (Task(0.25, 0.5), Task(0.5, 1), Task(1, 2))
"""From the smallest on, each with its least memory; more than one vCPU a Python process does not use."""

BUSY = 0.7
"""The share of a vCPU that a worker may need on average."""


@dataclass(frozen=True, slots=True)
class Dynamodb:
    """Request units for each record. A new record is looked up, claimed and registered: one read, two writes, where the
    entry is below 1 KiB. A token for the request is a read and a write more, shared by the records in it.
    """

    writes: float
    reads: float


@dataclass(frozen=True, slots=True)
class Redis:
    entry_bytes: float


@dataclass(frozen=True, slots=True)
class Measured:
    """*records_per_second*: what comes in and is registered, of the whole fleet. *cpu_per_record*: seconds. *sqs_calls*:
    of the workers, for 1,000 records. *mib*: of one process. *ledger*: None is SQLite, which costs its disk alone.
    """

    records_per_second: float
    cpu_per_record: float
    sqs_calls: float
    mib: float
    ledger: Dynamodb | Redis | None = None


@dataclass(frozen=True, slots=True)
class LambdaFlow:
    """One file, one invocation, one request: *darwin_seconds* until Darwin has answered, *start_seconds* around that, of
    which a connection of its own is the most.
    """

    darwin_seconds: float = 0.3
    start_seconds: float = 0.1
    gib: float = 0.125  # Lambda's default


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars for a million files."""

    compute: float
    requests: float
    ledger: float = 0.0

    @property
    def total(self) -> float:
        return self.compute + self.requests + self.ledger


def worker_bill(measured: Measured, price: FargatePrice) -> Bill:
    """Of workers that run all the time at this rate: a rate far below what they can carry is paid for too."""
    task, count = tasks_for(measured)
    hours = _hours_for_a_million(measured.records_per_second)
    calls = (S3_SENDS_PER_1000 + measured.sqs_calls) / 1000  # for each record, so in millions for a million
    return Bill(
        compute=hours * count * task_hour(task, price),
        requests=sqs_requests(calls) * SQS_MILLION_REQUESTS,
        ledger=_ledger(measured),
    )


def lambda_bill(flow: LambdaFlow, gib_second: float) -> Bill:
    """Without what Darwin refuses above 100 requests a minute, for that is lost there and not paid for again."""
    seconds = flow.darwin_seconds + flow.start_seconds
    return Bill(compute=MILLION * seconds * flow.gib * gib_second, requests=LAMBDA_MILLION_REQUESTS)


def tasks_for(measured: Measured) -> tuple[Task, int]:
    """One task, the smallest that carries the rate alone; or as many of the largest as do. ValueError where a process
    needs more memory than the largest has.
    """
    roomy = [task for task in TASKS if measured.mib <= task.gib * 1024]
    if not roomy:
        raise ValueError(f"a process of {measured.mib:g} MiB fits into no task of {TASKS[-1].gib:g} GiB")
    busy = measured.records_per_second * measured.cpu_per_record
    for task in roomy:
        if busy <= task.vcpu * BUSY:
            return task, 1
    return roomy[-1], math.ceil(busy / (roomy[-1].vcpu * BUSY))


def task_hour(task: Task, price: FargatePrice) -> float:
    return task.vcpu * price.vcpu_hour + task.gib * price.gib_hour


def sqs_requests(calls: float, kib: float = 10.0) -> float:
    """What SQS charges for *calls* that carry so much each; ten events of S3 are about 10 KiB."""
    return calls * max(1, math.ceil(kib / SQS_CHUNK_KIB))


def node_for(redis: Redis, records_per_second: float) -> Node:
    """The smallest that holds what is kept at this rate; without a replica, which costs as much again. ValueError where
    none does: a fleet speaks to one primary.
    """
    gib = records_per_second * KEPT_SECONDS * redis.entry_bytes / GIB
    for node in VALKEY_NODES:
        if gib <= node.gib * NODE_USABLE:
            return node
    raise ValueError(
        f"no node holds the {gib:,.0f} GiB that {records_per_second:,.0f} records a second leave"
    )


def _ledger(measured: Measured) -> float:
    match measured.ledger:
        case None:
            return 0.0
        case Dynamodb(writes, reads):
            return writes * DYNAMODB_MILLION_WRITES + reads * DYNAMODB_MILLION_READS
        case Redis() as redis:
            rate = measured.records_per_second
            return _hours_for_a_million(rate) * node_for(redis, rate).hour


def _hours_for_a_million(records_per_second: float) -> float:
    return MILLION / records_per_second / HOUR

"""Dollars, worked out by hand."""

from dataclasses import replace

import pytest

from tests.bench import costs
from tests.bench.costs import Dynamodb, LambdaFlow, Measured, Redis, Task

IN_AN_HOUR = 1_000_000 / 3600  # a second; a million takes one hour

SQLITE = Measured(records_per_second=IN_AN_HOUR, cpu_per_record=0.0006, sqs_calls=220, mib=110)


def dollars(expected: float) -> object:
    return pytest.approx(expected, abs=1e-6)


def test_a_worker_pays_for_its_task_as_long_as_the_million_takes() -> None:
    # 0.25 vCPU and 0.5 GiB for an hour: 0.01012 + 0.0022225.
    assert costs.worker_bill(SQLITE, costs.FARGATE_X86).compute == dollars(0.0123425)
    assert costs.worker_bill(SQLITE, costs.FARGATE_ARM).compute == dollars(0.008095 + 0.00178)


def test_a_worker_that_waits_most_of_the_time_is_paid_for_too() -> None:
    # A million in a month of 730 hours.
    idle = replace(SQLITE, records_per_second=IN_AN_HOUR / 730)
    assert costs.worker_bill(idle, costs.FARGATE_X86).compute == dollars(9.010025)


def test_the_queue_costs_what_s3_sends_and_what_the_workers_call() -> None:
    # 1,000,000 sent and 220,000 called at 0.40 a million.
    bill = costs.worker_bill(SQLITE, costs.FARGATE_X86)
    assert bill.requests == dollars(0.488)
    assert bill.total == dollars(0.5003425)


@pytest.mark.parametrize(("kib", "requests"), [(0, 3), (10, 3), (64, 3), (65, 6), (1024, 48)])
def test_sqs_charges_each_64_kib_of_a_call_as_a_request(kib: float, requests: float) -> None:
    assert costs.sqs_requests(3, kib) == requests


def test_a_ledger_in_sqlite_costs_no_requests() -> None:
    assert costs.worker_bill(SQLITE, costs.FARGATE_X86).ledger == 0


def test_a_ledger_in_dynamodb_costs_its_request_units() -> None:
    # 2.01 millions of writes at 0.625 and 1.01 of reads at 0.125.
    fleet = replace(SQLITE, ledger=Dynamodb(writes=2.01, reads=1.01))
    assert costs.worker_bill(fleet, costs.FARGATE_X86).ledger == dollars(1.25625 + 0.12625)


def test_a_ledger_in_redis_costs_a_node_that_holds_thirty_days() -> None:
    # 260 bytes for each of 720 millions are 174.3 GiB; of 251.27 a quarter is reserved, which leaves 188.5. A thousand
    # bytes are 670.6 GiB, more than any has.
    fleet = replace(SQLITE, ledger=Redis(entry_bytes=260))
    assert costs.node_for(Redis(entry_bytes=260), IN_AN_HOUR).name == "cache.r8g.8xlarge"
    assert costs.worker_bill(fleet, costs.FARGATE_X86).ledger == dollars(2.8088)
    with pytest.raises(ValueError, match="no node holds the 671 GiB that 278 records a second leave"):
        costs.node_for(Redis(entry_bytes=1000), IN_AN_HOUR)


def test_the_smallest_node_holds_a_million_entries_of_400_bytes() -> None:
    # 400,000,000 bytes are 0.3725 GiB, and 0.375 are to be used.
    a_million_in_thirty_days = 1_000_000 / (30 * 86_400)
    assert costs.node_for(Redis(entry_bytes=400), a_million_in_thirty_days).name == "cache.t4g.micro"
    assert costs.node_for(Redis(entry_bytes=404), a_million_in_thirty_days).name == "cache.t4g.small"


@pytest.mark.parametrize(
    ("cpu_per_record", "task", "count"),
    [
        (0.0006, Task(0.25, 0.5), 1),  # 0.167 of a core, and 0.175 may be used
        (0.0007, Task(0.5, 1), 1),  # 0.194 of 0.35
        (0.0015, Task(1, 2), 1),  # 0.417 of 0.7
        (0.0027, Task(1, 2), 2),  # 0.75
    ],
)
def test_a_task_is_the_smallest_that_carries_the_rate_or_there_are_several(
    cpu_per_record: float, task: Task, count: int
) -> None:
    assert costs.tasks_for(replace(SQLITE, cpu_per_record=cpu_per_record)) == (task, count)


def test_several_tasks_are_paid_for_together() -> None:
    # Two of 1 vCPU and 2 GiB: 0.04048 + 0.00889 each.
    fleet = replace(SQLITE, cpu_per_record=0.0027)
    assert costs.worker_bill(fleet, costs.FARGATE_X86).compute == dollars(0.09874)


def test_a_process_that_needs_more_memory_gets_a_larger_task_or_none() -> None:
    assert costs.tasks_for(replace(SQLITE, mib=513)) == (Task(0.5, 1), 1)
    with pytest.raises(ValueError, match="a process of 2049 MiB fits into no task of 2 GiB"):
        costs.tasks_for(replace(SQLITE, mib=2049))


def test_a_lambda_is_paid_for_while_it_waits_for_darwin() -> None:
    # 0.4 s of 0.125 GiB are 50,000 GiB-seconds for a million, and 0.20 for the invocations; there is no queue.
    bill = costs.lambda_bill(LambdaFlow(), costs.LAMBDA_X86_GIB_SECOND)
    assert (bill.compute, bill.requests, bill.ledger) == (dollars(0.833335), dollars(0.20), 0)
    assert bill.total == dollars(1.033335)
    assert costs.lambda_bill(LambdaFlow(), costs.LAMBDA_ARM_GIB_SECOND).compute == dollars(0.66667)

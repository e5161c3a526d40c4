"""The costs in deploy/README.md are what the prices of tests/bench/costs.py make of the figures of docs/scale.md."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import costs
from tests.bench.costs import Dynamodb, LambdaFlow, Measured, Redis
from tests.docs.page import Row, sections_of

ROOT = Path(__file__).parent.parent.parent
SECTIONS = sections_of(ROOT / "deploy" / "README.md")
COSTS = SECTIONS["What it costs a month"].rows

FIGURES = {
    row["name"].strip("`"): float(row["figure"].replace(",", ""))
    for section in sections_of(ROOT / "docs" / "scale.md").values()
    for row in section.rows
    if "figure" in row
}

VOLUMES = {"100 thousand": 100_000, "4 million": 4_000_000, "100 million": 100_000_000}
HOURS = 730.0
POLL_SECONDS = 10  # WORKER_QUEUE__WAIT_SECONDS
MOST_TOKENS = FIGURES["per_minute"] * 60 * HOURS
LAMBDA_MOST = 100 * 60 * HOURS
EVENTBRIDGE_MILLION = 1.00
"""AWS's opt-in data events in us-east-1. https://aws.amazon.com/eventbridge/pricing/, which names S3's as such; the number by a
copy of 2026-03.
"""

CANNOT = float("inf")


def measured(files: float) -> Measured:
    """Of a worker to which every file comes alone: it is received and deleted by calls of its own."""
    return Measured(
        records_per_second=files / (HOURS * 3600),
        cpu_per_record=FIGURES["cpu_dynamodb_us"] / 1e6,
        sqs_calls=2000,
        mib=FIGURES["rss_mib"],
    )


def million(files: float) -> float:
    return files / costs.MILLION


def tasks(files: float) -> float:
    return 2 * million(files) * costs.worker_bill(measured(files), costs.FARGATE_X86).compute


def events(files: float) -> float:
    return million(files) * costs.worker_bill(measured(files), costs.FARGATE_X86).requests


def polls(_files: float) -> float:
    return million(HOURS * 3600 / POLL_SECONDS) * costs.SQS_MILLION_REQUESTS


def table(files: float) -> float:
    """A file is looked up, claimed and registered; a token, which is read and written, is its own while there are enough."""
    tokens = min(1.0, MOST_TOKENS / files)
    units = replace(measured(files), ledger=Dynamodb(writes=2 + tokens, reads=1 + tokens))
    return million(files) * costs.worker_bill(units, costs.FARGATE_X86).ledger


def kept(files: float) -> float:
    return files * FIGURES["entry_dynamodb"] / costs.GIB * FIGURES["gib_month"]


def bridge(files: float) -> float:
    return million(files) * EVENTBRIDGE_MILLION


def node(files: float) -> float:
    return HOURS * costs.node_for(Redis(FIGURES["entry_redis"]), measured(files).records_per_second).hour


def v7s_lambda(files: float) -> float:
    if files > LAMBDA_MOST:
        return CANNOT
    return million(files) * costs.lambda_bill(LambdaFlow(), costs.LAMBDA_X86_GIB_SECOND).total


PARTS: Mapping[str, Callable[[float], float]] = {
    "tasks": tasks,
    "events": events,
    "polls": polls,
    "table": table,
    "node": node,
    "lambda": v7s_lambda,
    "kept": kept,
    "bridge": bridge,
}


def shown(dollars: float) -> str:
    return "cannot" if dollars == CANNOT else f"{dollars:,.2f}"


@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("row", [row for row in COSTS if "part" in row], ids=lambda row: row["part"])
def test_a_part_costs_what_the_prices_make_of_the_figures(row: Row, volume: str) -> None:
    assert row[volume] == shown(PARTS[row["part"].strip("`")](VOLUMES[volume]))


@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("row", [row for row in COSTS if "way" in row], ids=lambda row: row["way"])
def test_a_way_costs_what_its_parts_cost_together(row: Row, volume: str) -> None:
    parts = re.findall(r"(?:(\d) )?`(\w+)`", row["is"])
    assert row[volume] == shown(sum(int(times or 1) * PARTS[part](VOLUMES[volume]) for times, part in parts))


def test_the_page_tells_of_every_part() -> None:
    assert [row["part"].strip("`") for row in COSTS if "part" in row] == list(PARTS)


def test_the_page_leads_to_what_is_there() -> None:
    text = (ROOT / "deploy" / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert (ROOT / "deploy" / target).exists(), target

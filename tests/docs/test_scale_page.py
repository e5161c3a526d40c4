"""docs/scale.md is held to its formulas, and to the prices of tests/bench/costs.py."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import costs
from tests.bench.costs import Bill, Dynamodb, LambdaFlow, Measured, Redis
from tests.docs.page import Row, sections_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "scale.md"
SECTIONS = sections_of(PAGE)
ROWS = [row for section in SECTIONS.values() for row in section.rows]
BILLS = SECTIONS["Dollars for a million files"].rows

OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def number(cell: str) -> float:
    return float(cell.replace(",", ""))


def shown(value: float, cell: str) -> str:
    """The value with as many decimals as the cell has."""
    return f"{value:,.{len(cell.partition('.')[2])}f}"


def worked_out(formula: ast.expr, figures: Mapping[str, float]) -> float:
    match formula:
        case ast.Constant(int() | float() as value):
            return value
        case ast.Name(name):
            return figures[name]
        case ast.BinOp(left, sign, right):
            return OPERATORS[type(sign)](worked_out(left, figures), worked_out(right, figures))
        case ast.Call(ast.Name("ceil"), [of]):
            return math.ceil(worked_out(of, figures))
        case _:
            raise AssertionError(ast.unparse(formula))


def all_figures() -> dict[str, float]:
    """The figures by their names, and what the formulas make of them, in the page's order."""
    figures: dict[str, float] = {}
    for row in ROWS:
        if "figure" in row:
            figures[row["name"].strip("`")] = number(row["figure"])
        elif "formula" in row:
            formula = ast.parse(row["formula"].strip("`"), mode="eval").body
            figures[row["name"].strip("`")] = worked_out(formula, figures)
    return figures


FIGURES = all_figures()


@pytest.mark.parametrize("row", [row for row in ROWS if "formula" in row], ids=lambda row: row["name"])
def test_each_result_is_what_its_formula_gives(row: Row) -> None:
    assert row["result"] == shown(FIGURES[row["name"].strip("`")], row["result"])


def bill_of(what: str) -> Bill:
    """Of what the first cell of a line says."""
    if "Lambda" in what:
        return costs.lambda_bill(LambdaFlow(), costs.LAMBDA_X86_GIB_SECOND)
    measured = Measured(
        FIGURES["a_key"], FIGURES["cpu_sqlite_us"] / 1e6, FIGURES["sqs_calls"], FIGURES["rss_mib"]
    )
    if "DynamoDB" in what:
        units = Dynamodb(FIGURES["writes"], FIGURES["reads"])
        measured = replace(measured, cpu_per_record=FIGURES["cpu_dynamodb_us"] / 1e6, ledger=units)
    if "Redis" in what:
        entries = Redis(FIGURES["entry_redis"])
        measured = replace(measured, cpu_per_record=FIGURES["cpu_redis_us"] / 1e6, ledger=entries)
    if "a billion a day" in what:
        measured = replace(measured, records_per_second=FIGURES["records_s"])
    if "a million a month" in what:
        measured = replace(measured, records_per_second=1_000_000 / (730 * 3600))
    return costs.worker_bill(measured, costs.FARGATE_ARM if "ARM" in what else costs.FARGATE_X86)


@pytest.mark.parametrize("row", BILLS, ids=lambda row: row["what"])
def test_each_bill_is_what_the_prices_make_of_the_figures(row: Row) -> None:
    bill = bill_of(row["what"])
    for column in ("compute", "requests", "ledger", "total"):
        assert row[column] == shown(getattr(bill, column), row[column]), column


def test_the_table_of_what_ends_first_repeats_the_results() -> None:
    results = {row["result"] for row in ROWS if "result" in row} | {
        row["figure"] for row in ROWS if "figure" in row
    }
    named = {
        number
        for row in SECTIONS["What ends first"].rows
        for number in re.findall(r"\d[\d,]*\.?\d*", row["needed"])
    }
    assert named <= results


def test_the_rule_for_keda_has_the_results_in_it() -> None:
    [rule] = SECTIONS["Replicas, and what to watch"].blocks_of("yaml")
    assert f"maxReplicaCount: {FIGURES['most']:.0f} " in rule
    assert f'queueLength: "{FIGURES["a_minute"]:.0f}"' in rule

"""The rules of the house that no linter holds."""

import ast
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from worker.logs import Event
from worker.metrics import Metrics

ROOT = Path(__file__).parent.parent
CODE = sorted((ROOT / "worker").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def text_of(*, without: str) -> str:
    """The code of the worker but one file."""
    return "\n".join(path.read_text() for path in CODE if path.name != without)


def test_no_file_of_the_worker_passes_400_lines() -> None:
    long = {path.name: lines for path in CODE if (lines := len(path.read_text().splitlines())) > 400}
    assert long == {}


@pytest.mark.parametrize("event", list(Event), ids=lambda event: event.name)
def test_every_log_event_that_is_declared_is_logged(event: Event) -> None:
    assert f"Event.{event.name}" in text_of(without="logs.py")


@pytest.mark.parametrize("metric", sorted(vars(Metrics(CollectorRegistry())).keys() - {"build"}))
def test_every_metric_that_is_declared_is_fed(metric: str) -> None:
    assert re.search(rf"metrics\.{metric}\b", text_of(without="metrics.py"))


def calls_of(path: Path) -> set[str]:
    """What a file calls, as it is written there."""
    tree = ast.parse(path.read_text())
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_test_sleeps_to_synchronise(path: Path) -> None:
    """Law 10: real time is waited for by named conditions; asyncio.sleep passes virtual time only."""
    calls = calls_of(path)
    # The one place of the system tests that spaces its looks at a named condition, each wait with a deadline.
    assert "time.sleep" not in calls or path.name == "outside.py"
    if "asyncio.sleep" in calls:
        # The model of the pipeline brings a loop of its own, on virtual time too.
        virtual = ("looptime", "tests.fakes.model_")
        assert any(clock in path.read_text() for clock in virtual) or "fakes" in path.parts


@pytest.mark.parametrize("path", sorted((ROOT / "worker" / "core").glob("*.py")), ids=lambda path: path.name)
def test_no_decision_reads_a_clock_or_draws_lots(path: Path) -> None:
    """Law 10: time is an argument in decisions, and so is chance."""
    clocks = {"time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "random.random", "uuid4"}
    assert calls_of(path) & clocks == set()

"""The rules and the dashboard as they are shipped, what their expressions name, and what a worker shows."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from worker.core.conditions import Name
from worker.core.model import Kind, Reason
from worker.metrics import Metrics

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
RULES_TEST = RULES.with_name("rules_test.yaml")
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
JOB = "darwin-worker"

Object = Mapping[str, Any]
"""As it is written in YAML or JSON."""

OF_TARGETS = frozenset({"job", "instance", "pod"})
"""Labels that Prometheus gives to every series of a worker."""

OF_WORKERS = re.compile(r"((?:\w+:)?\b(?:darwin_worker|process)_\w+(?::\w+)?|\bup\b)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|without|on|group_left)\s*\(([^)]*)\)")

VALUES: Mapping[str, frozenset[str]] = {
    "condition": frozenset(Name),
    "outcome": frozenset(Kind),
    "reason": frozenset(Reason),
}
"""All values of the labels that have a closed set."""


def program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, (
        f"There is no {name} on PATH: install it (Debian: apt-get install prometheus); .ci/run does"
    )
    return found


@cache
def rules() -> tuple[Object, ...]:
    return tuple(rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"])


def alerts() -> list[Object]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> dict[str, str]:
    """The expressions of the recording rules by their names."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


@cache
def dashboard() -> Object:
    board: Object = json.loads(DASHBOARD.read_text())
    return board


def targets() -> Iterator[tuple[str, str]]:
    """Each panel's title with each of its queries."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


@cache
def shown() -> Mapping[str, frozenset[str]]:
    """The labels of each series that a worker shows, by the series' name."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    series = {
        sample.name: frozenset(sample.labels) for family in registry.collect() for sample in family.samples
    }
    for metric in vars(Metrics(registry)).values():
        name, labels = metric._name, frozenset(metric._labelnames)  # noqa: SLF001 - the library tells them nowhere else
        match metric:
            case Counter():
                series[f"{name}_total"] = labels
            case Gauge():
                series[name] = labels
            case Histogram():
                series |= {f"{name}_sum": labels, f"{name}_count": labels, f"{name}_bucket": labels | {"le"}}
            case Info():
                series[f"{name}_info"] = frozenset({"version", "python"})
    return series


def strangers(expression: str) -> list[str]:
    """What an expression names that no worker shows: series, labels of them, and values of labels."""
    known = dict(shown()) | {"up": frozenset[str]()}
    named, found = set[str](), list[str]()
    for series, selector in OF_WORKERS.findall(expression):
        if series in recorded():
            labels = frozenset().union(*(known[of] for of, _ in OF_WORKERS.findall(recorded()[series])))
        elif series in known:
            labels = known[series]
        else:
            found.append(series)
            continue
        named |= labels
        for label, value in MATCHER.findall(selector):
            if label not in labels | OF_TARGETS:
                found.append(f"{series}{{{label}}}")
            found += [
                f'{label}="{word}"' for word in value.split("|") if word not in VALUES.get(label, {word})
            ]
    for group in GROUPING.findall(expression):
        found += [label for label in re.findall(r"\w+", group) if label not in named | OF_TARGETS]
    return found

"""The rules of Prometheus: right by promtool, each alert shown to fire and not to, about series that a worker shows."""

import re
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.deploy.watching import RULES, RULES_TEST, alerts, program, recorded, rules, strangers, targets


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own files, no shell
        [program("promtool"), *words],
        cwd=RULES.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    checked = promtool("check", "rules", RULES.name)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_alerts_fire_when_they_must_and_not_when_they_must_not() -> None:
    tested = promtool("test", "rules", RULES_TEST.name)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def cases() -> list[Mapping[str, Any]]:
    """The cases of the unit tests that are about an alert."""
    tests = yaml.safe_load(RULES_TEST.read_text())["tests"]
    return [case for test in tests for case in test.get("alert_rule_test", [])]


@pytest.mark.parametrize("alert", sorted({rule["alert"] for rule in alerts()}))
def test_every_alert_has_a_unit_test_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    fires = {bool(case.get("exp_alerts")) for case in cases() if case["alertname"] == alert}
    assert fires == {True, False}


def test_every_severity_of_an_alert_is_seen_in_the_unit_tests() -> None:
    seen = {
        (case["alertname"], fired["exp_labels"]["severity"])
        for case in cases()
        for fired in case.get("exp_alerts") or []
    }
    assert seen == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']} {rule['labels']['severity']}")
def test_an_alert_says_how_urgent_it_is_what_happened_and_where_to_read_on(rule: Mapping[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_what_a_worker_shows(rule: Mapping[str, Any]) -> None:
    assert strangers(rule["expr"]) == []


def test_what_no_worker_shows_is_found() -> None:
    assert strangers("rate(darwin_worker_records_totl[5m]) > 0") == ["darwin_worker_records_totl"]
    assert strangers('darwin_worker_condition{conditon="starting"}') == ["darwin_worker_condition{conditon}"]
    assert strangers('darwin_worker_condition{condition="darwin_up"}') == ['condition="darwin_up"']
    assert strangers("sum by (lane, bucket) (darwin_worker_records_total)") == ["bucket"]
    assert strangers('job:darwin_worker_ledger_seconds:p95_10m{job="x",bucket="y"}') == [
        "job:darwin_worker_ledger_seconds:p95_10m{bucket}"
    ]


def test_what_is_recorded_is_compared_by_an_alert_and_drawn_on_the_dashboard() -> None:
    compared = " ".join(rule["expr"] for rule in alerts())
    drawn = " ".join(expression for _, expression in targets())
    for name in recorded():
        assert re.search(rf"{name}\b", compared), name
        assert re.search(rf"{name}\b", drawn), name

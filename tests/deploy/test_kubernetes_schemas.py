"""Every object of deploy/kubernetes by the schema of its kind, and fields that no schema knows are refused.

Kubernetes' own kinds by kubernetes-validate for two versions; those of KEDA and of the Prometheus operator by what the npm
packages of kubernetes-models publish of them.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from tests.deploy.manifests import FOLDER, OVERLAYS, ROOT, Object, rendered

CRDS = ROOT / "tests" / "deploy" / "crds"
BUILT_IN = {
    "ConfigMap",
    "CronJob",
    "Deployment",
    "Namespace",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
}
CUSTOM = {"PrometheusRule", "ScaledObject", "ServiceMonitor", "TriggerAuthentication"}

# It reads its definitions, megabytes of JSON, anew for each object.
utils.schema_contents = cache(utils.schema_contents)


@cache
def prometheus_rule() -> Object:
    """What the script makes of deploy/prometheus/rules.yaml."""
    script = ["/bin/sh", str(FOLDER / "prometheus-rule.sh")]
    done = subprocess.run(script, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - our own
    rule: Object = yaml.safe_load(done.stdout)
    return rule


@cache
def objects() -> Sequence[Object]:
    """Those of both overlays, and the rules; what both have is there once."""
    every = [*(each for overlay in OVERLAYS for each in rendered(overlay)), prometheus_rule()]
    return list({json.dumps(each): each for each in every}.values())


def built_in() -> list[Object]:
    return [each for each in objects() if each["kind"] in BUILT_IN]


def custom() -> list[Object]:
    return [each for each in objects() if each["kind"] in CUSTOM]


def misspelt(original: Object, *place: str | int) -> Object:
    """The same with a letter too many in the name of the field at *place*."""
    changed: Any = deepcopy(original)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[f"{place[-1]}s"] = inner.pop(place[-1])
    return dict(changed)


def first(kind: str) -> Object:
    return next(each for each in objects() if each["kind"] == kind)


def refused(asked: Sequence[Object]) -> list[list[str]]:
    """What the published schemas refuse of each, in one go; the test is skipped where they are not installed."""
    node = shutil.which("node")
    if node is None or not (CRDS / "node_modules").exists():
        pytest.skip(
            "no node, or no node_modules in tests/deploy/crds (`make test` installs them): CRDs are not tried"
        )
    done = subprocess.run(  # noqa: S603 - our own script
        [node, "refusals.mjs"],
        cwd=CRDS,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers: list[list[str]] = json.loads(done.stdout)
    return answers


def test_every_kind_has_a_schema() -> None:
    assert {each["kind"] for each in objects()} == BUILT_IN | CUSTOM


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_each_object_of_kubernetes_is_what_this_version_takes(version: str) -> None:
    for each in built_in():
        assert kubernetes_validate.validate(dict(each), version, strict=True) == version


@pytest.mark.parametrize("version", ["1.34", "1.37"])
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("ConfigMap", ("data",)),
        ("CronJob", ("spec", "jobTemplate", "spec", "backoffLimit")),
        ("Deployment", ("spec", "template", "spec", "enableServiceLinks")),
        ("Namespace", ("metadata", "name")),
        ("NetworkPolicy", ("spec", "egress", 0, "ports")),
        ("PodDisruptionBudget", ("spec", "minAvailable")),
        ("Service", ("spec", "ports", 0, "targetPort")),
        ("ServiceAccount", ("automountServiceAccountToken",)),
    ],
    ids=sorted(BUILT_IN),
)
def test_a_misspelt_field_of_kubernetes_is_refused(
    version: str, kind: str, place: tuple[str | int, ...]
) -> None:
    wrong = misspelt(first(kind), *place)
    with pytest.raises(kubernetes_validate.ValidationError, match=f"{place[-1]}s"):
        kubernetes_validate.validate(dict(wrong), version, strict=True)


def test_each_object_of_keda_and_the_prometheus_operator_is_what_their_schemas_take() -> None:
    assert refused(custom()) == [[]] * 4


def test_a_misspelt_field_of_keda_or_the_prometheus_operator_is_refused() -> None:
    behaviour = ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown")
    scaled, authentication = first("ScaledObject"), first("TriggerAuthentication")
    monitor, rule = first("ServiceMonitor"), first("PrometheusRule")
    asked = [
        misspelt(scaled, "spec", "cooldownPeriod"),
        misspelt(scaled, *behaviour, "stabilizationWindowSeconds"),
        misspelt(scaled, *behaviour, "policies", 0, "periodSeconds"),
        misspelt(authentication, "spec", "podIdentity", "provider"),
        misspelt(monitor, "spec", "endpoints", 0, "interval"),
        misspelt(rule, "spec", "groups", 0, "rules", 0, "expr"),
        misspelt(rule, "metadata", "labels"),
    ]
    assert [lines[-1] for lines in refused(asked)] == [
        "/spec/cooldownPeriods: unknown field",
        f"/{'/'.join(behaviour)}/stabilizationWindowSecondss: unknown field",
        f"/{'/'.join(behaviour)}/policies/0/periodSecondss: unknown field",
        "/spec/podIdentity/providers: unknown field",
        "/spec/endpoints/0/intervals: unknown field",
        "/spec/groups/0/rules/0/exprs: unknown field",
        "/metadata/labelss: unknown field",
    ]


def test_a_value_of_another_type_and_one_that_is_missing_are_refused() -> None:
    scaled, monitor = dict(deepcopy(first("ScaledObject"))), dict(deepcopy(first("ServiceMonitor")))
    scaled["spec"]["maxReplicaCount"] = "2"
    del monitor["spec"]["selector"]
    assert refused([scaled, monitor]) == [
        ['/spec/maxReplicaCount: type {"type":"integer"}'],
        ['/spec: required {"missingProperty":"selector"}'],
    ]


def test_the_rules_of_the_operator_are_those_that_prometheus_loads() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())
    assert prometheus_rule()["spec"] == rules
    assert prometheus_rule()["kind"] == "PrometheusRule"

"""The numbers of the rules as the files in ``deploy/`` ship them."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.autoscaling.rules import (
    DOWN,
    LOW_POINTS,
    LOW_SHARE,
    UP,
    Behaviour,
    PodScaling,
    Policy,
    Seen,
    Tracking,
)
from tests.deploy.templates import template

KUBERNETES = Path(__file__).parent.parent.parent / "deploy" / "kubernetes"

# Kubernetes


def _objects() -> Iterator[dict[str, Any]]:
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        yield from (one for one in yaml.safe_load_all(path.read_text()) if isinstance(one, dict))


@cache
def kubernetes_object(kind: str) -> dict[str, Any]:
    """The only one of this kind among the files; patches of overlays are texts within them."""
    [found] = (one for one in _objects() if one.get("kind") == kind)
    return found


def pod_scaling() -> PodScaling:
    """The autoscaler that KEDA makes of our ScaledObject."""
    spec = kubernetes_object("ScaledObject")["spec"]
    [trigger] = spec["triggers"]
    assert trigger["type"] == "aws-sqs-queue"
    told = trigger["metadata"]
    in_flight = told["scaleOnInFlight"] == "true"

    def waiting(seen: Seen) -> float:
        return seen.visible + (seen.in_flight if in_flight else 0)

    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    return PodScaling(
        float(told["queueLength"]),
        int(spec["minReplicaCount"]),
        int(spec["maxReplicaCount"]),
        waiting,
        _behaviour(behaviour.get("scaleUp", {}), UP),
        _behaviour(behaviour.get("scaleDown", {}), DOWN),
    )


def _behaviour(told: Mapping[str, Any], otherwise: Behaviour) -> Behaviour:
    policies = [
        Policy(policy["type"], policy["value"], policy["periodSeconds"])
        for policy in told.get("policies", [])
    ]
    return Behaviour(
        told.get("stabilizationWindowSeconds", otherwise.window),
        policies or otherwise.policies,
        told.get("selectPolicy", otherwise.select),
    )


# ECS


def tracking() -> Tracking:
    service = template("service.yaml")
    resources = {name: one["Properties"] for name, one in service["Resources"].items()}
    target, alarm = resources["ScalableTasks"], resources["LittleWaits"]
    out = resources["BacklogOfEachTask"]["TargetTrackingScalingPolicyConfiguration"]
    less = resources["OneTaskLess"]["StepScalingPolicyConfiguration"]
    [step] = less["StepAdjustments"]
    assert out["DisableScaleIn"]
    assert (alarm["EvaluationPeriods"], alarm["Threshold"]) == (LOW_POINTS, LOW_SHARE)

    def default(parameter: Mapping[str, str]) -> float:
        return float(service["Parameters"][parameter["Ref"]]["Default"])

    return Tracking(
        default(out["TargetValue"]),
        int(default(target["MinCapacity"])),
        int(default(target["MaxCapacity"])),
        out["ScaleOutCooldown"],
        -step["ScalingAdjustment"],
        less["Cooldown"],
    )

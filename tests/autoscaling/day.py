"""The recorded day at the size of docs/scale.md: what each shipped rule makes of it, with as many workers as 71 keys feed.

A recorded second stands for a minute, and the recorded quota for that of all keys; so does each record for as many.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from tests.autoscaling.recording import QUOTA, Sample, recorded
from tests.autoscaling.rules import PodAutoscaler, Rule, TargetTracking
from tests.autoscaling.shipped import pod_scaling, tracking
from tests.autoscaling.simulation import Fleet, Moment, Step, simulate
from tests.docs.test_scale_page import FIGURES

STEP = 15.0
"""The period of Kubernetes' autoscaler."""

STEPS_A_MINUTE = 4
FIRST = 2
"""Workers in the morning."""

FLEET = Fleet(FIGURES["one_dynamodb"], FIGURES["keys"] * FIGURES["a_key"], int(FIGURES["open"]))
MOST = int(FIGURES["most"])
PLATFORMS = ("KEDA", "ECS")


def moments(samples: Sequence[Sample], times: float, parts: int) -> list[Moment]:
    """Each sample in so many *parts*, and so many *times* as many records in it."""
    before = [0, *(sample.told for sample in samples)]
    return [
        Moment((sample.told - earlier) * times / parts, bool(sample.available))
        for earlier, sample in zip(before, samples, strict=False)
        for _ in range(parts)
    ]


def under(rule: Rule, first: int = FIRST) -> list[Step]:
    """The day under a *rule*."""
    every_record = FLEET.quota * 60 / QUOTA
    return simulate(moments(recorded(), every_record, STEPS_A_MINUTE), STEP, FLEET, rule, first)


@cache
def shipped_day(platform: str) -> Sequence[Step]:
    """Under the rule that is shipped for it. Only the ceiling is another: there it is that of one key."""
    if platform == "KEDA":
        return under(PodAutoscaler(replace(pod_scaling(), most=MOST)))
    return under(TargetTracking(replace(tracking(), most=MOST)))

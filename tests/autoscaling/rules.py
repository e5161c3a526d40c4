"""How Kubernetes and ECS decide how many workers there are to be, as far as they say so. Times in seconds.

Kubernetes: "Horizontal Pod Autoscaling" in its documentation; where that is silent, its controller's code. ECS: "How
target tracking scaling for Application Auto Scaling works", and the alarms that it makes.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol


class Seen(NamedTuple):
    """What metrics tell of a moment. *running*: workers that have started. *rate*: records done in a second by all."""

    running: int
    visible: float
    in_flight: float
    rate: float


class Rule(Protocol):
    """Asked at each step of a simulation. *lag*: how old the metrics are that it goes by."""

    @property
    def lag(self) -> float: ...

    def wanted(self, now: float, workers: int, seen: Seen, /) -> int:
        """How many of them there are to be; *workers*: how many there are, the starting ones too."""
        ...


@dataclass(frozen=True)
class Fixed:
    """No rule: so many from the first moment on."""

    workers: int
    lag: float = 0.0

    def wanted(self, _now: float, _workers: int, _seen: Seen) -> int:
        return self.workers


# Kubernetes

TOLERANCE = 0.1

SQS_LAG = 60.0
"""SQS: the approximate counts are right a minute after they stopped changing."""


@dataclass(frozen=True)
class Policy:
    """In any *period* at most so many pods, or so many percent of those there were."""

    kind: Literal["Pods", "Percent"]
    value: int
    period: float


@dataclass(frozen=True)
class Behaviour:
    """Of one direction: the careful end of what was recommended in the *window*, within the *policies*."""

    window: float
    policies: Sequence[Policy]
    select: Literal["Max", "Min"] = "Max"


UP = Behaviour(0, (Policy("Percent", 100, 15), Policy("Pods", 4, 15)))
DOWN = Behaviour(300, (Policy("Percent", 100, 15),))
"""What holds where an autoscaler does not say otherwise."""


@dataclass(frozen=True)
class PodScaling:
    """An autoscaler by one external metric. *target*: its ``AverageValue``, what one pod is to have of the metric."""

    target: float
    least: int
    most: int
    metric: Callable[[Seen], float]
    up: Behaviour = UP
    down: Behaviour = DOWN


class PodAutoscaler:
    """The controller's loop over one autoscaler; to be asked every 15 seconds, its default."""

    lag = SQS_LAG

    def __init__(self, scaling: PodScaling) -> None:
        self._scaling = scaling
        self._recommended: deque[tuple[float, int]] = deque()
        self._changes: list[tuple[float, int]] = []

    def wanted(self, now: float, workers: int, seen: Seen) -> int:
        one = self._scaling
        metric = one.metric(seen)
        close = abs(metric / (one.target * workers) - 1) <= TOLERANCE
        recommended = workers if close else math.ceil(metric / one.target)
        stable = self._stabilised(now, workers, recommended)
        self._recommended.append((now, recommended))
        while self._recommended and self._recommended[0][0] <= now - max(one.up.window, one.down.window):
            self._recommended.popleft()
        wanted = self._within_policies(now, workers, min(max(stable, one.least), one.most))
        if wanted != workers:
            self._changes.append((now, wanted - workers))
        return wanted

    def _stabilised(self, now: float, workers: int, recommended: int) -> int:
        """As many as there are, or as few more or less as any recommendation of the windows allows."""
        lowest = min([recommended, *self._since(now - self._scaling.up.window)])
        highest = max([recommended, *self._since(now - self._scaling.down.window)])
        return min(max(workers, lowest), highest)

    def _since(self, moment: float) -> list[int]:
        return [number for at, number in self._recommended if at > moment]

    def _within_policies(self, now: float, workers: int, wanted: int) -> int:
        if wanted == workers:
            return workers
        up = wanted > workers
        behaviour = self._scaling.up if up else self._scaling.down
        limits = [self._limit(policy, now, workers, up) for policy in behaviour.policies]
        farthest = (behaviour.select == "Max") == up
        limit = max(limits) if farthest else min(limits)
        return min(wanted, max(limit, workers)) if up else max(wanted, min(limit, workers))

    def _limit(self, policy: Policy, now: float, workers: int, up: bool) -> int:
        """How far the policy lets the number go from where it stood at the begin of the period."""
        recent = [change for at, change in self._changes if at > now - policy.period]
        before = workers - sum(change for change in recent if (change > 0) == up)
        if policy.kind == "Pods":
            return before + policy.value if up else before - policy.value
        share = policy.value / 100
        return math.ceil(before * (1 + share)) if up else int(before * (1 - share))


# ECS

MINUTE = 60.0
HIGH_POINTS, LOW_POINTS, LOW_SHARE = 3, 15, 0.9
"""Out after three minutes above the target, in after fifteen below nine tenths of it, as target tracking itself would."""

CLOUDWATCH_LAG = 120.0
"""SQS tells CloudWatch once a minute, and the alarm looks at whole minutes only."""


@dataclass(frozen=True)
class Tracking:
    """Policies over visible messages / running tasks: target tracking for out, steps of so many tasks for in."""

    target: float
    least: int
    most: int
    out_cooldown: float
    in_step: int
    in_cooldown: float


@dataclass
class TargetTracking:
    """Application Auto Scaling and its alarms; to be asked at any time, it looks once a minute."""

    tracking: Tracking
    lag: float = CLOUDWATCH_LAG
    _points: deque[float] = field(default_factory=lambda: deque(maxlen=LOW_POINTS))
    _next_point: float = 0.0
    _base: int = 0
    """Tasks before the scale-out whose cooldown lasts until *_out_ends*."""
    _out_ends: float = 0.0
    _in_ends: float = 0.0

    def wanted(self, now: float, workers: int, seen: Seen) -> int:
        if now < self._next_point:
            return workers
        self._next_point = now + MINUTE
        one, points = self.tracking, self._points
        points.append(seen.visible / max(1, seen.running))
        if len(points) >= HIGH_POINTS and all(point > one.target for point in list(points)[-HIGH_POINTS:]):
            return self._out(now, workers, points[-1] / one.target)
        low = len(points) == LOW_POINTS and all(point < LOW_SHARE * one.target for point in points)
        if low and now >= self._in_ends:
            wanted = max(one.least, workers - one.in_step)
            if wanted < workers:
                self._in_ends = now + one.in_cooldown
                return wanted
        return workers

    def _out(self, now: float, workers: int, ratio: float) -> int:
        """What an earlier scale-out added counts towards this one for as long as its cooldown lasts."""
        base = self._base if now < self._out_ends else workers
        wanted = min(self.tracking.most, math.ceil(base * ratio))
        if wanted <= workers:
            return workers
        if base == workers:
            self._base = workers
        self._out_ends = now + self.tracking.out_cooldown
        # AWS: a scale-out ends the cooldown of a scale-in.
        self._in_ends = now
        return wanted

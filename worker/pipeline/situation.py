"""What stands in the way right now: raised by the parts that meet it, told once, shown by readiness and a metric."""

from collections.abc import Callable

from worker.core.conditions import Condition, Conditions, Name
from worker.logs import Event, log
from worker.metrics import Metrics
from worker.pipeline.channel import Bell


class Situation:
    """The conditions of the process. *now*: Unix seconds. *changed* rings when one is raised or cleared. *last* is the one
    that was raised last, whether or not it still is.
    """

    def __init__(self, metrics: Metrics, now: Callable[[], float]) -> None:
        self.conditions = Conditions()
        self.changed = Bell()
        self.last: Condition | None = None
        self._metrics = metrics
        self._now = now

    def raise_(self, name: Name, subject: str, why: str) -> None:
        now = self._now()
        if self.conditions.raise_(name, subject, why, now):
            self.last = Condition(name, subject, now, why)
            log.warning(
                Event.CONDITION_RAISED, condition=name.value, subject=subject, why=why, advice=name.advice
            )
            self._metrics.condition.labels(condition=name.value).inc()
            self.changed.ring()

    def clear(self, name: Name, subject: str) -> None:
        cleared = self.conditions.clear(name, subject)
        if cleared is not None:
            lasted = round(self._now() - cleared.since, 3)
            log.info(Event.CONDITION_CLEARED, condition=name.value, subject=subject, lasted_seconds=lasted)
            self._metrics.condition.labels(condition=name.value).dec()
            self.changed.ring()

    def has(self, name: Name) -> bool:
        return any(condition.name is name for condition in self.conditions.now())

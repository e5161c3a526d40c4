"""What every part of one process shares."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.metrics import Metrics
from worker.pipeline.heartbeats import Heartbeats
from worker.pipeline.recent import Recent
from worker.pipeline.situation import Situation
from worker.pipeline.stopping import Stop


@dataclass(frozen=True, slots=True)
class Context:
    """*now*: Unix seconds. *token*: what this process claims with; no two processes have the same.

    *open_records*: the most records that may be open at once, which also bounds every channel.
    """

    metrics: Metrics
    situation: Situation
    heartbeats: Heartbeats
    stop: Stop
    now: Callable[[], float]
    token: str
    open_records: int
    recent: Recent = field(default_factory=Recent)

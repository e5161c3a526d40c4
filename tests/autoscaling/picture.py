"""The plot of the day, as ``docs/autoscaling.svg`` has it."""

from collections.abc import Sequence
from pathlib import Path

from tests.autoscaling.day import FIRST, FLEET, PLATFORMS, shipped_day
from tests.autoscaling.simulation import Step, changes
from tests.plot import Curve, svg

PICTURE = Path(__file__).parent.parent.parent / "docs" / "autoscaling.svg"
TITLE = "A day under the shipped rules: minutes of the quota that wait (left), workers (right)"
COLOURS = {"KEDA": ("#6ae", "#03a"), "ECS": ("#e96", "#a30")}


def picture() -> str:
    days = {platform: shipped_day(platform) for platform in PLATFORMS}
    waiting = [
        Curve(f"minutes that wait, {name}", COLOURS[name][0], _waiting(day)) for name, day in days.items()
    ]
    workers = [Curve(f"workers, {name}", COLOURS[name][1], _workers(day)) for name, day in days.items()]
    return svg(TITLE, waiting, workers)


def _waiting(day: Sequence[Step]) -> list[tuple[float, float]]:
    """Once a minute."""
    a_minute = FLEET.quota * 60
    return [(step.at, (step.visible + step.in_flight) / a_minute) for step in day if step.at % 60 == 0]


def _workers(day: Sequence[Step]) -> list[tuple[float, float]]:
    """As stairs."""
    number = float(FIRST)
    points = [(0.0, number)]
    for at, by in changes(day):
        points += [(at, number), (at, number + by)]
        number += by
    return [*points, (day[-1].at, number)]

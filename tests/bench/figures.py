"""What a bench found: lines of a table, and curves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.plot import Curve

FULL, TAKEN = 100, 200


@dataclass(frozen=True)
class Line:
    """One line of the table. *section*: the number of the bench; *who*: the program; *figures* by what they are.

    *wanted*: the bar in words, where there is one, and whether it was *met*.
    """

    section: int
    what: str
    who: str
    figures: Mapping[str, str]
    wanted: str = ""
    met: bool | None = None


@dataclass
class Found:
    """Of one section. *measured*: what later sections reckon with, by name."""

    lines: list[Line] = field(default_factory=list)
    plots: dict[str, tuple[str, Sequence[Curve], Sequence[Curve]]] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """How a quota was used between the first and the last full request: shares from 0 to 1, and items a second."""

    used: float
    fullness: float
    refused: float
    items_per_second: float


def use_of(answered: Sequence[Sequence[float]], per_second: float, full: int = FULL) -> Use:
    """*answered*: when each registration came, its status, its items. *per_second*: the requests that were allowed."""
    whole = [at for at, status, items in answered if status == TAKEN and items >= full]
    if len(whole) < 2:
        return Use(0.0, 0.0, 0.0, 0.0)
    first, last = whole[0], whole[-1]
    between = [each for each in answered if first <= each[0] <= last]
    taken = [items for _, status, items in between if status == TAKEN]
    seconds = last - first
    return Use(
        used=(len(taken) - 1) / (seconds * per_second),
        fullness=sum(taken) / len(taken) / full,
        refused=1 - len(taken) / len(between),
        items_per_second=sum(taken[1:]) / seconds,
    )


def over_time(
    answered: Sequence[Sequence[float]], began: float, every: float = 0.5
) -> list[tuple[float, float]]:
    """Items registered until each moment, in seconds since *began*."""
    points, items, due = [(0.0, 0.0)], 0.0, every
    for at, status, count in answered:
        if at - began >= due:
            points.append((at - began, items))
            due = at - began + every
        items += count if status == TAKEN else 0
    if answered:
        points.append((answered[-1][0] - began, items))
    return points


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table(lines: Sequence[Line], titles: Mapping[int, str]) -> str:
    """Markdown, a table for each section."""
    parts = list[str]()
    for section, title in titles.items():
        own = [line for line in lines if line.section == section]
        if not own:
            continue
        parts += [
            f"\n## {section}. {title}\n",
            "| what | who | figures | wanted | |",
            "|---|---|---|---|---|",
        ]
        for line in own:
            told = ", ".join(f"{name}: {value}" for name, value in line.figures.items())
            met = {True: "met", False: "**not met**", None: ""}[line.met]
            parts.append(f"| {line.what} | {line.who} | {told} | {line.wanted} | {met} |")
    return "\n".join(parts) + "\n"


def plain(found: Found) -> dict[str, Any]:
    return {"lines": [asdict(line) for line in found.lines], "measured": found.measured}

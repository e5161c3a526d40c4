"""How a status looks on a terminal."""

import io
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.core.errors import Refused
from worker.core.printing import printable

_STYLES = {"running": "bold green", "idle": "bold green", "waiting": "bold red"}
_OTHER_STATE = "bold yellow"
_WIDEST = len("dead letters")
WITHOUT_A_TERMINAL = 200
"""Columns."""

MINUTE = 12
"""Steps of the history."""


def show(told: Any) -> None:
    """Raises :class:`Refused` when *told* is no status of a worker of this release."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may hold what the terminal's encoding does not know.
        sys.stdout.reconfigure(errors="backslashreplace")
    # A line that the console breaks could not be copied; and without a terminal there is room for everything.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WITHOUT_A_TERMINAL)
    try:
        parts = [_head(told), *_conditions(told), *_facts(told), _lanes(told)]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"The worker tells its status in another form ({error!r}): it is of another release; --json shows it."
        ) from error
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))


def _head(told: Any) -> Text:
    state = told["state"]
    return Text.assemble(
        (f"{state}", _STYLES.get(state, _OTHER_STATE)),
        f"  darwin-worker {told['version']}, up for {lasting(told['uptime_seconds'])}",
    )


def _conditions(told: Any) -> list[Text]:
    return [
        Text.assemble(
            (f"! {raised['condition']}", "bold red"),
            f" {printable(raised['subject'])}, since {raised['since']}: {printable(raised['why'])}\n  {raised['advice']}",
        )
        for raised in told["conditions"]
    ]


def _facts(told: Any) -> list[Text]:
    records, outcomes = told["records"], told["records"]["outcomes"]
    lines: list[Text] = []

    def row(about: str, text: str) -> None:
        lines.append(Text.assemble((f"{about:{_WIDEST}}  ", "bold"), printable(text)))

    row("queue", _depth(told["queue"]))
    row("in hand", f"{records['open']:,} of {records['most_open']:,} records{_oldest(told['oldest'])}")
    row("dead letters", _depth(told["dead_letters"]))
    row(
        "since start",
        ", ".join(f"{n:,} {kind}" for kind, n in outcomes.items() if n) or "no record settled yet",
    )
    last = sum(told["history"]["received"][-MINUTE:]), sum(told["history"]["registered"][-MINUTE:])
    row("last minute", f"{last[0]:,} received, {last[1]:,} registered")
    row("registered", _registered(told["last_registered"]))
    row("last error", _error(told["last_error"]))
    for quota in told["quota"]:
        row(f"quota {quota['team']}", _quota(quota))
    return lines


def _depth(depth: Any) -> str:
    if depth is None:
        return "not asked yet"
    if "unknown" in depth:
        return f"not known: {depth['unknown']}"
    return f"{depth['waiting']:,} waiting, {depth['in_flight']:,} in flight, {depth['delayed']:,} delayed"


def _oldest(oldest: Any) -> str:
    if oldest is None:
        return ""
    return f"; the oldest waits for {lasting(oldest['seconds'])}" + (
        f" ({oldest['object']})" if oldest["object"] else ""
    )


def _registered(last: Any) -> str:
    if last is None:
        return "nothing yet"
    return f"last at {last['at']}: {last['dataset']} {last['path'].rstrip('/')}/{last['name']}"


def _error(last: Any) -> str:
    return "none" if last is None else f"{last['at']} {last['what']}: {last['why']}"


def _quota(quota: Any) -> str:
    one, all_else = quota["registration"], quota["general"]
    return (
        f"{one['sent_in_a_minute']} of {one['a_minute']} requests sent in the last minute, "
        f"{_tokens(one)} tokens at hand; of all else {_tokens(all_else)}"
    )


def _tokens(bucket: Any) -> str:
    return "unknown" if bucket["tokens"] is None else f"{bucket['tokens']:.1f} of {bucket['burst']}"


def _lanes(told: Any) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left", header_style="bold")
    for name in ("lane", "waiting", "under way", "batch", "state"):
        table.add_column(name, justify="left" if name in ("lane", "state") else "right")
    for lane in told["lanes"]:
        paused = lane["paused"]
        state = "" if paused is None else f"paused for {lasting(paused['seconds'])}: {paused['why']}"
        table.add_row(
            Text(printable(f"{lane['team']}/{lane['dataset']} from {lane['storage']}")),
            f"{lane['waiting']:,}",
            f"{lane['under_way']:,}",
            str(lane["batch_items"]),
            Text(printable(state), style="red"),
        )
    if told["lanes_not_told"]:
        table.add_row(f"and {told['lanes_not_told']:,} more that hold less", "", "", "", "")
    return table


def lasting(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 100:  # noqa: PLR2004 - two digits are read at a glance
        return f"{seconds:.0f} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if hours < 1:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h {minutes % 60:.0f} min" if days < 1 else f"{days:.0f} d {hours % 24:.0f} h"

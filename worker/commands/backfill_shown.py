"""How a backfill looks: a bar on a terminal or a line a minute while it runs, a table or JSON in the end."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from worker.core.backfill import Room, Tally, in_words

LINE_EVERY = 60.0
"""Seconds between two lines where no terminal shows a bar."""


class HowFar(NamedTuple):
    """*total*: None where nobody knows it."""

    done: int
    total: int | None
    words: str


class Watch:
    """On stderr; *tell* may be called as often as one likes."""

    def __init__(self, bar: Progress | None) -> None:
        self._bar = bar
        self._task = None if bar is None else bar.add_task("", total=None)
        self._told_at = monotonic()

    def tell(self, how_far: HowFar) -> None:
        done, total, words = how_far
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, description=words)
        elif monotonic() - self._told_at >= LINE_EVERY:
            self._told_at = monotonic()
            print(words, file=sys.stderr, flush=True)


@contextmanager
def watching() -> Iterator[Watch]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Watch(None)
        return
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        yield Watch(bar)


def on_the_way(done: int, total: int | None, queued: int, room: Room) -> HowFar:
    """*total* is None while it is still counted; *queued*: messages in the queue."""
    left = (
        "still counting"
        if total is None
        else f"{in_words(room.seconds(total - done + queued))} left by the quota"
    )
    of = "" if total is None else f" of {total:,}"
    return HowFar(done, total, f"{done:,}{of} sent, {queued:,} messages in the queue, {left}")


def show(place: str, tally: Tally, *, dry_run: bool, as_json: bool, by_quota: float, took: float) -> None:
    if as_json:
        told = {
            "place": place,
            "dry_run": dry_run,
            "looked_at": tally.looked_at,
            "chosen": tally.chosen,
            "by_route": dict(sorted(tally.by_route.items())),
            "not_sent": dict(sorted(tally.left_out.items())),
            "seconds_by_quota": round(by_quota),
            "seconds": round(took, 3),
        }
        print(json.dumps(told))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("objects", justify="right")
    table.add_column("would be sent, by route" if dry_run else "sent, by route")
    for route, number in tally.by_route.most_common():
        table.add_row(f"{number:,}", Text(route, "green"))
    for reason, number in tally.left_out.most_common():
        table.add_row(f"{number:,}", Text(f"not sent: {reason}", "dim"))
    if tally.looked_at:
        console.print(table)
    sent = "would be sent" if dry_run else f"sent in {in_words(took)}"
    console.print(
        f"{tally.chosen:,} of {tally.looked_at:,} objects of {place} {sent}. "
        f"To register them takes {in_words(by_quota)} by the quota, if nothing else comes.",
        soft_wrap=True,
        markup=False,
    )

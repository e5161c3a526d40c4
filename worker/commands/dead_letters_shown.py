"""How dead letters look: a table by reason, dataset and day, the letters one by one, or JSON. Answers go to stdout; bars, and
what a person should know besides, to stderr.
"""

import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from worker import logs
from worker.core.errors import Refused
from worker.core.events import iso_time
from worker.core.letters import RECEIVED_TOO_OFTEN, UNKNOWN, Letter, Parcel, Pile, piles, plain
from worker.core.printing import printable
from worker.dead_letters import Done, Look
from worker.settings import SettingsError, reason_of

SAID_OF_RAW = {
    RECEIVED_TOO_OFTEN: "received too often (moved by SQS)",
    UNKNOWN: "unknown (moved by SQS, or somebody else's)",
}
MOST_REASONS_NAMED = 10


# The answer


def listed(letters: Sequence[Letter], look: Look, *, as_json: bool) -> None:
    """*letters*, folded, by reason, dataset and day."""
    found = piles(letters)
    if as_json:
        print(
            json.dumps(
                {
                    "letters": len(letters),
                    "sampled": look.sampled,
                    "counted": look.counted,
                    "hidden": look.hidden,
                    "groups": [_plain_pile(pile) for pile in found],
                }
            )
        )
        return
    headings = ("reason", "dataset", "day", "letters", "copies", "example")
    _table(headings, [_pile_row(pile, on_terminal=_on_terminal()) for pile in found])


def letters(held: Sequence[Letter], *, as_json: bool, full: bool) -> None:
    """Each of the letters, which are folded."""
    if as_json:
        for each in held:
            whole = {"body": each.message.body, "attributes": dict(each.message.attributes)} if full else {}
            print(
                json.dumps(
                    {**plain(each), "detail": logs.redact(each.detail), "message": each.message.id, **whole}
                )
            )
    elif full or len(held) == 1:
        for each in held:
            _console().print(_whole(each, full=full), soft_wrap=True)
    else:
        headings = ("object", "reason", "dataset", "first seen", "attempts", "detail")
        _table(headings, [_letter_row(each) for each in held])


def _plain_pile(pile: Pile) -> dict[str, object]:
    return {
        "reason": pile.reason,
        "dataset": pile.dataset,
        "day": pile.day or None,
        "letters": pile.count,
        "copies": pile.copies,
        "example": _place(pile.example),
    }


def _pile_row(pile: Pile, *, on_terminal: bool) -> tuple[str, ...]:
    reason = SAID_OF_RAW.get(pile.reason, pile.reason) if on_terminal and pile.example.raw else pile.reason
    return (
        reason,
        pile.dataset or "-",
        pile.day or "-",
        str(pile.count),
        str(pile.copies),
        _place(pile.example),
    )


def _letter_row(letter: Letter) -> tuple[str, ...]:
    return (
        _place(letter),
        letter.reason,
        letter.dataset or "-",
        _time(letter.first_seen),
        _attempts(letter),
        logs.redact(letter.detail) or "-",
    )


def _whole(letter: Letter, *, full: bool) -> RenderableType:
    parts = [Text(printable(_place(letter)), "bold")]

    def tell(name: str, value: str) -> None:
        parts.append(Text(f"  {name:<11} {printable(value)}"))

    said = SAID_OF_RAW.get(letter.reason, letter.reason) if letter.raw else letter.reason
    tell("reason", f"{letter.outcome}: {said}" if letter.outcome else said)
    tell("detail", logs.redact(letter.detail) or "-")
    tell("dataset", letter.dataset or "-")
    tell("route", letter.route or "-")
    tell("first seen", _time(letter.first_seen))
    tell("event", _time(letter.happened))
    tell("attempts", _attempts(letter))
    if letter.copies > 1:
        tell("copies", str(letter.copies))
    if full:
        tell("message", letter.message.id)
        for name, value in letter.message.attributes.items():
            tell("attribute", f"{name}={logs.redact(value)}")
        parts.append(
            Text(indent("\n".join(map(printable, logs.redact(letter.message.body).splitlines())), "  "))
        )
    return Group(*parts, Text())


def _place(letter: Letter) -> str:
    return f"s3://{letter.bucket}/{letter.key}" if letter.object else f"(message {letter.message.id})"


def _attempts(letter: Letter) -> str:
    """Where nobody counted there is none to show."""
    return str(letter.attempts) if letter.attempts else "-"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else iso_time(seconds)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns on a terminal, else tab-separated lines without headings."""
    if not _on_terminal():
        _console()
        for row in rows:
            print("\t".join(map(printable, row)))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(
            heading,
            overflow="fold",
            justify="right" if heading in ("letters", "copies", "attempts") else "left",
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(table)


def _console() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A key may hold what the terminal's encoding does not know.
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console(highlight=False)


def _on_terminal() -> bool:
    return Console().is_terminal


# A copy of them


def check_new(file: Path | None) -> None:
    """A file that is there already may hold letters that are nowhere else."""
    if file is not None and file.exists():
        raise SettingsError([f"{file} is there already; name a new file"])


def export(chosen: Sequence[Parcel], file: Path | None) -> None:
    """One line a message: what it tells of, its body and its attributes. A *file* is there whole, and on the disk, or not at
    all; None stands for stdout.
    """
    if file is None:
        for line in _lines(chosen):
            print(line)
        return
    part = file.with_name(file.name + ".part")
    try:
        with part.open("w") as out:
            out.writelines(f"{line}\n" for line in _lines(chosen))
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {reason_of(error)}") from error


def _lines(chosen: Sequence[Parcel]) -> Iterator[str]:
    for parcel in chosen:
        told = [plain(letter) for letter in parcel.letters]
        for message in parcel.messages:
            yield json.dumps(
                {
                    "message": message.id,
                    "letters": told,
                    "body": message.body,
                    "attributes": dict(message.attributes),
                }
            )


# What a person should know besides


def note(text: str) -> None:
    print(printable(logs.redact(text)), file=sys.stderr)


def notes(look: Look, chosen: int, url: str) -> None:
    """What the answer does not hold of the queue."""
    seen = len(look.letters)
    if look.sampled:
        note(f"This is a sample: {seen} letters were looked at, and {url} may hold more.")
    elif look.counted is not None and look.counted > seen:
        note(
            f"SQS counts about {look.counted} messages in {url}, and {seen} letters were found. It may count late, or "
            "somebody looks at the same time, who sees the others: look again in a minute."
        )
    if look.hidden:
        note(
            f"About {look.hidden} messages are in somebody else's hands, and not shown: another look, a replay, or one that "
            "was broken off and comes back within two minutes."
        )
    if not seen:
        note(f"There are no letters in {url}.")
    elif not chosen:
        reasons = sorted({letter.reason for letter in look.letters})[:MOST_REASONS_NAMED]
        note(f"None of the {seen} letters is chosen. Reasons that are there: {', '.join(reasons)}.")


def done(result: Done, verb: str, *, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                {
                    "sent": result.sent,
                    "deleted": result.deleted,
                    "left": result.left,
                    "lost": result.lost,
                    "refused": [{**plain(letter), "why": logs.redact(why)} for letter, why in result.refused],
                }
            )
        )
    else:
        note(
            f"{result.sent} sent, {result.deleted} deleted."
            if verb == "Send"
            else f"{result.deleted} deleted."
        )
    if result.left:
        note(
            f"{result.left} may still be here though they were to be deleted; if they were sent, they are in both queues now, "
            "which does no harm. Run it again."
        )
    if result.lost:
        note(
            f"{result.lost} came out of our hands before their turn, and nothing was done to them. Run it again."
        )
    for letter, why in result.refused:
        note(f"{_place(letter)} was not sent and stays here: {why}")


def several(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def minutes(number: float) -> str:
    """A time, roughly."""
    if number < 1:
        return "less than a minute"
    return f"about {several(round(number), 'minute')}"


# Bars


class Bars:
    """What moves on a terminal while it takes long; nothing elsewhere."""

    def __init__(self, progress: Progress, result: Done) -> None:
        self._progress = progress
        self._done = result
        self._task: TaskID = progress.add_task("looking", total=None)

    def seen(self, number: int) -> None:
        self._progress.update(self._task, completed=number, description="looking")

    def expect(self, number: int) -> None:
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task("letters", total=number)

    def step(self) -> None:
        self._progress.update(self._task, completed=max(self._done.sent, self._done.deleted))


@contextmanager
def bars(result: Done) -> Iterator[Bars]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bars(progress, result)

"""How a reconciliation looks: bars while it runs, a table of what was found, and every difference in a file."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from worker.commands.reconcile_store import Store
from worker.core.differences import MEANINGS, Difference, Kind
from worker.core.model import Reason
from worker.core.printing import printable
from worker.settings import SettingsError, reason_of

EXAMPLES = 3
STYLES = {
    Kind.MISSING: "bold red",
    Kind.INCOMPLETE: "yellow",
    Kind.COLLISION: "red",
    Kind.FAILED: "bold red",
    Kind.STUCK: "yellow",
    Kind.FOREIGN: "red",
    Kind.ARCHIVED: "yellow",
    Kind.STRAY: "magenta",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What was looked at: the objects *listed*, those *on their way*, those of which no item is made by reason, and the
    datasets that were read, with whether strays were looked for in them.
    """

    listed: int
    on_their_way: int
    outcomes: Counter[Reason]
    datasets: Mapping[tuple[str, str], bool]


class Bars:
    """A line for the step that is taken, on standard error where that is a terminal."""

    def __init__(self) -> None:
        self._step: TaskID | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.completed:,.0f}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def bar(self, words: str) -> Callable[[int], None]:
        """A step begins, and the one before is over; whoever takes it tells how far it came."""
        if self._step is not None:
            self._progress.remove_task(self._step)
        step = self._step = self._progress.add_task(printable(words), total=None)
        return lambda count: self._progress.advance(step, count)


def show(
    store: Store, kinds: Sequence[Kind], looked: Shown, *, csv_file: str | None, json_file: str | None
) -> bool:
    """Whether there is a difference of these *kinds*. A file named - is standard output, and the table goes to standard error
    then.
    """
    counts = {kind: count for kind, count in store.counts().items() if kind in kinds}
    for file, write in ((csv_file, _write_csv), (json_file, _write_json)):
        if file is not None:
            with _opened(file) as out:
                write(out, (each for kind in counts for each in store.differences(kind)))
    console = Console(highlight=False, stderr="-" in (csv_file, json_file))
    if isinstance(console.file, io.TextIOWrapper):
        console.file.reconfigure(errors="backslashreplace")
    if counts:
        _show_counts(console, store, counts)
    for line in _summary(looked, counts):
        console.print(Text(line, "dim"), soft_wrap=True)
    return bool(counts)


def _show_counts(console: Console, store: Store, counts: Mapping[Kind, int]) -> None:
    """A table on a terminal, else a line for each kind."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), header_style="bold")
    table.add_column("difference")
    table.add_column("count", justify="right")
    table.add_column("what it is, and the first of them", overflow="fold")
    for kind, count in counts.items():
        first = [_in_words(each) for each in store.differences(kind, EXAMPLES)]
        if console.is_terminal:
            shown = Text("\n".join([f"{MEANINGS[kind]}:", *first]))
            table.add_row(Text(kind.value, STYLES[kind]), f"{count:,}", shown)
        else:
            print(kind.value, count, *first, sep="\t", file=console.file)
    if console.is_terminal:
        console.print(table)


def _in_words(difference: Difference) -> str:
    """The object, and the item that it makes or should; of a stray the item alone."""
    held, identity = difference.object, difference.identity
    item = "" if identity is None else f"{identity.dataset}:{identity.path.rstrip('/')}/{identity.name}"
    where = item if held is None else f"s3://{held.bucket}/{held.key}"
    more = f" ({item})" if held is not None and item else ""
    return printable(f"{where}{more}{'. ' + difference.detail if difference.detail else ''}")


def _summary(looked: Shown, counts: Mapping[Kind, int]) -> Iterator[str]:
    datasets = _many(len(looked.datasets), "dataset") if looked.datasets else "no dataset"
    found = _many(sum(counts.values()), "difference") if counts else "nothing differs"
    yield f"{_many(looked.listed, 'object')} and the items of {datasets} were compared: {found}."
    if looked.on_their_way:
        are = "is on its way" if looked.on_their_way == 1 else "are on their way"
        yield f"{looked.on_their_way:,} {are} still, and so not missing yet."
    if outcomes := +looked.outcomes:
        reasons = ", ".join(f"{count:,} {reason.value}" for reason, count in outcomes.most_common())
        yield f"Of some objects no item is made now, as `darwin-worker why` tells of each: {reasons}."
    if partly := [dataset for dataset, whole in looked.datasets.items() if not whole]:
        names = ", ".join("/".join(dataset) for dataset in sorted(partly))
        yield f"Strays were not looked for in {printable(names)}: not all that may be in there was listed."


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# -- files ---------------------------------------------------------------------------------------------------------------


def check_writable(file: str | None) -> None:
    """Raises :class:`SettingsError` for a file that cannot be written: it is written after a long time only."""
    if file not in (None, "-"):
        try:
            with Path(file).open("a"):
                pass
        except OSError as error:
            raise SettingsError([f"{file} cannot be written: {reason_of(error)}"]) from None


@contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    if file == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        yield sys.stdout
        return
    with Path(file).open("w", newline="", encoding="utf-8", errors="backslashreplace") as out:
        yield out


def _write_csv(out: TextIO, differences: Iterator[Difference]) -> None:
    rows = csv.DictWriter(out, list(Difference(Kind.MISSING, None).row()))
    rows.writeheader()
    for difference in differences:
        rows.writerow(difference.row())


def _write_json(out: TextIO, differences: Iterator[Difference]) -> None:
    out.writelines(json.dumps(difference.row()) + "\n" for difference in differences)

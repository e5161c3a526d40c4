"""How it looks what became of an object: a line for each side that was asked, and the sentence at the end; or JSON."""

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker import logs
from worker.core.errors import Refused
from worker.core.printing import printable
from worker.core.standing import Standing

GOOD = frozenset({Standing.REGISTERED})
CALM = frozenset(
    {
        Standing.PROCESSING,
        Standing.IN_HAND,
        Standing.LEFT,
        Standing.WAITING,
        Standing.PAUSED,
        Standing.IGNORED,
        Standing.OVERWRITTEN,
    }
)


class _Line(BaseModel):
    about: str
    text: str


class _Answer(BaseModel):
    """What is shown of :meth:`worker.core.tracing.Trace.as_json`."""

    object: str
    standing: str
    sentence: str
    lines: list[_Line]
    unknown: dict[str, str]


def checked(answer: Mapping[str, object], url: str) -> Mapping[str, object]:
    """*answer*, unless it is of another version than ours: then :class:`Refused` is raised."""
    try:
        _Answer.model_validate(answer)
    except ValidationError:
        raise Refused(f"The worker at {url} is of another version and tells it in another way.") from None
    return answer


@contextmanager
def looking() -> Iterator[Callable[[int], None]]:
    """While everybody is asked; what it yields is told how many dead letters were looked at."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("Asking S3, the ledger, the queues and Darwin") as status:
        yield lambda number: status.update(
            f"Asking S3, the ledger, the queues and Darwin; {number:,} dead letters looked at"
        )


def show(answers: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    if as_json:
        for each in answers:
            print(logs.to_json(each))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A key may hold what the terminal's encoding does not know.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False)
    for number, each in enumerate(answers):
        if number:
            console.print()
        _show(console, _Answer.model_validate(each))


def _show(console: Console, answer: _Answer) -> None:
    console.print(Text(_safe(answer.object), "bold"), soft_wrap=True)
    rows = list(_rows(answer.lines))
    sentence = Text.assemble((f"{_safe(answer.standing)}: ", _style(answer)), _safe(answer.sentence))
    if console.is_terminal:
        columns = Table.grid(padding=(0, 2, 0, 0))
        for about, text in rows:
            columns.add_row(Text(f"  {about}", "dim"), Text(text, overflow="fold"))
        console.print(columns)
        console.print(sentence)
        return
    widest = max((len(about) for about, _ in rows), default=0)
    for about, text in rows:
        console.print(Text(f"  {about:<{widest}}  {text}"), soft_wrap=True)
    console.print(sentence, soft_wrap=True)


def _rows(lines: Sequence[_Line]) -> Iterator[tuple[str, str]]:
    """Whom a line is about stands but once where several follow each other."""
    before = ""
    for line in lines:
        about = _safe(line.about)
        yield "" if about == before else about, _safe(line.text)
        before = about


def _style(answer: _Answer) -> str:
    if answer.standing in GOOD:
        return "bold green"
    return "bold yellow" if answer.standing in CALM else "bold red"


def _safe(text: str) -> str:
    return printable(logs.redact(text))

"""How the demo looks on a terminal: one line per record, and a table of what became of all.

Nothing is read or decided here. Keys are shown as people can read them: what cannot be printed is escaped, and what is
too long loses its middle.
"""

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from worker.core.printing import printable
from worker.demo.books import Books, Told
from worker.demo.samples import Place
from worker.demo.stage import AWS_SETTINGS, HOST, REGION, Cloud, LogLine

_MARKS = {
    "registered": ("✓", "green"),
    "existing": ("✓", "green"),
    "duplicate": ("=", "cyan"),
    "ignored": ("·", "bright_black"),
    "postponed": ("…", "yellow"),
    "blocked": ("✗", "red"),
    "rejected": ("✗", "red"),
    "unreadable": ("✗", "red"),
}
_OUTCOMES = tuple(_MARKS)
_LONGEST_OUTCOME = max(map(len, _OUTCOMES))
_UNKNOWN = ("?", "yellow")
_WIDEST_KEY = 48
_ELLIPSIS, _ARROW, _GAP = "…", " → ", "   "


def shorten(text: str, cells: int) -> str:
    """*text* in at most *cells* columns of a terminal; its middle gives way, for both ends tell more."""
    if cell_len(text) <= cells:
        return text
    head, tail = "", ""
    left, right = 0, len(text) - 1
    while True:
        longer = (head + text[left], tail) if cell_len(head) <= cell_len(tail) else (head, text[right] + tail)
        if cell_len(longer[0]) + cell_len(longer[1]) + cell_len(_ELLIPSIS) > cells:
            return head + _ELLIPSIS + tail
        left, right = left + (longer[0] != head), right - (longer[1] != tail)
        head, tail = longer


def record_line(told: Told, width: int) -> Text:
    """One record in one line of at most *width* columns."""
    mark, style = _MARKS.get(told.outcome, _UNKNOWN)
    line = Text(f"{mark} {told.outcome:{_LONGEST_OUTCOME}}  ", style)
    column = min(_WIDEST_KEY, (width - line.cell_len) // 2)
    key = Text(shorten(printable(told.key) or "(no object)", column), "default")
    key.pad_right(column - key.cell_len)
    line.append_text(key)
    if told.outcome in ("registered", "existing") and told.place:
        left = max(1, width - line.cell_len - len(_ARROW))
        return line.append(_ARROW + shorten(_target(told.place), left), "default")
    line.append(_GAP + printable(f"{told.reason}: {told.detail}" if told.detail else told.reason), "dim")
    line.truncate(width, overflow="ellipsis")
    return line


def _target(place: Place) -> str:
    return printable(f"{place.dataset}:{place.path.rstrip('/')}/{place.name}")


def trouble_line(line: LogLine) -> Text | None:
    """What the worker warns of, or writes that is no log line; None for the rest."""
    if "text" in line:
        return Text(printable(str(line["text"])), style="yellow")
    if line.get("level") not in ("warning", "error", "critical"):
        return None
    words = (str(line[name]) for name in ("event", "condition", "subject", "why", "advice") if line.get(name))
    return Text("! " + printable(": ".join(words)), style="yellow")


def introduction(cloud: Cloud, twin_url: str, port: int) -> Text:
    """What is on the stage, and where to look at it."""
    pages = f"http://{HOST}:{port}"
    return _listed(
        "The whole job, on this machine alone:",
        (
            ("S3 and SQS", f"MiniStack, an emulator, at {cloud.endpoint}"),
            ("bucket", f"{cloud.bucket}: each new object is told to the queue {cloud.bucket}-events"),
            ("dead letters", f"the queue {cloud.bucket}-dead-letters"),
            ("Darwin", f"a stand-in; see what it holds at {twin_url}/"),
            ("the page", f"{pages}/ shows the worker at its work"),
            ("worker", f"darwin-worker run; see {pages}/metrics and {pages}/readyz"),
        ),
    )


def invitation(cloud: Cloud, twin_url: str) -> Text:
    """How the user gives files of their own."""
    # Version 1 of the CLI knows AWS_DEFAULT_REGION alone, and version 2 knows it too.
    own = AWS_SETTINGS | {"AWS_DEFAULT_REGION": REGION}
    settings = " ".join(f"{name}={value}" for name, value in own.items() if name != "AWS_REGION")
    copy = f"aws s3 cp FILE s3://{cloud.bucket}/incoming/ --endpoint-url {cloud.endpoint}"
    return (
        Text()
        .append_text(
            _listed(
                "\nNow with files of your own, from another terminal:\n",
                (
                    ("with the AWS CLI", f"{settings} {copy}"),
                    ("without it", f"curl -T FILE {cloud.endpoint}/{cloud.bucket}/incoming/"),
                    ("then see", f"{twin_url}/"),
                ),
            )
        )
        .append("\n\nCtrl-C ends the demo.\n", "bold")
    )


def _listed(title: str, rows: Sequence[tuple[str, str]]) -> Text:
    widest = max(len(name) for name, _ in rows)
    text = Text(title, style="bold")
    for name, words in rows:
        text.append(f"\n  {name:{widest}}  ", "not bold cyan").append(words, "not bold")
    return text


def outcomes_table(books: Books) -> Table:
    """How many keys there are, and what became of the records that told of them."""
    table = Table(
        title="What became of each record", title_justify="left", box=None, show_header=False, padding=(0, 2)
    )
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("keys uploaded", str(len(set(books.uploaded))), "", style="bold")
    counts = Counter(told.outcome for told in books.settled)
    reasons = Counter((told.outcome, told.reason) for told in books.settled)
    for outcome in (*_OUTCOMES, *(counts.keys() - _MARKS.keys())):
        if counts[outcome]:
            why = ", ".join(
                f"{count} {reason}" for (its, reason), count in reasons.most_common() if its == outcome
            )
            mark, style = _MARKS.get(outcome, _UNKNOWN)
            table.add_row(Text(f"{mark} {outcome}", style), str(counts[outcome]), why)
    return table


def letters_table(books: Books) -> Table:
    """The dead letters by reason, each with what the first of them says."""
    title = "Dead letters by reason" if books.letters else "No dead letters"
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2))
    table.add_column(style="red")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for reason, count in sorted(Counter(letter.reason for letter in books.letters).items()):
        first = next(letter for letter in books.letters if letter.reason == reason)
        table.add_row(reason, str(count), printable(first.detail))
    return table


def verdict(books: Books, wrong: Sequence[str]) -> Text:
    """The last word: the sum, or what is wrong with it."""
    said = (
        f"{len(set(books.uploaded))} keys uploaded = {books.items} items in Darwin + {books.dead} dead letters "
        f"+ {books.ignored} ignored"
    )
    if not wrong:
        beside = ", ".join(f"{count} {reason}" for reason, count in books.beside.items())
        more = f"\nRecords beside these keys: {beside}." if beside else ""
        return Text(f"The books balance: {said}.", style="bold green").append(more, "not bold default")
    lines = "".join(f"\n  - {printable(line)}" for line in wrong)
    return Text(f"The books do not balance:{lines}", style="bold red")

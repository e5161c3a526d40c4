"""How explanations look: a table of several objects, the whole story of one, or JSON."""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from textwrap import indent

from rich.console import Console, Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from worker.core.explaining import Explanation
from worker.core.model import Item, Later

STYLES = {"item": "green", "postponed": "yellow", "ignored": "dim", "unknown": "bold red"}


def show(explained: Sequence[Explanation], *, as_json: bool, full: bool) -> None:
    if as_json:
        for each in explained:
            print(json.dumps(_plain(each)))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A key may hold what the terminal's encoding does not know.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False)
    told: set[tuple[str, str]] = set()
    rows = [(each, _told_before(each, told)) for each in explained]
    if full:
        console.print(*(_whole(each, told=before) for each, before in rows), sep="\n", soft_wrap=True)
        return
    if console.is_terminal:
        console.print(_table(rows))
    else:
        for each, before in rows:
            print("\t".join(str(cell) for cell in _row(each, told=before)))
    console.print(Text(f"\n{_summary(explained)}", "dim"), soft_wrap=True)


def _told_before(each: Explanation, told: set[tuple[str, str]]) -> bool:
    """Whether another object of the same group told of its item."""
    before = (each.route, each.group) in told
    if each.group:
        told.add((each.route, each.group))
    return before


def _plain(each: Explanation) -> Mapping[str, object]:
    return {
        "bucket": each.held.bucket,
        "key": each.held.key,
        "route": each.route,
        "passed_over": {passed.route: passed.why for passed in each.passed_over},
        "outcome": each.in_a_word,
        "detail": each.detail,
        "group": each.group,
        "endpoint": each.endpoint,
        "body": each.body,
    }


def _table(rows: Sequence[tuple[Explanation, bool]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("key", "route", "dataset", "item", "as"):
        table.add_column(heading, overflow="fold")
    for each, before in rows:
        table.add_row(*_row(each, told=before))
    return table


def _row(each: Explanation, *, told: bool) -> tuple[Text, Text, Text, Text, Text]:
    key, route = Text(each.held.key), Text(each.route or "-")
    if not isinstance(each.decided, Item):
        return key, route, Text("-"), Text("-"), Text(f"{each.in_a_word}. {_why(each)}", _style(each))
    item = each.decided
    form = Text("the same item", "dim") if told else Text(_form(item), _style(each))
    return key, route, Text(item.lane.dataset), Text(_place(item)), form


def _why(each: Explanation) -> str:
    """Where no route takes the object, what those say that look at its place."""
    others = "; ".join(f"{passed.route}: {passed.why}" for passed in each.passed_over)
    return f"{others}." if others and not each.route else each.detail


def _style(each: Explanation) -> str:
    return STYLES.get(each.in_a_word.partition(":")[0], "red")


def _place(item: Item) -> str:
    return f"{item.path.rstrip('/')}/{item.name}"


def _form(item: Item) -> str:
    if not item.slots:
        return item.type.value if item.type else "a type that Darwin finds"
    names = list(dict.fromkeys(slot.name for slot in item.slots))
    of_type = item.slots[0].type or "a file"
    files = (
        f"{len(item.slots)} files in "
        if len(item.slots) > len(names)
        else f"{of_type} in "
        if len(names) == 1
        else ""
    )
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")  # noqa: PLR2004 - a line's worth
    return f"{files}slot{'s' if len(names) > 1 else ''} {shown}"


def _summary(explained: Sequence[Explanation]) -> str:
    items = {
        (each.route, each.group or each.held.key) for each in explained if isinstance(each.decided, Item)
    }
    others = sum(not isinstance(each.decided, Item) for each in explained)
    return f"{len(explained)} objects make {len(items)} items; {others} make none. --full shows why, and each request."


def _whole(each: Explanation, *, told: bool) -> RenderableType:
    parts: list[RenderableType] = [Text(f"s3://{each.held.bucket}/{each.held.key}", "bold")]
    if each.held.etag is None:
        parts.append(Text("  The object is not there; this is what its event would bring about.", "yellow"))
    if each.elsewhere:
        parts.append(Text(f"  {each.elsewhere} routes before it look at other buckets or prefixes", "dim"))
    parts += [Text(f"  not {passed.route}: {passed.why}", "dim") for passed in each.passed_over]
    route = f"  route {each.route}" if each.route else "  no route"
    if not isinstance(each.decided, Item):
        again = f", again in {each.decided.delay} s" if isinstance(each.decided, Later) else ""
        parts.append(Text.assemble(f"{route} -> ", (f"{each.in_a_word}{again}", _style(each))))
        parts.append(Text(f"  {each.detail}"))
        return Group(*parts, Text())
    item = each.decided
    place = f"{_place(item)} in dataset {item.lane.dataset} of team {item.lane.team}, as {_form(item)}"
    parts.append(Text.assemble(f"{route} -> ", (place, _style(each))))
    if told:
        parts.append(Text(f"  the item of the group {each.group}, see above", "dim"))
        return Group(*parts, Text())
    if each.group:
        parts.append(Text(f"  the item of the group {each.group}"))
    parts.append(Text(f"  POST {each.endpoint}"))
    body = Text(indent(json.dumps(each.body, indent=2, ensure_ascii=False), "  "))
    JSONHighlighter().highlight(body)
    parts.append(body)
    return Group(*parts, Text())

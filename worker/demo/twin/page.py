"""The page at ``/``: what the twin holds, for a person to watch. Nothing from outside; everything escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from worker.demo.twin.state import HeldItem, iso
from worker.demo.twin.world import World

_LATEST = 200
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .2rem 0 1rem; opacity: .75; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
td { white-space: nowrap; max-width: 16rem; overflow: hidden; text-overflow: ellipsis; }
td:hover { white-space: normal; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .5rem; }
dl div { background: var(--soft); border-radius: .4rem; padding: .5rem .75rem; }
dt { opacity: .75; font-size: .85rem; }
dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
"""


def render(world: World, now: float) -> str:
    """The page, as HTML; it loads itself again every two seconds."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Darwin twin</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Darwin twin</h1>
<p>A stand-in for V7 Darwin. What it holds at {escape(iso(now))}.</p>
{_numbers(world)}
<h2>Datasets</h2>
{_table(("team", "dataset", "items", "now"), _datasets(world))}
<h2>Items</h2>
{_table(("inserted", "dataset", "path", "name", "slots", "storage keys", "now"), _items(world))}
<h2>Requests</h2>
{_table(("endpoint", "answer", "count"), _requests(world))}
<h2>Blocked</h2>
{_table(("reason", "items"), ((reason, str(count)) for reason, count in world.counters.blocked.most_common()))}
<h2>Active faults</h2>
{_table(("number", "fault"), _faults(world))}
</body>
</html>
"""


def _numbers(world: World) -> str:
    counters = world.counters
    shown = {
        "items registered": counters.items_registered,
        "items received": counters.items_received,
        "items sent again": counters.items_resent,
        "items blocked": counters.blocked.total(),
        "items extended": counters.extensions,
        "name collisions": counters.collisions,
    }
    boxes = (f"<div><dt>{escape(name)}</dt><dd>{count}</dd></div>" for name, count in shown.items())
    return f"<dl>{''.join(boxes)}</dl>"


def _datasets(world: World) -> Iterable[Sequence[str]]:
    for team in world.teams.values():
        marks = {"plan full": team.room() == 0, "paused": team.paused, "key revoked": team.key_revoked}
        for dataset in team.datasets.values():
            state = [mark for mark, on in {**marks, "removed": dataset.removed}.items() if on]
            yield team.slug, dataset.slug, str(len(dataset.held())), ", ".join(state) or "open"


def _items(world: World) -> Iterable[Sequence[str]]:
    held: list[tuple[str, HeldItem]] = [
        (f"{team.slug}/{dataset.slug}", item)
        for team in world.teams.values()
        for dataset in team.datasets.values()
        for item in dataset.held()
    ]
    held.sort(key=lambda pair: (pair[1].inserted_at, pair[1].id), reverse=True)
    for place, item in held[:_LATEST]:
        slots = ", ".join(file.slot_name for file in item.files)
        keys = ", ".join(file.storage_key for file in item.files)
        now = "archived" if item.archived else "there"
        yield iso(item.inserted_at), place, item.path, item.name, slots, keys, now


def _requests(world: World) -> Iterable[Sequence[str]]:
    for endpoint, answers in world.counters.by_endpoint().items():
        for answer, count in answers.items():
            yield endpoint, answer, str(count)


def _faults(world: World) -> Iterable[Sequence[str]]:
    for fault in world.faults.listed():
        words = (f"{name} {value}" for name, value in fault.items() if name != "number")
        yield str(fault["number"]), ", ".join(words)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    if not lines:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"

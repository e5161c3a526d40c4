"""Bodies from hell, as they stand and mutated, through everything that may see them before Darwin does."""

import json
import random
import tracemalloc

import pytest

from tests.fakes.rig import Rig, lane, notification
from tests.fuzz.hostile import BIG, FATAL_VALUES, LARGEST, RAW_VALUES
from tests.fuzz.judging import carried_by_sqs, judge
from tests.fuzz.mutator import Body, Mutator, as_it_stands, corpus, origins
from tests.fuzz.rich_routes import ROUTES, settled
from worker.core.events import Notification, Unreadable, parse
from worker.core.model import Record
from worker.core.routes import Route

BODIES = 10_000
"""A hundredth of `make fuzz`."""

STRETCHES = 4


@pytest.mark.parametrize("origin", origins())
def test_every_body_of_the_corpus_ends_as_records_or_as_unreadable(origin: str) -> None:
    """No exception, and what SQS and Darwin would be sent is what they take."""
    assert judge(as_it_stands(origin))


@pytest.mark.parametrize("stretch", range(STRETCHES))
def test_every_mutated_body_ends_as_records_or_as_unreadable(stretch: int) -> None:
    """Another seed each time; `python -m tests.fuzz --seed S --only N` shows one body again."""
    seed = random.SystemRandom().randrange(10**9)
    mutator = Mutator(seed)
    for number in range(stretch * BODIES // STRETCHES, (stretch + 1) * BODIES // STRETCHES):
        body = mutator.body(number)
        try:
            judge(body)
        except Exception as error:
            raise AssertionError(f"python -m tests.fuzz --seed {seed} --only {number}") from error


def test_a_number_and_a_seed_always_make_the_same_body() -> None:
    forwards = [Mutator(7).body(number) for number in range(50)]
    mutator = Mutator(7)
    backwards = [mutator.body(number) for number in reversed(range(50))]
    assert forwards == backwards[::-1]
    assert forwards != [Mutator(8).body(number) for number in range(50)]


def test_the_mutations_reach_every_way_a_body_can_end() -> None:
    """A mutator that makes nothing but rubbish proves little."""
    mutator = Mutator(1)
    ends = {judge(mutator.body(number)) for number in range(4_000)}
    assert {
        "unreadable",
        "bad record",
        "item",
        "ignored",
        "blocked",
        "rejected",
        "postponed",
        "a test event",
        "no records",
    } <= ends


@pytest.mark.parametrize("name", BIG)
def test_a_hostile_body_costs_bounded_memory(name: str) -> None:
    """A few dozen times its own size while it is read, nothing afterwards but its records."""
    text = BIG[name]()
    tracemalloc.start()
    try:
        told = parse(text)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * LARGEST
    assert kept < 8 * LARGEST
    assert isinstance(told, Notification | Unreadable)


@pytest.mark.looptime
async def test_hostile_bodies_pass_the_real_flow_and_their_neighbours_too() -> None:
    """Rows: unreadable, rejected. Every body ends; what cannot be read keeps every character in its dead letter."""
    rig = Rig([Route("all", lane(), prefix="in")], requests_per_minute=6_000)
    bodies = [body.text for body in corpus()]
    mutator = Mutator(3)
    bodies += [mutator.body(number).text for number in range(300)]
    for number, body in enumerate(bodies):
        rig.queue.put(body)
        rig.queue.put(notification(f"in/neighbour-{number}.png"))
    async with rig.running():
        while rig.queue.stored:  # the test's own time-out is the deadline, on a clock that costs nothing
            await rig.flow.settling.freed.wait(1.0)
    assert rig.conserved()
    neighbours = {f"/neighbour-{number}.png" for number in range(len(bodies))}
    assert neighbours <= set(rig.items()["intake"])
    verbatim = {stored.body for stored in rig.dead_letters.stored}
    assert verbatim >= {
        body for body in bodies if isinstance(parse(body), Unreadable) and carried_by_sqs(body)
    }


def test_every_hostile_value_is_tried_in_every_place_of_a_record() -> None:
    """The whole table, not drawn by lot."""
    template = json.loads(notification("in/a.png"))
    for path in _paths(template):
        for value in RAW_VALUES + FATAL_VALUES:
            judge(Body(_with(template, path, value), {}, f"{value[:40]} at {path}"))


def _paths(node: object, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path for name, child in inside for path in [(*above, name), *_paths(child, (*above, name))]]


def _with(template: object, path: tuple[str | int, ...], value: str) -> str:
    changed = json.loads(json.dumps(template))
    node = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = "@hostile@"
    return json.dumps(changed).replace('"@hostile@"', value)


def test_the_rich_routes_are_reached_by_records_of_the_corpus() -> None:
    records = [
        record
        for body in corpus()
        if body.origin not in BIG and isinstance(told := parse(body.text), Notification)
        for record in told.records
        if isinstance(record, Record)
    ]
    reached = {settled(routes, record, 0.0).route for routes in ROUTES for record in records}
    assert {"deep", "rest of in", "scans", "elsewhere", "no storage", "last"} <= reached
    assert {"lines", "versions", "named by keys", "planes"} <= reached
    assert {"series", "marked", "told", "asked", "seen", "stems"} <= reached

"""Whatever the templates of a route and whatever the key: what becomes an item, a strict Darwin takes; the rest was rejected
before.

Darwin is its twin, which shares no code with what it judges here.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from tests.core.sample_groups import drafts
from tests.core.sample_routes import created
from tests.demo.twin_calls import KEY, REGISTER, REGISTER_READONLY, Calls
from worker.core.conflicts import problems
from worker.core.darwin import Storage
from worker.core.forms import CannotBe, item_of, type_of
from worker.core.grouping import Member, Seen
from worker.core.judging import Ready, judge
from worker.core.model import Item, ItemType, Lane, Later, Mode, OnOverwrite, Outcome, RecordId
from worker.core.objects import Head, Listed
from worker.core.registration import body_of
from worker.core.routes import Fallback, Group, Route, Sidecars
from worker.core.routing import Draft, PartOf, Removal, Routes
from worker.core.sidecars import Facts, draft, wanted
from worker.core.templates import Table
from worker.demo.twin.state import Storage as TwinStorage
from worker.demo.twin.state import Team

MEDIA, SEEN = Lane("acme", "intake", "media"), Lane("acme", "intake", "seen")
STORAGES = {
    ("acme", "media"): Storage("media", "media", Mode.READ_WRITE, "aws", "acme-media", "darwin"),
    ("acme", "seen"): Storage("seen", "seen", Mode.READ_ONLY, "aws", "acme-media", "darwin"),
}
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", 640, 480, 8, 2) + bytes(3)

# Odd enough to be refused now and then, and not so odd that nothing is left.
plain = st.sampled_from(["a", "b c", "é🙂", "x{y}", "0", "%2F+", "[1]", "A.b", "-"])
odd = st.one_of(*[plain] * 12, st.sampled_from(["", "..", ".", "/", "\n", "\x00", "\x85", " ", "a/", "/b"]))
literals = odd.map(lambda text: text.replace("{", "{{").replace("}", "}}"))
placeholders = st.sampled_from(
    [
        *(
            "{filename}",
            "{filename}",
            "{stem}",
            "{ext}",
            "{bucket}",
            "{x}",
            "{x}",
            "{folder}",
            "{key}",
            "{y}",
        ),
        *("{stem[:2]}", "{folder[1:]}", "{key[-5:]}", "{filename[:-3]}", "{x[:1]}"),
    ]
)
of_objects = st.sampled_from(["{metadata.site}", "{tags.site}"])
extensions = [*("png", "JPG", "mp4", "mp4", "pdf", "dcm", "nii.gz", "ndpi", "raw"), "txt", ""]
file_names = st.builds("{}.{}".format, odd, st.sampled_from(extensions))
folders = st.lists(odd, max_size=2).map("/".join)
REGEX = r"(?s)(?P<x>[^/]*)/?(?P<y>.*)"


def templates(*more: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.one_of(literals, placeholders, *more), min_size=1, max_size=2).map("".join)


def routes(*, grouped: bool = False, lane: Lane = MEDIA) -> st.SearchStrategy[Route]:
    # All strategies are made once: making them anew for each example costs more than all else.
    texts = templates() if grouped else templates(of_objects)
    tables = st.builds(Table, texts, st.dictionaries(odd, odd, max_size=2), odd | odd | st.none())
    types = st.sampled_from([None, None, *ItemType])
    slots = st.just("") | st.just("") | texts | tables
    paths = st.just("/{folder}") | texts
    names = st.just("{filename}") | st.just("{filename}") | texts
    datasets = st.none() | texts | tables
    rates: st.SearchStrategy[float | str | None] = st.sampled_from([None, 0, 2.5, "native"])
    yes_or_no = st.sampled_from([None, True, False])
    tags = st.lists(texts, max_size=2).map(tuple) | st.dictionaries(st.just("a"), texts)
    metadata = st.dictionaries(odd, texts | st.integers() | st.none(), max_size=2)
    simple: dict[str, object] = {"version": 1, "type": "simple", "slots": ["0"]}
    layouts = st.sampled_from([{}, {}, simple])
    overwrites = st.sampled_from([OnOverwrite.IGNORE, OnOverwrite.REGISTER])
    versioned_names = st.none() | templates(st.just("{version}"))

    @st.composite
    def drawn(draw: st.DrawFn) -> Route:
        of_type = draw(types)
        moving = of_type in (None, ItemType.VIDEO)
        slot = draw(slots)
        one_file = not grouped and slot in ("", "0") and of_type is None
        return Route(
            "r",
            lane,
            regex=REGEX,
            path=draw(paths),
            item_name=draw(names),
            dataset=draw(datasets),
            slot=slot,
            type=of_type,
            types={"raw": ItemType.IMAGE},
            fps=draw(rates) if moving else None,
            as_frames=draw(yes_or_no) if moving else None,
            extract_views=draw(st.booleans()) if one_file else False,
            tags=draw(tags),
            metadata=draw(metadata),
            layout=draw(layouts),
            on_overwrite=draw(overwrites),
            versioned_name=draw(versioned_names),
        )

    return drawn()


def told(*routes: Route) -> Routes:
    table = Routes(routes, Fallback.IGNORE, STORAGES)
    assume(not problems(table))
    return table


def taken(item: Item) -> None:
    """Darwin answers that it took the item, and the item under its versioned name."""
    items = [item, replace(item, name=item.versioned)] if item.versioned not in ("", item.name) else [item]
    body = json.loads(json.dumps(body_of(item.lane, items)))
    tags = [tag for entry in body["items"] for tag in entry.get("tags", ())]
    readonly = item.lane.storage == "seen"
    storages = [
        TwinStorage("media", "acme-media", "darwin"),
        TwinStorage("seen", "acme-media", readonly=True),
    ]
    calls = Calls(teams=[Team("acme", KEY, [item.lane.dataset], storages, tags)])
    path = REGISTER_READONLY if readonly else REGISTER
    reply = calls.ask("POST", path, body=json.dumps(body).encode())
    answer = json.loads(reply.body)
    assert reply.status == 200, answer
    assert answer["blocked_items"] == []
    assert [(entry["name"], entry["path"]) for entry in answer["items"]] == [
        (each.name, each.path) for each in items
    ]


def ends(found: Item | Outcome | Later | Draft | PartOf | Removal) -> None:
    if isinstance(found, Item):
        taken(found)
    event(type(found).__name__ if isinstance(found, Item) else getattr(found, "reason", "?"))


metadata = st.fixed_dictionaries({}, optional={"site": odd})


@settings(max_examples=300)
@given(routes(), folders, file_names, metadata, metadata)
def test_what_a_route_makes_of_a_key_darwin_takes(
    route: Route, folder: str, name: str, of_object: dict[str, str], tags: dict[str, str]
) -> None:
    key = f"{folder}/{name}" if folder else name
    decided = told(route).decide(created(key))
    if isinstance(decided, Draft):
        head = Head("e", 7, None, "STANDARD", restored=False, metadata=of_object)
        decided = asked_for(decided, Facts(head, tags))
    ends(decided)


@settings(max_examples=200)
@given(
    routes(lane=SEEN),
    templates(),
    folders,
    st.lists(file_names, min_size=1, max_size=3),
    st.sampled_from([None, "{metadata.site}", "7"]),
    metadata,
)
def test_what_a_route_makes_of_a_key_and_its_sidecars_darwin_takes(
    route: Route,
    thumbnail: str,
    folder: str,
    names: Sequence[str],
    width: str | None,
    of_object: dict[str, str],
) -> None:
    """The first name is the object's, the others are those of frames."""
    sidecars = Sidecars(thumbnail, frames_high="f/{stem}/", frames_quiet=0, width=width)
    table = told(
        replace(route, type=ItemType.VIDEO if route.type is ItemType.DICOM else route.type, sidecars=sidecars)
    )
    decided = table.decide(created(f"{folder}/{names[0]}" if folder else names[0]))
    if isinstance(decided, Draft):
        head = Head("e", 7, None, "STANDARD", restored=False, metadata=of_object)
        frames = [Listed(f"f/{name}", "e", 7) for name in names[1:]]
        decided = asked_for(decided, Facts(head, {}, head, PNG, frames))
    ends(decided)


def asked_for(pending: Draft, facts: Facts) -> Item | Outcome:
    rule, held = pending.rule, pending.object
    try:
        asked = wanted(rule, held.key, pending.values, type_of(rule, held.key))
        assume(asked.high is None or facts.high)
        return item_of(rule, held, pending.lane, draft(rule, asked, pending.values, facts, None, 0.0))
    except CannotBe as cannot:
        return cannot.outcome


@settings(max_examples=300)
@given(
    routes(grouped=True),
    st.sampled_from([None, "{folder}/", "{x}", "{folder}/{stem[:1]}", "{key[:3]}"]),
    folders,
    st.lists(file_names, min_size=1, max_size=3, unique=True),
)
def test_what_a_route_makes_of_a_group_darwin_takes(
    route: Route, by: str | None, folder: str, names: Sequence[str]
) -> None:
    table = told(replace(route, group=Group(by, marker="M")))
    keys = [f"{folder}/{name}" if folder else name for name in names]
    decided = table.decide(created(keys[0]))
    if isinstance(decided, PartOf):
        listed = [Listed(key, "e", 7) for key in (*sorted(keys), decided.group.marker)]
        decided = complete(decided, table.seen(decided.group, listed))
    ends(decided)


def complete(part: PartOf, seen: Seen) -> Item | Outcome:
    try:
        found = judge(part, seen, None, [Member(RecordId(0, 0), seen.parts[0].listed.key)], 0.0)
        assert isinstance(found, Ready)
        return found.item(drafts(found.parts))
    except CannotBe as cannot:
        return cannot.outcome

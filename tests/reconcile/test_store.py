"""Both sides in a file: what is found is what a naive comparison finds, whatever texts keys and names hold."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.commands.reconcile_store import Spared, Store, open_store_of_both
from worker.core.darwin import HeldItem
from worker.core.differences import Difference, Kind
from worker.core.errors import Refused
from worker.core.model import Identity, S3Object
from worker.core.reconciling import Expected, Unplaced

NOW = 1_800_000_000.0
HOUR = 3_600.0
OLD = NOW - 2 * HOUR
DATASETS = {("acme", "intake")}


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store_of_both() as store:
        yield store


def wanted(
    name: str = "a.png",
    key: str = "",
    modified: float = OLD,
    *,
    route: str = "line",
    dataset: str = "intake",
    path: str = "/in",
    source: str = "",
    asks: bool = False,
    adopts: bool = False,
    versions: str = "",
) -> Expected:
    held = S3Object("media", key or f"in/{name}", None, "e1", 7)
    identity = Identity("acme", dataset, path, name)
    return Expected(identity, route, held, source or held.key, modified, asks, adopts, versions)


def item(
    name: str = "a.png", path: str = "/in", external: bool | None = True, processing: str = "complete"
) -> HeldItem:
    return HeldItem(path, name, external, OLD, f"id of {name}", processing=processing)


def compared(
    store: Store,
    expected: Sequence[Expected],
    held: Sequence[HeldItem],
    *,
    whole: bool = True,
    paused: tuple[str, ...] = (),
) -> Spared:
    store.expect(expected)
    store.hold("acme", "intake", held, NOW, HOUR, whole=whole)
    return store.compare(NOW - 600, paused, DATASETS)


def told(store: Store) -> list[Difference]:
    return [each for kind in store.counts() for each in store.differences(kind)]


def kinds(store: Store) -> dict[str, int]:
    return {kind.value: count for kind, count in store.counts().items()}


def test_what_both_sides_have_is_no_difference_in_whatever_form_the_path_is(store: Store) -> None:
    compared(store, [wanted("a.png"), wanted("b.png", path="/")], [item("a.png", "in//"), item("b.png", "")])
    assert told(store) == []


@pytest.mark.parametrize(
    "name", ["\ud800.png", "a\0b.png", "'; DROP TABLE held; --", 'é "\\" \U0001f600', "\x1b[31m", "a\nb"]
)
def test_any_text_is_safe(store: Store, name: str) -> None:
    compared(store, [wanted(name), wanted("x", key=f"lost/{name}")], [item(name), item(f"stray {name}")])
    missing, stray = told(store)
    assert missing.object == S3Object("media", f"lost/{name}", None, "e1", 7)
    assert stray.identity == Identity("acme", "intake", "/in", f"stray {name}")


def test_what_is_missing_tells_its_object_and_is_spared_while_young_or_paused(store: Store) -> None:
    expected = [
        wanted("old.png"),
        wanted("young.png", modified=NOW - 599),
        wanted("paused.png", route="held"),
        wanted("doubted.png", asks=True),
        wanted("elsewhere.png", dataset="gone"),
    ]
    assert compared(store, expected, [], paused=("held",)) == Spared(on_their_way=1, paused=1)
    elsewhere, old = told(store)
    assert old == Difference(
        Kind.MISSING,
        Identity("acme", "intake", "/in", "old.png"),
        "line",
        S3Object("media", "in/old.png", None, "e1", 7),
        OLD,
    )
    assert elsewhere.detail == "Darwin has no dataset 'gone'."
    [doubted] = store.doubted()
    assert doubted.identity == Identity("acme", "intake", "/in", "doubted.png")


def test_the_parts_of_a_group_are_one_item_and_young_while_one_of_them_is(store: Store) -> None:
    parts = [wanted("s1", f"in/s1/{n}.png", OLD + n, source="s1", asks=True) for n in range(3)]
    assert compared(store, [*parts, wanted("s2", "in/s2/1", source="s2", asks=True)], [item("s2")]) == (0, 0)
    assert [each.object and each.object.key for each in store.doubted()] == ["in/s1/0.png"]


def test_a_group_whose_newest_part_is_young_is_on_its_way(store: Store) -> None:
    parts = [
        wanted("s1", f"in/s1/{n}.png", modified, source="s1", asks=True)
        for n, modified in enumerate((OLD, NOW))
    ]
    assert compared(store, parts, []) == Spared(on_their_way=1, paused=0)
    assert list(store.doubted()) == []


def test_a_collision_names_the_first_object_and_some_of_the_others(store: Store) -> None:
    compared(store, [wanted("a.png", f"{n}/a.png", OLD + n) for n in range(6)], [item("a.png")])
    [collision] = told(store)
    assert (collision.kind, collision.object and collision.object.key) == (Kind.COLLISION, "0/a.png")
    assert collision.detail == (
        "The same item comes of s3://media/1/a.png, s3://media/2/a.png, s3://media/3/a.png and 2 more."
    )


def test_of_several_objects_of_one_missing_item_the_first_one_is_to_be_sent(store: Store) -> None:
    compared(store, [wanted("a.png", "2/a.png", OLD + 1), wanted("a.png", "1/a.png", OLD)], [])
    assert [(each.kind, each.object and each.object.key) for each in told(store)] == [
        (Kind.MISSING, "1/a.png"),
        (Kind.COLLISION, "1/a.png"),
    ]


def test_an_item_that_is_there_is_told_of_with_its_id_and_time(store: Store) -> None:
    compared(store, [wanted("a.png")], [item("a.png", processing="processing")])
    [stuck] = told(store)
    assert (stuck.kind, stuck.time, stuck.item, stuck.detail, stuck.route) == (
        Kind.STUCK,
        OLD,
        "id of a.png",
        "Darwin says: processing.",
        "line",
    )


def test_strays_are_told_of_a_dataset_only_when_all_its_objects_were_listed(store: Store) -> None:
    compared(store, [], [item("a.png")], whole=False)
    assert told(store) == []


def test_further_versions_of_an_object_are_no_strays(store: Store) -> None:
    names = ["a.png", "a (v1).png", "a (3f).png", "b (v1).png"]
    expected = [
        wanted("a.png", versions="a (*).png"),
        wanted("b.png", path="/else", versions="b (*).png"),
    ]
    compared(store, expected, [*(item(name) for name in names), item("b.png", "/else")])
    assert [each.identity and each.identity.name for each in told(store)] == ["b (v1).png"]


def test_of_unplaced_objects_one_is_told_for_each_source_that_no_other_object_places(store: Store) -> None:
    def unplaced(key: str, source: str, modified: float = OLD) -> Unplaced:
        return Unplaced("rig", S3Object("media", key, None, "e1", 7), source, modified)

    store.expect([wanted("s1", "in/s1/1", source="s1")])
    store.leave_unplaced([unplaced("in/s1/_DONE", "s1"), unplaced("x/1", "x"), unplaced("x/2", "x", NOW)])
    assert list(store.unplaced()) == [unplaced("x/2", "x", NOW)]


def test_what_is_found_is_told_in_the_order_of_its_places_and_as_much_as_is_asked_for(store: Store) -> None:
    compared(store, [wanted(name) for name in ("c.png", "a.png", "b.png")], [])
    assert [each.identity and each.identity.name for each in store.differences(Kind.MISSING)] == [
        "a.png",
        "b.png",
        "c.png",
    ]
    assert len(list(store.differences(Kind.MISSING, 2))) == 2
    assert kinds(store) == {"missing": 3}


def test_where_the_file_cannot_be_written_it_is_told_what_to_do() -> None:
    with pytest.raises(Refused, match="Set TMPDIR to a folder with more room"), open_store_of_both():
        raise sqlite3.OperationalError("database or disk is full")


# -- against a naive comparison -----------------------------------------------------------------------------------------


class Sort(NamedTuple):
    """What an item is like, and what is wrong with it: beside an object, beside one that adopts it, and without any."""

    external: bool | None
    processing: str
    archived: bool
    wanted: Kind | None
    adopted: Kind | None
    alone: Kind | None


SORTS = [
    Sort(True, "complete", False, None, None, Kind.STRAY),
    Sort(True, "error", False, Kind.FAILED, Kind.FAILED, Kind.STRAY),
    Sort(None, "processing", False, Kind.STUCK, Kind.STUCK, Kind.STUCK),
    Sort(False, "complete", False, Kind.FOREIGN, None, None),
    Sort(False, "error", False, Kind.FOREIGN, Kind.FAILED, None),
    Sort(True, "complete", True, Kind.ARCHIVED, Kind.ARCHIVED, None),
]
places = st.tuples(st.sampled_from(["/", "/a", "/a/b"]), st.sampled_from(["x", "y", "\ud800"]))
objects = st.dictionaries(
    st.sampled_from([f"key {number}" for number in range(8)]), st.tuples(places, st.booleans()), max_size=8
)
items = st.dictionaries(places, st.sampled_from(SORTS), max_size=6)


@given(objects, items)
@settings(max_examples=60)
def test_what_is_found_is_what_a_naive_comparison_finds(
    bucket: dict[str, tuple[tuple[str, str], bool]], darwin: dict[tuple[str, str], Sort]
) -> None:
    # Of one place all objects are of one route.
    adopting = dict(bucket.values())
    naive = Counter[tuple[Kind, tuple[str, str]]]()
    for place, adopts in adopting.items():
        if sum(other == place for other, _ in bucket.values()) > 1:
            naive[Kind.COLLISION, place] += 1
        if place not in darwin:
            naive[Kind.MISSING, place] += 1
        elif kind := darwin[place].adopted if adopts else darwin[place].wanted:
            naive[kind, place] += 1
    for place, sort in darwin.items():
        if place not in adopting and sort.alone:
            naive[sort.alone, place] += 1
    with open_store_of_both() as store:
        expected = [
            wanted(name, key, path=path, adopts=adopting[path, name])
            for key, ((path, name), _) in bucket.items()
        ]
        held = [
            HeldItem(path, name, sort.external, OLD, "id", sort.archived, sort.processing)
            for (path, name), sort in darwin.items()
        ]
        compared(store, expected, held)
        found = Counter((each.kind, each.identity[2:]) for each in told(store) if each.identity)
    assert found == naive

"""Both sides of a reconciliation in a temporary file, so that memory stays flat: what the bucket expects, what Darwin holds,
and one query for what they differ in.

Rows are appended; what is needed to find them is sorted once, when both sides are there. Texts are kept as JSON in ASCII,
which is safe for whatever a key holds.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from worker.core.darwin import HeldItem
from worker.core.differences import (
    Difference,
    Kind,
    in_words,
    key_of,
    key_of_folder,
    key_of_source,
    of_unwanted,
    of_wanted,
    rank,
    state_of,
)
from worker.core.errors import Refused
from worker.core.model import Identity, S3Object
from worker.core.reconciling import Expected, Unplaced

CACHE_KIBIBYTES = 32_768
ALSO_NAMED = 3
"""How many of the other objects a collision names."""

TABLES = """
CREATE TABLE wanted (place BLOB, source BLOB, modified REAL, asks INTEGER, adopts INTEGER, about TEXT);
CREATE TABLE unplaced (source BLOB, modified REAL, about TEXT);
CREATE TABLE versions (folder BLOB, names TEXT);
CREATE TABLE held (place BLOB, rank INTEGER, external INTEGER, state TEXT, unwanted TEXT, about TEXT);
CREATE TABLE differences (kind TEXT, about TEXT);
CREATE TABLE doubted (about TEXT);
"""
INDICES = """
CREATE INDEX wanted_places ON wanted (place);
CREATE INDEX held_places ON held (place, rank);
CREATE INDEX version_folders ON versions (folder);
"""
# Of columns that are not aggregated, SQLite takes those of the row with the least `modified`: the object that was there first.
COMPARED = """
SELECT w.about, w.asks, w.adopts, w.young, w.sources, w.place, w.source, h.external, h.state, h.about FROM (
    SELECT place, source, about, asks, adopts, min(modified), sum(modified > :young) AS young, count(DISTINCT source) AS sources
    FROM wanted GROUP BY place
) AS w
LEFT JOIN held AS h ON h.rowid = (SELECT rowid FROM held WHERE place = w.place ORDER BY rank LIMIT 1)
WHERE h.place IS NULL OR w.sources > 1 OR h.state IS NOT NULL OR (h.external = 0 AND NOT w.adopts)
"""
UNPLACED = """
SELECT max(modified), about FROM unplaced WHERE source NOT IN (SELECT source FROM wanted) GROUP BY source
"""
OTHERS = """
SELECT about FROM (SELECT about, min(modified) AS first FROM wanted WHERE place = ? AND source <> ? GROUP BY source)
ORDER BY first LIMIT ?
"""
UNWANTED = """
SELECT unwanted, about, min(rank) FROM held
WHERE unwanted IS NOT NULL AND NOT EXISTS (SELECT 1 FROM wanted WHERE wanted.place = held.place)
GROUP BY place
"""


class Spared(NamedTuple):
    """What is not there and not told of: objects that are *on their way* still, and those of routes that are *paused*."""

    on_their_way: int
    paused: int


class Store:
    """The file, opened by :func:`open_store_of_both`. Differences are told in the order of their places."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(TABLES)

    # What the bucket expects

    def expect(self, items: Sequence[Expected]) -> None:
        self._connection.executemany(
            "INSERT INTO wanted VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    key_of(item.identity),
                    key_of_source(item.source),
                    item.modified,
                    item.asks,
                    item.adopts,
                    json.dumps([item.identity, item.route, _flat(item.object), item.modified]),
                )
                for item in items
            ],
        )
        self._connection.executemany(
            "INSERT INTO versions VALUES (?, ?)",
            [(key_of_folder(item.identity), _ascii(item.versions)) for item in items if item.versions],
        )

    def leave_unplaced(self, objects: Sequence[Unplaced]) -> None:
        self._connection.executemany(
            "INSERT INTO unplaced VALUES (?, ?, ?)",
            [
                (
                    key_of_source(each.source),
                    each.modified,
                    json.dumps([each.route, _flat(each.object), each.source]),
                )
                for each in objects
            ],
        )

    def unplaced(self) -> Iterator[Unplaced]:
        """One object for each item whose place no other object tells; *modified* is the latest of its objects'."""
        for modified, about in self._connection.execute(UNPLACED):
            route, held, source = json.loads(about)
            yield Unplaced(route, _object(held), source, modified)

    # What Darwin holds

    def hold(
        self,
        team: str,
        dataset: str,
        items: Iterable[HeldItem],
        now: float,
        stuck_after: float,
        *,
        whole: bool,
    ) -> None:
        """*whole*: all objects were listed that may be in the dataset, so that an item without one is told of."""
        rows = []
        for item in items:
            state = state_of(item, now, stuck_after)
            identity = Identity(team, dataset, item.path, item.name)
            rows.append(
                (
                    key_of(identity),
                    rank(item),
                    item.external,
                    state,
                    of_unwanted(item, state, now) if whole else None,
                    json.dumps([identity, item.inserted_at, item.id, in_words(item)]),
                )
            )
        self._connection.executemany("INSERT INTO held VALUES (?, ?, ?, ?, ?, ?)", rows)

    # What they differ in

    def compare(self, young: float, paused: Collection[str], datasets: Collection[tuple[str, str]]) -> Spared:
        """Find the differences. What is not there is spared where its object changed after *young* or its route is *paused*;
        where only S3 can tell whether it should be there, it is left :meth:`doubted`. *datasets*: those that Darwin has.
        """
        self._connection.executescript(INDICES)
        on_their_way = waiting = 0
        for (
            about,
            asks,
            adopts,
            new,
            sources,
            place,
            source,
            external,
            state,
            held,
        ) in self._connection.execute(COMPARED, {"young": young}):
            wanted = _wanted(about)
            if sources > 1:
                self.tell(replace(wanted, kind=Kind.COLLISION, detail=self._others(place, source, sources)))
            if held is not None:
                outside = None if external is None else bool(external)
                kind = of_wanted(Kind(state) if state else None, external=outside, adopts=bool(adopts))
                if kind is not None:
                    self.tell(_with_item(replace(wanted, kind=kind), held))
            elif new:
                on_their_way += 1
            elif wanted.route in paused:
                waiting += 1
            elif wanted.identity is not None and wanted.identity[:2] not in datasets:
                self.tell(replace(wanted, detail=f"Darwin has no dataset {wanted.identity.dataset!r}."))
            elif asks:
                self._connection.execute("INSERT INTO doubted VALUES (?)", (_line(wanted),))
            else:
                self.tell(wanted)
        self._compare_unwanted()
        return Spared(on_their_way, waiting)

    def _compare_unwanted(self) -> None:
        for kind, about, _ in self._connection.execute(UNWANTED):
            told = _with_item(Difference(Kind(kind), None), about)
            if told.identity is not None and not self._is_version(told.identity):
                self.tell(told)

    def _is_version(self, identity: Identity) -> bool:
        """Whether it may be a further version of an object that was overwritten."""
        asked = key_of_folder(identity), _ascii(identity.name)
        found = self._connection.execute(
            "SELECT 1 FROM versions WHERE folder = ? AND ? GLOB names LIMIT 1", asked
        )
        return found.fetchone() is not None

    def _others(self, place: bytes, source: bytes, sources: int) -> str:
        rows = self._connection.execute(OTHERS, (place, source, ALSO_NAMED)).fetchall()
        named = [held for (about,) in rows if (held := _wanted(about).object) is not None]
        more = f" and {sources - 1 - len(named)} more" if sources - 1 > len(named) else ""
        return (
            f"The same item comes of {', '.join(f's3://{held.bucket}/{held.key}' for held in named)}{more}."
        )

    def doubted(self) -> Iterator[Difference]:
        """What is missing if it can be made at all."""
        for (line,) in self._connection.execute("SELECT about FROM doubted"):
            yield _difference(Kind.MISSING, line)

    def tell(self, difference: Difference) -> None:
        self._connection.execute(
            "INSERT INTO differences VALUES (?, ?)", (difference.kind.value, _line(difference))
        )

    def counts(self) -> dict[Kind, int]:
        rows = self._connection.execute("SELECT kind, count(*) FROM differences GROUP BY kind")
        found = {Kind(kind): count for kind, count in rows}
        return {kind: found[kind] for kind in Kind if kind in found}

    def differences(self, kind: Kind, most: int = -1) -> Iterator[Difference]:
        """All of a *kind*, or the first *most*."""
        rows = self._connection.execute(
            "SELECT about FROM differences WHERE kind = ? ORDER BY about LIMIT ?", (kind.value, most)
        )
        return (_difference(kind, line) for (line,) in rows)


@contextmanager
def open_store_of_both() -> Iterator[Store]:
    """A store in a file without a name in the folder for temporary files, so that nothing is left of it however the process
    ends. Raises :class:`Refused` where there is no room for it.
    """
    try:
        with closing(sqlite3.connect("")) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            yield Store(connection)
    except sqlite3.OperationalError as error:
        raise Refused(
            f"The temporary file of what is compared could not be used: {error}. Set TMPDIR to a folder with more room."
        ) from error


# -- texts of rows ----------------------------------------------------------------------------------------------------


def _flat(held: S3Object) -> list[object]:
    return [held.bucket, held.key, held.etag, held.size]


def _object(flat: Sequence[Any]) -> S3Object:
    bucket, key, etag, size = flat
    return S3Object(bucket, key, None, etag, size)


def _ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


def _wanted(about: str) -> Difference:
    identity, route, held, modified = json.loads(about)
    return Difference(Kind.MISSING, Identity(*identity), route, _object(held), modified)


def _with_item(difference: Difference, about: str) -> Difference:
    identity, inserted_at, item, words = json.loads(about)
    return replace(difference, identity=Identity(*identity), time=inserted_at, item=item, detail=words)


def _line(difference: Difference) -> str:
    held = None if difference.object is None else _flat(difference.object)
    told = difference.identity, difference.route, held, difference.time, difference.item, difference.detail
    return json.dumps(told)


def _difference(kind: Kind, line: str) -> Difference:
    identity, route, held, time, item, detail = json.loads(line)
    return Difference(
        kind,
        None if identity is None else Identity(*identity),
        route,
        None if held is None else _object(held),
        time,
        item,
        detail,
    )

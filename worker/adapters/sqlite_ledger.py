"""The embedded ledger: one SQLite file that one process holds for itself.

Each call is one transaction in the ledger's own thread, on disk when the call returns. The file is locked as long as
the ledger is open, so whoever held claims before has gone: opening lapses them (their requests may have been sent).
"""

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from worker.core.claims import Claim, Denied, Entry, Granted, decide, forgettable
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.model import Identity, S3Object

SCHEMA_VERSION = 1
CALL_SECONDS = 20.0
LOCK_SECONDS = 2.0  # how long to wait for the process before us to let go of the file

SCHEMA = """
CREATE TABLE entries (
    team TEXT NOT NULL, dataset TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
    bucket TEXT NOT NULL, key TEXT NOT NULL, version TEXT, etag TEXT, size INTEGER,
    registered INTEGER NOT NULL,
    token TEXT NOT NULL,
    since REAL NOT NULL,
    at REAL NOT NULL,
    expires REAL NOT NULL,  -- of a claim, without meaning once registered
    PRIMARY KEY (team, dataset, path, name)
) WITHOUT ROWID;
CREATE INDEX claims ON entries (expires) WHERE NOT registered;
"""
READ = """
WITH wanted (team, dataset, path, name) AS (VALUES %s)
SELECT entries.* FROM wanted CROSS JOIN entries USING (team, dataset, path, name)
"""
CLAIMED = "INSERT OR REPLACE INTO entries VALUES %s"
REGISTERED = """
INSERT INTO entries VALUES %s ON CONFLICT DO UPDATE SET
    bucket = excluded.bucket, key = excluded.key, version = excluded.version, etag = excluded.etag,
    size = excluded.size, registered = 1, token = excluded.token,
    at = max(excluded.at, entries.at + 1e-6)  -- later than before, even where the clock was set back
"""
DELETE = "DELETE FROM entries WHERE team = ? AND dataset = ? AND path = ? AND name = ? AND NOT registered AND token = ?"
FORGET = "DELETE FROM entries WHERE team = ? AND dataset = ? AND path = ? AND name = ?"
AT_ONCE = (100, 10, 1)
"""How many rows one statement reads or writes: the interpreter's lock changes hands with each, and few forms are kept
prepared.
"""

# Primary result codes, https://www.sqlite.org/rescode.html; what is in neither set is a bug.
MAY_PASS = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT}
)
HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
BROKEN = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)

T = TypeVar("T")


class _Row(NamedTuple):
    """A row: the identity, and what stands under it."""

    team: str | bytes
    dataset: str | bytes
    path: str | bytes
    name: str | bytes
    bucket: str | bytes
    key: str | bytes
    version: str | bytes | None
    etag: str | bytes | None
    size: int | None
    registered: int
    token: str
    since: float
    at: float
    expires: float


class SqliteLedger:
    """Implements the Ledger port on the file at *path*. *now* gives Unix seconds. Made by :meth:`open`."""

    def __init__(self, path: Path, now: Callable[[], float], thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._now = now
        self._thread = thread
        self._connection: sqlite3.Connection | None = None
        self._written = -math.inf

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, now: Callable[[], float]) -> AsyncIterator[Self]:
        """Refused when the file cannot be had: unwritable, held by another process, no ledger, a newer ledger."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger") as thread:
            ledger = cls(path, now, thread)
            try:
                await ledger._run(ledger._lapse_claims)
                yield ledger
            finally:
                await asyncio.get_running_loop().run_in_executor(thread, ledger._disconnect)

    # --- the port

    async def look_up(self, identities: Sequence[Identity]) -> list[Entry | None]:
        def work(db: sqlite3.Connection) -> list[Entry | None]:
            held = _read(db, identities)
            return [self._entry(held.get(identity)) for identity in identities]

        return await self._run(work, writing=False)

    async def claim(self, claims: Sequence[Claim], token: str, seconds: float) -> list[Granted | Denied]:
        return await self._run(lambda db: self._claim(db, claims, token, seconds))

    async def register(self, claims: Sequence[Claim], token: str) -> None:
        await self._run(lambda db: self._register(db, claims, token))

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        mine = [(*map(_stored, identity), token) for identity in identities]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(DELETE, mine)

        await self._run(work)

    async def forget(self, identity: Identity, seen: Entry) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            held = self._entry(_read(db, [identity]).get(identity))
            if forgettable(held, seen):
                db.execute(FORGET, tuple(map(_stored, identity)))
                return True
            return held is None

        return await self._run(work)

    # --- in the ledger's thread

    def _lapse_claims(self, db: sqlite3.Connection) -> None:
        now = self._now()
        db.execute("UPDATE entries SET expires = ? WHERE NOT registered AND expires > ?", (now, now))

    def _claim(
        self, db: sqlite3.Connection, claims: Sequence[Claim], token: str, seconds: float
    ) -> list[Granted | Denied]:
        held = _read(db, [claim.identity for claim in claims])
        now, at = self._now(), self._stamp(held.values())
        answers, taken = list[Granted | Denied](), list[_Row]()
        for claim in claims:
            answer = decide(self._entry(held.get(claim.identity)), claim, token, now)
            if isinstance(answer, Granted):
                row = _row(
                    claim, registered=False, token=token, since=answer.since, at=at, expires=now + seconds
                )
                held[claim.identity] = row
                taken.append(row)
            answers.append(answer)
        _write(db, taken, CLAIMED)
        return answers

    def _register(self, db: sqlite3.Connection, claims: Sequence[Claim], token: str) -> None:
        now, at = self._now(), self._stamp(())
        rows = [_row(claim, registered=True, token=token, since=now, at=at, expires=0.0) for claim in claims]
        _write(db, rows, REGISTERED)

    def _stamp(self, before: Iterable[_Row]) -> float:
        """When the entries are written that replace those *before*: each writing of an entry has its own time, even where
        the clock stands still or was set back.
        """
        latest = max([self._written, *(row.at for row in before)])
        self._written = max(self._now(), math.nextafter(latest, math.inf))
        return self._written

    def _entry(self, row: _Row | None) -> Entry | None:
        if row is None:
            return None
        bucket, key, version, etag = map(_text, (row.bucket, row.key, row.version, row.etag))
        return Entry(
            object=S3Object(bucket or "", key or "", version, etag, row.size),
            registered=bool(row.registered),
            token=row.token,
            since=row.since,
            at=row.at,
            expires_in=0.0 if row.registered else row.expires - self._now(),
        )

    # --- transactions and connections

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, writing: bool = True) -> T:
        """Do *work*, in one transaction where it writes. What was begun ends in the thread, even where nobody waits any more.

        No cursor may be its result: one that dies in another thread resets a statement that is in use again by then.
        """
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._work, work, writing
                )
        except TimeoutError as error:
            raise Unavailable(f"The ledger {self._path} did not answer within {CALL_SECONDS:g} s") from error

    def _work(self, work: Callable[[sqlite3.Connection], T], writing: bool) -> T:
        with self._translated():
            db = self._connection = self._connection or self._connect()
            try:
                return self._transact(db, work) if writing else work(db)
            except sqlite3.Error:
                self._disconnect()  # the next call begins with a fresh connection
                raise

    @staticmethod
    def _transact(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            db.execute("BEGIN IMMEDIATE")
            result = work(db)
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        return result

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=LOCK_SECONDS, isolation_level=None)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")  # takes the lock, which stays
            self._prepare(db)
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version > SCHEMA_VERSION:
            raise Refused(
                f"The ledger {self._path} was written by a newer worker (schema {version}, this one knows "
                f"{SCHEMA_VERSION}): run that version, or give this one another file."
            )
        if version == 0 and tables:
            raise Refused(
                f"{self._path} is a SQLite database but no ledger: give the ledger a file of its own."
            )
        if version == 0:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Refused(
                f"The ledger's folder {self._path.parent} cannot be made: {error.strerror}. "
                "Set WORKER_LEDGER__URL to a file in a folder that the worker may write to."
            ) from error
        except sqlite3.Error as error:
            if (ours := self._error(error)) is None:
                raise
            raise ours from error

    def _error(self, error: sqlite3.Error) -> OutsideError | None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in HELD:
            return Refused(
                f"Another process holds the ledger {self._path}: a SQLite ledger serves one worker. "
                "Stop the other one, or give this one a file of its own."
            )
        if code in MAY_PASS:
            return Unavailable(
                f"The ledger {self._path} failed: {error} ({error.sqlite_errorname}). Is the disk full?"
            )
        if code in BROKEN:
            return Refused(
                f"The ledger {self._path} cannot be used: {error} ({error.sqlite_errorname}). "
                "It must be a SQLite file, or none yet, in a folder that the worker may write to."
            )
        return None


def _read(db: sqlite3.Connection, identities: Sequence[Identity]) -> dict[Identity, _Row]:
    """What stands under the identities."""
    by_stored = {tuple(map(_stored, identity)): identity for identity in identities}
    found = dict[Identity, _Row]()
    for some in _in_pieces(list(by_stored)):
        places = ", ".join(["(?, ?, ?, ?)"] * len(some))
        rows = db.execute(READ % places, [text for stored in some for text in stored]).fetchall()
        found |= {by_stored[row[:4]]: _Row(*row) for row in rows}
    return found


def _write(db: sqlite3.Connection, rows: Sequence[_Row], statement: str) -> None:
    """A later row replaces an earlier one of its identity."""
    for some in _in_pieces(rows):
        places = ", ".join([f"({', '.join('?' * len(_Row._fields))})"] * len(some))
        values = [value for row in some for value in row]
        db.execute(statement % places, values)


def _in_pieces(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    begin = 0
    while begin < len(rows):
        size = next(size for size in AT_ONCE if size <= len(rows) - begin)
        yield rows[begin : begin + size]
        begin += size


def _row(claim: Claim, *, registered: bool, token: str, since: float, at: float, expires: float) -> _Row:
    thing = claim.object
    texts = map(_stored, (*claim.identity, thing.bucket, thing.key, thing.version, thing.etag))
    return _Row._make((*texts, thing.size, int(registered), token, since, at, expires))


def _stored(text: str | None) -> str | bytes | None:
    """Text that is no UTF-8 (lone surrogates) is kept as a blob, which SQLite never takes for equal to a text."""
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
    return text


def _text(value: str | bytes | int | None) -> str | None:
    return (
        value.decode(errors="surrogatepass")
        if isinstance(value, bytes)
        else None
        if value is None
        else str(value)
    )

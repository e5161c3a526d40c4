"""The embedded ledger: one SQLite file that one process holds for itself.

Each call is one transaction in the ledger's own thread, on disk when the call returns. The file is locked as long as
the ledger is open, so whoever held claims before has gone: opening lapses them (their requests may have been sent).
"""

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from worker.core.claims import Claim, Denied, Entry, Granted, decide
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
WHERE = "WHERE team = ? AND dataset = ? AND path = ? AND name = ?"
SELECT = (
    f"SELECT bucket, key, version, etag, size, registered, token, since, at, expires FROM entries {WHERE}"  # noqa: S608 - constants
)
REPLACE = f"INSERT OR REPLACE INTO entries VALUES ({', '.join('?' * 14)})"  # noqa: S608 - constants
DELETE = f"DELETE FROM entries {WHERE}"  # noqa: S608 - constants

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
    """A row as SELECT has it: all columns but those of the identity."""

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
        return await self._run(lambda db: [self._entry(_row(db, identity)) for identity in identities])

    async def claim(self, claims: Sequence[Claim], token: str, seconds: float) -> list[Granted | Denied]:
        return await self._run(lambda db: [self._claim(db, claim, token, seconds) for claim in claims])

    async def register(self, claims: Sequence[Claim], token: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            for claim in claims:
                self._register(db, claim, token)

        await self._run(work)

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        mine = [(*map(_stored, identity), token) for identity in identities]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(f"{DELETE} AND NOT registered AND token = ?", mine)

        await self._run(work)

    # --- in the ledger's thread

    def _lapse_claims(self, db: sqlite3.Connection) -> None:
        now = self._now()
        db.execute("UPDATE entries SET expires = ? WHERE NOT registered AND expires > ?", (now, now))

    def _claim(self, db: sqlite3.Connection, claim: Claim, token: str, seconds: float) -> Granted | Denied:
        row = _row(db, claim.identity)
        granted = decide(self._entry(row), claim, token, self._now())
        if isinstance(granted, Denied):
            return granted
        self._write(
            db, claim, row, registered=False, token=token, since=granted.since, expires=self._now() + seconds
        )
        return granted

    def _register(self, db: sqlite3.Connection, claim: Claim, token: str) -> None:
        row = _row(db, claim.identity)
        since = row.since if row else self._now()
        self._write(db, claim, row, registered=True, token=token, since=since, expires=0.0)

    def _write(
        self,
        db: sqlite3.Connection,
        claim: Claim,
        before: _Row | None,
        *,
        registered: bool,
        token: str,
        since: float,
        expires: float,
    ) -> None:
        # Each writing has its own time, even where the clock stands still or was set back.
        latest = max(self._written, before.at if before else -math.inf)
        self._written = max(self._now(), math.nextafter(latest, math.inf))
        thing = claim.object
        texts = (*claim.identity, thing.bucket, thing.key, thing.version, thing.etag)
        values = (*map(_stored, texts), thing.size, registered, token, since, self._written, expires)
        db.execute(REPLACE, values)

    def _entry(self, row: _Row | None) -> Entry | None:
        if row is None:
            return None
        bucket, key, version, etag = map(_text, row[:4])
        return Entry(
            object=S3Object(bucket or "", key or "", version, etag, row.size),
            registered=bool(row.registered),
            token=row.token,
            since=row.since,
            at=row.at,
            expires_in=0.0 if row.registered else row.expires - self._now(),
        )

    # --- transactions and connections

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do *work* in one transaction. What was begun ends in the thread, even where nobody waits any more.

        No cursor may be its result: one that dies in another thread resets a statement that is in use again by then.
        """
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)
        except TimeoutError as error:
            raise Unavailable(f"The ledger {self._path} did not answer within {CALL_SECONDS:g} s") from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._translated():
            db = self._connection = self._connection or self._connect()
            try:
                db.execute("BEGIN IMMEDIATE")
                result = work(db)
                db.execute("COMMIT")
            except BaseException as error:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    self._disconnect()  # the next call begins with a fresh connection
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


def _row(db: sqlite3.Connection, identity: Identity) -> _Row | None:
    row = db.execute(SELECT, tuple(map(_stored, identity))).fetchone()
    return None if row is None else _Row(*row)


def _stored(text: str | None) -> str | bytes | None:
    """Text that is no UTF-8 (lone surrogates) is kept as a blob, which SQLite never takes for equal to a text."""
    if text is None:
        return None
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

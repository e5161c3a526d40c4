"""What the SQLite ledger promises beyond the port: the file, its lock, and what happens when either is trouble."""

import asyncio
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.sqlite_ledger import SqliteLedger
from worker.core.claims import Claim, Denied, Granted
from worker.core.errors import Refused, Unavailable
from worker.core.model import Identity, S3Object

CAT = Identity("acme", "intake", "/animals", "cat.jpg")
CLAIM = Claim(CAT, S3Object("media", "animals/cat.jpg", etag="e1", size=7))


def at(time: float) -> Callable[[], float]:
    return lambda: time


async def test_what_is_registered_outlives_the_process(tmp_path: Path) -> None:
    async with SqliteLedger.open(tmp_path / "ledger.db", at(1000)) as ledger:
        await ledger.register([CLAIM], "us")
        before = await ledger.look_up([CAT])
    async with SqliteLedger.open(tmp_path / "ledger.db", at(2000)) as ledger:
        assert await ledger.look_up([CAT]) == before


async def test_claims_of_a_process_that_has_gone_have_lapsed(tmp_path: Path) -> None:
    """Law 1: their requests may have been sent, so they are taken over, not forgotten."""
    async with SqliteLedger.open(tmp_path / "ledger.db", at(1000)) as ledger:
        await ledger.claim([CLAIM], "before", 3600)
    async with SqliteLedger.open(tmp_path / "ledger.db", at(1010)) as ledger:
        [granted] = await ledger.claim([CLAIM], "after", 50)
        assert isinstance(granted, Granted)
        assert granted.since == 1000
        assert granted.lapsed is not None
        assert (granted.lapsed.token, granted.lapsed.expires_in) == ("before", 0)


async def test_claims_survive_a_kill_in_the_middle(tmp_path: Path) -> None:
    """Law 1: what a call returned is on disk."""
    code = (
        "import asyncio, os\n"
        "from pathlib import Path\n"
        "from tests.adapters.test_sqlite_ledger import CLAIM, at\n"
        "from worker.adapters.sqlite_ledger import SqliteLedger\n"
        "async def main():\n"
        f"    async with SqliteLedger.open(Path({str(tmp_path / 'ledger.db')!r}), at(1000)) as ledger:\n"
        "        await ledger.claim([CLAIM], 'killed', 3600)\n"
        "        os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await asyncio.wait_for(process.wait(), 30) == -9
    async with SqliteLedger.open(tmp_path / "ledger.db", at(1010)) as ledger:
        [entry] = await ledger.look_up([CAT])
        assert entry is not None
        assert (entry.token, entry.since, entry.expires_in) == ("killed", 1000, 0)


async def test_a_second_process_is_told_that_the_file_is_held(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from worker.adapters.sqlite_ledger import SqliteLedger\n"
        "async def main():\n"
        f"    async with SqliteLedger.open(Path({str(path)!r}), float):\n"
        "        print('open', flush=True)\n"
        "        sys.stdin.read()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"open\n"
    with pytest.raises(Refused, match=f"Another process holds the ledger {path}.*Stop the other one"):
        async with SqliteLedger.open(path, at(1000)):
            pass
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    async with SqliteLedger.open(path, at(1000)) as ledger:
        assert await ledger.look_up([CAT]) == [None]


async def test_the_folder_is_made(tmp_path: Path) -> None:
    async with SqliteLedger.open(tmp_path / "new" / "folder" / "ledger.db", at(1000)) as ledger:
        assert await ledger.look_up([CAT]) == [None]


async def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "ledger.db", tmp_path):
        with pytest.raises(Refused, match=f"{path.parent}|{path}"):
            async with SqliteLedger.open(path, at(1000)):
                pass


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes " * 100)
    with pytest.raises(Refused, match=r"notes\.txt cannot be used.*must be a SQLite file"):
        async with SqliteLedger.open(path, at(1000)):
            pass
    assert path.read_text() == "my notes " * 100


async def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE birds (name TEXT)")
    db.close()
    with pytest.raises(Refused, match="no ledger: give the ledger a file of its own"):
        async with SqliteLedger.open(path, at(1000)):
            pass


async def test_a_ledger_of_a_newer_worker_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(Refused, match="written by a newer worker"):
        async with SqliteLedger.open(path, at(1000)):
            pass


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """What a full disk does to writers, for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_unavailable_and_the_ledger_works_again_when_there_is_room(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    claims = [
        Claim(Identity("acme", "intake", "/", f"{n}.jpg"), S3Object("media", "k" * 900)) for n in range(500)
    ]
    async with SqliteLedger.open(path, at(1000)) as ledger:
        await ledger.register([CLAIM], "us")
        before = await ledger.look_up([CAT])
        with no_file_grows_beyond(100_000), pytest.raises(Unavailable, match="Is the disk full"):
            await ledger.claim(claims, "us", 50)
        assert await ledger.look_up([CAT, claims[0].identity]) == [*before, None]
        assert all(isinstance(result, Granted) for result in await ledger.claim(claims, "us", 50))


async def test_a_failure_in_the_middle_leaves_nothing_of_the_call(tmp_path: Path) -> None:
    identities = [Identity("acme", "intake", "/", f"{n}.jpg") for n in range(20)]
    async with SqliteLedger.open(tmp_path / "ledger.db", at(1000)) as ledger:
        bad = Claim(identities[19], S3Object("media", "k", size=2**63))  # no 64-bit number holds it
        with pytest.raises(OverflowError):
            await ledger.register(
                [*(Claim(identity, CLAIM.object) for identity in identities[:19]), bad], "us"
            )
        assert await ledger.look_up(identities) == [None] * 20


async def test_calls_at_the_same_time_are_served_one_after_another(tmp_path: Path) -> None:
    async with SqliteLedger.open(tmp_path / "ledger.db", at(1000)) as ledger:
        results = await asyncio.gather(*(ledger.claim([CLAIM], f"holder {n}", 50) for n in range(20)))
    assert sum(isinstance(result, Granted) for [result] in results) == 1
    assert sum(isinstance(result, Denied) for [result] in results) == 19


async def test_no_cursor_leaves_the_ledgers_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor that dies in another thread resets a statement that the ledger's thread may be using again by then."""
    died_in = set[str]()

    class Cursor(sqlite3.Cursor):
        def __del__(self) -> None:
            died_in.add(threading.current_thread().name)

    class Connection(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            return self.cursor(Cursor).execute(*arguments)

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            return self.cursor(Cursor).executemany(*arguments)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))
    async with SqliteLedger.open(tmp_path / "ledger.db", lambda: 1000.0) as ledger:
        await ledger.claim([CLAIM], "us", 50)
        await ledger.release([CAT], "us")
        await ledger.register([CLAIM], "us")
        assert await ledger.look_up([CAT]) != [None]
    assert died_in == {"ledger_0"}

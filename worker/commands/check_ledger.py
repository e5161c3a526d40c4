"""The part of `check` that tries the ledger: whether it can be had, and whether it keeps what it is given."""

import sqlite3
import time
from pathlib import Path

from worker.adapters.aws_session import aws_session
from worker.adapters.dynamodb_table import DynamodbTable, open_table_client, statement_of
from worker.adapters.redis_store import RedisStore
from worker.adapters.sqlite_ledger import HELD, SqliteLedger
from worker.core.checks import Finding, judge_ledger_file, note, ok, wrong
from worker.core.checks_redis import judge_redis
from worker.core.errors import OutsideError
from worker.settings import Ledger

MOUNTS = Path("/proc/self/mountinfo")

TRIED = "check"
"""The key of the item that is written into the table and deleted; no identity and no cell has it."""

STATEMENTS = (
    "INSERT INTO \"%s\" VALUE {'id': ?}",
    'UPDATE "%s" SET "checked" = true WHERE "id" = ?',
    'DELETE FROM "%s" WHERE "id" = ?',
)
"""Of every kind that the ledger uses, for each is allowed by itself."""


async def look_at_ledger(ledger: Ledger, *, create: bool) -> list[Finding]:
    """What is found of the ledger. *create*: make its DynamoDB table if it is missing."""
    try:
        match ledger.scheme:
            case "sqlite":
                return [await _file(ledger.path)]
            case "dynamodb":
                return [await _table(ledger.table, create=create)]
            case _:
                async with RedisStore.open(ledger.url.get_secret_value()) as redis:
                    return judge_redis(await redis.info(), str(ledger.url))
    except OutsideError as error:
        return [wrong("ledger", f"{error} WORKER_LEDGER__URL says where it is.")]


async def _file(path: Path) -> Finding:
    try:
        async with SqliteLedger.open(path, time.time):
            return judge_ledger_file(path, _mounts())
    except OutsideError as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode & 0xFF in HELD:
            return note("ledger", f"{path} is held by another process. If that is not this worker: {error}")
        raise


def _mounts() -> str:
    return MOUNTS.read_text() if MOUNTS.exists() else ""


async def _table(name: str, *, create: bool) -> Finding:
    async with open_table_client(aws_session()) as client:
        table = DynamodbTable(client, name, time.time)
        await (table.create() if create else table.check())
        await table.read_all([TRIED])
        for statement in STATEMENTS:
            await table.write_all([statement_of(statement % name, {"S": TRIED})])
    return ok(
        "ledger", f"the DynamoDB table {name} is there, has the key it needs, and may be read and written"
    )

"""How the contract suites open each implementation of a port: a new one is one function here and one line in a table.

An opening stands for one store, empty at the beginning of the test. The suites move the store's clock by
:class:`Clock`, whatever the store: an injected clock, for Redis what its TIME answers, for DynamoDB the Date of its
answers too.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import pytest

from tests.adapters.dynamodb_parts import table_on
from tests.fakes.ledger import MemoryLedger
from tests.servers import RedisServer
from worker.adapters.cells import Cell, MemoryCell
from worker.adapters.dynamodb_cell import DynamodbCell
from worker.adapters.dynamodb_ledger import DynamodbLedger
from worker.adapters.redis_cell import RedisCell
from worker.adapters.redis_ledger import RedisLedger
from worker.adapters.redis_store import RedisStore
from worker.adapters.sqlite_ledger import SqliteLedger
from worker.pipeline.ports import Ledger

T = TypeVar("T")


@dataclass
class Clock:
    """The store's clock in Unix seconds; tests set *time*."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


class Opening(NamedTuple, Generic[T]):
    """*open* makes one more holder of the test's store, on the test's clock. Where the store is not *shared*, it can
    be opened only once. Of a *slow* one, each call of which takes several milliseconds, the suites ask less.
    """

    open: Callable[[Clock], AbstractAsyncContextManager[T]]
    shared: bool
    slow: bool = False


# Each takes pytest's request, for the fixtures that it needs. What the store holds from earlier tests is to be gone.


def memory_ledger(_request: pytest.FixtureRequest) -> Opening[Ledger]:
    @asynccontextmanager
    async def opened(clock: Clock) -> AsyncIterator[Ledger]:
        yield MemoryLedger(clock)

    return Opening(opened, shared=False)


def sqlite_ledger(request: pytest.FixtureRequest) -> Opening[Ledger]:
    folder: Path = request.getfixturevalue("tmp_path")
    return Opening(lambda clock: SqliteLedger.open(folder / "ledger.db", clock), shared=False)


@asynccontextmanager
async def redis_store(url: str, clock: Clock) -> AsyncIterator[RedisStore]:
    """A store whose server tells the time of *clock*."""

    def told(response: object, **_: object) -> tuple[int, int]:  # noqa: ARG001 - the signature is the library's
        return divmod(round(clock() * 1_000_000), 1_000_000)

    async with RedisStore.open(url) as store:
        store.client.set_response_callback("TIME", told)
        yield store


def redis_ledger(request: pytest.FixtureRequest) -> Opening[Ledger]:
    server: RedisServer = request.getfixturevalue("redis_server")

    @asynccontextmanager
    async def opened(clock: Clock) -> AsyncIterator[Ledger]:
        async with redis_store(server.url, clock) as store:
            yield RedisLedger(store)

    return Opening(opened, shared=True)


def dynamodb_ledger(request: pytest.FixtureRequest) -> Opening[Ledger]:
    request.getfixturevalue("aws")
    name = f"ledger-{uuid.uuid4().hex}"

    @asynccontextmanager
    async def opened(clock: Clock) -> AsyncIterator[Ledger]:
        async with table_on(name, clock) as table:
            yield DynamodbLedger(table)

    return Opening(opened, shared=True, slow=True)


def memory_cell(_request: pytest.FixtureRequest) -> Opening[Cell]:
    @asynccontextmanager
    async def opened(clock: Clock) -> AsyncIterator[Cell]:
        yield MemoryCell(clock)

    return Opening(opened, shared=False)


def redis_cell(request: pytest.FixtureRequest) -> Opening[Cell]:
    server: RedisServer = request.getfixturevalue("redis_server")

    @asynccontextmanager
    async def opened(clock: Clock) -> AsyncIterator[Cell]:
        async with redis_store(server.url, clock) as store:
            yield RedisCell(store, "quota")

    return Opening(opened, shared=True)


def dynamodb_cell(request: pytest.FixtureRequest) -> Opening[Cell]:
    request.getfixturevalue("aws")
    name = f"ledger-{uuid.uuid4().hex}"

    @asynccontextmanager
    async def opened(clock: Clock) -> AsyncIterator[Cell]:
        async with table_on(name, clock) as table:
            yield DynamodbCell(table, "quota")

    return Opening(opened, shared=True, slow=True)


LEDGERS: Mapping[str, Callable[[pytest.FixtureRequest], Opening[Ledger]]] = {
    "memory": memory_ledger,
    "sqlite": sqlite_ledger,
    "redis": redis_ledger,
    "dynamodb": dynamodb_ledger,
}
CELLS: Mapping[str, Callable[[pytest.FixtureRequest], Opening[Cell]]] = {
    "memory": memory_cell,
    "redis": redis_cell,
    "dynamodb": dynamodb_cell,
}

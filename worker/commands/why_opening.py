"""What `why` and `forget` open: everybody who may know of an object, each by itself, so that who cannot be reached keeps
nobody else from answering.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

from prometheus_client import CollectorRegistry

from worker.adapters.aws_session import aws_session
from worker.adapters.cells import Cell
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_objects import S3Objects
from worker.adapters.sqlite_ledger import HELD, SqliteLedger
from worker.commands.explain import as_written
from worker.core.claims import Entry
from worker.core.darwin import Storage
from worker.core.errors import OutsideError, Refused
from worker.core.model import Identity
from worker.core.routing import Routes
from worker.dead_letters import DeadLetters, Look
from worker.metrics import Metrics
from worker.opening import (
    Queues,
    every_route,
    keys_of,
    memory_cell,
    open_darwin,
    open_queues,
    open_store,
    with_storages,
)
from worker.pipeline.ports import Darwin, Ledger, Objects
from worker.routes_file import Wanted
from worker.settings import Ledger as LedgerSettings
from worker.settings import Settings
from worker.tracing import LookUp, Tracing

NOBODYS = Identity("", "", "/", "")

T = TypeVar("T")


async def held_by_another(ledger: LedgerSettings) -> str:
    """That another process holds the SQLite ledger, as a sentence; empty where none does, or where it is no such ledger."""
    if ledger.scheme != "sqlite" or not ledger.path.exists():
        return ""
    try:
        async with SqliteLedger.open(ledger.path, time.time):
            return ""
    except Refused as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode & 0xFF in HELD:
            return f"Another process holds the ledger {ledger.path}: most likely the running worker."
        return ""  # whoever looks up will be told


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """The ledger that there is, and no new one. Raises :class:`Refused`. A SQLite file is not to be held for long: a worker
    that starts meanwhile would be refused it.
    """
    path = settings.ledger.path
    if settings.ledger.scheme == "sqlite" and not path.exists():
        raise Refused(
            f"There is no ledger {path}: no worker with these settings has run on this machine. Ask where it runs, or set "
            "WORKER_LEDGER__URL."
        )
    async with open_store(settings) as store:
        yield store.ledger


@asynccontextmanager
async def opened(
    settings: Settings, wanted: Wanted, no_ledger: str, seen: Callable[[int], None]
) -> AsyncIterator[Callable[[str], Tracing]]:
    """What traces the objects of a bucket, by its name. *no_ledger*: why the ledger cannot be asked; empty where it can.
    *seen* is told how many dead letters were looked at so far.
    """
    metrics = Metrics(CollectorRegistry())  # what adapters count by; nobody looks at it here
    async with AsyncExitStack() as of_queues, AsyncExitStack() as stack:

        async def open_both() -> Queues:
            return await of_queues.enter_async_context(open_queues(settings, metrics))

        async def look() -> Look:
            queue = (await queues()).dead_letters
            return await DeadLetters(queue, queue.attributes).look(seen=seen)

        async def attributes() -> Mapping[str, str]:
            return await (await queues()).source.attributes()

        queues = _once(open_both, stack)
        look_up, cell = await _ledger(settings, stack, no_ledger)
        darwin = await _darwin(settings, wanted, metrics, cell, stack)
        objects = await _objects(metrics, stack)
        looked, counted = _once(look, stack), _once(attributes, stack)
        routes_of = await _routes(wanted, darwin)

        def tracing_of(bucket: str) -> Tracing:
            routes, assumed = routes_of(bucket)
            return Tracing(
                routes,
                objects=objects,
                look_up=look_up,
                darwin=darwin,
                look=looked,
                attributes=counted,
                now=time.time,
                assumed=assumed,
            )

        yield tracing_of


async def _ledger(
    settings: Settings, stack: AsyncExitStack, no_ledger: str
) -> tuple[LookUp, Callable[[str], Cell]]:
    """The ledger, and where the buckets of the quota are. A store that is away gives no token; a fleet sends nothing then,
    and so the few questions of a person cannot overrun it.
    """
    if no_ledger:
        return _raising(Refused(no_ledger)), memory_cell
    if settings.ledger.scheme == "sqlite":

        async def briefly(identities: Sequence[Identity]) -> list[Entry | None]:
            async with open_ledger(settings) as ledger:
                return await ledger.look_up(identities)

        return briefly, memory_cell
    try:
        store = await stack.enter_async_context(open_store(settings))
        await store.ledger.look_up([NOBODYS])
    except OutsideError as error:
        return _raising(error), memory_cell
    return store.ledger.look_up, store.cell


def _raising(error: OutsideError) -> LookUp:
    async def look_up(_: Sequence[Identity]) -> list[Entry | None]:
        raise error

    return look_up


async def _darwin(
    settings: Settings,
    wanted: Wanted,
    metrics: Metrics,
    cell: Callable[[str], Cell],
    stack: AsyncExitStack,
) -> Callable[[str], Darwin]:
    opened: dict[str, Darwin] = {}
    missing: dict[str, OutsideError] = {}
    for team, key in keys_of(settings, wanted).items():
        try:
            teams = await stack.enter_async_context(
                open_darwin(settings, {team: key}, metrics, cell, operators=True)
            )
            opened[team] = teams[team].darwin
        except OutsideError as error:
            missing[team] = error

    def darwin(team: str) -> Darwin:
        if team not in opened:
            raise missing.get(team) or Refused(f"No API key is known of team {team}.")
        return opened[team]

    return darwin


async def _objects(
    metrics: Metrics, stack: AsyncExitStack
) -> Callable[[], AbstractAsyncContextManager[Objects]]:
    told: S3Objects | OutsideError
    try:
        client = await stack.enter_async_context(open_bucket_client(aws_session()))
        told = S3Objects(client, metrics)
    except OutsideError as error:
        told = error

    @asynccontextmanager
    async def objects() -> AsyncIterator[Objects]:
        if isinstance(told, OutsideError):
            raise told
        yield told

    return objects


async def _routes(wanted: Wanted, darwin: Callable[[str], Darwin]) -> Callable[[str], tuple[Routes, str]]:
    """The routes for a bucket's objects, and why their storages are only as they are written; empty where Darwin told them."""
    try:
        storages: dict[str, list[Storage]] = {}
        for team in dict.fromkeys(route.lane.team for route in every_route(wanted)):
            storages[team] = await darwin(team).storages()
        told = with_storages(wanted, storages)
    except OutsideError as error:
        why = str(error)

        def assumed(bucket: str) -> tuple[Routes, str]:
            storages = as_written(every_route(wanted), [(bucket, "")])
            return Routes(wanted.routes, wanted.otherwise, storages, wanted.archive), why

        return assumed
    return lambda _: (told, "")


def _once(
    ask: Callable[[], Coroutine[object, object, T]], stack: AsyncExitStack
) -> Callable[[], Awaitable[T]]:
    """Asks when it is called first; the answer, or the error, is that of all calls. Who gives up waiting ends nothing; the
    *stack* does.
    """
    asking: list[asyncio.Task[T]] = []

    async def ended() -> None:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def asked() -> T:
        if not asking:
            asking.append(asyncio.create_task(ask(), name="asked once"))
        return await asyncio.shield(asking[0])

    stack.push_async_callback(ended)
    return asked

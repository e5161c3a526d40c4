"""The composition root: opens the adapters, builds the flow, owns start and stop."""

import asyncio
import gc
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import chain
from uuid import uuid4

from prometheus_client import CollectorRegistry, ProcessCollector

from worker.adapters.aws_session import aws_session
from worker.adapters.cell_probes import CellProbes
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_archive import S3Archive
from worker.adapters.s3_objects import S3Objects
from worker.core.backoff import backoff
from worker.core.conditions import Name
from worker.core.darwin import Storage
from worker.core.destinations import destinations
from worker.core.errors import Refused, Unavailable
from worker.core.lanes import TeamLanes
from worker.core.routing import Routes
from worker.dead_letters import DeadLetters
from worker.logs import Event, log
from worker.metrics import Metrics
from worker.opening import (
    Queues,
    Store,
    Team,
    check_team,
    keys_of,
    open_darwin,
    open_queues,
    open_store,
    with_storages,
)
from worker.pipeline.accounts import Account
from worker.pipeline.context import Context
from worker.pipeline.flow import Flow
from worker.pipeline.heartbeats import Heartbeats
from worker.pipeline.ports import Darwin
from worker.pipeline.situation import Situation
from worker.pipeline.stopping import Stop
from worker.routes_file import load_routes
from worker.settings import Settings, cautions
from worker.tracing import Tracing
from worker.view import LETTERS, Opened, View
from worker.web.server import serving

LAG_EVERY = 0.5
YOUNG = 20_000
"""Objects that come into being between two looks of the garbage collector at the youngest of them."""

SUSPECT_WITHOUT_REDRIVE = 5
"""The receive count that makes a suspect when the queue has no redrive policy to tell the end of it."""


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends the process at once.

    Raises :class:`Refused` for what keeps it from starting.
    """
    wanted = load_routes(settings)
    for caution in (*cautions(settings), *wanted.cautions):
        log.warning(Event.CAUTION, why=caution)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = Metrics(registry)
    stop = Stop(settings.drain_seconds)
    situation = Situation(metrics, time.time)
    context = Context(
        metrics, situation, Heartbeats(), stop, time.time, f"worker-{uuid4()}", settings.limits.open_records
    )
    # Without a line: no start is to begin with a warning.
    situation.conditions.raise_(Name.STARTING, "worker", "the connections are being tried", time.time())
    metrics.condition.labels(condition=Name.STARTING.value).inc()
    async with AsyncExitStack() as stack:
        view = View(context, settings)
        pages = await stack.enter_async_context(AsyncExitStack())
        port = await pages.enter_async_context(
            serving(view, registry, settings.web.host, settings.web.port, settings.web.token)
        )
        stack.enter_context(_Signals(context))
        await stack.enter_async_context(_measuring_lag(context))
        queues = await stack.enter_async_context(open_queues(settings, metrics))
        store = await stack.enter_async_context(open_store(settings))
        teams = await stack.enter_async_context(
            open_darwin(settings, keys_of(settings, wanted), metrics, store.cell)
        )
        if not await _first_fill(context, teams.values()):
            return
        view.teams = teams
        storages = await _first_looks(context, teams)
        if storages is None:
            return
        routes = with_storages(wanted, storages)
        objects, archive = None, None
        if routes.asks_s3 or routes.archive:  # the client takes 15 MiB, and most workers never need it
            s3 = await stack.enter_async_context(open_bucket_client(aws_session()))
            objects = S3Objects(s3, metrics)
            archive = None if routes.archive is None else S3Archive(s3, routes.archive, metrics)
        accounts = {
            slug: _account(slug, team, routes, settings.batch.max_items, store)
            for slug, team in teams.items()
        }
        flow = Flow(
            context,
            queue=queues.source,
            dead_letters=queues.dead_letters,
            objects=objects,
            ledger=store.ledger,
            accounts=accounts,
            routes=routes,
            visibility=settings.queue.visibility_seconds,
            wait=settings.queue.wait_seconds,
            request_timeout=settings.darwin.request_timeout_seconds,
            items_per_second=settings.quota.requests_per_minute * settings.batch.max_items / 60,
            suspect_from=max(2, (queues.max_receive_count or 2 * SUSPECT_WITHOUT_REDRIVE) // 2),
            archive=archive,
        )
        tracing = _tracing(metrics, routes, queues, store, teams)
        await stack.enter_async_context(view.watching(Opened(flow.settling.book, accounts, queues, tracing)))
        # The first to close: nobody's question is to meet a closed connection.
        stack.push_async_callback(pages.aclose)
        _spare_the_collector()
        situation.clear(Name.STARTING, "worker")
        log.info(
            Event.STARTED,
            queue=queues.source.url,
            dead_letters=queues.dead_letters.url,
            ledger=str(settings.ledger.url),
            archive=settings.archive.url,
            teams=list(teams),
            routes=[route.name for route in routes.routes],
            port=port,
        )
        await flow.run()
        log.info(Event.STOPPED, open_records=flow.settling.book.open_records, **_told(flow))


def _spare_the_collector() -> None:
    """What was imported and opened stays to the end, and thousands of open records are no garbage: a collector that looks
    at all of them again and again costs a fifth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


def _told(flow: Flow) -> dict[str, int]:
    book = flow.settling.book
    outcomes = {kind.value: count for kind, count in book.outcomes.items() if count}
    return {"received": book.received, "returned": book.returned, **outcomes}


def _account(slug: str, team: Team, routes: Routes, batch_size: int, store: Store) -> Account:
    named = [destinations(route) for route in routes.every_route if route.lane.team == slug]
    return Account(
        slug,
        team.darwin,
        team.registration,
        TeamLanes(dict.fromkeys(chain.from_iterable(named)), batch_size, more_may_come=not all(named)),
        CellProbes(store.cell(f"probes/{slug}/team")),
        CellProbes(store.cell(f"probes/{slug}/plan")),
    )


def _tracing(
    metrics: Metrics, routes: Routes, queues: Queues, store: Store, teams: Mapping[str, Team]
) -> Tracing:
    """For the page's search. S3's client is opened for one question, because it takes 15 MiB."""

    @asynccontextmanager
    async def objects() -> AsyncIterator[S3Objects]:
        async with open_bucket_client(aws_session()) as client:
            yield S3Objects(client, metrics)

    dead_letters = DeadLetters(queues.dead_letters, queues.dead_letters.attributes)
    return Tracing(
        routes,
        objects=objects,
        look_up=store.ledger.look_up,
        darwin=lambda team: teams[team].darwin,
        look=partial(dead_letters.look, LETTERS),
        attributes=queues.source.attributes,
        now=time.time,
    )


async def _first_fill(context: Context, teams: Collection[Team]) -> bool:
    """Let the buckets begin to fill: the first look at the store, too. Takes as long as it takes; False when a stop was
    asked for first.
    """
    failures = 0
    while not context.stop.asked:
        try:
            for team in teams:
                context.heartbeats.beat("starting")
                await team.registration.level()
                await team.general.level()
        except Unavailable as error:
            context.situation.raise_(Name.LEDGER_UNREACHABLE, "quota", str(error))
            failures += 1
            await context.stop.wait(backoff(failures, random.random(), longest=15.0))  # noqa: S311 - jitter, no secret
        else:
            context.situation.clear(Name.LEDGER_UNREACHABLE, "quota")
            context.heartbeats.ended("starting")
            return True
    return False


async def _first_looks(context: Context, teams: Mapping[str, Team]) -> dict[str, list[Storage]] | None:
    """The storages of every team, once all of them have answered; None when a stop was asked for first."""
    async with asyncio.TaskGroup() as tasks:
        looks = {
            slug: tasks.create_task(_first_look(context, team.darwin, slug), name=f"first look at {slug}")
            for slug, team in teams.items()
        }
    told = {slug: storages for slug, look in looks.items() if (storages := look.result()) is not None}
    return told if len(told) == len(teams) else None


async def _first_look(context: Context, darwin: Darwin, team: str) -> list[Storage] | None:
    """Ask Darwin once before the first receive: is it there, does it know the key, where does it write?

    Takes as long as it takes; None when a stop was asked for first.
    """
    part, failures = f"starting {team}", 0
    while not context.stop.asked:
        context.heartbeats.beat(part)
        condition = Name.DARWIN_DOWN
        try:
            darwin.reread_key()
            await check_team(darwin, team)
            storages = await darwin.storages()
        except Refused as error:
            condition, why = Name.KEY_REFUSED, str(error)
        except Unavailable as error:
            why = str(error)
        else:
            for name in (Name.DARWIN_DOWN, Name.KEY_REFUSED):
                context.situation.clear(name, team)
            context.heartbeats.ended(part)
            return storages
        other = Name.KEY_REFUSED if condition is Name.DARWIN_DOWN else Name.DARWIN_DOWN
        context.situation.clear(other, team)
        context.situation.raise_(condition, team, why)
        failures += 1
        await context.stop.wait(backoff(failures, random.random(), longest=15.0))  # noqa: S311 - jitter, no secret
    return None


# Beside the flow


class _Signals:
    """SIGTERM and SIGINT ask for a stop; the second one does not wait for it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._asked, number)

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)

    def _asked(self, number: signal.Signals) -> None:
        if self._context.stop.asked:
            os._exit(128 + number)
        self._context.stop.ask()
        self._context.situation.raise_(Name.STOPPING, "worker", f"{number.name} was received")
        log.info(Event.STOPPING, signal=number.name)


@asynccontextmanager
async def _measuring_lag(context: Context) -> AsyncIterator[None]:
    """How late the event loop is; its beat is the loop's own sign of life."""

    async def measure() -> None:
        loop = asyncio.get_running_loop()
        while True:
            context.heartbeats.beat("event loop")
            due = loop.time() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            context.metrics.event_loop_lag_seconds.observe(max(0.0, loop.time() - due))

    async with asyncio.TaskGroup() as tasks:
        measuring = tasks.create_task(measure(), name="event loop lag")
        try:
            yield
        finally:
            measuring.cancel()

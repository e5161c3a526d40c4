"""The composition root: opens the adapters, builds the flow, owns start and stop."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

from prometheus_client import CollectorRegistry, ProcessCollector

from worker.adapters.cell_probes import CellProbes
from worker.adapters.darwin import DarwinApi
from worker.core.backoff import backoff
from worker.core.conditions import Condition, Name
from worker.core.darwin import Storage
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.lanes import TeamLanes
from worker.core.model import Lane
from worker.core.routes import Route
from worker.core.routing import Routes
from worker.logs import Event, log
from worker.metrics import Metrics
from worker.opening import check_team, open_darwin, open_queues, open_store, with_storages
from worker.pipeline.accounts import Account
from worker.pipeline.context import Context
from worker.pipeline.flow import Flow
from worker.pipeline.heartbeats import Heartbeats
from worker.pipeline.ports import Quota
from worker.pipeline.situation import Situation
from worker.pipeline.stopping import Stop
from worker.routes_file import load_routes
from worker.settings import Settings, cautions
from worker.web.server import serving

LAG_EVERY = 0.5
SUSPECT_WITHOUT_REDRIVE = 5
"""The receive count that makes a suspect when the queue has no redrive policy to tell the end of it."""


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends the process at once.

    Raises :class:`Refused` for what keeps it from starting.
    """
    wanted = load_routes(settings)
    for caution in cautions(settings):
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
        view = _View(context)
        port = await stack.enter_async_context(serving(view, registry, settings.web.host, settings.web.port))
        stack.enter_context(_Signals(context))
        await stack.enter_async_context(_measuring_lag(context))
        queues = await stack.enter_async_context(open_queues(settings, metrics))
        store = await stack.enter_async_context(open_store(settings))
        darwin, quotas = await stack.enter_async_context(open_darwin(settings, metrics, store.cell))
        if not await _first_fill(context, quotas):
            return
        view.quotas = quotas._asdict()
        storages = await _first_look(context, darwin, settings.darwin.team)
        if storages is None:
            return
        routes = with_storages(wanted, storages, settings.darwin.team)
        account = Account(
            settings.darwin.team,
            darwin,
            quotas.registration,
            TeamLanes(_lanes(routes), settings.batch.max_items),
            CellProbes(store.cell(f"probes/{settings.darwin.team}/team")),
            CellProbes(store.cell(f"probes/{settings.darwin.team}/plan")),
        )
        flow = Flow(
            context,
            queue=queues.source,
            dead_letters=queues.dead_letters,
            ledger=store.ledger,
            accounts={account.team: account},
            routes=routes,
            visibility=settings.queue.visibility_seconds,
            wait=settings.queue.wait_seconds,
            request_timeout=settings.darwin.request_timeout_seconds,
            items_per_second=settings.quota.requests_per_minute * settings.batch.max_items / 60,
            suspect_from=max(2, (queues.max_receive_count or 2 * SUSPECT_WITHOUT_REDRIVE) // 2),
        )
        situation.clear(Name.STARTING, "worker")
        log.info(
            Event.STARTED,
            queue=queues.source.url,
            dead_letters=queues.dead_letters.url,
            ledger=str(settings.ledger.url),
            team=account.team,
            routes=[route.name for route in routes.routes],
            port=port,
        )
        await flow.run()
        log.info(Event.STOPPED, open_records=flow.settling.book.open_records, **_told(flow))


def _told(flow: Flow) -> dict[str, int]:
    book = flow.settling.book
    outcomes = {kind.value: count for kind, count in book.outcomes.items() if count}
    return {"received": book.received, "returned": book.returned, **outcomes}


def _lanes(routes: Routes) -> list[Lane]:
    every = [*routes.routes, *([routes.fallback] if isinstance(routes.fallback, Route) else [])]
    return list(dict.fromkeys(route.lane for route in every))


async def _first_fill(context: Context, quotas: Iterable[Quota]) -> bool:
    """Let the buckets begin to fill: the first look at the store, too. Takes as long as it takes; False when a stop was
    asked for first.
    """
    failures = 0
    while not context.stop.asked:
        context.heartbeats.beat("starting")
        try:
            for quota in quotas:
                await quota.level()
        except Unavailable as error:
            context.situation.raise_(Name.LEDGER_UNREACHABLE, "quota", str(error))
            failures += 1
            await context.stop.wait(backoff(failures, random.random(), longest=15.0))  # noqa: S311 - jitter, no secret
        else:
            context.situation.clear(Name.LEDGER_UNREACHABLE, "quota")
            return True
    return False


async def _first_look(context: Context, darwin: DarwinApi, team: str) -> list[Storage] | None:
    """Ask Darwin once before the first receive: is it there, does it know the key, where does it write?

    Takes as long as it takes; None when a stop was asked for first.
    """
    failures = 0
    while not context.stop.asked:
        context.heartbeats.beat("starting")
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
            context.heartbeats.ended("starting")
            return storages
        other = Name.KEY_REFUSED if condition is Name.DARWIN_DOWN else Name.DARWIN_DOWN
        context.situation.clear(other, team)
        context.situation.raise_(condition, team, why)
        failures += 1
        await context.stop.wait(backoff(failures, random.random(), longest=15.0))  # noqa: S311 - jitter, no secret
    return None


# Beside the flow


class _View:
    """What the web server may see."""

    def __init__(self, context: Context) -> None:
        self.quotas: Mapping[str, Quota] = {}
        self._context = context

    def conditions(self) -> Sequence[Condition]:
        return self._context.situation.conditions.now()

    def heartbeats(self) -> Mapping[str, float]:
        return self._context.heartbeats.ages()

    async def refresh(self) -> None:
        for bucket, quota in self.quotas.items():
            try:
                self._context.metrics.tokens.labels(bucket=bucket).set(await quota.level())
            except OutsideError:
                continue  # the gauge keeps what it last knew; a condition tells the rest


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

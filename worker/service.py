"""The composition root: opens the adapters, builds the flow, owns start and stop."""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

import aioboto3
from prometheus_client import CollectorRegistry

from worker.adapters.darwin import DarwinApi, open_session
from worker.adapters.local_quota import LocalQuota
from worker.adapters.sqlite_ledger import SqliteLedger
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.core.backoff import backoff
from worker.core.conditions import Condition, Name
from worker.core.darwin import Storage
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.lanes import TeamLanes
from worker.core.model import Lane, Mode
from worker.core.routing import Route, Routes, problems
from worker.logs import Event, log
from worker.metrics import Metrics
from worker.pipeline.accounts import Account
from worker.pipeline.context import Context
from worker.pipeline.flow import Flow
from worker.pipeline.heartbeats import Heartbeats
from worker.pipeline.ports import Quota
from worker.pipeline.situation import Situation
from worker.pipeline.stopping import Stop
from worker.routes_file import Wanted, load_routes
from worker.settings import Settings
from worker.web.server import serving

LAG_EVERY = 0.5
SUSPECT_WITHOUT_REDRIVE = 5
"""The receive count that makes a suspect when the queue has no redrive policy to tell the end of it."""


class Queues(NamedTuple):
    """The source queue, where its dead letters go, and the receives that its redrive policy allows (None: any)."""

    source: SqsQueue
    dead_letters: SqsQueue
    max_receive_count: int | None


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends the process at once.

    Raises :class:`Refused` for what keeps it from starting.
    """
    wanted = load_routes(settings)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    stop = Stop(settings.drain_seconds)
    situation = Situation(metrics, time.time)
    context = Context(
        metrics, situation, Heartbeats(), stop, time.time, f"worker-{uuid4()}", settings.limits.open_records
    )
    situation.conditions.raise_(Name.STARTING, "worker", "the connections are being tried", time.time())
    async with AsyncExitStack() as stack:
        view = _View(context)
        port = await stack.enter_async_context(serving(view, registry, settings.web.host, settings.web.port))
        stack.enter_context(_Signals(context))
        await stack.enter_async_context(_measuring_lag(context))
        queues = await stack.enter_async_context(open_queues(settings, metrics))
        ledger = await stack.enter_async_context(SqliteLedger.open(settings.ledger.path, time.time))
        darwin, quota = await stack.enter_async_context(open_darwin(settings, metrics))
        view.quotas = {"registration": quota}
        storages = await _first_look(context, darwin, settings.darwin.team)
        if storages is None:
            return
        routes = with_storages(wanted, storages, settings.darwin.team)
        account = Account(
            settings.darwin.team, darwin, quota, TeamLanes(_lanes(routes), settings.batch.max_items)
        )
        flow = Flow(
            context,
            queue=queues.source,
            dead_letters=queues.dead_letters,
            ledger=ledger,
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
            ledger=settings.ledger.url,
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


# Opening what is outside; `check` opens the same things in the same way


@asynccontextmanager
async def open_queues(settings: Settings, metrics: Metrics) -> AsyncIterator[Queues]:
    """The queues, after SQS was asked for them. Raises :class:`Refused` when there is no dead-letter queue."""
    async with open_queue_client(aioboto3.Session(), os.environ.get("AWS_REGION")) as client:
        source = SqsQueue(client, settings.queue.url, metrics)
        policy = redrive_policy(await source.attributes())
        url = settings.queue.dead_letter_url
        if url is None:
            target = policy.get("deadLetterTargetArn")
            if not isinstance(target, str):
                raise Refused(
                    f"The queue {source.url} has no redrive policy, so there is no dead-letter queue: give it one, or "
                    "set WORKER_QUEUE__DEAD_LETTER_URL."
                )
            url = await source.url_of(target)
        count = policy.get("maxReceiveCount")
        yield Queues(source, SqsQueue(client, url, metrics), int(str(count)) if count is not None else None)


def redrive_policy(attributes: Mapping[str, str]) -> Mapping[str, object]:
    """The queue's RedrivePolicy attribute; empty when it has none."""
    policy: Mapping[str, object] = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy


@asynccontextmanager
async def open_darwin(settings: Settings, metrics: Metrics) -> AsyncIterator[tuple[DarwinApi, LocalQuota]]:
    """Darwin's API, which takes its tokens of the general bucket by itself, and the registration bucket."""
    clock = asyncio.get_running_loop().time
    limits = settings.quota
    general = LocalQuota(limits.general_requests_per_minute, limits.burst, clock)
    async with open_session() as session:
        darwin = DarwinApi(
            session,
            settings.darwin.base_url,
            settings.darwin.team,
            settings.darwin.api_key_file or settings.darwin.api_key,
            lambda: _take(general, metrics),
            general.refused,
            metrics,
        )
        yield darwin, LocalQuota(limits.requests_per_minute, limits.burst, clock)


async def _take(quota: Quota, metrics: Metrics) -> None:
    """A token of the general bucket."""
    waited = 0.0
    while (wait := await quota.take()) > 0:
        waited += wait
        await asyncio.sleep(wait)
    metrics.token_wait_seconds.labels(bucket="general").observe(waited)


async def check_team(darwin: DarwinApi, team: str) -> None:
    """Raises :class:`Refused` when the key is another team's."""
    of_key = await darwin.team()
    if of_key != team:
        raise Refused(
            f"The API key belongs to team {of_key}, not to {team}: set DARWIN_TEAM or the key right."
        )


def with_storages(wanted: Wanted, storages: Sequence[Storage], team: str) -> Routes:
    """The routes with what only Darwin can tell: a storage's slug, mode, bucket and prefix.

    Raises :class:`Refused` naming what must be mended before anything may be received: a storage that is not there,
    one that is read-only, and a route that watches the place where Darwin writes.
    """
    by_name = {storage.name: storage for storage in storages} | {
        storage.slug: storage for storage in storages
    }

    def resolved(route: Route) -> Route:
        storage = by_name.get(route.lane.storage)
        if storage is None:
            there = ", ".join(sorted(by_name)) or "none"
            raise Refused(
                f"Route {route.name!r}: team {team} has no storage {route.lane.storage!r} in Darwin (it has: {there}). "
                "Correct the name; without the storage nobody knows where Darwin writes."
            )
        if storage.mode is Mode.READ_ONLY:
            raise Refused(
                f"Route {route.name!r}: storage {route.lane.storage!r} is read-only in Darwin, which takes thumbnails "
                "and sizes that this version cannot give. Use a read-write storage."
            )
        return replace(route, lane=Lane(team, route.lane.dataset, storage.slug, storage.mode))

    last = wanted.otherwise
    routes = Routes(
        tuple(resolved(route) for route in wanted.routes),
        resolved(last) if isinstance(last, Route) else last,
        {storage.slug: storage for storage in storages},
    )
    if wrong := problems(routes):
        raise Refused(" ".join(wrong))
    return routes


def _lanes(routes: Routes) -> list[Lane]:
    every = [*routes.routes, *([routes.fallback] if isinstance(routes.fallback, Route) else [])]
    return list(dict.fromkeys(route.lane for route in every))


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
        context.situation.raise_(condition, team, why)
        failures += 1
        wait = backoff(failures, random.random(), longest=60.0)  # noqa: S311 - jitter, no secret
        await context.stop.wait(min(wait, 15.0))
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

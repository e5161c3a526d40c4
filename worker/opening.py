"""Opening what is outside the process, as the settings say: `run` and `check` open the same things in the same way."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from worker.adapters.aws_session import aws_session
from worker.adapters.cell_quota import CellQuota
from worker.adapters.cells import Cell, MemoryCell
from worker.adapters.darwin import DarwinApi, open_session
from worker.adapters.dynamodb_cell import DynamodbCell
from worker.adapters.dynamodb_ledger import DynamodbLedger
from worker.adapters.dynamodb_table import DynamodbTable, open_table_client
from worker.adapters.sqlite_ledger import SqliteLedger
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.core.conflicts import problems
from worker.core.darwin import Storage
from worker.core.errors import Refused, Unavailable
from worker.core.routes import Route
from worker.core.routing import Routes
from worker.metrics import Metrics
from worker.pipeline.ports import Darwin, Ledger, Quota
from worker.routes_file import Wanted
from worker.settings import Settings, SettingsError

LONGEST_TOKEN_WAIT = 15.0
"""Seconds that a question to Darwin waits for its token: a 429 may freeze the bucket for an hour, and whoever asks has a
heartbeat or a stop to look after.
"""


class Queues(NamedTuple):
    """The source queue, where its dead letters go, and the receives that its redrive policy allows (None: any)."""

    source: SqsQueue
    dead_letters: SqsQueue
    max_receive_count: int | None


class Store(NamedTuple):
    """The ledger, and cells by name in the same place."""

    ledger: Ledger
    cell: Callable[[str], Cell]


class Team(NamedTuple):
    """One team's API, which takes its tokens of the general bucket by itself, and the two token buckets of its key."""

    darwin: DarwinApi
    registration: Quota
    general: Quota


@asynccontextmanager
async def open_queues(settings: Settings, metrics: Metrics) -> AsyncIterator[Queues]:
    """Both queues, after SQS was asked for them. Raises :class:`Refused` when there is no dead-letter queue."""
    async with open_queue_client(aws_session()) as client:
        source = SqsQueue(client, settings.queue.url, metrics)
        attributes = await source.attributes()
        policy = redrive_policy(attributes)
        url = settings.queue.dead_letter_url
        if url is None:
            target = policy.get("deadLetterTargetArn")
            if not isinstance(target, str):
                raise Refused(
                    f"The queue {source.url} has no redrive policy, so there is no dead-letter queue: give it one, or "
                    "set WORKER_QUEUE__DEAD_LETTER_URL."
                )
            url = await source.url_of(target)
        dead_letters = SqsQueue(client, url, metrics)
        if (await dead_letters.attributes()).get("QueueArn") == attributes.get("QueueArn"):
            raise Refused(
                f"The dead-letter queue {url} is the queue itself, so dead letters would be received again without end: "
                "make a queue of its own for them."
            )
        count = policy.get("maxReceiveCount")
        yield Queues(source, dead_letters, int(str(count)) if count is not None else None)


def redrive_policy(attributes: Mapping[str, str]) -> Mapping[str, object]:
    """The queue's RedrivePolicy attribute; empty when it has none."""
    policy: Mapping[str, object] = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Where the claims are, and what a fleet shares besides. Raises :class:`Refused` when it cannot be used."""
    match settings.ledger.scheme:
        case "sqlite":
            async with SqliteLedger.open(settings.ledger.path, time.time) as ledger:
                yield Store(ledger, memory_cell)
        case "redis" | "rediss":
            # Redis' client takes a tenth of a second to import, and a worker with another ledger never needs it.
            from worker.adapters.redis_cell import RedisCell  # noqa: PLC0415
            from worker.adapters.redis_ledger import RedisLedger  # noqa: PLC0415
            from worker.adapters.redis_store import RedisStore  # noqa: PLC0415

            async with RedisStore.open(settings.ledger.url.get_secret_value()) as redis:
                yield Store(RedisLedger(redis), lambda name: RedisCell(redis, name))
        case "dynamodb":
            async with open_table_client(aws_session()) as client:
                table = DynamodbTable(client, settings.ledger.table, time.time)
                await table.check()
                yield Store(DynamodbLedger(table), lambda name: DynamodbCell(table, name))
        case other:
            raise AssertionError(other)  # the settings let nothing else through


def memory_cell(_name: str) -> Cell:
    """A cell of nobody but this process."""
    return MemoryCell(asyncio.get_running_loop().time)


@asynccontextmanager
async def operators_cells(settings: Settings) -> AsyncIterator[Callable[[str], Cell]]:
    """Where the quota's buckets are, for a command that needs no ledger. A SQLite ledger is the running worker's alone, and
    so are its buckets.
    """
    if settings.ledger.scheme == "sqlite":
        yield memory_cell
        return
    async with open_store(settings) as store:
        yield store.cell


def keys_of(settings: Settings, wanted: Wanted) -> dict[str, SecretStr | Path]:
    """The key of each team that the routes use, or the file that holds it."""
    keys: dict[str, SecretStr | Path] = {
        **wanted.teams,
        settings.darwin.team: settings.darwin.api_key_file or settings.darwin.api_key,
    }
    return {route.lane.team: keys[route.lane.team] for route in every_route(wanted)}


def every_route(wanted: Wanted) -> list[Route]:
    """The routes in their order, and then the one of last resort where there is one."""
    return [*wanted.routes, *([wanted.otherwise] if isinstance(wanted.otherwise, Route) else [])]


@asynccontextmanager
async def open_darwin(
    settings: Settings,
    keys: Mapping[str, SecretStr | Path],
    metrics: Metrics,
    cell: Callable[[str], Cell],
    *,
    operators: bool = False,
) -> AsyncIterator[dict[str, Team]]:
    """Darwin for each team in *keys*, over one pool of connections. The buckets live in cells; each key has its own, with
    the limits of the settings. *operators*: an operator's commands, all of them together, ask at most a fifth of what the
    key may ask. Raises :class:`Refused` for a key file that holds no key.
    """
    async with open_session() as session:

        def opened(team: str, key: SecretStr | Path) -> Team:
            limits = settings.quota
            general = CellQuota(
                cell(f"quota/{team}/general"), limits.general_requests_per_minute, limits.burst
            )
            registration = CellQuota(
                cell(f"quota/{team}/registration"), limits.requests_per_minute, limits.burst
            )
            buckets = [general]
            if operators:
                share = max(limits.burst + 1, limits.general_requests_per_minute // 5)
                buckets.insert(0, CellQuota(cell(f"quota/{team}/operators"), share, limits.burst))

            async def take() -> None:
                for bucket in buckets:
                    await _take(bucket, metrics)

            return Team(
                DarwinApi(session, settings.darwin.base_url, team, key, take, general.refused, metrics),
                registration,
                general,
            )

        yield {team: opened(team, key) for team, key in keys.items()}


async def _take(quota: Quota, metrics: Metrics) -> None:
    """A token of the general bucket; :class:`Unavailable` when Darwin asked for a longer pause than anybody can wait."""
    waited = 0.0
    while (wait := await quota.take()) > 0:
        waited += wait
        if waited > LONGEST_TOKEN_WAIT:
            raise Unavailable(f"Darwin answered 429: it may be asked again in {wait:.0f} s", wait)
        await asyncio.sleep(wait)
    metrics.token_wait_seconds.labels(bucket="general").observe(waited)


async def check_team(darwin: Darwin, team: str) -> None:
    """Raises :class:`Refused` when the key is another team's."""
    of_key = await darwin.team()
    if of_key != team:
        raise Refused(f"The API key belongs to team {of_key}, not to {team}: set the team or the key right.")


def with_storages(wanted: Wanted, storages_by_team: Mapping[str, Sequence[Storage]]) -> Routes:
    """The routes with what only Darwin can tell: a storage's slug, mode, bucket and prefix, each in its route's own team.

    Raises what must be mended before anything may be received: :class:`Refused` for a storage that is not there,
    :class:`SettingsError` for routes such as one that watches the place where Darwin writes.
    """
    by_name = {
        team: {storage.name: storage for storage in told} | {storage.slug: storage for storage in told}
        for team, told in storages_by_team.items()
    }

    def resolved(route: Route) -> Route:
        lane = route.lane
        storage = by_name[lane.team].get(lane.storage)
        if storage is None:
            there = ", ".join(sorted(by_name[lane.team])) or "none"
            raise Refused(
                f"Route {route.name!r}: team {lane.team} has no storage {lane.storage!r} in Darwin (it has: {there}). "
                "Correct the name; without the storage nobody knows where Darwin writes."
            )
        return replace(route, lane=lane._replace(storage=storage.slug, mode=storage.mode))

    last = wanted.otherwise
    routes = Routes(
        tuple(resolved(route) for route in wanted.routes),
        resolved(last) if isinstance(last, Route) else last,
        {(team, storage.slug): storage for team, told in storages_by_team.items() for storage in told},
        wanted.archive,
    )
    if wrong := problems(routes):
        raise SettingsError(wrong)
    return routes

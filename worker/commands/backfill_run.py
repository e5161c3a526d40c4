"""One backfill from its beginning to its end, or from where it was broken off."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from worker.adapters.aws_session import aws_session
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_inventory import S3Inventory
from worker.adapters.s3_objects import S3Objects
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.commands.backfill_progress import ProgressFile
from worker.commands.backfill_sending import Sending, count
from worker.commands.backfill_shown import HowFar, Watch, on_the_way, watching
from worker.commands.backfill_sources import Listing, Reading, Source
from worker.core.backfill import Choice, Filters, Progress, Room, Tally
from worker.core.errors import Refused
from worker.core.inventory import MODIFIED, Manifest
from worker.metrics import Metrics
from worker.opening import keys_of, open_darwin, operators_cells, with_storages
from worker.routes_file import Wanted
from worker.settings import Settings

LOOK_EVERY = 0.5
"""Seconds between two looks of whoever watches."""


class Plan(NamedTuple):
    """What is asked for. *inventory*: bucket and key of a manifest."""

    bucket: str
    prefix: str
    filters: Filters
    event: str
    inventory: tuple[str, str] | None


def room_of(settings: Settings) -> Room:
    return Room(settings.quota.requests_per_minute, settings.batch.max_items)


async def counted(settings: Settings, wanted: Wanted, plan: Plan) -> Tally:
    """What would become of every object; nothing is sent."""
    tally = Tally()

    def how_far() -> HowFar:
        return HowFar(tally.looked_at, None, f"{tally.looked_at:,} objects looked at")

    async with _opened(settings, wanted, plan) as (source, choice), _watched(how_far):
        await count(source, await source.begin(), choice, tally)
    return tally


async def sent(settings: Settings, wanted: Wanted, plan: Plan, file: ProgressFile) -> Tally:
    """What became of every object. Broken off, it goes on from what *file* keeps."""
    before = file.read()
    async with (
        _opened(settings, wanted, plan) as (source, choice),
        open_queue_client(aws_session()) as client,
    ):
        progress = before or await source.begin()
        file.write(progress)
        queue, room = SqsQueue(client, settings.queue.url, Metrics(CollectorRegistry())), room_of(settings)
        sending = Sending(choice, queue, room, progress, lambda: file.write(progress))
        try:
            async with _counted_beside(source, choice, sending, progress, room):
                await sending.send_all(source)
        except BaseException:
            told = f"{progress.tally.chosen:,} objects are sent; the same command goes on from there."
            print(told, file=sys.stderr)
            raise
    file.remove()
    return progress.tally


@asynccontextmanager
async def _opened(settings: Settings, wanted: Wanted, plan: Plan) -> AsyncIterator[tuple[Source, Choice]]:
    metrics = Metrics(CollectorRegistry())  # what adapters count by; nobody looks at it here
    async with (
        operators_cells(settings) as cell,
        open_darwin(settings, keys_of(settings, wanted), metrics, cell, operators=True) as teams,
    ):
        storages = {slug: await team.darwin.storages() for slug, team in teams.items()}
    choice = Choice(with_storages(wanted, storages), plan.bucket, plan.prefix, plan.filters, plan.event)
    async with open_bucket_client(aws_session()) as client:
        if plan.inventory is None:
            yield Listing(S3Objects(client, metrics), plan.bucket, plan.prefix), choice
        else:
            inventory = S3Inventory(client, metrics, *plan.inventory)
            yield Reading(inventory, _of_the_plan(await inventory.manifest(), plan)), choice


def _of_the_plan(manifest: Manifest, plan: Plan) -> Manifest:
    """Raises :class:`Refused` for an inventory that does not tell what is asked for."""
    if manifest.bucket != plan.bucket:
        raise Refused(
            f"The inventory is of bucket {manifest.bucket}, not of {plan.bucket}: take one of this bucket."
        )
    by_time = (plan.filters.since, plan.filters.until) != (None, None)
    if by_time and not manifest.columns.tell_time:
        raise Refused(
            f"The inventory has no column {MODIFIED}, which --since and --until ask for: add it to the fields of the "
            "inventory's configuration, or leave them out."
        )
    return manifest


# Who watches


@asynccontextmanager
async def _watched(how_far: Callable[[], HowFar]) -> AsyncIterator[None]:
    async def look(watch: Watch) -> None:
        while True:
            watch.tell(how_far())
            await asyncio.sleep(LOOK_EVERY)

    with watching() as watch:
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(look(watch), name="looking")
            yield
            looking.cancel()


@asynccontextmanager
async def _counted_beside(
    source: Source, choice: Choice, sending: Sending, progress: Progress, room: Room
) -> AsyncIterator[None]:
    """What is left is counted while it is sent, so that the time it takes can be told."""
    before, ahead = progress.tally.chosen, Tally()
    async with asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(count(source, progress, choice, ahead), name="counting")

        def how_far() -> HowFar:
            done, total = progress.tally.chosen, before + ahead.chosen if counting.done() else None
            return on_the_way(done, total, sending.queued, room)

        async with _watched(how_far):
            yield
        counting.cancel()

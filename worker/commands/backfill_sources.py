"""Where a backfill learns what a bucket holds: by listing it, or from an S3 Inventory. What S3 does not answer is asked again."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Protocol

from worker.core.backfill import Mark, Page, Progress, divided
from worker.core.backoff import backoff
from worker.core.errors import Unavailable
from worker.core.inventory import File, Manifest, NotThere
from worker.core.objects import Found

RANGES = 32
"""Parts at most that a listing is divided into."""

READERS = 8
"""Ranges that are listed side by side: S3 takes a tenth of a second for a page, about as long as it takes to read eight."""

TRIES = 8
"""Failures in a row, over some two minutes, before S3 or SQS is given up."""

Put = Callable[[Page], Awaitable[None]]


class Source(Protocol):
    async def begin(self) -> Progress:
        """Nothing is dealt with yet."""
        ...

    async def read(self, progress: Progress, put: Put) -> None:
        """Put every page that was left when the reading began; of each place one after the other, of several places side by
        side. Raises what *put* raises, and :class:`~worker.core.errors.OutsideError`.
        """
        ...


class Bucket(Protocol):
    """What is needed of S3's listings."""

    def pages(self, bucket: str, prefix: str, after: str = "") -> AsyncIterator[list[Found]]: ...

    async def folders(self, bucket: str, prefix: str) -> list[str]: ...


class Listing:
    """What a bucket holds now, below a prefix."""

    def __init__(self, objects: Bucket, bucket: str, prefix: str) -> None:
        self._objects = objects
        self._bucket = bucket
        self._prefix = prefix

    async def begin(self) -> Progress:
        """Divided by the first level of folders that has more than one."""
        folders = await self._objects.folders(self._bucket, self._prefix)
        while len(folders) == 1:
            folders = await self._objects.folders(self._bucket, folders[0])
        return Progress(ranges=divided(folders, RANGES))

    async def read(self, progress: Progress, put: Put) -> None:
        ranges = progress.ranges or {}
        left = iter([(number, each.after, each.until) for number, each in ranges.items()])
        async with asyncio.TaskGroup() as tasks:
            for number in range(min(READERS, len(ranges))):
                tasks.create_task(self._read(left, put), name=f"listing {number}")

    async def _read(self, left: Iterator[tuple[int, str, str | None]], put: Put) -> None:
        for number, after, until in left:
            async with aclosing(self._patiently(after)) as pages:
                async for page in pages:
                    found = [each for each in page if until is None or each.key <= until]
                    if found:
                        marks = [Mark(number, each.key) for each in found]
                        await put(Page(found, marks, marks[-1]))
                    if len(found) < len(page):
                        break
            await put(Page((), (), Mark(number, None)))

    async def _patiently(self, after: str) -> AsyncGenerator[list[Found]]:
        failures = 0
        while True:
            try:
                async for page in self._objects.pages(self._bucket, self._prefix, after):
                    failures = 0
                    after = page[-1].key if page else after
                    yield page
            except Unavailable as error:
                failures += 1
                await pause(failures, error)
            else:
                return


class Inventory(Protocol):
    """What is needed of an inventory."""

    def rows(
        self, manifest: Manifest, file: File, after: int = 0
    ) -> AsyncIterator[list[Found | NotThere]]: ...


class Reading:
    """What an inventory says that its bucket held."""

    def __init__(self, inventory: Inventory, manifest: Manifest) -> None:
        self._inventory = inventory
        self._manifest = manifest

    async def begin(self) -> Progress:
        return Progress()

    async def read(self, progress: Progress, put: Put) -> None:
        row = progress.row
        for number in range(progress.file, len(self._manifest.files)):
            async with aclosing(self._patiently(number, row)) as pages:
                async for page in pages:
                    marks = [Mark(number, row + at) for at in range(1, len(page) + 1)]
                    row += len(page)
                    await put(Page(page, marks, Mark(number, row)))
            row = 0
            await put(Page((), (), Mark(number + 1, 0)))

    async def _patiently(self, number: int, row: int) -> AsyncGenerator[list[Found | NotThere]]:
        failures = 0
        while True:
            try:
                async for page in self._inventory.rows(self._manifest, self._manifest.files[number], row):
                    failures = 0
                    row += len(page)
                    yield page
            except Unavailable as error:
                failures += 1
                await pause(failures, error)
            else:
                return


async def pause(failures: int, error: Unavailable) -> None:
    """Before another try; raises *error* when there were too many."""
    if failures == TRIES:
        raise error
    await asyncio.sleep(backoff(failures, random.random()))  # noqa: S311 - jitter

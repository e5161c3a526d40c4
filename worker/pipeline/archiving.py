"""Writes the receipts of what is settled into the archive: their messages are deleted after that and not before (law 2).

One object is written at a time, of the receipts that have waited longest. While the archive is away they wait under lease,
and so does what is settled meanwhile, until the open limit stops the intake.
"""

import asyncio
import random
import zlib
from collections.abc import Sequence
from uuid import uuid4

from worker.core.backoff import backoff
from worker.core.conditions import Name
from worker.core.errors import OutsideError
from worker.core.receipts import EVERY, name_of, third, wait
from worker.logs import Event, log
from worker.pipeline.context import Context
from worker.pipeline.ports import Archive
from worker.pipeline.settling import STOPPING, Settling

PART = "archiving"
SUBJECT = "writing receipts"

LOOK_EVERY = 1.0
"""Seconds between two looks: nobody rings when a stop is asked for."""

AT_ONCE = 1000
"""Lines that are compressed before the others have their turn: a few milliseconds."""

GZIP = 16 + zlib.MAX_WBITS
"""What zlib calls gzip's own header and trailer."""


class Archiving:
    def __init__(self, context: Context, archive: Archive, settling: Settling) -> None:
        self._context = context
        self._archive = archive
        self._settling = settling
        self._most = third(context.open_records)
        self._failures = 0
        self._over = False

    def end(self) -> None:
        """Nobody reports to settling any more."""
        self._over = True
        self._settling.freed.ring()

    async def run(self) -> None:
        """Until :meth:`end`, and until every verdict is carried out."""
        while not (self._over and not self._settling.book.owes):
            self._context.heartbeats.beat(PART)
            seconds = self._wait()
            if seconds > 0:
                await self._settling.freed.wait(min(seconds, LOOK_EVERY))
            else:
                await self._write()
        self._context.heartbeats.ended(PART)

    def _wait(self) -> float:
        """Seconds until something is to be written."""
        book, stop = self._settling.book, self._context.stop
        since = book.awaiting_since()
        if since is None:
            # What no message suffers from any more is no condition.
            self._context.situation.clear(Name.ARCHIVE_UNREACHABLE, SUBJECT)
            self._failures = 0
        patience = 0.0 if self._over else STOPPING if stop.asked else EVERY
        return wait(
            book.awaiting, since, asyncio.get_running_loop().time(), most=self._most, patience=patience
        )

    async def _write(self) -> None:
        messages = self._settling.awaiting_receipts(self._most)
        if not messages:  # an extension that is under way may still be granted
            await self._settling.freed.wait(LOOK_EVERY)
            return
        lines = [receipt.line for opened in messages for receipt in opened.receipts if receipt.owed]
        name = name_of(self._context.now(), uuid4().hex)
        content = await _packed(lines)
        try:
            await self._archive.put(name, content)
        except OutsideError as error:
            self._context.situation.raise_(Name.ARCHIVE_UNREACHABLE, SUBJECT, str(error))
            self._failures += 1
            await self._pause()
            return
        self._failures = 0
        self._context.situation.clear(Name.ARCHIVE_UNREACHABLE, SUBJECT)
        self._context.metrics.receipts.inc(len(lines))
        log.info(Event.RECEIPTS_STORED, name=name, receipts=len(lines), bytes=len(content))
        self._settling.receipts_stored(messages)

    async def _pause(self) -> None:
        self._context.heartbeats.beat(PART)
        seconds = backoff(self._failures, random.random(), longest=30.0)  # noqa: S311 - jitter, no secret
        if self._context.stop.asked:
            await asyncio.sleep(min(seconds, STOPPING))
        else:
            await self._context.stop.wait(seconds)


async def _packed(lines: Sequence[bytes]) -> bytes:
    """The lines as one file of gzip."""
    packer = zlib.compressobj(wbits=GZIP)
    packed = list[bytes]()
    for first in range(0, len(lines), AT_ONCE):
        packed.append(packer.compress(b"".join(lines[first : first + AT_ONCE])))
        await asyncio.sleep(0)
    return b"".join([*packed, packer.flush()])

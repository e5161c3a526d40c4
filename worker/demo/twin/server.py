"""The twin on a port. Only HTTP is here; what is answered is decided in :mod:`~worker.demo.twin.twin`."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TextIO

from aiohttp import web

from worker.demo.twin.journal import Journal
from worker.demo.twin.state import Team
from worker.demo.twin.switches import Switches
from worker.demo.twin.twin import Twin

_LARGEST_BODY = 64 * 1024 * 1024
# Longer than the twin's own limit on a query, so that the twin answers and not the library.
_LONGEST_LINE = 64 * 1024
# A slow answer that nobody waits for must not hold up the end.
_SHUTDOWN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RunningTwin:
    """A twin that listens at *url* (no trailing slash)."""

    url: str
    twin: Twin


@asynccontextmanager
async def running_twin(
    teams: Sequence[Team],
    switches: Switches | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    journal: TextIO | None = None,
) -> AsyncIterator[RunningTwin]:
    """A twin on *port* (0: a free one) until the block ends, that writes its *journal* there. Raises OSError when the
    port is taken.
    """
    twin = Twin(teams, switches)
    application = web.Application(client_max_size=_LARGEST_BODY)
    application.router.add_route("*", "/{rest:.*}", _Handler(twin, Journal(journal)).handle)
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        max_line_size=_LONGEST_LINE,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        taken: int = runner.addresses[0][1]
        yield RunningTwin(f"http://{host}:{taken}", twin)
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class _Handler:
    twin: Twin
    journal: Journal

    async def handle(self, request: web.Request) -> web.Response:
        """A client that goes away changes nothing: aiohttp lets the handler run on, and what was asked is done."""
        query = list(request.rel_url.query.items())
        body = await request.read()
        reply = self.twin.handle(
            request.method, request.path, query=query, headers=request.headers, body=body, now=time.time()
        )
        entry = reply.entry
        while True:
            if reply.delay:
                await asyncio.sleep(reply.delay)
            if reply.then is None:
                break
            reply = reply.then(time.time())
        if entry is not None:
            gone = request.transport is None or request.transport.is_closing()
            answer = "cut" if gone else "dropped" if reply.drop else str(reply.status)
            self.journal.ended(entry, answer, time.time())
        if reply.drop:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

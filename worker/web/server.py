"""Metrics, liveness and readiness on one port; it sees the worker through a read-only view.

Liveness fails only when a part of the process is silent, never because something outside is (law 11): restarting cures
the one and worsens the other. Readiness says what is in the way. Nothing secret is served, and nothing else at all.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from worker.core.conditions import Condition, ready
from worker.core.errors import Refused

SILENCE = 60.0
"""Seconds without a heartbeat after which a part counts as stuck."""

REFRESH_DEADLINE = 5.0
"""Seconds; Prometheus gives a scrape ten by default. What is late is served as it was."""

SHUTDOWN_DEADLINE = 1.0
"""Seconds that a scrape under way may keep a stop waiting."""


class View(Protocol):
    """What the pages may know of the worker."""

    def conditions(self) -> Sequence[Condition]:
        """All that is raised now."""
        ...

    def heartbeats(self) -> Mapping[str, float]:
        """Seconds since each part of the worker last showed that it runs, by the part's name."""
        ...

    async def refresh(self) -> None:
        """Bring the gauges up to date; called before each scrape. Does not raise."""
        ...


class _Pages:
    def __init__(self, view: View, registry: CollectorRegistry) -> None:
        self._view = view
        self._registry = registry

    async def metrics(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(REFRESH_DEADLINE):
                await self._view.refresh()
        except TimeoutError:
            pass  # counters are true all the same, and a scrape that fails hides them too
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def healthz(self, _request: web.Request) -> web.Response:
        silent = {part: round(age, 1) for part, age in self._view.heartbeats().items() if age >= SILENCE}
        return web.json_response(
            {"healthy": not silent, "silent_seconds": silent}, status=503 if silent else 200
        )

    async def readyz(self, _request: web.Request) -> web.Response:
        conditions = self._view.conditions()
        well = ready(conditions)
        body = {"ready": well, "conditions": [condition.as_json() for condition in conditions]}
        return web.json_response(body, status=200 if well else 503)


@asynccontextmanager
async def serving(view: View, registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[int]:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz`` while the context is open; yields the port, which 0 leaves open.

    Raises :class:`Refused` when the address cannot be had.
    """
    pages = _Pages(view, registry)
    app = web.Application()
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/healthz", pages.healthz)
    app.router.add_get("/readyz", pages.readyz)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_DEADLINE)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise Refused(
                f"cannot serve metrics and health on {host}:{port} ({error.strerror or error}); "
                "set WORKER_WEB__HOST and WORKER_WEB__PORT to an address that is free"
            ) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()

"""One port: metrics, liveness and readiness for everybody; the page and the status for whoever may see users' data.

Liveness fails only when a part of the process is silent, never because something outside is (law 11): restarting cures
the one and worsens the other. Readiness says what is in the way. Nothing secret is served, and nothing can be changed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http import HttpProcessingError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr

from worker.core.conditions import ready
from worker.core.errors import Refused
from worker.web.gate import Gate
from worker.web.live import Live
from worker.web.pages import ASSETS, Pages
from worker.web.view import View

SILENCE = 60.0
"""Seconds without a heartbeat after which a part counts as stuck."""

REFRESH_DEADLINE = 5.0
"""Seconds; Prometheus gives a scrape ten by default. What is late is served as it was."""

SHUTDOWN_DEADLINE = 1.0
"""Seconds that a scrape under way may keep a stop waiting."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "darwin-worker",
}
"""Of every answer: a browser runs nothing but our own files, keeps nothing, and shows it to no other site."""


def _no_bad_request(record: logging.LogRecord) -> bool:
    """What is no HTTP is answered with 400. It is no news of ours, and a line would hold a part of it: a token, perhaps."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_logger = logging.getLogger(__name__)
_logger.addFilter(_no_bad_request)


class _Probes:
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


def _app(view: View, registry: CollectorRegistry, gate: Gate) -> web.Application:
    app = web.Application()
    probes, pages, live = _Probes(view, registry), Pages(view), Live(view)
    app.router.add_get("/metrics", probes.metrics)
    app.router.add_get("/healthz", probes.healthz)
    app.router.add_get("/readyz", probes.readyz)
    for path in ASSETS:
        app.router.add_get(path, gate.guarded(pages.asset))
    app.router.add_get("/status", gate.guarded(pages.status))
    app.router.add_get("/why", gate.guarded(pages.why))
    app.router.add_get("/dead-letters", gate.guarded(pages.dead_letters))
    app.router.add_get("/live", gate.guarded(live.listen), allow_head=False)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(live.end)
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


@asynccontextmanager
async def serving(
    view: View, registry: CollectorRegistry, host: str, port: int, token: SecretStr | None
) -> AsyncIterator[int]:
    """Serve while the context is open; yields the port, which 0 leaves open. *token*: what the page and the status ask
    for; without one they are served on loopback only.

    Raises :class:`Refused` when the address cannot be had.
    """
    app = _app(view, registry, Gate(token, host))
    runner = web.AppRunner(app, access_log=None, logger=_logger, shutdown_timeout=SHUTDOWN_DEADLINE)
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

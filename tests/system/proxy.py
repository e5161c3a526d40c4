"""A door between the worker and one outside thing: an HTTP proxy that a test opens, shuts, or lets answer by itself.

It lives in a thread of its own with its own event loop, for the system tests wait in the plain way.
"""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from aiohttp import ClientSession, DummyCookieJar, web

HOST = "127.0.0.1"
PATIENCE = 40.0
HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True)
class Reply:
    """What is answered in place of the outside thing. A *status* of None: the connection is broken off."""

    status: int | None = None
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_sqs(cls, status: int, code: str, message: str = "") -> Self:
        """An error as SQS words it in its JSON protocol."""
        body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message})
        headers = {"x-amzn-query-error": f"{code};Sender", "Content-Type": "application/x-amz-json-1.0"}
        return cls(status, body, headers)

    def to(self, request: web.Request) -> web.Response:
        if self.status is not None:
            return web.Response(status=self.status, body=self.body.encode(), headers=self.headers)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


@dataclass
class Proxy:
    """Forwards every request to *target* but for those of *service* while there is a *refusal* for them.

    *service* is the one that a request is signed for, such as ``sqs``. *refused_token*: only requests with this
    session token are refused. *pages*: what the proxy answers by itself, by path. *refused* counts what was refused.
    """

    target: str
    service: str
    url: str = ""
    refusal: Reply | None = None
    refused_token: str | None = None
    refused: int = 0
    pages: dict[str, Reply] = field(default_factory=dict)

    async def handle(self, request: web.Request, session: ClientSession) -> web.StreamResponse:
        if (page := self.pages.get(request.path)) is not None:
            return page.to(request)
        if self.refusal is not None and self._is_refused(request):
            self.refused += 1
            return self.refusal.to(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        headers["Host"] = request.host
        async with session.request(
            request.method,
            self.target + request.raw_path,
            data=await request.read(),
            headers=headers,
            allow_redirects=False,
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            kept.pop("Content-Encoding", None)
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    def _is_refused(self, request: web.Request) -> bool:
        """AWS's signature holds ``Credential=<key>/<date>/<region>/<service>/aws4_request``."""
        token = request.headers.get("X-Amz-Security-Token")
        signed_for_service = f"/{self.service}/aws4_request" in request.headers.get("Authorization", "")
        return signed_for_service and self.refused_token in (None, token)


@contextmanager
def running_proxy(target: str, service: str = "sqs") -> Iterator[Proxy]:
    """A proxy to *target* on a port of its own, while the context is open."""
    proxy = Proxy(target, service)
    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(proxy, ready, over)), name="proxy")
    thread.start()
    try:
        assert ready.wait(PATIENCE), "the proxy did not start"
        yield proxy
    finally:
        over.set()
        thread.join(PATIENCE)


async def _serve(proxy: Proxy, ready: threading.Event, over: threading.Event) -> None:
    async with ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar()) as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            return await proxy.handle(request, session)

        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        proxy.url = f"http://{HOST}:{runner.addresses[0][1]}"
        ready.set()
        await asyncio.to_thread(over.wait)
        await runner.cleanup()

"""The status each second, as server-sent events, to a bounded number of listeners."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from worker.logs import to_json
from worker.web.pages import trouble
from worker.web.view import View

LISTENERS = 20
EVERY = 1.0
"""Seconds between two events."""

WRITE_DEADLINE = 10.0
"""Seconds that a listener may take to take an event; a slower one is dropped, and comes back by itself if it lives."""


class Live:
    """Everybody hears the same text, which is made once a second while somebody listens."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._listeners = 0
        self._ended = asyncio.Event()
        self._making = asyncio.Lock()
        self._made_at = float("-inf")
        self._text = b""

    async def end(self, _app: web.Application) -> None:
        """The server is about to close: so do the listeners' answers."""
        self._ended.set()

    async def listen(self, request: web.Request) -> web.StreamResponse:
        if self._listeners >= LISTENERS:
            return trouble(503, f"{LISTENERS} pages are open already; close one of them.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with self._counted():
            try:
                await response.prepare(request)
                while not self._ended.is_set():
                    text = await self._now()
                    async with asyncio.timeout(WRITE_DEADLINE):
                        await response.write(text)
                    await self._pause()
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
            except ConnectionError:
                pass  # whoever listened has gone
        return response

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1

    async def _now(self) -> bytes:
        async with self._making:
            now = asyncio.get_running_loop().time()
            if now - self._made_at >= EVERY / 2:
                self._text = f"event: status\ndata: {to_json(await self._view.status())}\n\n".encode()
                self._made_at = now
            return self._text

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(EVERY):
                await self._ended.wait()
        except TimeoutError:
            pass

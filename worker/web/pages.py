"""What the operations page is made of: its files, and what it asks for. Everything here is read-only."""

import asyncio
import re
from collections.abc import Mapping
from importlib.resources import files

from aiohttp import web

from worker.core.errors import OutsideError
from worker.logs import to_json
from worker.web.view import View

ASSETS = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.svg": ("page.svg", "image/svg+xml"),
}

TRACES = 4
"""Questions about objects that are answered side by side: each takes requests from the quota."""

TRACE_DEADLINE = 100.0

LONGEST_KEY = 1024
"""Bytes; S3 has no longer key."""

_OBJECT = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{2,254})/(.+)", re.DOTALL)


class Pages:
    """The handlers; who may ask was looked at before."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._traces = asyncio.Semaphore(TRACES)
        folder = files("worker.web")
        self._assets = {path: (folder / name).read_bytes() for path, (name, _) in ASSETS.items()}

    async def asset(self, request: web.Request) -> web.Response:
        return web.Response(
            body=self._assets[request.path], content_type=ASSETS[request.path][1], charset="utf-8"
        )

    async def status(self, _request: web.Request) -> web.Response:
        return answer(await self._view.status())

    async def why(self, request: web.Request) -> web.Response:
        asked = _OBJECT.fullmatch(request.query.get("object", ""))
        if asked is None or len(asked[2].encode()) > LONGEST_KEY:
            return trouble(
                400, f"Ask with ?object=s3://bucket/key; a key has at most {LONGEST_KEY} bytes of UTF-8."
            )
        if self._traces.locked():
            return trouble(503, f"{TRACES} questions are being answered already; ask again in a moment.")
        async with self._traces:
            return await self._asked(asked[1], asked[2])

    async def _asked(self, bucket: str, key: str) -> web.Response:
        try:
            async with asyncio.timeout(TRACE_DEADLINE):
                return answer(await self._view.why(bucket, key))
        except OutsideError as error:
            return trouble(503, str(error))
        except TimeoutError:
            return trouble(504, f"There was no answer within {TRACE_DEADLINE:.0f} s; ask again.")

    async def dead_letters(self, _request: web.Request) -> web.Response:
        try:
            return answer(await self._view.dead_letters())
        except OutsideError as error:
            return trouble(503, str(error))


def answer(body: Mapping[str, object], status: int = 200) -> web.Response:
    """JSON without a secret in it."""
    return web.Response(text=to_json(body), content_type="application/json", status=status)


def trouble(status: int, why: str) -> web.Response:
    return answer({"error": why}, status)

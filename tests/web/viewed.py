"""A worker as the pages see it, set by hand, and a client of its port."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from worker.core.conditions import Condition
from worker.core.errors import OutsideError
from worker.web import server

TOKEN = "a-token-of-the-tests"

OPEN = ("/metrics", "/healthz", "/readyz")
GUARDED = (
    "/",
    "/page.css",
    "/page.js",
    "/page.svg",
    "/status",
    "/why?object=s3://media/a.jpg",
    "/dead-letters",
    "/live",
)


async def at_once() -> None:
    """Nothing to bring up to date."""


@dataclass
class Worker:
    """*trouble* is raised by whatever asks somebody else; *asked* are the objects that were asked about."""

    raised: list[Condition] = field(default_factory=list)
    ages: dict[str, float] = field(default_factory=dict)
    refreshing: Callable[[], Awaitable[None]] = at_once
    answering: Callable[[], Awaitable[None]] = at_once
    told: dict[str, object] = field(default_factory=lambda: {"state": "idle"})
    trouble: OutsideError | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def conditions(self) -> Sequence[Condition]:
        return self.raised

    def heartbeats(self) -> Mapping[str, float]:
        return self.ages

    async def refresh(self) -> None:
        await self.refreshing()

    async def status(self) -> Mapping[str, object]:
        return self.told

    async def why(self, bucket: str, key: str) -> Mapping[str, object]:
        self.asked.append((bucket, key))
        await self.answering()
        if self.trouble:
            raise self.trouble
        return {"object": f"s3://{bucket}/{key}"}

    async def dead_letters(self) -> Mapping[str, object]:
        if self.trouble:
            raise self.trouble
        return {"reasons": []}


@asynccontextmanager
async def served(
    worker: Worker,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    registry: CollectorRegistry | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose paths are those of the port; whatever the server listens on, it is asked on loopback."""
    secret = None if token is None else SecretStr(token)
    async with (
        asyncio.timeout(30),
        server.serving(worker, registry or CollectorRegistry(), host, 0, secret) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        yield client


def port_of(client: aiohttp.ClientSession) -> int:
    """For those who speak no HTTP."""
    base = client._base_url  # noqa: SLF001 - the library tells it nowhere else
    assert base is not None
    assert base.port is not None
    return base.port

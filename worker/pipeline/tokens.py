"""The tokens of one team's registration quota: the next one is fetched while requests run, so that sharing costs no time."""

import asyncio
import math
import random

from worker.core.backoff import backoff
from worker.core.conditions import Name
from worker.core.errors import OutsideError
from worker.pipeline.accounts import Account
from worker.pipeline.channel import IDLE_WAIT, SHORTEST_WAIT, Bell
from worker.pipeline.context import Context

LEDGER_AWAY = 10.0
"""The longest wait in seconds between two tries while the ledger is away: each costs a token."""

STORE_AWAY = 1.0
"""Seconds until the store is asked again for a token, after it did not answer."""


class Tokens:
    """*part* gives a sign of life for as long as a token is waited for; *tasks* own the fetching."""

    def __init__(self, context: Context, account: Account, part: str, tasks: asyncio.TaskGroup) -> None:
        self._context = context
        self._account = account
        self._part = part
        self._tasks = tasks
        self._fetching: asyncio.Task[float | None] | None = None
        self._due = 0.0
        self._told = Bell()
        self._tries = 0
        self.late = False
        """Whether the last token was at hand before it was asked for. Who has nothing to send may say that it was not."""

    async def near(self, seconds: float) -> None:
        """Until a token is at hand; or will be in so many seconds, unless another worker is faster; or a stop ended the time
        for sending.
        """
        self._tries = self._tries + 1 if self._context.situation.has(Name.LEDGER_UNREACHABLE) else 0
        if self._tries:
            jitter = random.random()  # noqa: S311 - jitter, no secret
            await self._context.stop.pause(backoff(self._tries, jitter, longest=LEDGER_AWAY))
        fetching, loop = self._fetch(), asyncio.get_running_loop()
        if not seconds:
            await asyncio.wait([fetching])
        while not fetching.done() and (wait := self._due - seconds - loop.time()) > 0:
            await self._told.wait(min(wait, IDLE_WAIT))

    async def take(self) -> float | None:
        """When the token was taken, on the loop's clock. None when a stop ended the time for sending first."""
        fetching = self._fetch()
        self._fetching = None
        return await fetching

    def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()

    def _fetch(self) -> asyncio.Task[float | None]:
        if self._fetching is None:
            self._due = math.inf
            self._fetching = self._tasks.create_task(self._fetched(), name=f"token of {self._account.team}")
            self._fetching.add_done_callback(lambda _: self._told.ring())
        return self._fetching

    async def _fetched(self) -> float | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        late = True
        while loop.time() < self._context.stop.sending_ends:
            self._context.heartbeats.beat(self._part)
            try:
                wait = await self._account.quota.take()
            except OutsideError as error:
                self._context.situation.raise_(Name.LEDGER_UNREACHABLE, "quota", str(error))
                wait = STORE_AWAY
            else:
                self._context.situation.clear(Name.LEDGER_UNREACHABLE, "quota")
            if wait <= 0:
                seconds = self._context.metrics.token_wait_seconds.labels(bucket="registration")
                seconds.observe(loop.time() - began)
                self.late = late
                return loop.time()
            late = False
            self._due = loop.time() + wait
            self._told.ring()
            await self._context.stop.pause(min(max(wait, SHORTEST_WAIT), IDLE_WAIT))
        return None

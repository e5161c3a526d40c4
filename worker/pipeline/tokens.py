"""The tokens of one team's registration quota, one fetched ahead while requests run, so that sharing costs no time."""

import asyncio
import random

from worker.core.backoff import backoff
from worker.core.conditions import Name
from worker.core.errors import OutsideError
from worker.pipeline.accounts import Account
from worker.pipeline.channel import IDLE_WAIT, SHORTEST_WAIT
from worker.pipeline.context import Context

LEDGER_AWAY = 10.0
"""The longest wait in seconds between two tries while the ledger is away: each costs a token."""

STORE_AWAY = 1.0
"""Seconds until the store is asked again for a token, after it did not answer."""


class Tokens:
    """*part* gives a sign of life for as long as a token is waited for; *tasks* own the one that is fetched ahead."""

    def __init__(self, context: Context, account: Account, part: str, tasks: asyncio.TaskGroup) -> None:
        self._context = context
        self._account = account
        self._part = part
        self._tasks = tasks
        self._ahead: asyncio.Task[float | None] | None = None
        self._tries = 0

    async def take(self) -> float | None:
        """Wait for a token; when it was taken, on the loop's clock. None when a stop ended the time for sending first."""
        self._tries = self._tries + 1 if self._context.situation.has(Name.LEDGER_UNREACHABLE) else 0
        if self._tries:
            jitter = random.random()  # noqa: S311 - jitter, no secret
            await self._context.stop.pause(backoff(self._tries, jitter, longest=LEDGER_AWAY))
        ahead, self._ahead = self._ahead, None
        return await (self._take() if ahead is None else ahead)

    def fetch_ahead(self) -> None:
        """Begin to wait for the next token. For when it is sure to be used: one that is not is lost."""
        if self._ahead is None:
            self._ahead = self._tasks.create_task(self._take(), name=f"token of {self._account.team}")

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()

    async def _take(self) -> float | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
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
                return loop.time()
            await self._context.stop.pause(min(max(wait, SHORTEST_WAIT), IDLE_WAIT))
        return None

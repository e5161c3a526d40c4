"""Looks after what is paused: asks Darwin whether it is there, whether the key counts again, and what is missing.

One task per team. It asks at once when a request failed in a way that calls for it, and then once a minute.
"""

import asyncio
from contextlib import suppress
from typing import assert_never

from worker.core.backlog import PauseKind, TeamPause, TeamPauseKind
from worker.core.conditions import Name
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.lanes import PROBE_EVERY
from worker.core.model import Lane, Reason
from worker.core.turns import LOOK_AGAIN, Ask, Later, Well
from worker.pipeline.accounts import Account
from worker.pipeline.context import Context
from worker.pipeline.registering import Registering

PART = "probing"
LOOK_EVERY = 1.0


class Probing:
    """The probes of one team."""

    def __init__(self, context: Context, account: Account, registering: Registering) -> None:
        self._context = context
        self._account = account
        self._registering = registering
        self._looked_at: dict[Lane, float] = {}

    async def run(self) -> None:
        part = f"{PART} {self._account.team}"
        async with asyncio.TaskGroup() as endings:
            while not self._context.stop.asked:
                self._context.heartbeats.beat(part)
                await self._look_after_team()
                await self._look_after_lanes(endings)
                await self._account.troubled.wait(LOOK_EVERY)
            self._context.heartbeats.ended(part)

    async def _look_after_team(self) -> None:
        lanes = self._account.lanes
        now = asyncio.get_running_loop().time()
        pause = lanes.pause
        if pause is None:
            if lanes.suspicious(now):
                await self._ask()
        elif pause.kind is TeamPauseKind.KEY_REFUSED and self._account.darwin.reread_key():
            await self._ask()
        elif pause.kind is not TeamPauseKind.PLAN_FULL and now >= pause.probe_at:
            await self._probe(pause, now)

    async def _probe(self, pause: TeamPause, now: float) -> None:
        """Ask when it is our turn; otherwise hear what another worker of the fleet found."""
        try:
            turn = await self._account.probes.turn(now - pause.since)
        except OutsideError as error:
            self._context.situation.raise_(Name.LEDGER_UNREACHABLE, "quota", str(error))
            turn = Later(LOOK_AGAIN)
        else:
            self._context.situation.clear(Name.LEDGER_UNREACHABLE, "quota")
        match turn:
            case Ask():
                await self._ask()
            case Well():
                self._resume()
            case Later(seconds):
                pause.probe_at = now + seconds
            case _:
                assert_never(turn)

    async def _ask(self) -> None:
        """One probe: does Darwin answer, and does it know the key?"""
        lanes = self._account.lanes
        try:
            await self._account.quota.level()
        except OutsideError as error:
            # The question takes a token of its own from the same store: it would fail, and not by Darwin's fault.
            self._context.situation.raise_(Name.LEDGER_UNREACHABLE, "quota", str(error))
            return
        try:
            await self._account.darwin.team()
        except Unavailable as error:
            lanes.pause_team(TeamPauseKind.DOWN, str(error), asyncio.get_running_loop().time())
        except Refused as error:
            lanes.pause_team(TeamPauseKind.KEY_REFUSED, str(error), asyncio.get_running_loop().time())
        else:
            lanes.cleared()
            if lanes.pause is not None:
                self._resume()
                with suppress(OutsideError):  # the others find out by a probe of their own
                    await self._account.probes.well()

    def _resume(self) -> None:
        self._account.lanes.resume_team()
        self._account.news.ring()

    async def _look_after_lanes(self, endings: asyncio.TaskGroup) -> None:
        self._looked_at = {
            lane: at for lane, at in self._looked_at.items() if lane in self._account.lanes.lanes
        }
        for lane, backlog in list(self._account.lanes.lanes.items()):
            now = asyncio.get_running_loop().time()
            self._context.heartbeats.beat(f"{PART} {self._account.team}")
            if backlog.pause is None or backlog.pause.kind is not PauseKind.MISSING:
                self._looked_at.pop(lane, None)
            elif now >= self._looked_at.get(lane, float("-inf")) + PROBE_EVERY:
                self._looked_at[lane] = now
                await self._look_for(lane, endings)

    async def _look_for(self, lane: Lane, endings: asyncio.TaskGroup) -> None:
        """Darwin said 404: its own lists decide whether something is missing."""
        account = self._account
        try:
            datasets = {dataset.slug: dataset.id for dataset in await account.darwin.datasets()}
            storages = {
                name for storage in await account.darwin.storages() for name in (storage.slug, storage.name)
            }
        except OutsideError:
            return
        account.datasets = datasets
        missing: Reason | None = None
        if lane.dataset not in datasets:
            missing = Reason.DATASET_MISSING
        elif lane.storage not in storages:
            missing = Reason.STORAGE_MISSING
        backlog = account.lanes.lanes.get(lane)
        pause = backlog.pause if backlog is not None else None
        if missing is None and pause is not None and pause.confirmed is not None:
            account.lanes.resume_lane(lane)
            account.news.ring()
            return
        now = asyncio.get_running_loop().time()
        # Beside the probes: what may be there after all is written to the ledger, however long that is away.
        ended = account.lanes.confirm_missing(lane, missing, now)
        if ended:
            endings.create_task(self._registering.end(account, ended), name=f"{PART} endings")

"""Keeps the backlogs, and cuts one batch for each token. What the quota does not allow yet, waits here and fills up.

Each team has a key and a quota of its own, and so a server of its own: one task that waits for something to send,
then for a token, then cuts.
"""

import asyncio
from collections.abc import Mapping
from typing import assert_never

from worker.core.backlog import YIELDS_FOR, Batch, OpenItem, TeamPauseKind
from worker.core.conditions import Name
from worker.core.deadletters import BACKFILL, read_history
from worker.core.errors import OutsideError
from worker.core.lanes import PROBE_EVERY
from worker.core.model import Kind, Lane, Message, Outcome, Reason
from worker.core.shares import Postponement, over_share, paused_share
from worker.core.turns import LOOK_AGAIN, Ask, Later, Well
from worker.pipeline.accounts import Account
from worker.pipeline.channel import IDLE_WAIT
from worker.pipeline.context import Context
from worker.pipeline.registering import WRITING, Registering
from worker.pipeline.settling import Settling
from worker.pipeline.tokens import Tokens

PART = "lanes"
REQUESTS = 32
"""Requests of one team that are under way at once: enough for a hundred a minute at twenty seconds each."""

GATHER = 0.005
"""Seconds that a batch with room waits for more, so that what was received together goes together."""

TOKEN_LASTS = 0.5
"""Seconds after which a token is stale: while a slow ledger was claiming, the bucket filled again, and requests that
waited would leave beside those of its new tokens.
"""

LEAD = 0.05
"""Seconds before its token that a full batch is cut, for the ledger to claim it in."""

AHEAD = 5
"""Full batches in hand with which a team that is late with its tokens lacks nothing but time."""

NOTHING_FIT = 0.5
"""Seconds until the next look when every item waits for its lease."""

_TEAM_CONDITIONS = {
    TeamPauseKind.DOWN: Name.DARWIN_DOWN,
    TeamPauseKind.KEY_REFUSED: Name.KEY_REFUSED,
    TeamPauseKind.PLAN_FULL: Name.PLAN_FULL,
}


class Lanes:
    """*items_per_second*: what one team's quota can carry at most; *suspect_from*: the receive count of a suspect."""

    def __init__(
        self,
        context: Context,
        accounts: Mapping[str, Account],
        registering: Registering,
        settling: Settling,
        items_per_second: float,
        suspect_from: int,
    ) -> None:
        self._context = context
        self._accounts = accounts
        self._registering = registering
        self._settling = settling
        self._items_per_second = items_per_second
        self._suspect_from = suspect_from
        self._postponements: dict[Lane, Postponement] = {}
        self._tokens: dict[str, Tokens] = {}
        self._closed = False
        self._next_probe = 0.0

    # From sorting

    def add(self, item: OpenItem) -> None:
        """Into its lane's backlog; or back to the queue, when the lane holds its share already. In place of a live item goes
        a backfilled one, if the lane holds any.

        A paused lane holds no suspects: that would keep the next one waiting, and each crash would cost another of the
        few receives that are left. Sent again they have all of them.
        """
        lane = item.item.lane
        account = self._accounts[lane.team]
        held = account.lanes.held_by(lane)
        others = sum(account.lanes.held for account in self._accounts.values()) - held
        paused = account.lanes.paused(lane)
        limit = self._limit_of_paused() if paused else self._context.open_records
        message = self._settling.message(item.record.message)
        suspect = message.receive_count >= self._suspect_from
        if BACKFILL in message.attributes:
            item.yields_until = self._yields_until(message)
        if (paused and suspect) or over_share(held, others, limit, paused=paused):
            instead = None if paused or item.yields_until else account.lanes.lanes[lane].give_way()
            self._postpone(instead or item, held, paused=paused)
            if instead is None:
                return
        account.lanes.add(item)
        account.news.ring()

    def _yields_until(self, message: Message) -> float:
        """What was postponed has waited before."""
        history = read_history(message)
        if not history.backfill:
            return 0.0
        waited = 0.0 if history.first_seen is None else max(0.0, self._context.now() - history.first_seen)
        left = YIELDS_FOR - waited
        return asyncio.get_running_loop().time() + left if left > 0 else 0.0

    def _postpone(self, item: OpenItem, held: int, *, paused: bool) -> None:
        now = asyncio.get_running_loop().time()
        schedule = self._postponements.setdefault(item.item.lane, Postponement(self._items_per_second))
        delay = schedule.delay(now, held, paused=paused)
        self._settling.settle_item(item, Outcome(Kind.POSTPONED, Reason.LANE_OVER_SHARE), delay)

    def _limit_of_paused(self) -> int:
        """The paused lanes share what one alone might hold, or a few of them would leave nothing for the others."""
        return self._context.open_records // max(1, self._paused_lanes())

    def close(self) -> None:
        """Nothing more comes from sorting."""
        self._closed = True
        for account in self._accounts.values():
            account.news.ring()

    def may_receive(self) -> bool:
        """Whether it is any use to receive: not while sending is late, nor while every lane is paused. Then a receive a minute
        brings items to probe with, where one may tell that a pause is over, up to what paused lanes may hold.
        """
        if not self._all_paused():
            return not self._late()
        now = asyncio.get_running_loop().time()
        accounts = self._accounts.values()
        held = sum(account.lanes.held for account in accounts)
        if now < self._next_probe or held >= paused_share(self._context.open_records):
            return False
        if not any(account.lanes.lacks_probe for account in accounts):
            return False
        self._next_probe = now + PROBE_EVERY
        return True

    def _late(self) -> bool:
        """Whether tokens wait for every team, and batches enough for them: sending goes before receiving, for a token that is
        not used is lost, and a message is not.
        """
        return all(
            team in self._tokens
            and self._tokens[team].late
            and account.lanes.waiting >= AHEAD * account.lanes.batch_size
            for team, account in self._accounts.items()
        )

    def _paused_lanes(self) -> int:
        return sum(
            account.lanes.paused(lane) for account in self._accounts.values() for lane in account.lanes.lanes
        )

    def _all_paused(self) -> bool:
        return all(
            account.lanes.pause is not None or account.lanes.every_lane_paused
            for account in self._accounts.values()
        )

    # The part itself

    async def run(self) -> None:
        """Until closed and empty, or until a stop allows no more requests; every request under way is finished."""
        async with asyncio.TaskGroup() as tasks:
            for account in self._accounts.values():
                tasks.create_task(self._serve(account), name=f"{PART} {account.team}")

    async def leave(self) -> None:
        """Let go of the claims of what was not sent."""
        for account in self._accounts.values():
            for backlog in list(account.lanes.lanes.values()):
                await self._registering.release(backlog.drain())

    async def _serve(self, account: Account) -> None:
        part = f"{PART} {account.team}"
        loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(REQUESTS)
        async with asyncio.TaskGroup() as requests:
            tokens = self._tokens[account.team] = Tokens(self._context, account, part, requests)
            while loop.time() < self._context.stop.sending_ends and not (
                self._closed and not account.lanes.held
            ):
                self._context.heartbeats.beat(part)
                self._show(account)
                await self._make_room(account)
                at = account.lanes.next_at(loop.time())
                if at is None or at > loop.time():
                    tokens.late = False
                    await account.news.wait(self._until(at))
                    continue
                if places.locked():
                    tokens.late = False
                    await account.news.wait(self._until(None))  # a request that ends rings
                    continue
                if not await self._turn(account):
                    continue
                # Behind a backlog the batch is claimed while its token comes, so that it leaves on time.
                full = account.lanes.pause is None and account.lanes.waiting >= account.lanes.batch_size
                await tokens.near(LEAD if full else 0)
                if loop.time() >= self._context.stop.sending_ends:
                    break
                if not full:
                    await asyncio.sleep(GATHER)
                self._context.heartbeats.beat(part)
                batch = await self._cut(account)
                if batch is None:
                    await account.news.wait(NOTHING_FIT)
                    continue
                self._context.heartbeats.beat(part)
                items = await self._claim(account, batch, tokens)
                if items:
                    request = self._request(account, batch, items, places)
                    requests.create_task(request, name=f"request of {account.team}")
            tokens.close()
        self._context.heartbeats.ended(part)

    async def _turn(self, account: Account) -> bool:
        """Whether a request may leave now. Not while the plan is full: one worker of the fleet tries it once a minute."""
        pause = account.lanes.pause
        if pause is None or pause.kind is not TeamPauseKind.PLAN_FULL:
            return True
        now = asyncio.get_running_loop().time()
        try:
            turn = await account.plan_probes.turn(now - pause.since)
        except OutsideError as error:
            self._context.situation.raise_(Name.LEDGER_UNREACHABLE, "quota", str(error))
            turn = Later(LOOK_AGAIN)
        else:
            self._context.situation.clear(Name.LEDGER_UNREACHABLE, "quota")
        match turn:
            case Ask():
                return True
            case Well():
                account.lanes.resume_team()
                return True
            case Later(seconds):
                pause.probe_at = now + seconds
                return False
            case _:
                assert_never(turn)

    async def _claim(self, account: Account, batch: Batch, tokens: Tokens) -> list[OpenItem]:
        """The items of the batch that leave now, and a token taken for them. One batch is claimed at a time, so that no
        number of tokens gathers behind a slow ledger. The token is lost where nothing could be claimed: whatever stands
        in the way, no more batches are tried than the quota allows.
        """
        loop = asyncio.get_running_loop()
        items = await self._registering.claim(account, batch)
        claimed = loop.time()
        while (taken := await tokens.take()) is not None and items:
            if loop.time() - min(taken, claimed) <= TOKEN_LASTS:
                return items
            items, claimed = self._registering.fit(account, batch, items), loop.time()
            if loop.time() - taken <= TOKEN_LASTS:
                return items
        if taken is None:
            self._registering.unsaid(account, batch, items)
        return []

    async def _make_room(self, account: Account) -> None:
        """A lane that held more than a paused one may, when it was paused, postpones the rest; unless all are paused:
        then nobody needs the room.
        """
        if self._all_paused() or self._context.stop.asked:
            return
        for lane, backlog in list(account.lanes.lanes.items()):
            if not account.lanes.paused(lane):
                continue
            shed = backlog.shed(backlog.held - paused_share(self._limit_of_paused()))
            await self._registering.release(shed)
            for item in shed:
                account.lanes.forget(item)
                self._postpone(item, backlog.held, paused=True)

    def _until(self, at: float | None) -> float:
        """Seconds to wait for news, when the next thing to send is known to come at *at*."""
        now = asyncio.get_running_loop().time()
        times = [now + IDLE_WAIT, self._context.stop.sending_ends] + ([] if at is None else [at])
        return max(0.0, min(times) - now)

    async def _cut(self, account: Account) -> Batch | None:
        """The batch for the token in hand."""
        cut = account.lanes.cut(asyncio.get_running_loop().time(), self._registering.fitness)
        # Released first: whoever waits for the identity will claim it with the same token.
        await self._registering.release(cut.gone)
        for item in cut.gone:
            account.lanes.forget(item)
            self._settling.abandon(item)
        return cut.batch

    async def _request(
        self, account: Account, batch: Batch, items: list[OpenItem], places: asyncio.Semaphore
    ) -> None:
        async with places:
            await self._registering.register(account, batch, items)
        account.news.ring()

    # What is told

    def _show(self, account: Account) -> None:
        """Pauses become conditions, and are logged once."""
        pause = account.lanes.pause
        for kind, name in _TEAM_CONDITIONS.items():
            if pause is not None and pause.kind is kind:
                self._context.situation.raise_(name, account.team, pause.why)
            else:
                self._context.situation.clear(name, account.team)
        for lane in account.lanes.forget_idle():
            self._context.situation.clear(Name.LANE_PAUSED, str(lane))
        for lane, backlog in account.lanes.lanes.items():
            if backlog.pause is not None:
                self._context.situation.raise_(Name.LANE_PAUSED, str(lane), backlog.pause.why)
            else:
                self._context.situation.clear(Name.LANE_PAUSED, str(lane))
        if all(each.lanes.every_lane_paused for each in self._accounts.values()):
            self._context.situation.raise_(Name.ALL_LANES_PAUSED, "worker", "no lane can send")
        else:
            self._context.situation.clear(Name.ALL_LANES_PAUSED, "worker")
        self._context.metrics.lanes_paused.set(self._paused_lanes())
        self._forget_the_ledger()

    def _forget_the_ledger(self) -> None:
        """What nobody would try now is no condition: while it is raised nothing is received that might try it."""
        if not any(
            backlog.held and not account.lanes.paused(lane)
            for account in self._accounts.values()
            for lane, backlog in account.lanes.lanes.items()
        ):
            self._context.situation.clear(Name.LEDGER_UNREACHABLE, WRITING)
            if not any(account.lanes.probes_team for account in self._accounts.values()):
                self._context.situation.clear(Name.LEDGER_UNREACHABLE, "quota")

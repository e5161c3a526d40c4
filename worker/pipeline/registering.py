"""One batch, one request: claim, POST, and one outcome per item.

The order is law 1: claimed just before the request, written as registered after the answer and before the message
is deleted, released only when every request of the claim had a clear answer.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import assert_never

from worker.core import answers
from worker.core.answers import Answer
from worker.core.backlog import Batch, Fitness, OpenItem, PauseKind, TeamPauseKind
from worker.core.backoff import backoff
from worker.core.claims import Claim, Denied, Granted, exists, is_held, proven_ours
from worker.core.conditions import Name
from worker.core.darwin import HeldItem
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.lanes import Ended
from worker.core.model import Kind, Outcome, Reason
from worker.core.registration import body_of
from worker.logs import Event, log
from worker.pipeline.accounts import Account
from worker.pipeline.asking import Asking
from worker.pipeline.context import Context
from worker.pipeline.ports import Ledger
from worker.pipeline.recent import Sent
from worker.pipeline.settling import Settling
from worker.pipeline.waiting import LOOK_AGAIN, WaitingRoom

TRIES = 5
"""Answers that ask for another try of an item, before it is blocked."""

CLAIM_MARGIN = 30.0
"""Seconds that a claim outlasts the request's time-out."""

WRITING = "writing to the ledger"
"""The subject of the condition: a full disk can be read, and must not pass for mended whenever it is."""


class Registering:
    """Claims batches and carries them to Darwin. *timeout*: seconds for one request."""

    def __init__(
        self,
        context: Context,
        ledger: Ledger,
        asking: Asking,
        settling: Settling,
        waiting: WaitingRoom,
        *,
        timeout: float,
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._asking = asking
        self._settling = settling
        self._waiting = waiting
        self._timeout = timeout

    def fitness(self, item: OpenItem) -> Fitness:
        """Whether a request that leaves now may hold the item: its lease outlasts the time-out (law 3)."""
        return self._settling.fitness(item, asyncio.get_running_loop().time() + self._timeout)

    async def register(self, account: Account, batch: Batch, items: list[OpenItem]) -> None:
        """Send the *items* of the batch, which are claimed, with a token in hand."""
        loop = asyncio.get_running_loop()
        within = min(self._timeout, self._context.stop.answering_ends - loop.time())
        sent = [item.item for item in items]
        self._context.metrics.batch_items.observe(len(items))
        answer = await account.darwin.register(batch.lane, body_of(batch.lane, sent), within)
        meaning = answers.judge(sent, answer)
        self._tell(account, batch, items, answer)
        match meaning:
            case answers.Taken(echoes):
                await self._taken(account, batch, items, [answers.judge_item(echo) for echo in echoes])
            case answers.PlanFull():
                self.unsaid(account, batch, items)
                account.lanes.pause_team(TeamPauseKind.PLAN_FULL, str(answer), loop.time())
            case answers.TooFast(retry_after):
                self.unsaid(account, batch, items)
                await self._slow_down(account, retry_after)
            case answers.KeyRefused():
                self.unsaid(account, batch, items)
                account.lanes.pause_team(TeamPauseKind.KEY_REFUSED, str(answer), loop.time())
                account.troubled.ring()
            case answers.NotFound():
                self.unsaid(account, batch, items)
                account.lanes.pause_lane(batch.lane, PauseKind.MISSING, str(answer), loop.time())
                account.troubled.ring()
            case answers.BatchRefused(signature, too_large):
                await self._refused(account, batch, items, answer, signature, too_large=too_large)
            case answers.NoClearAnswer():
                for item in items:
                    item.unclear = True
                await self._failed(account, batch, items)
            case _:
                assert_never(meaning)

    # Before the request

    async def claim(self, account: Account, batch: Batch) -> list[OpenItem]:
        """The items of the batch that are ours to send; the others go where they belong."""
        claimed_at = asyncio.get_running_loop().time()
        claims = [Claim(item.identity, item.item.object, item.supersedes) for item in batch.items]
        try:
            with self._context.metrics.ledger_seconds.labels(call="claim").time():
                results = await self._ledger.claim(claims, self._context.token, self._timeout + CLAIM_MARGIN)
        except OutsideError as error:
            self._context.situation.raise_(Name.LEDGER_UNREACHABLE, WRITING, str(error))
            for item in batch.items:
                item.unclear = (
                    True  # it may have been taken over from a lapsed claim, which is told only once
                )
            self.unsaid(account, batch, batch.items)
            return []
        self._context.situation.clear(Name.LEDGER_UNREACHABLE, WRITING)
        ours = list[OpenItem]()
        for item, result in zip(batch.items, results, strict=True):
            match result:
                case Granted(since, lapsed):
                    item.since, item.lapsed, item.claimed = since, lapsed or item.lapsed, True
                    item.claim_ends = claimed_at + self._timeout + CLAIM_MARGIN
                    ours.append(item)
                case Denied():
                    # Whatever the ledger has there, looking it up again tells what becomes of the item.
                    item.claimed = False
                    account.lanes.forget(item)
                    self._waiting.add(item, 0 if result.entry.registered else LOOK_AGAIN)
                case _:
                    assert_never(result)
        return self.fit(account, batch, ours)

    def fit(self, account: Account, batch: Batch, items: list[OpenItem]) -> list[OpenItem]:
        """Those of the items that may leave now. The others go back to the lane, which looks at leases first."""
        now = asyncio.get_running_loop().time()
        answered = now + self._timeout
        fit = list[OpenItem]()
        for item in items:
            if item.claim_ends >= answered and self.fitness(item) is Fitness.SEND:
                fit.append(item)
            else:
                account.lanes.retry_later(item, now)
        if not fit:
            self.unsaid(account, batch, [])
        return fit

    # After the answer

    async def _taken(
        self, account: Account, batch: Batch, items: list[OpenItem], meanings: list[answers.ItemMeaning]
    ) -> None:
        """Darwin did its work, and said something of each item."""
        now = asyncio.get_running_loop().time()
        no_room = [
            item for item, said in zip(items, meanings, strict=True) if isinstance(said, answers.NoRoom)
        ]
        guilty = list[Ended]()
        was_full = account.lanes.pause is not None and account.lanes.pause.kind is TeamPauseKind.PLAN_FULL
        if no_room:
            self.unsaid(account, batch, no_room)
            account.lanes.pause_team(TeamPauseKind.PLAN_FULL, "Darwin: ITEM_COUNT_LIMIT_EXCEEDED", now)
        else:
            guilty = account.lanes.passed(batch, now)
        registered = list[Ended]()
        existing = list[OpenItem]()
        again = list[Ended]()
        final = list[Ended]()
        for item, said in zip(items, meanings, strict=True):
            match said:
                case answers.Registered():
                    registered.append((item, Outcome(Kind.REGISTERED, Reason.ACCEPTED)))
                case answers.Exists():
                    existing.append(item)
                case answers.TryAgain(reason, text):
                    again.append((item, Outcome(Kind.BLOCKED, reason, text)))
                case answers.NoRoom():
                    pass
                case answers.Final(reason, text):
                    final.append((item, Outcome(Kind.BLOCKED, reason, text)))
                case _:
                    assert_never(said)
        await self._write(account, registered)
        if was_full and not no_room:
            await self._tell_room(account)
        await self.end(account, guilty + final)
        await self._existing(account, existing)
        await self._try_again(account, again)

    @staticmethod
    async def _tell_room(account: Account) -> None:
        """The plan is not full any more: the rest of the fleet need not find out for itself, though it would."""
        with suppress(OutsideError):
            await account.plan_probes.well()

    async def _try_again(self, account: Account, asked: list[Ended]) -> None:
        """Another request for each item after a while, or its outcome when it had its five. What the answer did not
        name may be there already.
        """
        for item, _ in asked:
            item.tries += 1
            item.unclear = True
        unnamed = [item for item, otherwise in asked if otherwise.reason is Reason.NO_ANSWER_FOR_ITEM]
        try:
            ours = await self._write_ours(account, unnamed, await self._held(account, unnamed))
        except OutsideError:
            ours = []
        left = [(item, otherwise) for item, otherwise in asked if item not in ours]
        for item, _ in left:
            if item.tries < TRIES:
                self._context.metrics.retries.inc()
                account.lanes.retry_later(item, self._after(item.tries))
        await self.end(account, [(item, otherwise) for item, otherwise in left if item.tries >= TRIES])

    async def _existing(self, account: Account, items: list[OpenItem]) -> None:
        """Darwin holds the name. Was it a request of ours that made the item? (answer table, ALREADY_EXISTS)

        A claim that did not outlast its request may have been taken over, and then it was its new holder's: what the
        ledger says to another claim will tell.
        """
        items = self._still_claimed(account, items)
        await self._not_ours(account, [item for item in items if not _maybe_sent(item)])
        doubtful = [item for item in items if _maybe_sent(item)]
        try:
            held = await self._held(account, doubtful)
        except Refused as error:
            await self._try_again(account, [(item, _untold(error)) for item in doubtful])
            return
        except Unavailable:
            account.troubled.ring()
            for item in doubtful:
                item.unclear = True
                account.lanes.retry_later(item, self._after(TRIES))
            return
        doubtful = self._still_claimed(account, doubtful)
        ours = await self._write_ours(account, doubtful, held)
        left = [item for item in doubtful if item not in ours]
        # Taken, says one answer, and not there, says the other: the list may lag behind.
        unseen = [item for item in left if item.tries + 1 < TRIES and not is_held(item.item, held)]
        await self._try_again(account, [(item, exists(item.item)) for item in unseen])
        await self._not_ours(account, [item for item in left if item not in unseen])

    @staticmethod
    def _still_claimed(account: Account, items: list[OpenItem]) -> list[OpenItem]:
        """Those of the items whose claim is still ours; the others are claimed, and sent, anew."""
        now = asyncio.get_running_loop().time()
        for item in items:
            if now >= item.claim_ends:
                account.lanes.retry_later(item, now)
        return [item for item in items if now < item.claim_ends]

    async def _held(self, account: Account, items: list[OpenItem]) -> list[HeldItem]:
        """What Darwin's list shows of the items of one lane; raises :class:`OutsideError` when Darwin does not say."""
        return await self._asking.held(account, [item.item for item in items]) if items else []

    async def _write_ours(
        self, account: Account, items: list[OpenItem], held: Sequence[HeldItem]
    ) -> list[OpenItem]:
        """Those of the items that what Darwin holds shows to be ours: written as registered, and settled."""
        ours = [item for item in items if proven_ours(item.item, item.since, held)]
        await self._write(account, [(item, Outcome(Kind.REGISTERED, Reason.PROVEN_OURS)) for item in ours])
        return ours

    async def _not_ours(self, account: Account, items: list[OpenItem]) -> None:
        outcomes = [(item, exists(item.item)) for item in items]
        await self._write(account, [(i, o) for i, o in outcomes if o.kind is Kind.EXISTING])
        await self.end(account, [(i, o) for i, o in outcomes if o.kind is not Kind.EXISTING])

    async def _refused(
        self,
        account: Account,
        batch: Batch,
        items: list[OpenItem],
        answer: Answer,
        signature: str,
        *,
        too_large: bool,
    ) -> None:
        for item in items:
            item.refusal = str(answer)
        if len(items) > 1:
            self._context.metrics.splits.inc()
        if too_large:
            account.lanes.too_large(batch)
        now = asyncio.get_running_loop().time()
        await self.end(account, account.lanes.refused(batch, items, signature, now))

    async def _failed(self, account: Account, batch: Batch, items: list[OpenItem]) -> None:
        self._context.metrics.retries.inc(len(items))
        now = asyncio.get_running_loop().time()
        failures = 1 if batch.piece is None else batch.piece.failures + 1
        await self.end(account, account.lanes.failed(batch, items, now, self._after(failures)))
        account.troubled.ring()

    def unsaid(self, account: Account, batch: Batch, items: list[OpenItem]) -> None:
        """Nothing was heard of these items: they keep their claims and go next."""
        account.lanes.unsaid(batch, items, asyncio.get_running_loop().time())

    async def _slow_down(self, account: Account, retry_after: float | None) -> None:
        try:
            await account.quota.refused(retry_after)
        except OutsideError as error:
            self._context.situation.raise_(Name.LEDGER_UNREACHABLE, "quota", str(error))

    @staticmethod
    def _after(failures: int) -> float:
        jitter = random.random()  # noqa: S311 - jitter, no secret
        return asyncio.get_running_loop().time() + backoff(failures, jitter, longest=30.0)

    # What became of the items

    async def _write(self, account: Account, ended: list[Ended]) -> None:
        """Darwin holds these items through us, or we adopt them: true whatever became of our claim or lease."""
        if not ended:
            return
        claims = [Claim(item.identity, item.item.object) for item, _ in ended]
        for failures in count(1):
            try:
                with self._context.metrics.ledger_seconds.labels(call="register").time():
                    await self._ledger.register(claims, self._context.token)
            except OutsideError as error:
                self._context.situation.raise_(Name.LEDGER_UNREACHABLE, WRITING, str(error))
                await asyncio.sleep(backoff(failures, random.random(), longest=10.0))  # noqa: S311 - jitter
            else:
                self._context.situation.clear(Name.LEDGER_UNREACHABLE, WRITING)
                break
        for item, outcome in ended:
            account.lanes.forget(item)
            self._settling.settle_item(item, outcome)
        self._context.recent.written(ended[-1][0].item, ended[-1][1], self._context.now())

    async def end(self, account: Account, ended: list[Ended]) -> None:
        """Not to be tried again: not registered, unless Darwin's list shows what an answer that never came would have
        told. While Darwin does not say, such an item is tried again; where it refuses to, the dead letter stands, and the
        claim that it leaves tells whoever replays it.
        """
        maybe = [
            item for item, outcome in ended if _maybe_sent(item) and outcome.reason is not Reason.FOREIGN_ITEM
        ]
        kept: list[OpenItem] = []
        try:
            kept = await self._write_ours(account, maybe, await self._held(account, maybe))
        except Refused:
            pass
        except Unavailable:
            kept = maybe
            for item in maybe:
                account.lanes.retry_later(item, self._after(TRIES))
        ended = [(item, outcome) for item, outcome in ended if item not in kept]
        await self.release([item for item, _ in ended])
        for item, outcome in ended:
            account.lanes.forget(item)
            self._settling.settle_item(item, outcome)

    async def release(self, items: list[OpenItem]) -> None:
        """Let go of the claims whose every request had a clear answer; the others lapse, and so tell the next holder
        that something may have been sent.
        """
        clear = [item.identity for item in items if item.claimed and not _maybe_sent(item)]
        if not clear:
            return
        try:
            with self._context.metrics.ledger_seconds.labels(call="release").time():
                await self._ledger.release(clear, self._context.token)
        except OutsideError as error:
            self._context.situation.raise_(Name.LEDGER_UNREACHABLE, WRITING, str(error))

    def _tell(self, account: Account, batch: Batch, items: list[OpenItem], answer: Answer) -> None:
        sent = Sent(
            self._context.now(), batch.lane, len(items), answer.status, round(answer.seconds, 3), answer.text
        )
        self._context.recent.sent(sent)
        log.info(
            Event.REQUEST_ANSWERED,
            team=account.team,
            dataset=batch.lane.dataset,
            storage=batch.lane.storage,
            items=len(items),
            status=answer.status,
            seconds=sent.seconds,
            **({} if sent.taken else {"said": answer.text}),
        )


def _maybe_sent(item: OpenItem) -> bool:
    """Whether an earlier request may have registered the item: ours without a clear answer, or another holder's."""
    return item.unclear or item.lapsed is not None


def _untold(error: Refused) -> Outcome:
    text = (
        f"Darwin says that the name is taken, and does not tell whose item it is. {error} Then replay this."
    )
    return Outcome(Kind.BLOCKED, Reason.NO_ANSWER_FOR_ITEM, text)

"""Parts of the pipeline with one bug each, planted to show that the model-based test finds such bugs."""

import asyncio

from worker.core.backlog import Batch, OpenItem
from worker.core.conditions import Name
from worker.core.leases import Leases
from worker.core.owing import copies
from worker.core.owing import letters as letters_of
from worker.pipeline.accounts import Account
from worker.pipeline.registering import Registering
from worker.pipeline.settling import Settling


class DeletesBeforeTheDeadLetter(Settling):
    """Forgets a message before what it owes is stored."""

    async def _carry_out(self, part: str, numbers: list[int]) -> None:
        await self.give_back([number for number in numbers if number in self._hold_over])
        owing = await self._store(part, self._ours(numbers), self._queue, copies, Name.SQS_UNREACHABLE)
        letters = [letter for opened in owing for _, letter in letters_of(opened)]
        await self._delete(self._ours([opened.number for opened in owing]))
        self._context.heartbeats.beat(part)
        if letters:
            await self._tried(
                Name.DEAD_LETTERS_UNREACHABLE, "storing", self._dead_letters.send(letters), len(letters)
            )


class ReleasesBeforeTheAnswer(Registering):
    """Lets go of the claims while the request is under way."""

    async def register(self, account: Account, batch: Batch, items: list[OpenItem]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().register(account, batch, items))
            tasks.create_task(self.release(items))


class LeasesWithoutEnd(Leases):
    """Whatever was received stays ours."""

    def outlasts(self, number: int, until: float) -> bool:
        return number in self._leases and until < float("inf")

    def lost(self, now: float) -> list[int]:
        return [] if now >= 0 else super().lost(now)


class SettlesWithoutFence(Settling):
    """Goes on with a message that is lost, until it cannot be deleted."""

    def lose(self, number: int, why: str) -> None:
        if number in self.book and self.book[number].complete:
            opened = self.book[number]
            owed = [at for at, _ in [*letters_of(opened), *copies(opened)]]
            if not owed:
                super().lose(number, why)

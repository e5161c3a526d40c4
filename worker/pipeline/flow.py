"""The flow as one thing: the parts in their order, how they start, and how they end (law 6).

Closing the top ends the rest: intake closes sorting, sorting closes the lanes, and when the lanes are done nobody
reports to settling any more. Leasing lives beside all of it and ends when only giving back is left, so that whatever is open stays ours.
"""

import asyncio
from collections.abc import Mapping

from worker.core.conditions import Name
from worker.core.leases import Leases
from worker.core.routing import Routes
from worker.pipeline.accounts import Account
from worker.pipeline.archiving import Archiving
from worker.pipeline.asking import Asking
from worker.pipeline.assembling import Assembling
from worker.pipeline.channel import IDLE_WAIT, Channel
from worker.pipeline.context import Context
from worker.pipeline.intake import POLLERS, Intake
from worker.pipeline.lanes import Lanes
from worker.pipeline.leasing import Leasing
from worker.pipeline.placing import Placing
from worker.pipeline.ports import Archive, Ledger, Objects, Queue
from worker.pipeline.probing import Probing
from worker.pipeline.registering import Registering
from worker.pipeline.settling import Settling
from worker.pipeline.sorting import Sorting
from worker.pipeline.waiting import WaitingRoom


class Flow:
    """From a queue to Darwin. Times in seconds; *suspect_from* is a receive count, *items_per_second* what one team's
    quota can carry at most. *objects* may be None where no route asks S3, *archive* where no receipts are kept.
    """

    def __init__(
        self,
        context: Context,
        *,
        queue: Queue,
        dead_letters: Queue,
        ledger: Ledger,
        objects: Objects | None,
        accounts: Mapping[str, Account],
        routes: Routes,
        visibility: int,
        wait: float,
        request_timeout: float,
        items_per_second: float,
        suspect_from: int,
        archive: Archive | None = None,
    ) -> None:
        self._context = context
        leases = Leases(visibility)
        inbox: Channel[int] = Channel(context.open_records + POLLERS)
        waiting = WaitingRoom()
        asking = Asking(accounts)
        self.settling = Settling(context, queue, dead_letters, leases, waiting, archived=archive is not None)
        self._archiving = None if archive is None else Archiving(context, archive, self.settling)
        self._leasing = Leasing(context, queue, leases, self.settling)
        registering = Registering(context, ledger, asking, self.settling, waiting, timeout=request_timeout)
        self._probings = [Probing(context, account, registering) for account in accounts.values()]
        self._lanes = Lanes(context, accounts, registering, self.settling, items_per_second, suspect_from)
        assembling = Assembling(context, routes, objects, asking, self.settling)
        placing = Placing(context, ledger, asking, self._lanes, self.settling, waiting)
        self._sorting = Sorting(context, inbox, routes, assembling, placing, self.settling)
        self._intake = Intake(
            context,
            queue,
            self.settling,
            inbox,
            self._may_receive,
            suspect_from=suspect_from,
            wait=wait,
            visibility=visibility,
        )

    def _may_receive(self) -> bool:
        return not self._context.situation.has(Name.LEDGER_UNREACHABLE) and self._lanes.may_receive()

    async def run(self) -> None:
        """Until a stop is asked for, and everything open is settled or given back."""
        async with asyncio.TaskGroup() as beside:
            leasing = beside.create_task(self._leasing.run(), name="leasing")
            await self._run_until_settled()
            await self._hand_back(leasing)
            leasing.cancel()

    async def _run_until_settled(self) -> None:
        """The flow itself; what a stop does not leave the time for is broken off."""
        try:
            async with asyncio.timeout(None) as deadline, asyncio.TaskGroup() as tasks:
                tasks.create_task(self.settling.run(), name="settling")
                archiving = self._archiving
                written = archiving and tasks.create_task(archiving.run(), name="archiving")
                beside = [tasks.create_task(self._set(deadline), name="deadline")]
                beside += [tasks.create_task(probing.run(), name="probing") for probing in self._probings]
                async with asyncio.TaskGroup() as sending:
                    sending.create_task(self._intake.run(), name="intake")
                    sending.create_task(self._sort(), name="sorting")
                    sending.create_task(self._lanes.run(), name="lanes")
                for task in beside:
                    task.cancel()
                if archiving and written:
                    archiving.end()
                    await written
                self.settling.end()
        except TimeoutError:
            # What is open is given back; an answer that was not waited for lets its claims lapse.
            return

    async def _set(self, deadline: asyncio.Timeout) -> None:
        while not self._context.stop.asked:
            await self._context.stop.wait(IDLE_WAIT)
        deadline.reschedule(self._context.stop.settling_ends)

    async def _sort(self) -> None:
        await self._sorting.run()
        self._lanes.close()

    async def _hand_back(self, leasing: asyncio.Task[None]) -> None:
        """Release the claims of what was not sent, and show its messages to others at once.

        Leasing ends first: an extension that is under way would hide again what is given back.
        """
        try:
            async with asyncio.timeout_at(self._context.stop.ends):
                await self._release()
                self._leasing.end()
                await leasing
                await self.settling.give_back(self.settling.book.numbers())
        except TimeoutError:
            # What was not given back comes back by itself when its lease ends.
            return

    async def _release(self) -> None:
        try:
            async with asyncio.timeout_at(self._context.stop.releasing_ends):
                await self._lanes.leave()
        except TimeoutError:
            # The claims that are left will lapse.
            return

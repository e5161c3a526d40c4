"""Asking Darwin's item list what it holds: to prove an item ours, and to doubt a registered claim."""

from collections.abc import Mapping, Sequence

from worker.core.backlog import TeamPauseKind
from worker.core.claims import at_place
from worker.core.darwin import HeldItem
from worker.core.errors import OutsideError, Refused
from worker.core.model import Item
from worker.pipeline.accounts import Account


class Asking:
    """Answers by the accounts' item lists."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts

    async def held(self, account: Account, items: Sequence[Item]) -> list[HeldItem]:
        """What Darwin holds at the places of these items of one dataset, and perhaps more.

        Raises :class:`OutsideError` when Darwin does not say.
        """
        dataset = items[0].lane.dataset
        if dataset not in account.datasets:
            account.datasets = {known.slug: known.id for known in await account.darwin.datasets()}
        if dataset not in account.datasets:
            return []
        places = [(item.path, item.name) for item in items]
        try:
            return await account.darwin.find_items(account.datasets[dataset], places)
        except Refused:
            account.datasets = {}  # a dataset that was made anew has another id
            raise

    async def held_now(self, items: Sequence[Item]) -> list[HeldItem] | None:
        """As :meth:`held`; None when Darwin does not say now."""
        account = self._accounts[items[0].lane.team]
        if account.lanes.pause is not None and account.lanes.pause.kind is not TeamPauseKind.PLAN_FULL:
            return None
        try:
            return await self.held(account, items)
        except OutsideError:
            account.troubled.ring()
            return None

    async def archive(self, item: Item) -> int | None:
        """Archive what Darwin holds at the item's place; how many items that were, or None when Darwin does not say now."""
        held = await self.held_now([item])
        if held is None:
            return None
        account = self._accounts[item.lane.team]
        ids = [there.id for there in at_place(item, held) if there.id and not there.archived]
        if not ids:
            return 0
        try:
            return await account.darwin.archive(account.datasets[item.lane.dataset], ids)
        except OutsideError:
            account.troubled.ring()
            return None

"""A request may take longer than its claim: the worker was frozen, or the host was."""

import asyncio

import pytest

from tests.fakes.model_books import wrong_in_books
from tests.fakes.model_fleet import Fleet
from tests.fakes.model_processes import SERVERS, new_loop
from tests.fakes.model_records import Upload
from tests.fakes.model_wires import Kind, Mishap
from tests.fakes.rig import event


@pytest.mark.parametrize("kind", [Kind.FROZEN_BEFORE, Kind.FROZEN_AFTER])
def test_what_another_worker_registered_meanwhile_is_a_duplicate_and_no_foreign_item(kind: Kind) -> None:
    """Row: ALREADY_EXISTS. The claim was taken over while its holder stood still; the ledger knows by whom."""

    async def history() -> list[str]:
        fleet = Fleet(visibility=120, limit=200)
        fleet.start()
        fleet.plan("darwin.register", Mishap(kind, 70.0), 1)
        fleet.put(Upload((event("red/1.jpg"),)))
        await asyncio.sleep(15)  # past the polls of who is frozen
        fleet.start()
        fleet.put(Upload((event("red/1.jpg"),)))
        await fleet.queue.until_empty(within=600)
        await fleet.end()
        return wrong_in_books(fleet)

    loop = new_loop()
    assert loop.run_until_complete(loop.create_task(history(), context=SERVERS)) == []
    loop.close()

"""No message is forgotten without its receipts, whatever happens to the calls and the workers (laws 2 and 3)."""

import asyncio
import random

import pytest

from tests.fakes.archive import FakeArchive
from tests.fakes.model_books import wrong_at_rest, wrong_in_books
from tests.fakes.model_fleet import Fleet, LawBroken
from tests.fakes.model_processes import SERVERS, new_loop
from tests.fakes.model_records import Upload, records_of
from tests.fakes.model_wires import Kind, Mishap, Wire, WiredArchive
from tests.fakes.queue import Stored
from tests.fakes.rig import event
from worker.core.settlement import OpenMessage
from worker.pipeline import flow
from worker.pipeline.settling import Settling

STRUCK = ["archive.put", "archive.put", "archive.put", "queue.delete", "queue.extend", "letters.send"]
KEYS = ["red/{}.jpg", "blue/{}.jpg", "red/{}.xyz", "red/{}/"]


class ArchivedFleet(Fleet):
    """A fleet that keeps receipts: each delete is looked at for those of its message."""

    def __init__(self, limit: int) -> None:
        super().__init__(visibility=60, limit=limit)
        self._archive = FakeArchive()

    def archive_over(self, wire: Wire) -> FakeArchive:
        return WiredArchive(wire, self._archive)

    def look_at_forgotten(self, stored: Stored) -> None:
        super().look_at_forgotten(stored)
        told = {line["record"] for line in self._archive.receipts() if line["message_id"] == stored.id}
        if not told >= set(range(len(records_of(stored.body)) or 1)):
            self.wrong.append(f"forgotten without its receipts: {stored.body}")


def happens(fleet: Fleet, chance: random.Random) -> None:
    """What a quarter of a minute may bring: uploads, a mishap at the calls that a verdict takes, a stop, a start."""
    for _ in range(chance.choice([0, 1, 4])):
        keys = [chance.choice(KEYS).format(chance.randrange(30)) for _ in range(chance.choice([1, 1, 3]))]
        fleet.put(Upload(tuple(map(event, keys)), readable=chance.random() < 0.9))
    if chance.random() < 0.4:
        mishap = Mishap(chance.choice(list(Kind)), chance.choice([0.5, 22.0, 70.0]))
        fleet.plan(chance.choice(STRUCK), mishap, chance.choice([1, 1, 4]))
    if fleet.workers and chance.random() < 0.05:
        fleet.stop(chance.choice(fleet.workers))
    if len(fleet.workers) < 2 and chance.random() < 0.2:
        fleet.start()


async def history(number: int) -> list[str]:
    """Ten minutes of what may happen; then all heals. What is wrong."""
    chance = random.Random(number)  # noqa: S311 - a seeded run repeats itself
    fleet = ArchivedFleet(limit=chance.choice([9, 30, 200]))
    fleet.start()
    try:
        for _ in range(40):
            happens(fleet, chance)
            await asyncio.sleep(15)
            fleet.look()
        await fleet.come_to_rest(within=3600)
        await asyncio.sleep(90)
        fleet.look()
        return wrong_in_books(fleet) + wrong_at_rest(fleet)
    except LawBroken:
        return fleet.wrong
    finally:
        await fleet.end()


def run(number: int) -> list[str]:
    loop = new_loop()
    try:
        return loop.run_until_complete(loop.create_task(history(number), context=SERVERS))
    finally:
        loop.close()


@pytest.mark.parametrize("number", range(4))
def test_no_message_is_forgotten_without_its_receipts(number: int) -> None:
    assert run(number) == []


class DeletesBeforeTheReceipts(Settling):
    """Forgets a message when its receipts are only made."""

    def _without_receipts(self, messages: list[OpenMessage]) -> list[OpenMessage]:
        super()._without_receipts(messages)
        for opened in messages:
            if self.book.awaits_receipts(opened.number):
                self.book.receipts_stored(opened.number)
        return messages


def test_a_bug_that_is_planted_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "Settling", DeletesBeforeTheReceipts)
    assert any("forgotten without its receipts" in wrong for wrong in run(0))

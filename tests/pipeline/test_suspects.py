"""Poison goes alone (design section 3): what crashes the process reaches the dead letters by redrive, its neighbours do not.

A crash is simulated: whoever parses a poisoned body dies with all it holds, and a supervisor starts the next worker a
second later. On virtual time.
"""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.fakes.queue import FakeQueue, Stored
from tests.fakes.rig import Rig, lane, notification, rig_of
from worker.core.events import Notification, Unreadable, parse
from worker.core.routes import Route
from worker.pipeline import sorting
from worker.pipeline.intake import PATIENCE, POLLERS

pytestmark = pytest.mark.looptime

POISON = "poison"
MAX_RECEIVE_COUNT = 10
SUSPECT_FROM = 5
RESTART = 1.0


class Killed(BaseException):
    """The process is gone: nobody in it may catch that."""


def parse_or_die(body: str) -> Notification | Unreadable:
    if POISON in body:
        raise Killed
    return parse(body)


@pytest.fixture(autouse=True)
def _poison_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "parse", parse_or_die)


class UnorderedQueue(FakeQueue):
    """As standard queues are; a receive brings any of the visible messages."""

    @property
    def visible(self) -> list[Stored]:
        visible = super().visible
        return random.sample(visible, len(visible))


class Fleet:
    """So many workers on one queue, each started again after it died. *crashes* counts the deaths."""

    def __init__(self, size: int, **values: object) -> None:
        random.seed(size)
        self._values = values
        dead_letters = FakeQueue()
        queue = UnorderedQueue(MAX_RECEIVE_COUNT, dead_letters)
        self.first = rig_of(queue=queue, dead_letters=dead_letters, **values)
        self.crashes = 0
        self.keys: list[str] = []
        self.neighbours: list[Stored] = []
        self._size = size
        self._born = 0

    @property
    def queue(self) -> FakeQueue:
        return self.first.queue

    def upload(self, *keys: str) -> None:
        """Messages of which those with the word in their key are poison."""
        for key in keys:
            self.first.upload(key)
            if POISON not in key:
                self.keys.append(key)
                self.neighbours.append(self.queue.stored[-1])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._keep_running()) for _ in range(self._size)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()

    async def _keep_running(self) -> None:
        while True:
            self._born += 1
            first = self.first
            rig = rig_of(
                token=f"worker-{self._born}",
                queue=first.queue,
                dead_letters=first.dead_letters,
                ledger=first.ledger,
                twin=first.twin,
                **self._values,
            )
            try:
                await rig.flow.run()
            except* Killed:
                self.crashes += 1
            if self._size == 1:
                self.first.ledger.lapse_all()  # as SQLite's ledger does when its next process opens it
            await asyncio.sleep(RESTART)

    def most_receives(self) -> int:
        """Of any neighbour."""
        return max(stored.receive_count for stored in self.neighbours)

    def only_poison_died(self, *poison: str) -> bool:
        """The books: every neighbour is an item, every poison a dead letter as it was, and nothing else."""
        counters = self.first.counters()
        return (
            sorted(self.first.dead_letters.bodies) == sorted(notification(key) for key in poison)
            and self.first.items()["intake"] == sorted(f"/{key.removeprefix('in/')}" for key in self.keys)
            and (counters["extensions"], counters["collisions"]) == (0, 0)
        )


def numbered(count: int, word: str = "n") -> list[str]:
    return [f"in/{word}{number}.jpg" for number in range(count)]


@pytest.mark.parametrize(("place", "size"), [(0, 1), (17, 3), (250, 1), (499, 3)])
async def test_one_poison_among_500_messages_takes_none_of_them_with_it(place: int, size: int) -> None:
    """Shown by 8: only it ends in the dead letters. No neighbour is received more often than a suspect that was
    in hand at the crashes before anybody was a suspect, and once more.
    """
    fleet = Fleet(size)
    keys = numbered(499)
    fleet.upload(*keys[:place], f"in/{POISON}.jpg", *keys[place:])
    async with fleet.running():
        await fleet.queue.until_empty(within=7200)
    assert fleet.only_poison_died(f"in/{POISON}.jpg")
    assert fleet.crashes == MAX_RECEIVE_COUNT
    assert fleet.most_receives() <= SUSPECT_FROM + 1


async def test_several_poisons_separate_from_each_other_and_from_their_neighbours() -> None:
    """Each crash of a suspect separates it from what was in hand with it."""
    fleet = Fleet(1)
    poison = [f"in/{POISON}{n}.jpg" for n in range(4)]
    keys = numbered(200)
    fleet.upload(*keys[:90], poison[0], poison[1], *keys[90:100], poison[2], *keys[100:], poison[3])
    async with fleet.running():
        await fleet.queue.until_empty(within=4 * 3600)
    assert fleet.only_poison_died(*poison)
    assert fleet.most_receives() <= SUSPECT_FROM + len(poison)


async def test_companions_of_poison_in_a_busy_queue_come_back_without_it() -> None:
    """Receives are full while fresh messages wait, and bring suspects by the dozen: a crash among them costs each one
    receive, and not one more for every crash of the poison.
    """
    fleet = Fleet(1, limit=60, requests_per_minute=30, visibility=60)
    fleet.upload(*numbered(28, "companion"), f"in/{POISON}.jpg")
    for stored in fleet.queue.stored:
        stored.receive_count = SUSPECT_FROM - 1
    batches = (numbered(30, f"batch{batch}-") for batch in itertools.count())

    def fed_until_the_third_crash() -> bool:
        while len(fleet.queue.visible) < 30:
            fleet.upload(*next(batches))
        return fleet.crashes == 3

    async with fleet.running():
        await fleet.queue.until(fed_until_the_third_crash, within=3600)
    assert fleet.most_receives() <= SUSPECT_FROM + 1


def suspects(rig: Rig, count: int, receives: Callable[[int], int] = lambda _: SUSPECT_FROM - 1) -> None:
    for number in range(count):
        rig.queue.put(notification(f"in/suspect{number}.jpg"), receive_count=receives(number))


def watch(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages are in hand whenever a suspect is parsed, itself too."""
    in_hand: list[int] = []

    def watched(body: str) -> Notification | Unreadable:
        if "suspect" in body:
            in_hand.append(len(rig.flow.settling.book))
        return parse(body)

    monkeypatch.setattr(sorting, "parse", watched)
    return in_hand


async def test_nothing_else_is_in_hand_when_a_suspect_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What crashes us takes no neighbour with it: fresh messages in hand are done with first."""
    rig = rig_of(requests_per_minute=60)
    in_hand = watch(rig, monkeypatch)
    rig.upload(*numbered(700))
    suspects(rig, 3)
    rig.upload(*numbered(700, "later"))
    async with rig.running():
        await rig.queue.until_empty(within=120)
    assert sorted(in_hand) == [1, 2, 3], "nothing but other suspects"


async def test_a_queue_of_suspects_is_received_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cold start is wary: no suspect waits in hand behind another. And none waits long for its turn."""
    rig = rig_of(requests_per_minute=600)
    in_hand = watch(rig, monkeypatch)
    suspects(rig, 50)
    async with rig.running():
        await rig.queue.until_empty(within=10)
    assert in_hand == [1] * 50


async def test_a_suspect_waits_only_so_long_for_what_does_not_move() -> None:
    """A paused lane may hold its records for hours; the next suspects wait for those no more."""
    rig = Rig([Route("missing", lane("missing"), prefix="missing"), Route("all", lane(), prefix="in")])
    rig.twin.world.teams["acme"].datasets["missing"].removed = True
    rig.upload("missing/a.jpg", "missing/b.jpg")
    async with rig.running():
        await asyncio.sleep(5)
        suspects(rig, 5)
        await rig.queue.until(lambda: len(rig.queue.deleted) == 5, within=PATIENCE + 15)
    assert len(rig.items()["intake"]) == 5


async def test_the_first_message_of_a_backlog_is_the_only_one_received_alone() -> None:
    """A backlog of fresh messages reaches full receives after one call."""
    rig = rig_of()
    rig.upload(*numbered(801))
    async with rig.running():
        await rig.queue.until(lambda: len(rig.flow.settling.book) == 801, within=1)
        assert rig.queue.faults.calls["receive"] <= 1 + 80 + POLLERS


async def test_what_a_stop_gave_back_once_or_twice_is_no_suspect() -> None:
    """After graceful stops nobody is wary of a backlog."""
    rig = rig_of()
    for number in range(801):
        rig.queue.put(notification(f"in/{number}.jpg"), receive_count=2)
    async with rig.running():
        await rig.queue.until(lambda: len(rig.flow.settling.book) == 801, within=1)
        assert rig.queue.faults.calls["receive"] <= 1 + 80 + POLLERS


async def test_a_lone_upload_on_an_idle_worker_is_answered_at_once() -> None:
    rig = rig_of()
    async with rig.running():
        await asyncio.sleep(60)
        rig.upload("in/a.jpg")
        await rig.queue.until_empty(within=0.5)


async def test_a_stop_while_suspects_wait_gives_them_back_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 6."""
    rig = rig_of()
    in_hand = watch(rig, monkeypatch)
    rig.fault(kind="slow", seconds=15)
    rig.upload("in/slow.jpg")
    async with rig.running():
        await asyncio.sleep(1)
        suspects(rig, 3)
        await rig.queue.until(lambda: len(rig.flow.settling.book) > 1, within=5)
    assert len(rig.queue.visible) == 3
    assert in_hand == []
    assert rig.conserved()


async def test_a_suspect_whose_lease_was_lost_while_it_waited_is_not_led() -> None:
    """Law 3; it comes back, and is led then."""
    rig = rig_of()
    rig.fault(kind="slow", seconds=15, times=1)
    rig.upload("in/slow.jpg")
    async with rig.running():
        await asyncio.sleep(1)
        suspects(rig, 1)
        await rig.queue.until(lambda: len(rig.flow.settling.book) > 1, within=5)
        rig.flow.settling.lose(rig.flow.settling.book.numbers()[-1], "SQS said no")
        await rig.queue.until_empty(within=200)
    assert rig.outcomes() == {"registered": 2}
    assert rig.conserved()


async def test_suspects_of_a_paused_lane_are_postponed_and_keep_nobody_waiting() -> None:
    """Held, each crash of the poison would cost them another of the few receives that are left."""
    rig = Rig([Route("missing", lane("missing"), prefix="missing"), Route("all", lane(), prefix="in")])
    rig.twin.world.teams["acme"].datasets["missing"].removed = True
    async with rig.running():
        rig.upload("missing/first.jpg")
        await asyncio.sleep(5)
        for number in range(20):
            rig.queue.put(notification(f"missing/{number}.jpg"), receive_count=SUSPECT_FROM - 1)
        rig.upload("in/b.jpg")
        await rig.queue.until(lambda: len(rig.queue.deleted) == 21, within=PATIENCE + 15)
        assert len(rig.queue.sent) == 20
        rig.twin.world.teams["acme"].datasets["missing"].removed = False
        await rig.queue.until_empty(within=900)
    assert len(rig.items()["missing"]) == 21

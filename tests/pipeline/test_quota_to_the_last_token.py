"""The quota is used to the last token, by one worker and by a fleet. On virtual time."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.fakes.rig import Rig, lane, rig_of
from worker.core.errors import Unavailable
from worker.core.routes import Route

pytestmark = pytest.mark.looptime

FULL = 100


def keys() -> Iterator[str]:
    number = 0
    while True:
        yield f"in/{number:06d}.jpg"
        number += 1


async def feed(rig: Rig, until: float) -> None:
    """Keep a backlog in the queue, so that nothing but tokens is ever short."""
    loop, names = asyncio.get_running_loop(), keys()
    while loop.time() < until:
        if len(rig.queue.visible) < 400:
            rig.upload(*(next(names) for _ in range(400)))
        await asyncio.sleep(0.5)


def sizes(rig: Rig) -> list[int]:
    return [len(body["items"]) for body in rig.darwin["acme"].bodies]  # type: ignore[arg-type]  # a list, in every body


async def test_behind_a_backlog_every_request_is_full_and_leaves_with_its_token() -> None:
    """580 a minute are 10 tokens in 1.0345 s, though the ledger takes 40 ms for each claim and for each writing."""
    rig = rig_of(requests_per_minute=582)
    rig.ledger.faults.seconds |= {"claim": 0.04, "register": 0.04}
    rig.upload(*(f"in/{n}.jpg" for n in range(4000)))
    async with rig.running():
        await rig.queue.until_empty(within=60)
    sent = rig.darwin["acme"].sent_at
    assert sizes(rig)[5:40] == [FULL] * 35
    gaps = [after - before for before, after in pairwise(sent[5:40])]
    assert all(0.1014 <= gap <= 0.1055 for gap in gaps)
    assert sent[39] - sent[5] == pytest.approx(34 * 60 / 580, abs=0.003)


async def test_a_lone_record_leaves_at_once() -> None:
    rig = rig_of()
    async with rig.running():
        await asyncio.sleep(100)
        put_at = asyncio.get_running_loop().time()
        rig.upload("in/a.jpg")
        await rig.queue.until_empty(within=10)
    [sent_at] = rig.darwin["acme"].sent_at
    assert sent_at - put_at < 0.02


async def test_a_claim_that_fails_costs_one_token() -> None:
    """With the burst of two, ten requests of 100 and the token that is lost need nine tokens more."""
    rig = rig_of(requests_per_minute=60)
    rig.ledger.faults.fail_next("claim", Unavailable("for a moment"))
    async with rig.running():
        await asyncio.sleep(100)
        began = asyncio.get_running_loop().time()
        rig.upload(*(f"in/{n}.jpg" for n in range(1000)))
        await rig.queue.until_empty(within=60)
    last = rig.darwin["acme"].sent_at[-1]
    assert sum(sizes(rig)) == 1000
    assert last - began <= 9 * 60 / 58 + 1.5


async def test_a_small_dataset_is_not_held_behind_a_big_one() -> None:
    """Its lane has every other token: with one token each 60/58 s, three requests of it are gone within seven of them."""
    rig = Rig([Route(each, lane(each), prefix=each) for each in ("big", "small")], requests_per_minute=60)
    async with rig.running():
        rig.upload(*(f"big/{n}.jpg" for n in range(2400)))
        await asyncio.sleep(5)
        began = asyncio.get_running_loop().time()
        rig.upload(*(f"small/{n}.jpg" for n in range(300)))
        async with asyncio.timeout(100):
            while len(rig.items()["small"]) < 300:
                await rig.flow.settling.freed.wait(1)
        assert asyncio.get_running_loop().time() - began <= 7 * 60 / 58 + 0.5
        assert len(rig.items()["big"]) >= 500


async def test_receiving_waits_while_sending_is_late_with_its_tokens() -> None:
    """A token comes each tenth of a second, 80 messages come as often, and a claim takes three: five batches and what is under
    way are in hand.
    """
    rig = rig_of(requests_per_minute=582)
    rig.queue.faults.seconds["receive"] = 0.1
    rig.ledger.faults.seconds["claim"] = 0.3
    rig.upload(*(f"in/{n}.jpg" for n in range(4000)))
    async with rig.running():
        await asyncio.sleep(4)
        assert 500 <= rig.flow.settling.book.open_records <= 900
        await rig.queue.until_empty(within=30)
    assert sizes(rig)[2:39] == [FULL] * 37


async def test_receiving_goes_on_while_sending_waits_for_answers() -> None:
    """Two requests without an answer are all that a lane may have under way; who comes behind it must not wait for them."""
    rig = Rig([Route(each, lane(each), prefix=each) for each in ("big", "small")])
    rig.darwin["acme"].seconds = 15.0
    rig.queue.faults.seconds["receive"] = 0.1
    async with rig.running():
        await asyncio.sleep(100)
        rig.upload(*(f"big/{n}.jpg" for n in range(2000)), "small/a.jpg")
        await asyncio.sleep(10)
        assert rig.flow.settling.book.open_records == 2001
        assert [body["dataset_slug"] for body in rig.darwin["acme"].bodies] == ["big", "big", "small"]


async def test_a_fleet_uses_one_quota_together_and_who_dies_holds_nothing_back() -> None:
    """Three workers, and then two, 32 a minute: 15 full requests in half a minute, whoever sends them."""
    first = rig_of(requests_per_minute=32, limit=400)
    others = [
        rig_of(
            requests_per_minute=32,
            limit=400,
            token=f"worker-{number}",
            ledger=first.ledger,
            twin=first.twin,
            queue=first.queue,
            cells=first.cells,
            dead_letters=first.dead_letters,
        )
        for number in (2, 3)
    ]
    async with first.running(), others[0].running(), asyncio.TaskGroup() as tasks:
        tasks.create_task(feed(first, 80))
        last = tasks.create_task(others[1].flow.run())
        await asyncio.sleep(40)
        last.cancel()
        await asyncio.sleep(45)
    requests = sorted(
        pair for rig in (first, *others) for pair in zip(rig.darwin["acme"].sent_at, sizes(rig), strict=True)
    )
    for begins in (10, 50):
        in_time = [size for at, size in requests if begins <= at < begins + 30]
        assert len(in_time) in (14, 15, 16)
        assert in_time == [FULL] * len(in_time)
    assert all(rig.darwin["acme"].sent_at for rig in others)

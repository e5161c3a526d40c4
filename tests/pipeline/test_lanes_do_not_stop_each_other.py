"""No lane stops another (design section 2; issue: one paused, one refused, one failing, one team full). Virtual time."""

import asyncio
import re

import pytest

from tests.fakes.rig import Rig, lane
from worker.core.routes import Route

pytestmark = pytest.mark.looptime

HEALTHY = 1000
"""Records of the healthy lane in each run."""


async def drained(rig: Rig, dataset: str = "healthy", team: str = "acme") -> float:
    """Seconds until the dataset holds all its items."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(1200):
        while len(rig.twin.world.teams[team].datasets[dataset].items) < HEALTHY:
            await rig.flow.settling.freed.wait(1)
    return loop.time() - began


def routes(*datasets: str) -> list[Route]:
    return [Route(each, lane(each), prefix=each) for each in datasets]


async def alone() -> float:
    """What the healthy lane takes when there is no other."""
    rig = Rig(routes("healthy"), requests_per_minute=60)
    rig.upload(*(f"healthy/{n}.jpg" for n in range(HEALTHY)))
    async with rig.running():
        return await drained(rig)


async def test_a_lane_alone_uses_the_quota() -> None:
    """1,000 items are 10 full requests, one each 60/58 s."""
    assert await alone() <= 11


async def test_a_paused_lane_takes_nothing_from_the_others() -> None:
    rig = Rig(routes("missing", "healthy"), requests_per_minute=60)
    rig.twin.world.teams["acme"].datasets["missing"].removed = True
    async with rig.running():
        rig.upload("missing/first.jpg")
        await asyncio.sleep(5)
        for n in range(HEALTHY):
            rig.upload(f"missing/{n}.jpg", f"healthy/{n}.jpg")
        assert await drained(rig) <= 13


async def test_a_lane_whose_every_batch_is_refused_costs_the_others_at_most_a_quarter() -> None:
    """Splitting takes at most a quarter of the tokens, and ends with the lane paused."""
    rig = Rig(routes("refused", "healthy"), requests_per_minute=60)
    rig.fault(kind="status", status=422, body="json", endpoint="register", dataset="refused")
    async with rig.running():
        for n in range(HEALTHY):
            rig.upload(f"refused/{n}.jpg", f"healthy/{n}.jpg")
        assert await drained(rig) <= 11 * 4 / 3 + 4
    assert not [reason for _, reason in rig.dead() if reason != "lane_refused"]


async def test_an_item_that_always_makes_darwin_fail_does_not_hold_the_others() -> None:
    rig = Rig(routes("cursed", "healthy"), requests_per_minute=60)
    rig.fault(kind="item-always-fails", item="^cursed")
    async with rig.running():
        rig.upload("cursed/cursed.jpg", *(f"cursed/{n}.jpg" for n in range(99)))
        rig.upload(*(f"healthy/{n}.jpg" for n in range(HEALTHY)))
        assert await drained(rig) <= 11 * 4 / 3 + 6
        await rig.queue.until_empty(within=600)
    assert rig.dead() == [("cursed/cursed.jpg", "fails_alone")]
    assert len(rig.items()["cursed"]) == 99


async def test_a_full_plan_of_one_team_leaves_the_other_team_alone() -> None:
    rig = Rig(
        [Route("full", lane("full", "umbrella"), prefix="full"), *routes("healthy")], requests_per_minute=60
    )
    rig.twin.world.teams["umbrella"].plan_full = True
    async with rig.running():
        rig.upload("full/first.jpg")
        await asyncio.sleep(5)
        for n in range(HEALTHY):
            rig.upload(f"full/{n}.jpg", f"healthy/{n}.jpg")
        assert await drained(rig) <= 13
    assert not rig.dead()


async def test_the_lane_served_longest_ago_goes_first() -> None:
    """A small lane is not held behind a big one: it goes with the next token."""
    rig = Rig(routes("big", "small"), requests_per_minute=60)
    rig.upload(*(f"big/{n}.jpg" for n in range(1500)))
    async with rig.running():
        await asyncio.sleep(5)
        began = asyncio.get_running_loop().time()
        rig.upload("small/1.jpg")
        async with asyncio.timeout(10):
            while not rig.items()["small"]:
                await rig.flow.settling.freed.wait(1)
        assert asyncio.get_running_loop().time() - began <= 2.5


async def test_a_lane_over_its_share_is_postponed_and_loses_nothing() -> None:
    """Half of the open limit while others have records; above that, sent again with a delay (outcome: postponed)."""
    rig = Rig(routes("big", "small"), limit=200, requests_per_minute=60)
    rig.upload(*(f"big/{n}.jpg" for n in range(1000)), *(f"small/{n}.jpg" for n in range(50)))
    async with rig.running():
        await rig.queue.until_empty(within=3000)
    assert len(rig.items()["big"]) == 1000
    assert len(rig.items()["small"]) == 50
    assert rig.conserved()


async def test_a_paused_lane_holds_at_most_a_quarter_and_postpones_the_rest() -> None:
    rig = Rig(routes("missing", "healthy"), limit=200)
    rig.twin.world.teams["acme"].datasets["missing"].removed = True
    async with rig.running():
        rig.upload("missing/first.jpg")
        await asyncio.sleep(5)
        rig.upload(*(f"missing/{n}.jpg" for n in range(100)))
        await asyncio.sleep(30)
        lanes = rig.accounts["acme"].lanes.lanes
        assert lanes[lane("missing")].held == 50
        delayed = [sent for sent in rig.queue.sent if sent.delay]
        assert len(delayed) == 51
        assert all(0 < sent.delay <= 900 for sent in delayed)
        assert {sent.attributes["attempts"] for sent in delayed} == {"1"}
        assert all(re.match("2027-01-15T", sent.attributes["first_seen"]) for sent in delayed)


async def test_pollers_stop_when_every_lane_is_paused() -> None:
    rig = Rig(routes("missing"), limit=200)
    rig.twin.world.teams["acme"].datasets["missing"].removed = True
    async with rig.running():
        rig.upload("missing/first.jpg")
        await asyncio.sleep(30)
        rig.upload("missing/second.jpg")
        await asyncio.sleep(60)
        assert [stored.receive_count for stored in rig.queue.stored] == [1, 0]

"""No lane stops another (design section 2), also when a lane is paused after it filled up. On virtual time."""

import asyncio

import pytest

from tests.fakes.rig import Rig, lane
from worker.core.routing import Route

pytestmark = pytest.mark.looptime


def routes(*datasets: str) -> list[Route]:
    return [Route(each, lane(each), prefix=each) for each in datasets]


async def test_a_lane_that_was_full_when_it_was_paused_makes_room_for_the_others() -> None:
    """A paused lane holds at most a quarter: a backlog of a missing dataset, met at the start of the process."""
    rig = Rig(routes("missing", "healthy"), limit=200)
    rig.twin.world.teams["acme"].datasets["missing"].removed = True
    rig.upload(*(f"missing/{n}.jpg" for n in range(400)))
    async with rig.running():
        await asyncio.sleep(20)
        rig.upload("healthy/1.jpg")
        await asyncio.sleep(60)
        assert rig.items()["healthy"] == ["/1.jpg"]
        assert rig.accounts["acme"].lanes.lanes[lane("missing")].held <= 50


async def test_many_paused_lanes_leave_room_for_the_others() -> None:
    """Four quarters are a whole."""
    datasets = [f"missing{n}" for n in range(6)]
    rig = Rig(routes(*datasets, "healthy"), limit=200)
    for dataset in datasets:
        rig.twin.world.teams["acme"].datasets[dataset].removed = True
    rig.upload(*(f"{dataset}/first.jpg" for dataset in datasets))
    async with rig.running():
        await asyncio.sleep(20)
        rig.upload(*(f"{dataset}/{n}.jpg" for n in range(100) for dataset in datasets))
        await asyncio.sleep(60)
        rig.upload("healthy/1.jpg")
        await asyncio.sleep(60)
        assert rig.items()["healthy"] == ["/1.jpg"]


async def test_a_team_that_was_full_when_it_was_paused_makes_room_for_the_other_team() -> None:
    rig = Rig([Route("full", lane("full", "umbrella"), prefix="full"), *routes("healthy")], limit=200)
    rig.twin.world.teams["umbrella"].plan_full = True
    rig.upload(*(f"full/{n}.jpg" for n in range(400)))
    async with rig.running():
        await asyncio.sleep(20)
        rig.upload("healthy/1.jpg")
        await asyncio.sleep(60)
        assert rig.items("acme")["healthy"] == ["/1.jpg"]

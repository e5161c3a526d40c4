"""No lane stops another (design section 2), also when a lane is paused after it filled up. On virtual time."""

import asyncio

import pytest

from tests.fakes.rig import Rig, lane, rig_of
from worker.core.backlog import TeamPauseKind
from worker.core.claims import Claim
from worker.core.model import Identity, S3Object
from worker.core.routes import Route

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


async def test_the_one_receive_a_minute_of_a_full_plan_is_not_spent_while_there_is_no_room() -> None:
    """Row: ITEM_COUNT_LIMIT_EXCEEDED. Records that wait for another worker's claims take all the room, and then it is
    free: what is received next may tell that the plan has room again.
    """
    rig = rig_of(limit=4)
    keys = [f"in/{n}.jpg" for n in range(4)]
    claims = [
        Claim(Identity("acme", "intake", "/", f"{n}.jpg"), S3Object("media", f"in/{n}.jpg", None, "e1", 10))
        for n in range(4)
    ]
    await rig.ledger.claim(claims, "worker-2", 1000)
    rig.upload(*keys)
    loop = asyncio.get_running_loop()
    async with rig.running():
        await asyncio.sleep(20)
        assert rig.flow.settling.book.open_records == 4
        rig.accounts["acme"].lanes.pause_team(TeamPauseKind.PLAN_FULL, "full", loop.time())
        await asyncio.sleep(70)
        receives = rig.queue.faults.calls["receive"]
        await rig.ledger.register(claims, "worker-2")
        freed = loop.time()
        await rig.queue.until(lambda: rig.queue.faults.calls["receive"] > receives)
        assert loop.time() - freed <= 5

"""Law 1 across deliveries: what a request without a clear answer may have done is not forgotten. On virtual time."""

import asyncio

import pytest

from tests.fakes.rig import Rig, lane
from worker.core.routing import Route

pytestmark = pytest.mark.looptime


def rig_of(**values: object) -> Rig:
    return Rig([Route("all", lane(), prefix="in")], **values)  # type: ignore[arg-type]  # passed on as they come


async def test_an_item_sent_under_a_lost_lease_is_proven_ours_at_its_next_delivery() -> None:
    """Law 1, ALREADY_EXISTS row: the claim that the lost delivery left tells that something may have been sent."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(0.8)
        assert rig.items() == {"intake": ["/a.jpg"]}
        rig.flow.settling.lose(1, "SQS said no")
        await rig.queue.until_empty(within=300)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 1}


async def test_an_object_that_finds_the_claim_of_another_one_does_not_take_its_item_for_its_own() -> None:
    """Law 1: a claim holds the object; the item that came of it is not another object's."""
    rig = Rig([Route("all", lane(), prefix="in", path="/flat")], visibility=60)
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)
    rig.upload("in/x/a.jpg")
    async with rig.running():
        await asyncio.sleep(0.8)
        assert rig.items() == {"intake": ["/flat/a.jpg"]}
        rig.flow.settling.lose(1, "SQS said no")
        rig.upload("in/y/a.jpg")
        await rig.queue.until_empty(within=300)
    assert rig.dead() == [("in/y/a.jpg", "name_collision")]


async def test_an_item_that_no_answer_ever_names_is_looked_for_before_it_is_given_up() -> None:
    """Row: 2xx, in neither list: ask the item list."""
    rig = rig_of()
    rig.fault(kind="omit-items", item="lost")
    rig.upload("in/lost.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 1}


async def test_an_item_that_fails_alone_is_looked_for_before_it_is_given_up() -> None:
    """Row: 5xx may have registered; a dead letter must not tell of an item that Darwin holds through us."""
    rig = rig_of()
    rig.fault(kind="status", status=503, work="all", item="cursed")
    rig.upload("in/cursed.jpg", *(f"in/{n}.jpg" for n in range(20)))
    async with rig.running():
        await rig.queue.until_empty(within=900)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 21}

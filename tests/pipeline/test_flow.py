"""The flow as a whole, on virtual time."""

import pytest

from tests.fakes.rig import Rig, lane
from worker.core.routes import Route

pytestmark = pytest.mark.looptime


async def test_an_uploaded_object_becomes_an_item_and_its_message_is_deleted() -> None:
    rig = Rig([Route("all", lane(), prefix="in")])
    async with rig.running():
        rig.upload("in/weld 07+a.jpg")
        await rig.queue.until_empty()
        assert rig.items() == {"intake": ["/weld 07+a.jpg"]}
        assert rig.outcomes() == {"registered": 1}
        assert rig.conserved()


async def test_a_thousand_objects_fill_their_requests() -> None:
    rig = Rig([Route("all", lane(), prefix="in")])
    rig.upload(*(f"in/{n}.jpg" for n in range(1000)))
    async with rig.running():
        await rig.queue.until_empty(within=120)
    assert len(rig.items()["intake"]) == 1000
    assert rig.outcomes() == {"registered": 1000}
    assert len(rig.darwin["acme"].sent_at) < 20
    assert rig.conserved()

"""The guilty item alone, or its lane: who is dead-lettered, and after how many requests as the twin counts them.

Virtual time. Every place that the guilty item can have is tried in tests/core/test_lanes.py.
"""

import asyncio
import re

import pytest

from tests.fakes.rig import Rig, lane, notification, rig_of
from worker.core.backlog import PauseKind
from worker.core.lanes import GRACE
from worker.core.routes import Route
from worker.demo.twin.state import Block

pytestmark = pytest.mark.looptime


def requests(rig: Rig) -> int:
    """Registrations that reached the twin, whatever it answered."""
    counted = rig.twin.world.counters.requests
    return sum(count for (endpoint, _), count in counted.items() if endpoint.startswith("register"))


def batch(first: int, count: int, folder: str = "in") -> str:
    """One message, so that its records go in one request."""
    return notification(*(f"{folder}/{n}.jpg" for n in range(first, first + count)))


# One item, or a few


@pytest.mark.parametrize("guilty", [0, 1, 49, 50, 98, 99])
@pytest.mark.parametrize("status", [400, 413, 414, 422])
async def test_one_unacceptable_item_among_100_is_rejected_after_at_most_15_requests(
    status: int, guilty: int
) -> None:
    """Row: 413, 414, 422, 400."""
    rig = rig_of()
    rig.fault(kind="status", status=status, item=f"^{guilty}[.]jpg$", body="json")
    rig.queue.put(batch(0, 100))
    async with rig.running():
        await rig.queue.until_empty(within=60)
    assert requests(rig) <= 15
    assert rig.dead() == [(f"in/{guilty}.jpg", "refused_alone")]
    assert len(rig.items()["intake"]) == 99
    assert rig.outcomes() == {"registered": 99, "rejected": 1}
    assert rig.conserved()


@pytest.mark.parametrize(("status", "more"), [(413, 15 + 4 + 3), (422, 15 + 4)])
@pytest.mark.parametrize("guilty", [0, 50, 99])
async def test_batches_that_wait_behind_an_unacceptable_item_go_as_if_it_were_not_there(
    status: int, more: int, guilty: int
) -> None:
    """Row: 413 to 422. Four more batches; after a 413 they are smaller for a while."""
    rig = rig_of()
    rig.fault(kind="status", status=status, item=f"^{guilty}[.]jpg$", body="json")
    for first in range(0, 500, 100):
        rig.queue.put(batch(first, 100))
    async with rig.running():
        await rig.queue.until_empty(within=60)
    assert requests(rig) <= more
    assert rig.dead() == [(f"in/{guilty}.jpg", "refused_alone")]
    assert len(rig.items()["intake"]) == 499


@pytest.mark.parametrize(
    "guilty", [(0, 1), (49, 50), (98, 99), (23, 89), (0, 1, 2), (49, 50, 51), (7, 58, 97)]
)
async def test_every_other_unacceptable_item_costs_at_most_12_requests_more(guilty: tuple[int, ...]) -> None:
    """Row: 422. Neighbours, and spread."""
    rig = rig_of()
    rig.fault(kind="status", status=422, item=f"^({'|'.join(map(str, guilty))})[.]jpg$", body="json")
    rig.queue.put(batch(0, 100))
    async with rig.running():
        await rig.queue.until_empty(within=60)
    assert requests(rig) <= 15 + 12 * (len(guilty) - 1)
    assert rig.dead() == sorted((f"in/{n}.jpg", "refused_alone") for n in guilty)
    assert len(rig.items()["intake"]) == 100 - len(guilty)


@pytest.mark.parametrize("guilty", [0, 40, 99])
async def test_an_item_that_makes_darwin_fail_is_blocked_after_five_tries_alone(guilty: int) -> None:
    """Row: 5xx. The batch twice, two requests for each halving, and the five tries; the batches behind it pass."""
    rig = rig_of()
    rig.fault(kind="item-always-fails", item=f"^{guilty}[.]jpg$")
    for first in range(0, 400, 100):
        rig.queue.put(batch(first, 100))
    async with rig.running():
        await rig.queue.until(lambda: len(rig.items()["intake"]) >= 300, within=30)
        await rig.queue.until_empty(within=600)
    assert requests(rig) <= 20 + 3
    assert rig.dead() == [(f"in/{guilty}.jpg", "fails_alone")]
    assert len(rig.items()["intake"]) == 399


@pytest.mark.parametrize("reason", ["UNEXPECTED_ERROR", "FILE_UPLOAD_FAILED"])
async def test_an_item_that_darwin_names_is_blocked_after_five_tries_without_splitting(reason: str) -> None:
    """Row: UNEXPECTED_ERROR, FILE_UPLOAD_FAILED. The other 99 are registered by the first request."""
    rig = rig_of()
    rig.twin.world.teams["acme"].blocks.append(Block(re.compile("^40[.]jpg$"), reason))
    rig.queue.put(batch(0, 100))
    async with rig.running():
        await rig.queue.until(lambda: len(rig.items()["intake"]) == 99, within=5)
        assert requests(rig) == 1
        await rig.queue.until_empty(within=300)
    assert requests(rig) == 5
    assert [key for key, _ in rig.dead()] == ["in/40.jpg"]


# The lane


def refused_beside_healthy(seconds: float) -> tuple[Rig, int]:
    """A lane with ten full batches that Darwin refuses, one of three that it takes; every answer takes *seconds*.
    The number clears the fault.
    """
    rig = Rig([Route(each, lane(each), prefix=each) for each in ("refused", "healthy")])
    rig.darwin["acme"].seconds = seconds
    fault = rig.fault(kind="status", status=422, body="json", endpoint="register", dataset="refused")
    for first in range(0, 1000, 100):
        rig.queue.put(batch(first, 100, "refused"))
    for first in range(0, 300, 100):
        rig.queue.put(batch(first, 100, "healthy"))
    return rig, fault


async def paused(rig: Rig, dataset: str) -> float:
    """When the lane was paused for being refused, on the loop's clock."""
    backlog = rig.accounts["acme"].lanes.lanes[lane(dataset)]
    await rig.queue.until(lambda: backlog.pause is not None, within=300)
    assert backlog.pause is not None
    assert backlog.pause.kind is PauseKind.REFUSED
    return backlog.pause.since


def refusals(rig: Rig) -> int:
    return rig.twin.world.counters.requests["register_existing", "422"]


@pytest.mark.parametrize("seconds", [0.1, 1.0, 5.0, 19.0])
async def test_a_lane_that_is_wholly_refused_is_paused_after_at_most_12_requests(seconds: float) -> None:
    """Row: 422, the fault is the lane's: nothing is dead-lettered before the grace, and no other lane waits for it."""
    rig, _ = refused_beside_healthy(seconds)
    async with rig.running():
        await rig.queue.until(lambda: len(rig.items()["healthy"]) == 300, within=10 + 3 * seconds)
        since = await paused(rig, "refused")
        assert refusals(rig) <= 12
        await asyncio.sleep(since + GRACE - 1 - asyncio.get_running_loop().time())
        assert rig.dead() == []
        assert refusals(rig) <= 12 + 15  # one probe a minute
        await rig.queue.until_empty(within=3600)
    assert len(rig.dead()) == 1000
    assert {reason for _, reason in rig.dead()} == {"lane_refused"}
    assert rig.conserved()


@pytest.mark.parametrize("seconds", [0.1, 1.0, 5.0, 19.0])
async def test_a_refused_lane_that_is_mended_before_the_grace_loses_nothing(seconds: float) -> None:
    """Row: 422. It goes on at the next probe."""
    rig, fault = refused_beside_healthy(seconds)
    async with rig.running():
        since = await paused(rig, "refused")
        await asyncio.sleep(since + GRACE - 90 - asyncio.get_running_loop().time())
        rig.twin.world.faults.clear(fault)
        await rig.queue.until_empty(within=3600)
    assert (len(rig.items()["refused"]), len(rig.items()["healthy"])) == (1000, 300)
    assert rig.dead() == []
    assert rig.conserved()


@pytest.mark.parametrize("seconds", [0.1, 5.0, 19.0])
async def test_a_lane_that_goes_bad_in_full_run_dead_letters_nothing_before_the_grace(seconds: float) -> None:
    """Row: 422. What was under way when the first refusal came cannot be called back: a request for each token of the
    time that an answer takes, 32 at most. Nine more find the lane out.
    """
    rig = rig_of()
    rig.darwin["acme"].seconds = seconds
    for first in range(0, 9_000, 100):
        rig.queue.put(batch(first, 100))
    async with rig.running():
        await asyncio.sleep(10 + 2 * seconds)  # until as many are under way as there are tokens for
        rig.fault(kind="status", status=422, body="json", endpoint="register")
        good = len(rig.items()["intake"])
        since = await paused(rig, "intake")
        assert refusals(rig) <= min(32, 2 + seconds / 0.6) + 9
        await asyncio.sleep(since + GRACE - 1 - asyncio.get_running_loop().time())
        assert rig.dead() == []
        assert len(rig.items()["intake"]) == good

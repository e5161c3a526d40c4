"""The stop (law 6): one deadline, nothing lost, nothing left invisible. On virtual time."""

import asyncio

import pytest

from tests.fakes.rig import rig_of, stopped
from worker.core.errors import Unavailable

pytestmark = pytest.mark.looptime


async def test_an_idle_worker_stops_when_its_poll_is_over() -> None:
    """Law 6: a poll under way is not cancelled; its wait of 10 s fits the deadline."""
    assert await stopped(rig_of(), 3) <= 10


async def test_what_a_poll_brings_after_the_stop_is_given_back() -> None:
    rig = rig_of()
    async with rig.running():
        await asyncio.sleep(3)
        rig.stop.ask()
        await asyncio.sleep(1)
        rig.upload("in/a.jpg")
    assert len(rig.queue.visible) == 1
    assert not rig.items()["intake"]
    assert rig.conserved()


async def test_a_backlog_is_given_back_inside_the_deadline() -> None:
    """Law 6: lanes drain what can be sent, the rest is given back with visibility zero, its claims released."""
    rig = rig_of(requests_per_minute=60)
    rig.upload(*(f"in/{n}.jpg" for n in range(2500)))
    assert await stopped(rig, 5) <= 25
    sent = len(rig.items()["intake"])
    assert 1500 <= sent <= 2200
    assert len(rig.queue.visible) == len(rig.queue.stored) == 2500 - sent
    assert all(entry.registered for entry, _ in rig.ledger.entries.values())
    assert rig.conserved()


async def test_a_request_without_an_answer_is_not_waited_for_beyond_the_deadline() -> None:
    rig = rig_of()
    rig.fault(kind="slow-answer", seconds=100)
    rig.upload("in/a.jpg")
    assert await stopped(rig, 1) <= 25
    assert len(rig.queue.visible) == 1
    held = [entry for entry, _ in rig.ledger.entries.values()]
    assert [entry.registered for entry in held] == [False]


async def test_the_next_worker_finds_that_the_request_cut_by_a_stop_was_ours() -> None:
    """Laws 1 and 6: the claim was left to lapse, and tells that something may have been sent."""
    first = rig_of()
    first.fault(kind="slow-answer", seconds=100, times=1)
    first.upload("in/a.jpg")
    await stopped(first, 1)
    second = rig_of(
        token="worker-2",
        ledger=first.ledger,
        twin=first.twin,
        queue=first.queue,
        dead_letters=first.dead_letters,
    )
    async with second.running():
        await second.queue.until_empty(within=120)
    assert second.outcomes() == {"registered": 1}
    assert not second.dead()


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("queue", "delete"),
        ("queue", "extend"),
        ("dead_letters", "send"),
        ("ledger", "register"),
        ("ledger", "look_up"),
    ],
)
async def test_a_stop_during_an_outage_ends_in_time(what: str, call: str) -> None:
    """Law 6: all inside one deadline, whatever is away."""
    rig = rig_of()
    away = Unavailable("away")
    {"queue": rig.queue, "dead_letters": rig.dead_letters, "ledger": rig.ledger}[what].faults.fail(call, away)  # type: ignore[attr-defined]  # all three have faults
    rig.upload("in/a.jpg", "in/bad.xyz")
    assert await stopped(rig, 5) <= 25
    assert rig.conserved()
    assert len(rig.queue.stored) + len(rig.queue.deleted) == 2

"""A paused fleet asks Darwin once a minute in all, and every worker of it hears the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.fakes.rig import Rig, rig_of

pytestmark = pytest.mark.looptime

WORKERS = 4
KEYS = [f"in/{n}.jpg" for n in range(800)]


@asynccontextmanager
async def running_fleet() -> AsyncIterator[list[Rig]]:
    """Four workers that share queue, ledger, Darwin, quota and turns; each may hold 100 records."""
    first = rig_of(limit=100)
    shared = {name: getattr(first, name) for name in ("queue", "ledger", "twin", "dead_letters", "cells")}
    rigs = [first, *(rig_of(limit=100, token=f"worker-{n}", **shared) for n in range(2, WORKERS + 1))]
    first.upload(*KEYS)
    async with AsyncExitStack() as stack:
        for rig in rigs:
            await stack.enter_async_context(rig.running())
        yield rigs


def asked(rigs: list[Rig]) -> int:
    """The requests that reached Darwin so far, of every kind."""
    return len(rigs[0].twin.world.counters.requests)


def sent(rigs: list[Rig]) -> int:
    return sum(len(rig.darwin["acme"].sent_at) for rig in rigs)


async def test_a_full_plan_is_tried_once_a_minute_by_the_whole_fleet() -> None:
    """Row: the team's plan is full."""
    async with running_fleet() as rigs:
        team = rigs[0].twin.world.teams["acme"]
        team.plan_full = True
        await asyncio.sleep(300)
        before = sent(rigs)
        await asyncio.sleep(600)
        assert sent(rigs) - before in (9, 10, 11)
        team.plan_full = False
        await asyncio.sleep(90)
        assert [rig.accounts["acme"].lanes.pause for rig in rigs] == [None] * WORKERS
        await rigs[0].queue.until_empty(within=600)
    assert rigs[0].items()["intake"] == sorted(f"/{key.removeprefix('in/')}" for key in KEYS)
    assert rigs[0].dead() == []


async def test_a_darwin_that_is_down_is_asked_once_a_minute_by_the_whole_fleet() -> None:
    """Row: 5xx."""
    async with running_fleet() as rigs:
        outage = rigs[0].fault(kind="status", status=503)
        await asyncio.sleep(300)
        before = sum(len(rig.darwin["acme"].probes) for rig in rigs) + sent(rigs)
        await asyncio.sleep(600)
        assert sum(len(rig.darwin["acme"].probes) for rig in rigs) + sent(rigs) - before in (9, 10, 11)
        rigs[0].twin.world.faults.clear(outage)
        await asyncio.sleep(90)
        assert [rig.accounts["acme"].lanes.pause for rig in rigs] == [None] * WORKERS
        await rigs[0].queue.until_empty(within=600)
    assert len(rigs[0].items()["intake"]) == len(KEYS)
    assert rigs[0].dead() == []

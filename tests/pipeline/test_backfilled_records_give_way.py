"""A backfill beside live uploads: its records give way to theirs, and none is lost or left for long. Virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from tests.fakes.rig import BUCKET, START, Rig, lane
from worker.core.deadletters import backfilled
from worker.core.events import iso_time
from worker.core.model import Record, S3Object
from worker.core.routes import Route

pytestmark = pytest.mark.looptime


SLOW = 3
"""Requests a minute that leave one token a minute: a hundred items."""


def backfill(rig: Rig, *keys: str, first_seen: float | None = None) -> None:
    for key in keys:
        sent = backfilled(Record(S3Object(BUCKET, key, None, "e1", 10), "ObjectCreated:Put"))
        seen = {} if first_seen is None else {"first_seen": iso_time(first_seen)}
        rig.queue.put(sent.body, {**sent.attributes, **seen})


def held(rig: Rig, dataset: str, beginning: str = "/") -> int:
    return sum(path.startswith(beginning) for path in rig.items()[dataset])


async def until(condition: Callable[[], bool], rig: Rig, seconds: float = 1200) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await rig.flow.settling.freed.wait(1)


async def test_a_live_upload_does_not_wait_for_what_was_backfilled_before_it() -> None:
    """Two requests of backfilled items are in hand; the live one goes with the first token."""
    rig = Rig([Route("all", lane())], requests_per_minute=SLOW)
    async with rig.running():
        backfill(rig, *(f"old/{n}.jpg" for n in range(150)))
        await asyncio.sleep(10)
        rig.upload("new/1.jpg")
        await until(lambda: held(rig, "intake") == 100, rig)
        assert held(rig, "intake", "/new") == 1
        await until(lambda: held(rig, "intake", "/old") == 150, rig)


async def test_a_lane_with_live_uploads_goes_before_one_with_nothing_but_a_backfill() -> None:
    rig = Rig([Route(each, lane(each), prefix=each) for each in ("old", "new")], requests_per_minute=SLOW)
    async with rig.running():
        backfill(rig, *(f"old/{n}.jpg" for n in range(50)))
        await asyncio.sleep(10)
        rig.upload(*(f"new/{n}.jpg" for n in range(110)))
        await until(lambda: held(rig, "new") == 110, rig)
        assert held(rig, "old") == 0
        await until(lambda: held(rig, "old") == 50, rig)


@pytest.mark.parametrize(("waited", "first"), [(601, 1), (590, 0)])
async def test_what_was_postponed_has_waited_before_and_after_ten_minutes_it_is_as_good_as_live(
    waited: float, first: int
) -> None:
    """Of 150 that come at once 100 go with the first token."""
    rig = Rig([Route("all", lane())], requests_per_minute=SLOW)
    async with rig.running():
        backfill(rig, "old/1.jpg", first_seen=START - waited)
        rig.upload(*(f"new/{n}.jpg" for n in range(150)))
        await until(lambda: held(rig, "intake") == 100, rig)
        assert held(rig, "intake", "/old") == first
        await until(lambda: held(rig, "intake") == 151, rig)


async def test_a_backfill_that_fills_a_lane_makes_room_for_live_uploads() -> None:
    """What comes above the lane's share is postponed, and of that lane the backfilled ones first."""
    rig = Rig(
        [Route(each, lane(each), prefix=each) for each in ("one", "two")],
        limit=40,
        requests_per_minute=SLOW,
    )
    async with rig.running():
        rig.upload(*(f"two/{n}.jpg" for n in range(3)))
        await asyncio.sleep(1)
        backfill(rig, *(f"one/old-{n}.jpg" for n in range(25)))
        await asyncio.sleep(5)
        rig.upload(*(f"one/new-{n}.jpg" for n in range(5)))
        await until(lambda: held(rig, "one") == 20, rig)
        assert held(rig, "one", "/new") == 5
        await until(lambda: held(rig, "one") == 30, rig)
    assert rig.dead() == []


async def test_how_long_an_object_was_in_the_bucket_is_no_age_of_a_record() -> None:
    rig = Rig([Route("all", lane())])
    async with rig.running():
        backfill(rig, "old/1.jpg")
        await until(lambda: held(rig, "intake", "/old") == 1, rig)
        await rig.queue.until_empty()
        rig.upload("new/1.jpg")
        await until(lambda: held(rig, "intake", "/new") == 1, rig)
        await rig.queue.until_empty()
    [ages] = rig.registry_metrics.record_age.collect()
    assert [sample.value for sample in ages.samples if sample.name.endswith("_count")] == [1.0]

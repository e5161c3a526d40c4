"""What is sent, in which batches, when, and what is kept of it. Virtual time."""

import asyncio
from collections import Counter

import pytest

from tests.fakes.backfill import FakeBucket, FakeQueue, choice, keys_in, room
from worker.commands.backfill_sending import Sending, count
from worker.commands.backfill_sources import Listing
from worker.core.backfill import Progress, Range, Tally, read_progress
from worker.core.errors import Refused, Unavailable

pytestmark = pytest.mark.looptime

NAMED = {"bucket": "media"}


class Kept:
    """A progress, and what was written of it."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.written: list[str] = []

    def save(self) -> None:
        self.written.append(self.progress.written(NAMED))

    def again(self) -> Progress:
        """As the next run reads it."""
        return read_progress(self.written[-1], NAMED)


async def begun(bucket: FakeBucket) -> Progress:
    return await Listing(bucket, "media", "").begin()


async def test_everything_that_a_route_takes_is_sent_once_in_full_batches() -> None:
    bucket, queue = FakeBucket([*keys_in(4, 111), *keys_in(4, 7, "txt")]), FakeQueue()
    kept = Kept(await begun(bucket))
    await Sending(choice(), queue, room(), kept.progress, kept.save).send_all(Listing(bucket, "media", ""))
    assert sorted(queue.sent) == keys_in(4, 111)
    assert queue.calls == [100, 100, 100, 100, 44]
    assert kept.progress.tally == Tally(Counter({"all": 444}), Counter({"no_route": 28}))
    assert kept.again().ranges == {}


async def test_the_count_is_of_what_would_be_sent() -> None:
    bucket, tally = FakeBucket([*keys_in(4, 111), *keys_in(4, 7, "txt")]), Tally()
    await count(Listing(bucket, "media", ""), await begun(bucket), choice(), tally)
    assert tally == Tally(Counter({"all": 444}), Counter({"no_route": 28}))


async def test_it_sends_only_while_the_queue_holds_less_than_five_minutes_of_the_quota() -> None:
    bucket, queue = FakeBucket(keys_in(1, 1_500), page=1000), FakeQueue(gone_a_second=100 / 60)
    kept = Kept(await begun(bucket))
    began = asyncio.get_running_loop().time()
    await Sending(choice(), queue, room(100), kept.progress, kept.save).send_all(Listing(bucket, "media", ""))
    assert sorted(queue.sent) == keys_in(1, 1_500)
    assert queue.most_held <= 500
    # Fifteen minutes of the quota, the last five of which are in the queue; and none of it was left unused.
    assert 9 * 60 <= asyncio.get_running_loop().time() - began <= 12 * 60


async def test_nothing_is_sent_into_a_queue_that_live_uploads_fill() -> None:
    bucket, queue = FakeBucket(keys_in(1, 10)), FakeQueue()
    queue.held = 500
    kept = Kept(await begun(bucket))
    sending = Sending(choice(), queue, room(100), kept.progress, kept.save)
    task = asyncio.create_task(sending.send_all(Listing(bucket, "media", "")))
    await asyncio.sleep(600)
    assert (queue.sent, sending.queued) == ([], 500)
    queue.held = 490
    await task
    assert len(queue.sent) == 10


async def test_broken_off_anywhere_it_goes_on_and_sends_again_at_most_what_was_under_way() -> None:
    bucket, queue = FakeBucket(keys_in(5, 300), page=100), FakeQueue()
    progress = await begun(bucket)
    deaths = 0
    for seconds in (0.05, 0.35, 1.35, 0.55, 0.15, 600):
        kept = Kept(progress)
        kept.save()
        sending = Sending(choice(), queue, room(), progress, kept.save)
        task = asyncio.create_task(sending.send_all(Listing(bucket, "media", "")))
        await asyncio.sleep(seconds)
        deaths += not task.done()
        # A kill leaves what was written before it.
        left = kept.written[-1]
        task.cancel()
        await asyncio.wait([task])
        progress = read_progress(left, NAMED)
    assert sorted(set(queue.sent)) == keys_in(5, 300)
    assert progress.ranges == {}
    assert deaths == 5
    # Of each death, what one second and the call under way sent: a call of a hundred takes a tenth of a second.
    assert len(queue.sent) - 1500 <= deaths * 1100


async def test_what_a_stop_leaves_is_what_was_not_sent() -> None:
    bucket, queue = FakeBucket(keys_in(1, 1000), page=100), FakeQueue()
    kept = Kept(await begun(bucket))
    sending = Sending(choice(), queue, room(), kept.progress, kept.save)
    task = asyncio.create_task(sending.send_all(Listing(bucket, "media", "")))
    await asyncio.sleep(1.5)
    task.cancel()
    await asyncio.wait([task])
    ranges = kept.again().ranges
    assert ranges is not None
    left = [key for key in keys_in(1, 1000) if any(each.holds(key) for each in ranges.values())]
    assert 0 < len(left) < 1000
    assert {*queue.sent} | {*left} == {*keys_in(1, 1000)}
    assert len({*queue.sent} & {*left}) <= 100
    assert kept.again().tally.chosen == 1000 - len(left)


async def test_what_sqs_does_not_take_is_sent_again_and_nothing_else() -> None:
    bucket, queue = FakeBucket(keys_in(1, 100)), FakeQueue()
    queue.refusing = {3, 50}
    kept = Kept(await begun(bucket))
    await Sending(choice(), queue, room(), kept.progress, kept.save).send_all(Listing(bucket, "media", ""))
    assert queue.calls == [100, 2]
    assert sorted(queue.sent) == keys_in(1, 100)


async def test_an_outage_of_sqs_is_waited_for_and_a_long_one_ends_it_with_its_progress_kept() -> None:
    bucket, queue = FakeBucket(keys_in(1, 200)), FakeQueue()
    away = Unavailable("SQS is away")
    queue.failing = [away, away, away, None, *[away] * 7]
    kept = Kept(await begun(bucket))
    await Sending(choice(), queue, room(), kept.progress, kept.save).send_all(Listing(bucket, "media", ""))
    assert sorted(queue.sent) == keys_in(1, 200)

    queue = FakeQueue()
    queue.failing = [None, None, *[away] * 100]
    kept = Kept(await begun(bucket))
    with pytest.raises((Unavailable, ExceptionGroup), match=r"SQS is away|unhandled errors"):
        await Sending(choice(), queue, room(), kept.progress, kept.save).send_all(
            Listing(bucket, "media", "")
        )
    assert kept.again().tally.chosen == 100


async def test_a_refusal_of_sqs_ends_it_at_once() -> None:
    bucket, queue = FakeBucket(keys_in(1, 10)), FakeQueue()
    queue.failing = [None, Refused("SQS SendMessageBatch: AccessDenied. Allow sqs:SendMessage")]
    kept = Kept(await begun(bucket))
    with pytest.raises(Refused, match="Allow sqs:SendMessage"):
        await Sending(choice(), queue, room(), kept.progress, kept.save).send_all(
            Listing(bucket, "media", "")
        )
    assert kept.again().tally.chosen == 0


async def test_where_few_objects_are_chosen_none_waits_long_for_a_full_batch() -> None:
    """Or a death after an hour would begin anew."""
    keys = [*keys_in(1, 2_000, "txt"), "in/00/0000.jpg"]
    bucket, queue = FakeBucket(keys), FakeQueue()
    kept = Kept(Progress(ranges={0: Range()}))
    sending = Sending(choice(), queue, room(), kept.progress, kept.save)
    task = asyncio.create_task(sending.send_all(Listing(bucket, "media", "")))
    await asyncio.sleep(20)
    assert queue.sent == ["in/00/0000.jpg"]
    assert kept.again().tally.left_out["no_route"] >= 1000
    await task

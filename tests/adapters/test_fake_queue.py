"""What the fake queue promises beyond the port: the traits of SQS that emulators lack, and the failures to order."""

import asyncio

import pytest

from tests.fakes.queue import FakeQueue
from worker.core.errors import Unavailable
from worker.core.queueing import Failure, Outgoing

pytestmark = pytest.mark.looptime


async def test_a_cancelled_poll_swallows_what_it_brings_until_the_visibility_ends() -> None:
    """Law 6: the reason why a poll under way is not cancelled."""
    queue = FakeQueue()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await queue.receive(10, wait=10, visibility=30)
    queue.put("swallowed")
    [message] = await queue.receive(10, wait=20, visibility=30) or await queue.receive(
        10, wait=20, visibility=30
    )
    assert message.receive_count == 2
    assert asyncio.get_running_loop().time() == pytest.approx(31)


async def test_a_cancelled_poll_is_over_when_its_wait_is() -> None:
    queue = FakeQueue()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await queue.receive(10, wait=5, visibility=30)
    await asyncio.sleep(5)
    queue.put("safe")
    [message] = await queue.receive(10, wait=0, visibility=30)
    assert message.receive_count == 1


async def test_the_lease_of_a_message_that_became_visible_again_is_lost() -> None:
    """As AWS says it (MessageNotInflight); the emulators do not."""
    queue = FakeQueue()
    queue.put("a")
    messages = await queue.receive(10, wait=0, visibility=30)
    await asyncio.sleep(30)
    [failure] = await queue.extend(messages, 30)
    assert failure is not None
    assert failure.lost


async def test_no_lease_outlasts_twelve_hours_from_the_receive() -> None:
    queue = FakeQueue()
    queue.put("a")
    messages = await queue.receive(10, wait=0, visibility=3600)
    await asyncio.sleep(3000)
    assert await queue.extend(messages, 40_200) == [None]
    [failure] = await queue.extend(messages, 40_201)
    assert failure is not None
    assert not failure.lost


async def test_deleting_twice_is_no_failure() -> None:
    """As AWS has it; MiniStack refuses the second."""
    queue = FakeQueue()
    queue.put("a")
    messages = await queue.receive(10, wait=0, visibility=30)
    assert await queue.delete(messages) == [None]
    assert await queue.delete(messages) == [None]
    assert queue.deleted == ["message-1"]


async def test_a_double_has_the_same_id_and_a_life_of_its_own() -> None:
    queue = FakeQueue()
    queue.put("a", double_of=queue.put("a"))
    first, second = await queue.receive(10, wait=0, visibility=30)
    assert first.id == second.id
    assert await queue.delete([first]) == [None]
    assert await queue.extend([second], 60) == [None]


async def test_ordered_failures_come_as_often_as_ordered() -> None:
    queue = FakeQueue()
    queue.faults.fail_next("receive", Unavailable("down"), times=2)
    for _ in range(2):
        with pytest.raises(Unavailable, match="down"):
            await queue.receive(10, wait=0, visibility=30)
    assert await queue.receive(10, wait=0, visibility=30) == []
    assert queue.faults.calls["receive"] == 3


async def test_an_answer_may_be_lost_after_the_work_was_done() -> None:
    queue = FakeQueue()
    queue.faults.fail_next("send", Unavailable("no answer"), done=True)
    with pytest.raises(Unavailable, match="no answer"):
        await queue.send([Outgoing("arrived")])
    assert queue.bodies == ["arrived"]


async def test_single_entries_fail_when_ordered() -> None:
    queue = FakeQueue()
    failure = Failure(lost=False, text="InternalError")
    queue.fail_entries("send", failure)
    assert await queue.send([Outgoing("a"), Outgoing("b")]) == [failure, None]
    assert queue.bodies == ["b"]


async def test_an_outage_lasts_until_it_is_healed() -> None:
    queue = FakeQueue()
    queue.faults.fail("receive", Unavailable("down"))
    for _ in range(3):
        with pytest.raises(Unavailable):
            await queue.receive(10, wait=0, visibility=30)
    queue.faults.heal()
    assert await queue.receive(10, wait=0, visibility=30) == []


async def test_a_held_call_does_its_work_when_the_gate_opens() -> None:
    queue = FakeQueue()
    gate = queue.faults.hold("send")
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(queue.send([Outgoing("a")]))
        await asyncio.sleep(5)
        assert queue.bodies == []
        gate.set()
        assert await sending == [None]
    assert queue.bodies == ["a"]


async def test_a_test_can_wait_for_the_queue_to_be_empty() -> None:
    queue = FakeQueue()
    queue.put("a")

    async def drain() -> None:
        await asyncio.sleep(3)
        await queue.delete(await queue.receive(10, wait=0, visibility=30))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drain())
        await queue.until_empty(within=10)
    with pytest.raises(TimeoutError):
        await queue.until(lambda: len(queue.stored) == 1, within=10)

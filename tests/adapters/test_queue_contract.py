"""What the Queue port promises, run on the real adapter (against MiniStack) and on the fake (on virtual time)."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

import aioboto3
import pytest
from prometheus_client import CollectorRegistry

from tests.fakes.queue import FakeQueue
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.core.model import Message
from worker.core.queueing import Outgoing
from worker.metrics import Metrics
from worker.pipeline.ports import Queue


class Queues(NamedTuple):
    source: Queue
    dead_letters: Queue


Opening = Callable[..., AbstractAsyncContextManager[Queues]]


@asynccontextmanager
async def fake_queues(max_receive_count: int = 100) -> AsyncIterator[Queues]:
    dead_letters = FakeQueue()
    yield Queues(FakeQueue(max_receive_count, dead_letters), dead_letters)


@pytest.fixture(params=[pytest.param("fake", marks=pytest.mark.looptime), "ministack"])
def opened(request: pytest.FixtureRequest) -> Opening:
    """Opens a new queue and its dead-letter queue, in the test's own body, where virtual time begins."""
    if request.param == "fake":
        return fake_queues
    session: aioboto3.Session = request.getfixturevalue("aws")

    @asynccontextmanager
    async def sqs_queues(max_receive_count: int = 100) -> AsyncIterator[Queues]:
        async with open_queue_client(session) as client:
            name = uuid.uuid4().hex
            dead_url = (await client.create_queue(QueueName=f"{name}-dead"))["QueueUrl"]
            dead_letters = SqsQueue(client, dead_url, Metrics(CollectorRegistry()))
            redrive = {
                "deadLetterTargetArn": (await dead_letters.attributes())["QueueArn"],
                "maxReceiveCount": max_receive_count,
            }
            created = await client.create_queue(
                QueueName=name,
                Attributes={"RedrivePolicy": json.dumps(redrive)},
            )
            yield Queues(SqsQueue(client, created["QueueUrl"], Metrics(CollectorRegistry())), dead_letters)

    return sqs_queues


async def received(queue: Queue, count: int) -> list[Message]:
    """Exactly *count* messages, in as many receives as it takes, within ten seconds."""
    messages: list[Message] = []
    async with asyncio.timeout(10):
        while len(messages) < count:
            messages += await queue.receive(min(10, count - len(messages)), wait=5, visibility=30)
    return messages


async def sent(queue: Queue, *bodies: str) -> None:
    assert await queue.send([Outgoing(body) for body in bodies]) == [None] * len(bodies)


async def test_what_was_sent_is_received_with_its_body_and_attributes(opened: Opening) -> None:
    async with opened() as (queue, _):
        body = 'Grüße, "\u2028 \U0001f600\n'
        assert await queue.send([Outgoing(body, {"reason": "blocked", "detail": "Ünïcode"})]) == [None]
        [message] = await queue.receive(10, wait=5, visibility=30)
        assert (message.body, message.attributes) == (body, {"reason": "blocked", "detail": "Ünïcode"})
        assert message.receive_count == 1
        assert message.id
        assert message.handle


async def test_an_attribute_without_a_value_is_left_out(opened: Opening) -> None:
    async with opened() as (queue, _):
        assert await queue.send([Outgoing("body", {"reason": "blocked", "detail": ""})]) == [None]
        [message] = await queue.receive(10, wait=5, visibility=30)
        assert message.attributes == {"reason": "blocked"}


async def test_a_receive_brings_no_more_than_its_limit(opened: Opening) -> None:
    async with opened() as (queue, _):
        await sent(queue, "a", "b", "c")
        assert len(await queue.receive(2, wait=0, visibility=30)) == 2


async def test_an_empty_queue_answers_with_nothing_at_once_or_after_the_wait(opened: Opening) -> None:
    async with opened() as (queue, _):
        loop = asyncio.get_running_loop()
        assert await queue.receive(10, wait=0, visibility=30) == []
        started = loop.time()
        assert await queue.receive(10, wait=1, visibility=30) == []
        assert loop.time() - started == pytest.approx(1, abs=0.5)


async def test_a_long_poll_wakes_up_for_a_new_message(opened: Opening) -> None:
    async with opened() as (queue, _), asyncio.TaskGroup() as tasks:
        started = asyncio.get_running_loop().time()
        poll = tasks.create_task(queue.receive(10, wait=20, visibility=30))
        await sent(queue, "new")
        assert [message.body for message in await poll] == ["new"]
        assert asyncio.get_running_loop().time() - started < 10


async def test_a_message_nobody_deleted_comes_again_with_a_new_handle_and_a_higher_count(
    opened: Opening,
) -> None:
    """Law 2: only delete forgets a message."""
    async with opened() as (queue, _):
        await sent(queue, "again")
        [first] = await queue.receive(10, wait=5, visibility=1)
        assert await queue.receive(10, wait=0, visibility=1) == []
        [second] = await queue.receive(10, wait=5, visibility=1)
        assert (second.id, second.body, second.receive_count) == (first.id, "again", 2)
        assert second.handle != first.handle


async def test_a_deleted_message_does_not_come_again(opened: Opening) -> None:
    async with opened() as (queue, _):
        await sent(queue, "a")
        assert await queue.delete(await queue.receive(10, wait=5, visibility=1)) == [None]
        assert await queue.receive(10, wait=2, visibility=1) == []


async def test_a_message_given_back_comes_again_at_once(opened: Opening) -> None:
    async with opened() as (queue, _):
        await sent(queue, "back")
        assert await queue.extend(await queue.receive(10, wait=5, visibility=30), 0) == [None]
        [message] = await queue.receive(10, wait=5, visibility=30)
        assert message.receive_count == 2


async def test_an_extended_message_stays_away(opened: Opening) -> None:
    """Law 3."""
    async with opened() as (queue, _):
        await sent(queue, "kept")
        assert await queue.extend(await queue.receive(10, wait=5, visibility=1), 60) == [None]
        assert await queue.receive(10, wait=2, visibility=1) == []


async def test_a_handle_from_before_the_last_receive_is_lost(opened: Opening) -> None:
    """Law 3: a lost lease is told, never passed over."""
    async with opened() as (queue, _):
        await sent(queue, "again")
        [first] = await queue.receive(10, wait=5, visibility=1)
        [second] = await queue.receive(10, wait=5, visibility=1)
        [delete] = await queue.delete([first])
        [extension] = await queue.extend([first], 60)
        assert delete is not None
        assert delete.lost
        assert extension is not None
        assert extension.lost
        assert await queue.delete([second]) == [None]


async def test_batches_of_any_size_answer_one_result_per_entry_in_order(opened: Opening) -> None:
    async with opened() as (queue, _):
        await sent(queue, *[str(number) for number in range(25)])
        messages = await received(queue, 25)
        assert await queue.extend(messages, 60) == [None] * 25
        assert {message.body for message in messages} == {str(number) for number in range(25)}
        rubbish = Message("x", "no-handle", "", 1)
        results = await queue.delete([*messages[:12], rubbish, *messages[12:]])
        assert [place for place, result in enumerate(results) if result] == [12]
        assert await queue.receive(10, wait=2, visibility=1) == []


async def test_empty_batches_do_nothing(opened: Opening) -> None:
    async with opened() as (queue, _):
        assert await queue.extend([], 30) == []
        assert await queue.delete([]) == []
        assert await queue.send([]) == []


async def test_one_message_twice_in_a_batch_is_no_error_of_the_call(opened: Opening) -> None:
    """SQS may deliver one id twice, and both copies may be extended together."""
    async with opened() as (queue, _):
        await sent(queue, "a")
        [message] = await queue.receive(10, wait=5, visibility=30)
        assert await queue.extend([message, message], 60) == [None, None]


async def test_a_delayed_message_comes_after_its_delay(opened: Opening) -> None:
    async with opened() as (queue, _):
        started = asyncio.get_running_loop().time()
        assert await queue.send([Outgoing("later", delay=1)]) == [None]
        assert await queue.receive(10, wait=0, visibility=30) == []
        [message] = await queue.receive(10, wait=5, visibility=30)
        assert message.body == "later"
        assert asyncio.get_running_loop().time() - started >= 0.9


async def test_many_large_messages_go_out_in_as_many_requests_as_they_need(opened: Opening) -> None:
    """SQS takes 1 MiB in all per request, whatever the number of entries."""
    async with opened() as (queue, _):
        await sent(queue, *[letter * 400_000 for letter in "abcdef"])
        assert {message.body[0] for message in await received(queue, 6)} == set("abcdef")


async def test_a_message_that_sqs_cannot_carry_fails_alone(opened: Opening) -> None:
    async with opened() as (queue, _):
        messages = [
            Outgoing("a"),
            Outgoing("x" * 1_048_577),
            Outgoing("b"),
            Outgoing("\x00"),
            Outgoing("\udc80"),
        ]
        results = await queue.send(messages)
        assert [place for place, result in enumerate(results) if result] == [1, 3, 4]
        assert not any(result.lost for result in results if result)
        assert {message.body for message in await received(queue, 2)} == {"a", "b"}


async def test_a_message_received_too_often_moves_to_the_dead_letter_queue(opened: Opening) -> None:
    async with opened(max_receive_count=2) as (queue, dead_letters):
        await queue.send([Outgoing("poison", {"attempts": "3"})])
        assert [message.receive_count for message in await queue.receive(10, wait=5, visibility=1)] == [1]
        assert [message.receive_count for message in await queue.receive(10, wait=5, visibility=1)] == [2]
        assert await queue.receive(10, wait=2, visibility=1) == []
        [dead] = await dead_letters.receive(10, wait=5, visibility=1)
        assert (dead.body, dead.attributes) == ("poison", {"attempts": "3"})

"""Sends what is missing through the queue, as S3 would tell of it, for the running worker to register."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from prometheus_client import CollectorRegistry

from worker.adapters.aws_session import aws_session
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.commands.backfill_sending import SourceQueue
from worker.commands.reconcile_shown import Bars
from worker.commands.reconcile_store import Store
from worker.commands.reconcile_walk import steadily
from worker.commands.terminal import agreed
from worker.core.backfill import Room, depth
from worker.core.deadletters import BACKFILL
from worker.core.differences import Difference, Kind
from worker.core.errors import Unavailable
from worker.core.events import notification_of
from worker.core.queueing import Outgoing
from worker.core.reconciling import record_of
from worker.metrics import Metrics
from worker.opening import every_route
from worker.routes_file import Wanted
from worker.settings import Settings, SettingsError

SENT_AT_ONCE = 100
"""Ten calls of ten messages, side by side."""

LOOK_AGAIN = 10.0
"""Seconds."""

LOOKS = 180
"""For half an hour; a queue that is still as long then is not worked off."""

AGAIN = {"again": "true", BACKFILL: "true"}
"""A claim that says registered is not trusted, for Darwin does not hold the item; and what is new goes first."""


def refuse_to_ask() -> None:
    """Raises :class:`SettingsError` where nobody is there to be asked."""
    if not sys.stdin.isatty():
        raise SettingsError(["--enqueue asks before it sends, and nobody is there to be asked: add --yes"])


async def enqueue(store: Store, settings: Settings, wanted: Wanted, *, sure: bool) -> None:
    """One message for each missing item, while the queue is not long. *sure*: without asking.

    Raises :class:`Unavailable` where some were not sent; whoever reconciles again finds those that are missing still.
    """
    missing = store.counts().get(Kind.MISSING, 0)
    if not missing:
        print("Nothing is missing, and nothing was sent.", file=sys.stderr)
        return
    if not sure and not agreed(f"Send {missing:,} missing items to {settings.queue.url}?"):
        print("Nothing was sent.", file=sys.stderr)
        return
    events = {route.name: route.events[0] for route in every_route(wanted) if route.events}
    messages = (_message(each, events.get(each.route, "Put")) for each in store.differences(Kind.MISSING))
    room = Room(settings.quota.requests_per_minute, settings.batch.max_items)
    async with open_queue_client(aws_session()) as client:
        queue = SqsQueue(client, settings.queue.url, Metrics(CollectorRegistry()))
        with Bars() as bars:
            await send_all(queue, messages, room, bars.bar("sending what is missing"))
    print(f"{missing:,} missing items were sent to {settings.queue.url}.", file=sys.stderr)


async def send_all(
    queue: SourceQueue, messages: Iterator[Outgoing], room: Room, counted: Callable[[int], None]
) -> None:
    """While there is *room* in the queue; as :func:`enqueue`."""
    loop = asyncio.get_running_loop()
    while some := list(islice(messages, min(SENT_AT_ONCE, room.capacity))):
        await _until_there_is(room, len(some), queue)
        await _send(queue, some)
        room.sent(len(some), loop.time())
        counted(len(some))


def _message(difference: Difference, event: str) -> Outgoing:
    if difference.object is None:
        raise ValueError(f"what is missing has an object: {difference}")
    return Outgoing(notification_of(record_of(difference.object, difference.time, event)), AGAIN)


async def _until_there_is(room: Room, count: int, queue: SourceQueue) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(LOOKS):
        held = depth(await steadily(queue.attributes))
        if room.left(held, loop.time()) >= count:
            return
        await asyncio.sleep(LOOK_AGAIN)
    raise Unavailable(
        f"The queue has been too long for {LOOKS * LOOK_AGAIN / 60:g} minutes for what is missing to be sent: see that the "
        "worker runs, then reconcile again."
    )


async def _send(queue: SourceQueue, messages: Sequence[Outgoing]) -> None:
    left = list(messages)

    async def send() -> None:
        nonlocal left
        results = await queue.send(left)
        failed = [(message, result) for message, result in zip(left, results, strict=True) if result]
        left = [message for message, _ in failed]
        if failed:
            _, first = failed[0]
            raise Unavailable(
                f"SQS did not take {len(left)} messages: {first.text}. What was not sent is found when you reconcile again."
            )

    await steadily(send)

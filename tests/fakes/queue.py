"""An SQS standard queue in memory, on the event loop's clock, so it lives on virtual time.

It keeps what SQS promises and what SQS does not: a message may come twice, a cancelled poll swallows what it brings,
a stale handle is refused (AWS, which only ignores it, is kinder). tests/adapters/test_queue_contract.py holds it to
the same sentences as the real adapter.
"""

import asyncio
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.fakes.faults import Faults
from worker.core.model import Message
from worker.core.queueing import Failure, Outgoing

LONGEST_LEASE = 12 * 3600.0
LONGEST_DELAY = 900
LARGEST_MESSAGE = 1024 * 1024
UNSENDABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(eq=False)
class Stored:
    """One message in the queue. *visible_at* is on the loop's clock; *handle* is the newest one given out."""

    id: str
    body: str
    attributes: dict[str, str]
    visible_at: float
    receive_count: int = 0
    received_at: float = float("-inf")
    handle: str = ""


@dataclass(eq=False)
class _Poll:
    """One ReceiveMessage as the server sees it: it goes on when its client has gone away."""

    limit: int
    visibility: int
    ends_at: float
    answer: "asyncio.Future[list[Message]]"


class FakeQueue:
    """Implements the Queue port. With *dead_letters* and *max_receive_count*, a message that
    was received so many times moves there instead of being received again.

    *sent* is all that ever came by :meth:`send`, *deleted* the ids of all that was ever deleted, in order.
    """

    def __init__(
        self,
        max_receive_count: int | None = None,
        dead_letters: "FakeQueue | None" = None,
    ) -> None:
        self.faults = Faults()
        self.sent: list[Outgoing] = []
        self.deleted: list[str] = []
        self._max_receive_count = max_receive_count
        self._dead_letters = dead_letters
        self._stored: dict[Stored, None] = {}  # an ordered set
        self._handles: dict[str, Stored] = {}  # by the newest handle
        self._gone: set[str] = set()  # the newest handles of deleted messages
        self._polls: list[_Poll] = []
        self._entry_failures: dict[str, list[Failure]] = {}
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._numbers = itertools.count(1)

    # --- the port

    async def receive(self, limit: int, wait: float, visibility: int) -> list[Message]:
        assert 1 <= limit <= 10
        assert 0 <= wait <= 20
        async with self.faults.around("receive"):
            if (messages := self._take(limit, visibility)) or not wait:
                self._note_change()
                return messages
            poll = _Poll(limit, visibility, _now() + wait, asyncio.get_running_loop().create_future())
            self._polls.append(poll)
            self._note_change()
            try:
                # Shielded: a cancelled client leaves its poll behind, which then swallows messages.
                async with asyncio.timeout_at(poll.ends_at):
                    return await asyncio.shield(poll.answer)
            except TimeoutError:
                return poll.answer.result() if poll.answer.done() else []

    async def extend(self, messages: Sequence[Message], seconds: int) -> list[Failure | None]:
        async with self.faults.around("extend"):
            results = [self._failure_of("extend") or self._extend(message, seconds) for message in messages]
            self._serve()
            return results

    async def delete(self, messages: Sequence[Message]) -> list[Failure | None]:
        async with self.faults.around("delete"):
            results = [self._failure_of("delete") or self._delete(message) for message in messages]
            self._serve()
            return results

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]:
        async with self.faults.around("send"):
            results = [self._failure_of("send") or self._send(message) for message in messages]
            self._serve()
            return results

    # --- what tests do and see

    def put(
        self,
        body: str,
        attributes: Mapping[str, str] | None = None,
        *,
        double_of: str | None = None,
        receive_count: int = 0,
    ) -> str:
        """Put a message in, seen *receive_count* times before, and answer its id. A double has the id of another."""
        message_id = self._store(body, attributes, double_of, receive_count)
        self._serve()
        return message_id

    def put_with_double(self, body: str) -> None:
        """Put a message in that one receive may bring twice."""
        self._store(body, double_of=self._store(body))
        self._serve()

    def purge(self) -> None:
        """Forget every message, those in flight too."""
        self._stored.clear()

    def fail_entries(self, call: str, failure: Failure, times: int = 1) -> None:
        """Let the next *times* entries of that batch call fail with *failure*."""
        self._entry_failures.setdefault(call, []).extend([failure] * times)

    @property
    def stored(self) -> list[Stored]:
        """All messages in the queue: visible, in flight and delayed."""
        return list(self._stored)

    @property
    def bodies(self) -> list[str]:
        return [stored.body for stored in self._stored]

    @property
    def in_flight(self) -> list[Stored]:
        now = _now()
        return [stored for stored in self._stored if stored.handle and stored.visible_at > now]

    @property
    def visible(self) -> list[Stored]:
        now = _now()
        return [stored for stored in self._stored if stored.visible_at <= now]

    async def until(self, condition: Callable[[], bool], within: float = 60.0) -> None:
        """Wait until *condition* holds, looking again after every change of this queue and every second;
        TimeoutError otherwise.
        """
        async with asyncio.timeout(within):
            while not condition():
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await self._changed.wait()

    async def until_empty(self, within: float = 60.0) -> None:
        await self.until(lambda: not self._stored, within)

    # --- the workings

    def _store(
        self,
        body: str,
        attributes: Mapping[str, str] | None = None,
        double_of: str | None = None,
        receive_count: int = 0,
    ) -> str:
        message_id = double_of or f"message-{next(self._numbers)}"
        stored = Stored(message_id, body, dict(attributes or {}), _now(), receive_count)
        self._stored[stored] = None
        return message_id

    def _serve(self) -> None:
        """Answer the polls that can be answered."""
        now = _now()
        for poll in list(self._polls):
            if poll.answer.done() or poll.ends_at <= now:
                self._polls.remove(poll)
            elif messages := self._take(poll.limit, poll.visibility):
                poll.answer.set_result(messages)
                self._polls.remove(poll)
        self._note_change()

    def _note_change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        now = _now()
        hidden = (
            [stored.visible_at for stored in self._stored if stored.visible_at > now] if self._polls else []
        )
        if hidden:
            # A timer may fire a tick of the clock early; set for the same instant again, it would never let time go on.
            at = max(min(hidden), now + 0.001)
            self._timer = asyncio.get_running_loop().call_at(at, self._serve)

    def _take(self, limit: int, visibility: int) -> list[Message]:
        """Receive up to *limit* of the visible messages, and move those whose receives are used up."""
        taken: list[Message] = []
        for stored in self.visible:
            if self._dead_letters is not None and stored.receive_count == self._max_receive_count:
                self._remove(stored)
                self._dead_letters.put(stored.body, stored.attributes, double_of=stored.id)
            elif len(taken) < limit:
                taken.append(self._deliver(stored, visibility))
        return taken

    def _deliver(self, stored: Stored, visibility: int) -> Message:
        stored.received_at = _now()
        stored.visible_at = stored.received_at + visibility
        stored.receive_count += 1
        self._handles.pop(stored.handle, None)
        stored.handle = f"{stored.id}/{next(self._numbers)}"
        self._handles[stored.handle] = stored
        return Message(stored.id, stored.handle, stored.body, stored.receive_count, dict(stored.attributes))

    def _extend(self, message: Message, seconds: int) -> Failure | None:
        stored = self._handles.get(message.handle)
        if stored is None:
            return Failure(lost=True, text="ReceiptHandleIsInvalid: the message is not ours any more")
        if stored.visible_at <= _now():
            return Failure(lost=True, text="MessageNotInflight: the visibility time has ended")
        if _now() + seconds > stored.received_at + LONGEST_LEASE:
            return Failure(lost=False, text="InvalidParameterValue: beyond the limit of 43200 seconds")
        stored.visible_at = _now() + seconds
        return None

    def _delete(self, message: Message) -> Failure | None:
        if message.handle in self._gone:
            return None
        stored = self._handles.get(message.handle)
        if stored is None:
            return Failure(lost=True, text="ReceiptHandleIsInvalid: the message is not ours any more")
        self._remove(stored)
        self._gone.add(message.handle)
        self.deleted.append(stored.id)
        return None

    def _send(self, message: Outgoing) -> Failure | None:
        if not 0 <= message.delay <= LONGEST_DELAY:
            return Failure(lost=False, text=f"InvalidParameterValue: a delay of {message.delay} seconds")
        texts = [message.body, *message.attributes, *message.attributes.values()]
        if any(UNSENDABLE.search(text) for text in texts):
            return Failure(lost=False, text="the message has characters that SQS does not carry")
        if sum(len(text.encode()) for text in texts) > LARGEST_MESSAGE:
            return Failure(lost=False, text="the message is larger than 1 MiB")
        self.sent.append(message)
        attributes = {name: value for name, value in message.attributes.items() if value}
        id_ = f"message-{next(self._numbers)}"
        self._stored[Stored(id_, message.body, attributes, visible_at=_now() + message.delay)] = None
        return None

    def _remove(self, stored: Stored) -> None:
        del self._stored[stored]
        self._handles.pop(stored.handle, None)

    def _failure_of(self, call: str) -> Failure | None:
        failures = self._entry_failures.get(call)
        return failures.pop(0) if failures else None


def _now() -> float:
    return asyncio.get_running_loop().time()

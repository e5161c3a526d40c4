"""What an operator does with the dead-letter queue: to look, to replay, to purge.

The rules that hold here: what is received is in our hands, its lease is extended until we are done with it, and then it is
given back at once, also when we are interrupted or fail; a message is deleted only after it was sent, or because it was
chosen for that; and no call under way is cancelled, for a cancelled poll swallows messages, and of a cancelled send nobody
knows. Who dies between the send and the delete leaves a letter in both queues, which is harmless: the ledger makes a
duplicate of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from worker.core.errors import OutsideError, Unavailable
from worker.core.letters import Letter, Parcel, letter_of
from worker.core.model import Message
from worker.pipeline.ports import Queue

MOST = 50_000
"""Letters that are looked at; SQS lets 120,000 messages be in flight."""

MOST_CHARACTERS = 256 * 2**20
"""Of all bodies in hand: a message may be a thousand times as large as S3's own."""

FULL = 10
POLLS_AT_ONCE = 10
WAIT = 1
"""Seconds: a poll that waits asks all of SQS's servers, and its empty answer means something."""

EMPTY_IN_A_ROW = 3
"""Empty answers that end a look, where SQS counts more than were found; otherwise one does."""

LEASE = 90
"""Seconds: for so long a look that was killed hides its letters. What has less than half of it left is extended."""

KEEP_EVERY = 5.0
"""Seconds between two looks at the leases while a replay waits for its next turn."""

CALL = 25.0
"""Seconds of a lease that must be left to send and delete: what has less is not ours any more."""

LOOK_SECONDS = 600.0

BATCH = 100
"""Messages that are sent or deleted at once, at most."""

T = TypeVar("T")
Choose = Callable[["Look"], Sequence[Parcel]]


@dataclass(frozen=True)
class Look:
    """What was seen of the queue. *sampled*: there may be more than were looked at. *counted*: the messages that SQS said
    could be had when the look began, *hidden* those that others held then; both approximate, None where SQS was not asked.
    """

    letters: list[Letter] = field(default_factory=list)
    sampled: bool = False
    counted: int | None = None
    hidden: int | None = None


@dataclass
class Done:
    """How far it came, in letters, folded. *left*: sent, or meant to be deleted, but still there; *lost*: not in our hands
    any more when their turn came, so nothing was done; *refused*: SQS did not take them, and why.
    """

    sent: int = 0
    deleted: int = 0
    left: int = 0
    lost: int = 0
    refused: list[tuple[Letter, str]] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not (self.left or self.lost or self.refused)


def _unseen(_number: int) -> None:
    """Nobody watches."""


class DeadLetters:
    """The dead-letter queue. *attributes*, where given, asks SQS for the queue's attributes. All methods raise
    :class:`~worker.core.errors.OutsideError`, and nothing is lost then.
    """

    def __init__(
        self, queue: Queue, attributes: Callable[[], Awaitable[Mapping[str, str]]] | None = None
    ) -> None:
        self._queue = queue
        self._attributes = attributes

    async def look(self, most: int = MOST, seen: Callable[[int], None] = _unseen) -> Look:
        """All letters, unfolded, up to *most* or a little more; every message has been given back. *seen* is told the
        number of letters so far.
        """
        async with self._held(most, seen) as (_, look):
            return look

    async def replay(
        self,
        source: Queue,
        choose: Choose,
        per_minute: float,
        done: Done,
        *,
        seen: Callable[[int], None] = _unseen,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        """Send what *choose* takes of a look into *source*, *per_minute* records a minute, each before it is deleted here.
        *done* is kept up to date, also where this ends early; *step* is called after each change of it.
        """
        async with self._held(MOST, seen) as (hand, look):
            chosen = choose(look)
            await hand.give_back_all_but(message for parcel in chosen for message in parcel.messages)
            loop = asyncio.get_running_loop()
            turn = loop.time()
            size = max(1, min(BATCH, int(per_minute // 60)))
            for start in range(0, len(chosen), size):
                batch = chosen[start : start + size]
                await hand.keep()
                while (wait := turn - loop.time()) > 0:
                    await asyncio.sleep(min(wait, KEEP_EVERY))
                    await hand.keep()
                await _to_its_end(_send(batch, source, hand, done))
                turn += _count(batch) * 60 / per_minute
                step()

    async def purge(
        self,
        choose: Choose,
        done: Done,
        *,
        seen: Callable[[int], None] = _unseen,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        """Delete what *choose* takes of a look. *done* and *step* as in :meth:`replay`."""
        async with self._held(MOST, seen) as (hand, look):
            chosen = choose(look)
            await hand.give_back_all_but(message for parcel in chosen for message in parcel.messages)
            for start in range(0, len(chosen), BATCH):
                await hand.keep()
                ours = _ours(chosen[start : start + BATCH], hand, done)
                await _to_its_end(_delete(ours, hand, done))
                step()

    @asynccontextmanager
    async def _held(self, most: int, seen: Callable[[int], None]) -> AsyncIterator[tuple["_Hand", Look]]:
        """What was looked at, in our hands; what is left in them at the end is given back."""
        hand = _Hand(self._queue)
        try:
            yield hand, await self._look(hand, most, seen)
        finally:
            # What SQS does not take back now, it takes back when the lease ends.
            with suppress(OutsideError):
                await _to_its_end(hand.give_back_all_but(()))

    async def _look(self, hand: "_Hand", most: int, seen: Callable[[int], None]) -> Look:
        counted, hidden = await self._counts()
        letters: list[Letter] = []
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOK_SECONDS
        characters = messages = empty = 0
        polls = 1
        while len(letters) <= most and characters <= MOST_CHARACTERS and loop.time() < until:
            received = await _to_its_end(hand.receive(polls))
            messages += len(received)
            characters += sum(len(message.body) for message in received)
            letters += [letter for message in received for letter in letter_of(message)]
            seen(len(letters))
            empty = 0 if received else empty + 1
            if empty == EMPTY_IN_A_ROW or (empty and counted is not None and messages >= counted):
                return Look(letters, sampled=False, counted=counted, hidden=hidden)
            polls = min(POLLS_AT_ONCE, 2 * polls) if received else 1
            await hand.keep()
        return Look(letters, sampled=True, counted=counted, hidden=hidden)

    async def _counts(self) -> tuple[int | None, int | None]:
        if self._attributes is None:
            return None, None
        told = await self._attributes()
        visible, hidden = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
        return int(told.get(visible, 0)), int(told.get(hidden, 0))


class _Hand:
    """The messages that we hold, each with the time on the loop's clock until which it is ours."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._held: dict[str, tuple[Message, float]] = {}

    def holds(self, messages: Sequence[Message]) -> bool:
        """Whether they are all ours for long enough to do something with them."""
        least = asyncio.get_running_loop().time() + CALL
        return all(self._held.get(message.handle, (message, 0.0))[1] >= least for message in messages)

    async def receive(self, polls: int) -> list[Message]:
        """What so many polls bring. Where one of them fails, what the others brought is in hand all the same."""
        until = asyncio.get_running_loop().time() + LEASE
        answers = await asyncio.gather(
            *(self._queue.receive(FULL, WAIT, LEASE) for _ in range(polls)), return_exceptions=True
        )
        received = [message for answer in answers if isinstance(answer, list) for message in answer]
        self._held |= {message.handle: (message, until) for message in received}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return received

    async def keep(self) -> None:
        """Extend what needs it. Where SQS does not answer, the next call tries again."""
        now = asyncio.get_running_loop().time()
        due = [message for message, until in self._held.values() if until - now < LEASE / 2]
        if not due:
            return
        try:
            results = await self._queue.extend(due, LEASE)
        except Unavailable:
            return
        for message, failure in zip(due, results, strict=True):
            if failure is None:
                self._held[message.handle] = (message, now + LEASE)
            elif failure.lost:
                del self._held[message.handle]

    async def delete(self, messages: Sequence[Message]) -> set[str]:
        """The handles of those that are gone from the queue."""
        results = await self._queue.delete(messages)
        gone = {message.handle for message, failure in zip(messages, results, strict=True) if failure is None}
        for handle in gone:
            self._held.pop(handle, None)
        return gone

    async def give_back_all_but(self, messages: Iterable[Message]) -> None:
        kept = {message.handle for message in messages}
        back = [message for handle, (message, _) in self._held.items() if handle not in kept]
        if back:
            await self._queue.extend(back, 0)
        for message in back:
            del self._held[message.handle]


async def _send(parcels: Sequence[Parcel], source: Queue, hand: _Hand, done: Done) -> None:
    """Send them, and only then delete what was sent."""
    ours = _ours(parcels, hand, done)
    results = await source.send([parcel.outgoing for parcel in ours])
    for parcel, failure in zip(ours, results, strict=True):
        if failure is not None:
            done.refused.append((parcel.letters[0], failure.text))
    sent = [parcel for parcel, failure in zip(ours, results, strict=True) if failure is None]
    done.sent += _count(sent)
    await _delete(sent, hand, done)


async def _delete(parcels: Sequence[Parcel], hand: _Hand, done: Done) -> None:
    done.left += _count(parcels)
    gone = await hand.delete([message for parcel in parcels for message in parcel.messages])
    deleted = _count(
        [parcel for parcel in parcels if all(message.handle in gone for message in parcel.messages)]
    )
    done.left -= deleted
    done.deleted += deleted


def _ours(parcels: Sequence[Parcel], hand: _Hand, done: Done) -> list[Parcel]:
    ours = [parcel for parcel in parcels if hand.holds(parcel.messages)]
    done.lost += _count(parcels) - _count(ours)
    return ours


def _count(parcels: Iterable[Parcel]) -> int:
    return sum(len(parcel.letters) for parcel in parcels)


async def _to_its_end(work: Coroutine[None, None, T]) -> T:
    """Who is cancelled meanwhile waits for its end, and is cancelled then. It ends: every call to a queue does."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()
        raise

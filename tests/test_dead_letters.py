"""Looking, replaying and purging over the Queue port, on virtual time, and interrupted at every step."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.core.bodies import s3_body, s3_record
from tests.fakes.queue import FakeQueue
from worker.core.errors import Refused, Unavailable
from worker.core.letters import Parcel, Wanted, parcels, with_any
from worker.core.model import Message
from worker.core.patterns import compile_glob
from worker.core.queueing import Failure, Outgoing
from worker.dead_letters import DeadLetters, Done, Look

pytestmark = pytest.mark.looptime

WRITTEN = {
    "reason": "upload_failed",
    "outcome": "blocked",
    "dataset": "intake",
    "first_seen": "2031-02-01T09:00:00Z",
    "attempts": "3",
}
REPLAYED = {"again": "true", "attempts": "3", "first_seen": "2031-02-01T09:00:00Z"}
FAST = 6000.0


def body(number: int) -> str:
    return s3_body(s3_record(f"{number}.png"))


def filled(count: int) -> FakeQueue:
    queue = FakeQueue()
    for number in range(count):
        queue.put(body(number), WRITTEN)
    return queue


def everything(look: Look) -> list[Parcel]:
    return parcels(look.letters)


async def replayed(
    letters: FakeQueue,
    source: FakeQueue,
    choose: Callable[[Look], Sequence[Parcel]] = everything,
    per_minute: float = FAST,
) -> Done:
    done = Done()
    await DeadLetters(letters).replay(source, choose, per_minute, done)
    return done


# -- looking


async def test_a_look_sees_every_letter_and_gives_every_message_back() -> None:
    queue = filled(137)
    look = await DeadLetters(queue).look()
    assert sorted(letter.key for letter in look.letters) == sorted(f"{number}.png" for number in range(137))
    assert not look.sampled
    assert len(queue.visible) == 137
    assert {stored.receive_count for stored in queue.stored} == {1}


async def test_a_look_at_more_than_it_may_hold_is_a_sample_and_gives_back_as_well() -> None:
    queue = filled(200)
    look = await DeadLetters(queue).look(most=50)
    assert look.sampled
    assert 50 < len(look.letters) < 200
    assert len(queue.visible) == 200


async def test_as_many_letters_as_a_look_may_hold_are_no_sample() -> None:
    look = await DeadLetters(filled(50)).look(most=50)
    assert not look.sampled
    assert len(look.letters) == 50


async def test_what_sqs_counts_and_what_others_hold_is_told() -> None:
    queue = filled(3)

    async def attributes() -> Mapping[str, str]:
        return {"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "7"}

    look = await DeadLetters(queue, attributes).look()
    assert (len(look.letters), look.counted, look.hidden) == (3, 3, 7)


@dataclass
class Forgetful(FakeQueue):
    """Some of its answers are empty although there is something, as SQS's are."""

    empty: set[int]
    asked: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def receive(self, limit: int, wait: float, visibility: int) -> list[Message]:
        self.asked += 1
        return [] if self.asked in self.empty else await super().receive(limit, wait, visibility)


async def test_empty_answers_in_a_row_do_not_end_a_look_while_sqs_counts_more() -> None:
    queue = Forgetful({1, 2, 4})
    for number in range(12):
        queue.put(body(number), WRITTEN)

    async def attributes() -> Mapping[str, str]:
        return {"ApproximateNumberOfMessages": "12"}

    assert len((await DeadLetters(queue, attributes).look()).letters) == 12


async def test_a_look_that_takes_longer_than_a_lease_extends_it() -> None:
    """Or it would see the first messages again."""
    queue = filled(400)
    queue.faults.seconds["receive"] = 20
    look = await DeadLetters(queue).look()
    assert len(look.letters) == 400
    assert {stored.receive_count for stored in queue.stored} == {1}
    assert len(queue.visible) == 400


async def test_a_look_that_fails_gives_back_what_its_other_polls_brought() -> None:
    queue = filled(100)
    queue.faults.fail_next("receive", Unavailable("no answer"))
    with pytest.raises(Unavailable, match="no answer"):
        await DeadLetters(queue).look()
    queue.faults.fail_next("receive", Unavailable("the answer was lost"), done=True)
    with pytest.raises(Unavailable):
        await DeadLetters(queue).look()
    assert len(queue.visible) == 90, "the ten of the lost answer come back when their lease ends"
    await asyncio.sleep(90)
    assert len(queue.visible) == 100


async def test_a_look_that_is_broken_off_gives_back_what_its_poll_under_way_brings() -> None:
    """A poll that is cancelled would swallow it."""
    queue = FakeQueue()
    looking = asyncio.create_task(DeadLetters(queue).look())
    await asyncio.sleep(0.5)
    looking.cancel()
    await asyncio.sleep(0.25)
    queue.put(body(1), WRITTEN)
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert [stored.receive_count for stored in queue.visible] == [1]


# -- replaying


async def test_a_replay_sends_each_letter_with_its_history_and_deletes_it() -> None:
    letters, source = filled(25), FakeQueue()
    done = await replayed(letters, source)
    assert letters.stored == []
    assert sorted(source.bodies) == sorted(body(number) for number in range(25))
    assert all(sent == Outgoing(sent.body, REPLAYED) for sent in source.sent)
    assert done == Done(sent=25, deleted=25)
    assert done.whole


async def test_doubles_are_sent_once_and_all_deleted() -> None:
    letters, source = filled(3), FakeQueue()
    letters.put(body(1), WRITTEN | {"attempts": "9"})
    done = await replayed(letters, source)
    assert letters.stored == []
    assert len(source.sent) == 3
    assert {sent.attributes["attempts"] for sent in source.sent if sent.body == body(1)} == {"9"}
    assert done == Done(sent=3, deleted=3)


async def test_a_message_of_several_records_is_sent_and_deleted_as_a_whole() -> None:
    letters, source = FakeQueue(), FakeQueue()
    several = s3_body(s3_record("a.png"), s3_record("b.jpg"))
    letters.put(several)
    only_a = Wanted(key=compile_glob("a.*"))
    done = await replayed(letters, source, lambda look: with_any(only_a, parcels(look.letters)))
    assert (source.bodies, letters.stored) == ([several], [])
    assert done == Done(sent=2, deleted=2)


async def test_what_is_not_chosen_may_be_had_by_others_while_the_rest_is_sent() -> None:
    letters, source = filled(10), FakeQueue()
    only_3_and_6 = Wanted(key=compile_glob("[36].png"))
    replaying = asyncio.create_task(
        replayed(letters, source, lambda look: with_any(only_3_and_6, parcels(look.letters)), per_minute=1)
    )
    await letters.until(lambda: len(letters.stored) == 9)
    assert (len(letters.visible), len(letters.in_flight)) == (8, 1)
    await replaying
    assert sorted(source.bodies) == [body(3), body(6)]
    assert len(letters.visible) == 8


async def test_a_replay_is_no_faster_than_it_may_be_and_keeps_what_it_holds() -> None:
    letters, source = filled(40), FakeQueue()
    replaying = asyncio.create_task(replayed(letters, source, per_minute=10))
    loop = asyncio.get_running_loop()
    await source.until(lambda: len(source.sent) == 1)
    began = loop.time()
    for minute in (1, 2, 3):
        await asyncio.sleep(began + 60 * minute + 3 - loop.time())
        assert len(source.sent) == 10 * minute + 1
        assert len(letters.in_flight) == 40 - len(source.sent)
    await replaying
    assert (len(source.sent), len(letters.stored)) == (40, 0)


async def test_what_waits_longer_than_a_lease_for_its_turn_stays_in_our_hands() -> None:
    letters, source = FakeQueue(), FakeQueue()
    letters.put(s3_body(*(s3_record(f"{number}.png") for number in range(5))))
    letters.put(body(7), WRITTEN)
    letters.put(body(8), WRITTEN)
    done = await replayed(letters, source, per_minute=1)
    assert done == Done(sent=7, deleted=7)


async def test_what_waits_while_others_are_slowly_sent_stays_in_our_hands() -> None:
    letters, source = filled(800), FakeQueue()
    source.faults.seconds["send"] = 20
    done = await replayed(letters, source)
    assert done == Done(sent=800, deleted=800)


async def test_what_came_out_of_our_hands_is_not_sent() -> None:
    letters, source = filled(2), FakeQueue()
    letters.fail_entries("extend", Failure(lost=True, text="ReceiptHandleIsInvalid"))
    done = await replayed(letters, source, per_minute=1)
    assert done == Done(sent=1, deleted=1, lost=1)
    assert not done.whole
    assert len(letters.stored) == 1


async def test_what_the_source_queue_refuses_stays_a_dead_letter() -> None:
    letters, source = filled(3), FakeQueue()
    source.fail_entries("send", Failure(lost=False, text="InvalidMessageContents"))
    done = await replayed(letters, source)
    assert [why for _, why in done.refused] == ["InvalidMessageContents"]
    assert (done.sent, done.deleted, done.whole) == (2, 2, False)
    assert len(letters.visible) == 1


async def test_what_was_sent_and_could_not_be_deleted_is_told() -> None:
    letters, source = filled(3), FakeQueue()
    letters.fail_entries("delete", Failure(lost=False, text="InternalError"))
    done = await replayed(letters, source)
    assert done == Done(sent=3, deleted=2, left=1)
    assert len(letters.visible) == 1


async def test_where_deleting_is_forbidden_it_says_so_after_the_first_batch() -> None:
    letters, source = filled(300), FakeQueue()
    letters.faults.fail("delete", Refused("AccessDenied"))
    done = Done()
    with pytest.raises(Refused):
        await DeadLetters(letters).replay(source, everything, FAST, done)
    assert done == Done(sent=100, left=100)
    assert len(letters.visible) == 300


# -- interrupted at every step


class Killed(Exception):
    """What a process sees of SIGKILL: nothing any more."""


@dataclass
class Trap:
    """Something happens at the call of this number, counted over both queues; *killed*: no call is made from then on."""

    at: int
    spring: Callable[[], None] = lambda: None
    before: Exception | None = None
    after: Exception | None = None
    killed: bool = False
    calls: int = 0
    log: list[str] = field(default_factory=list)


class Wired:
    """A queue behind a trap. Nothing is deleted here that was not sent there."""

    def __init__(self, queue: FakeQueue, trap: Trap, source: FakeQueue | None = None) -> None:
        self._queue = queue
        self._trap = trap
        self._source = source

    async def receive(self, limit: int, wait: float, visibility: int) -> list[Message]:
        self._begin("receive")
        received = await self._queue.receive(limit, wait, visibility)
        self._end()
        return received

    async def extend(self, messages: Sequence[Message], seconds: int) -> list[Failure | None]:
        self._begin("extend")
        results = await self._queue.extend(messages, seconds)
        self._end()
        return results

    async def delete(self, messages: Sequence[Message]) -> list[Failure | None]:
        self._begin("delete")
        if self._source is not None:
            assert {message.body for message in messages} <= {sent.body for sent in self._source.sent}
        results = await self._queue.delete(messages)
        self._end()
        return results

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]:
        self._begin("send")
        results = await self._queue.send(messages)
        self._end()
        return results

    def _begin(self, call: str) -> None:
        trap = self._trap
        trap.calls += 1
        trap.log.append(call)
        if trap.killed and trap.calls > trap.at:
            raise Killed
        if trap.calls == trap.at:
            trap.spring()
            if trap.before is not None:
                raise trap.before

    def _end(self) -> None:
        if self._trap.calls == self._trap.at and self._trap.after is not None:
            raise self._trap.after


COUNT = 13
ALL = {body(number) for number in range(COUNT)}


def two_queues() -> tuple[FakeQueue, FakeQueue]:
    """13 letters, two of them twice; each call takes its time."""
    letters, source = filled(COUNT), FakeQueue()
    letters.put(body(4), WRITTEN)
    letters.put(body(11), WRITTEN)
    for queue in (letters, source):
        for call in ("receive", "extend", "delete", "send"):
            queue.faults.seconds[call] = 0.25
    return letters, source


async def replay_into(letters: FakeQueue, source: FakeQueue, trap: Trap) -> None:
    """In batches of five, with pauses in which nothing is under way."""
    await DeadLetters(Wired(letters, trap, source)).replay(Wired(source, trap), everything, 300, Done())


async def steps() -> int:
    """The calls of a replay that nothing interrupts."""
    letters, source = two_queues()
    trap = Trap(0)
    await replay_into(letters, source, trap)
    assert (letters.stored, set(source.bodies)) == ([], ALL)
    assert trap.log.count("send") == trap.log.count("delete") == 3
    return trap.calls


async def check_and_repeat(letters: FakeQueue, source: FakeQueue) -> None:
    """Nothing was lost; and to replay again brings everything to its end."""
    assert set(letters.bodies) | set(source.bodies) == ALL
    await replay_into(letters, source, Trap(0))
    assert letters.stored == []
    assert set(source.bodies) == ALL


@pytest.mark.parametrize("answered", [False, True])
async def test_a_replay_whose_call_fails_at_any_step_loses_nothing(*, answered: bool) -> None:
    error = Unavailable("no answer")
    for step in range(1, await steps() + 1):
        letters, source = two_queues()
        trap = Trap(step, after=error) if answered else Trap(step, before=error)
        try:
            await replay_into(letters, source, trap)
        except Unavailable:
            # A poll without its answer, or a message that could not be given back, is hidden until its lease ends.
            await asyncio.sleep(90)
        assert letters.in_flight == []
        await check_and_repeat(letters, source)


async def test_a_replay_that_is_broken_off_at_any_step_loses_nothing_and_hides_nothing() -> None:
    for step in range(1, await steps() + 1):
        letters, source = two_queues()
        trap = Trap(step)
        replaying = asyncio.create_task(replay_into(letters, source, trap))
        trap.spring = replaying.cancel  # type: ignore[assignment]  # what it answers is of no interest
        with pytest.raises(asyncio.CancelledError):
            await replaying
        assert letters.in_flight == []
        assert not set(letters.bodies) & set(source.bodies), "what was sent is deleted first"
        await check_and_repeat(letters, source)


async def test_a_replay_that_is_broken_off_in_a_pause_gives_the_rest_back_at_once() -> None:
    letters, source = two_queues()
    replaying = asyncio.create_task(replay_into(letters, source, Trap(0)))
    await source.until(lambda: len(source.sent) == 5)
    await asyncio.sleep(0.5)
    replaying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replaying
    assert letters.in_flight == []
    await check_and_repeat(letters, source)


async def test_a_replay_that_is_killed_at_any_step_loses_nothing() -> None:
    for step in range(1, await steps() + 1):
        letters, source = two_queues()
        with pytest.raises((Killed, Unavailable)):
            await replay_into(letters, source, Trap(step, after=Unavailable("killed"), killed=True))
        await asyncio.sleep(90)
        assert letters.in_flight == [], "its leases have ended"
        await check_and_repeat(letters, source)


# -- purging


async def test_a_purge_deletes_what_is_chosen_and_nothing_else() -> None:
    letters = filled(250)
    done = Done()
    only_1 = Wanted(key=compile_glob("1*.png"))
    await DeadLetters(letters).purge(lambda look: with_any(only_1, parcels(look.letters)), done)
    assert done == Done(deleted=111)
    assert len(letters.visible) == 139
    assert not [each for each in letters.bodies if '"key": "1' in each]


async def test_a_purge_whose_choice_fails_deletes_nothing() -> None:
    """As when the disk is full that the letters are to be exported to."""
    letters = filled(3)

    def fail(_: Look) -> list[Parcel]:
        raise Refused("no space left on device")

    with pytest.raises(Refused):
        await DeadLetters(letters).purge(fail, Done())
    assert len(letters.visible) == 3


async def test_a_purge_that_is_broken_off_gives_back_what_it_has_not_deleted() -> None:
    letters = filled(250)
    letters.faults.seconds["delete"] = 5
    done = Done()
    purging = asyncio.create_task(DeadLetters(letters).purge(everything, done))
    await letters.until(lambda: letters.faults.calls["delete"] == 2)
    purging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await purging
    assert done == Done(deleted=200)
    assert len(letters.visible) == 50

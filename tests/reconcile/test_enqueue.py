"""Sending what is missing: in batches, while the queue is short, until SQS has all of it."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence

import pytest

from worker.commands.reconcile_enqueue import AGAIN, enqueue, send_all
from worker.commands.reconcile_store import Store, open_store_of_both
from worker.core.backfill import Room
from worker.core.deadletters import read_history
from worker.core.differences import Difference, Kind
from worker.core.errors import Unavailable
from worker.core.model import Identity, Message, S3Object
from worker.core.queueing import Failure, Outgoing
from worker.core.routes import Fallback
from worker.routes_file import Wanted
from worker.settings import load_settings

SETTINGS = load_settings(
    {
        "WORKER_QUEUE__URL": "https://sqs.eu-west-1.amazonaws.com/000000000000/events",
        "DARWIN_API_KEY": "abcdefg.0123456789abcdef0123456789abcdef",
        "DARWIN_TEAM": "acme",
        "WORKER_DARWIN__DATASET": "intake",
        "WORKER_DARWIN__STORAGE": "media",
    }
)


class Queue:
    """*held*: what it holds at each look, the last one for ever. *fails*: so many entries fail in each of the first calls."""

    def __init__(self, *held: int, fails: Sequence[int] = ()) -> None:
        self._held = list(held)
        self._fails = list(fails)
        self.calls = list[int]()
        self.taken = list[Outgoing]()
        self.looks = 0

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]:
        self.calls.append(len(messages))
        failing = self._fails.pop(0) if self._fails else 0
        self.taken += messages[failing:]
        failures: list[Failure | None] = [Failure(lost=False, text="InternalError")] * failing
        return failures + [None] * (len(messages) - failing)

    async def attributes(self) -> Mapping[str, str]:
        self.looks += 1
        held = self._held[min(self.looks, len(self._held)) - 1]
        return {"ApproximateNumberOfMessages": str(held)}


def messages(count: int) -> Iterator[Outgoing]:
    return (Outgoing(str(number), AGAIN) for number in range(count))


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store_of_both() as store:
        yield store


def test_the_attributes_say_that_a_claim_is_not_trusted_and_that_what_is_new_goes_first() -> None:
    history = read_history(Message("1", "h", "{}", 1, AGAIN))
    assert (history.again, history.backfill) == (True, True)


@pytest.mark.looptime
async def test_messages_go_in_full_batches_and_are_counted() -> None:
    queue, counted = Queue(0), list[int]()
    await send_all(queue, messages(250), Room(100, 100), counted.append)
    assert queue.calls == counted == [100, 100, 50]
    assert [message.body for message in queue.taken] == [str(number) for number in range(250)]


@pytest.mark.looptime
async def test_a_long_queue_is_waited_for(looptime: float) -> None:
    queue = Queue(50_000, 49_950, 49_000)
    await send_all(queue, messages(60), Room(100, 100), lambda _: None)
    assert queue.looks == 3
    assert looptime == 20


@pytest.mark.looptime
async def test_a_queue_that_stays_long_is_told_of_after_half_an_hour(looptime: float) -> None:
    queue = Queue(60_000)
    with pytest.raises(Unavailable, match="too long for 30 minutes"):
        await send_all(queue, messages(1), Room(100, 100), lambda _: None)
    assert queue.taken == []
    assert looptime == 1_800


@pytest.mark.looptime
async def test_what_sqs_did_not_take_is_sent_again_and_nothing_else() -> None:
    queue = Queue(0, fails=[3, 1])
    await send_all(queue, messages(5), Room(100, 100), lambda _: None)
    assert queue.calls == [5, 3, 1]
    assert sorted(message.body for message in queue.taken) == ["0", "1", "2", "3", "4"]


@pytest.mark.looptime
async def test_what_sqs_never_takes_is_told() -> None:
    with pytest.raises(Unavailable, match="SQS did not take 1 messages: InternalError"):
        await send_all(Queue(0, fails=[1] * 6), messages(1), Room(100, 100), lambda _: None)


@pytest.mark.parametrize("answer", ["n\n", "", "\n", "no\n"])
async def test_nothing_is_sent_without_a_yes(
    store: Store, answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = S3Object("media", "a.png", None, "e1", 7)
    store.tell(Difference(Kind.MISSING, Identity("acme", "intake", "/", "a.png"), "line", held, 0.0))
    terminal = io.StringIO(answer)
    for stream in (terminal, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    await enqueue(store, SETTINGS, Wanted((), Fallback.IGNORE), sure=False)
    assert capsys.readouterr().err == (
        "Send 1 missing items to https://sqs.eu-west-1.amazonaws.com/000000000000/events? [y/N] Nothing was sent.\n"
    )


async def test_nobody_is_asked_where_nothing_is_missing(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await enqueue(store, SETTINGS, Wanted((), Fallback.IGNORE), sure=False)
    assert capsys.readouterr().err == "Nothing is missing, and nothing was sent.\n"

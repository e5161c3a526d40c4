"""What the port is shown: nothing is asked while nobody looks, and a status waits for nobody for long."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.fakes.queue import FakeQueue
from tests.fakes.rig import Rig, rig_of
from worker.adapters.cell_quota import CellQuota
from worker.adapters.sqs import SqsQueue
from worker.core.errors import Unavailable
from worker.opening import Queues, Team, memory_cell
from worker.settings import Settings, load_settings
from worker.tracing import Tracing
from worker.view import Opened, View

pytestmark = pytest.mark.looptime


class WatchedQueue(FakeQueue):
    """Tells its depth as SQS does, and how often it was asked."""

    url = "https://sqs.eu-west-1.amazonaws.com/1/uploads"

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.answering: Callable[[], Mapping[str, str]] = lambda: {
            "ApproximateNumberOfMessages": "12",
            "ApproximateNumberOfMessagesNotVisible": "3",
            "ApproximateNumberOfMessagesDelayed": "4",
        }

    async def attributes(self) -> Mapping[str, str]:
        self.asked += 1
        return self.answering()


class Trace:
    def __init__(self, told: str) -> None:
        self._told = told

    def as_json(self) -> dict[str, object]:
        return {"object": self._told}


class FakeTracing:
    async def trace(self, bucket: str, key: str) -> Trace:
        return Trace(f"s3://{bucket}/{key}")


def settings(**more: str) -> Settings:
    return load_settings(
        {
            "WORKER_QUEUE__URL": WatchedQueue.url,
            "DARWIN_API_KEY": "k",
            "DARWIN_TEAM": "acme",
            "WORKER_DARWIN__DATASET": "intake",
            "WORKER_DARWIN__STORAGE": "prod",
            "HOME": "/home/worker",
            **more,
        }
    )


@dataclass
class Stage:
    """A view of a rig, and who it asks."""

    rig: Rig
    view: View
    source: WatchedQueue = field(default_factory=WatchedQueue)
    letters: WatchedQueue = field(default_factory=WatchedQueue)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Stage"]:
        queues = Queues(cast("SqsQueue", self.source), cast("SqsQueue", self.letters), 10)
        opened = Opened(
            self.rig.flow.settling.book, self.rig.accounts, queues, cast("Tracing", FakeTracing())
        )
        await self.view.teams[
            "acme"
        ].general.level()  # the bucket begins, as it does when the service opens it
        async with self.rig.running(), self.view.watching(opened):
            yield self

    async def status(self) -> dict[str, Any]:
        return dict(await self.view.status())


def stage(**more: str) -> Stage:
    rig = rig_of()
    view = View(rig.context, settings(**more))
    quota = CellQuota(memory_cell("quota"), 100, 2)
    view.teams = {"acme": Team(cast("Any", rig.darwin["acme"]), quota, quota)}
    return Stage(rig, view)


async def test_a_worker_that_has_not_started_says_so() -> None:
    on = stage()
    status = await on.status()
    assert (status["queue"], status["dead_letters"], status["quota"]) == (None, None, [])
    assert status["uptime_seconds"] == 0.0
    for question in (on.view.why("media", "a.jpg"), on.view.dead_letters()):
        with pytest.raises(Unavailable, match="starting"):
            await question


async def test_the_first_look_tells_the_depth_of_the_queues_and_what_is_left_of_the_quota() -> None:
    async with stage().watching() as on:
        await asyncio.sleep(60)
        status = await on.status()
    asked = status["queue"].pop("asked")
    assert asked.startswith("2027-01-15T08:01:0")
    assert status["queue"] == {"url": WatchedQueue.url, "waiting": 12, "in_flight": 3, "delayed": 4}
    assert status["dead_letters"]["waiting"] == 12
    assert status["quota"] == [
        {
            "team": "acme",
            "registration": {"a_minute": 100, "sent_in_a_minute": 0, "tokens": 1.95, "burst": 2},
            "general": {"a_minute": 1000, "tokens": 1.95, "burst": 2},
        }
    ]


async def test_nobody_is_asked_while_nobody_looks() -> None:
    async with stage().watching() as on:
        await asyncio.sleep(3600)
        assert (on.source.asked, on.letters.asked) == (0, 0)
        await on.status()
        await asyncio.sleep(3600)
        assert on.source.asked <= 3


async def test_sqs_is_asked_every_ten_seconds_however_many_look() -> None:
    async with stage().watching() as on:
        for _ in range(60):
            await on.status()
            await on.status()
            await asyncio.sleep(1)
        assert 5 <= on.source.asked <= 7


async def test_a_queue_that_cannot_be_asked_is_told_with_the_reason() -> None:
    def away() -> Mapping[str, str]:
        raise Unavailable("SQS GetQueueAttributes: no connection")

    on = stage()
    on.source.answering = away
    async with on.watching():
        status = await on.status()
    assert status["queue"]["unknown"] == "SQS GetQueueAttributes: no connection"
    assert status["dead_letters"]["waiting"] == 12


async def test_a_status_waits_three_seconds_for_a_queue_that_does_not_answer_and_then_no_more() -> None:
    on = stage()
    on.source.attributes = asyncio.Event().wait  # type: ignore[assignment,method-assign]  # it never answers
    async with on.watching():
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await on.status())["queue"] is None
        assert loop.time() - began == pytest.approx(3)
        for _ in range(5):
            await on.status()
        assert loop.time() - began == pytest.approx(3)


async def test_the_history_is_kept_while_nobody_looks() -> None:
    async with stage().watching() as on:
        on.rig.upload("in/a.jpg")
        await asyncio.sleep(12)
        status = await on.status()
    assert status["history"]["received"] == [1, 0]
    assert status["history"]["registered"] == [1, 0]


async def test_dead_letters_are_looked_at_once_a_minute_however_often_they_are_asked_for() -> None:
    async with stage().watching() as on:
        for key in ("a.jpg", "a.jpg", "<script>.jpg"):
            on.letters.put(f'{{"Records": [{_record(key)}]}}')
        first = await on.view.dead_letters()
        on.letters.put("what came later")
        assert await on.view.dead_letters() == first
        await asyncio.sleep(61)
        later = await on.view.dead_letters()
    assert (first["letters"], first["sampled"], later["letters"]) == (2, False, 3)
    assert first["reasons"] == [
        {
            "reason": "received_too_often",
            "outcome": "",
            "count": 2,
            "examples": [
                {
                    "at": None,
                    "object": f"s3://media/{key}",
                    "dataset": "",
                    "detail": "SQS moved it here, because it was received more often than the queue allows; no worker said why.",
                }
                for key in ("a.jpg", "<script>.jpg")
            ],
        }
    ]


def _record(key: str) -> str:
    return (
        '{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2027-01-15T08:00:00.000Z", '
        f'"s3": {{"bucket": {{"name": "media"}}, "object": {{"key": "{key}", "size": 1, "eTag": "e"}}}}}}'
    )


async def test_questions_about_objects_leave_the_quota_to_the_work() -> None:
    """At most a fifth of the general quota, three requests each: 20 questions a minute where the key may send 300."""
    async with stage(WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE="300").watching() as on:
        await asyncio.sleep(120)
        loop = asyncio.get_running_loop()
        began, answered = loop.time(), 0
        while loop.time() - began < 60:
            assert await on.view.why("media", "a.jpg") == {"object": "s3://media/a.jpg"}
            answered += 1
    assert 15 <= answered <= 20


async def test_a_question_that_would_wait_for_long_is_refused() -> None:
    async with stage(WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE="50").watching() as on:
        await asyncio.sleep(120)
        await on.view.why("media", "a.jpg")
        await on.view.why("media", "b.jpg")
        with pytest.raises(Unavailable, match="ask again in a minute"):
            await on.view.why("media", "c.jpg")


async def test_nothing_is_shown_any_more_once_the_worker_closes() -> None:
    async with stage().watching() as on:
        pass
    with pytest.raises(Unavailable):
        await on.view.why("media", "a.jpg")

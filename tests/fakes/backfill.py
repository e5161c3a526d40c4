"""A bucket and a queue for backfills, on the event loop's clock."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import unquote_plus

from worker.core.backfill import Choice, Filters, Room
from worker.core.darwin import Storage
from worker.core.errors import OutsideError, Unavailable
from worker.core.events import Notification, parse
from worker.core.model import Lane, Mode, Record
from worker.core.objects import Found
from worker.core.queueing import Failure, Outgoing
from worker.core.routes import Fallback, Route
from worker.core.routing import Routes

LANE = Lane("acme", "intake", "prod")
ROUTES = Routes(
    (Route("all", LANE, glob="**/*.jpg"),),
    Fallback.IGNORE,
    {("acme", "prod"): Storage("prod", "prod", Mode.READ_WRITE, "aws", "media", "darwin")},
)
SECONDS = 0.1
"""That every call takes."""


def choice() -> Choice:
    return Choice(ROUTES, "media", "", Filters(), "ObjectCreated:Put")


def keys_in(folders: int, each: int, ending: str = "jpg") -> list[str]:
    return [f"in/{folder:02}/{number:04}.{ending}" for folder in range(folders) for number in range(each)]


class FakeBucket:
    """Lists *keys*, so many a page; *failures* of the next calls fail."""

    def __init__(self, keys: Sequence[str], page: int = 10) -> None:
        self.keys = sorted(keys)
        self.failures = 0
        self.calls = 0
        self.under_way = self.most_under_way = 0
        self._page = page

    async def pages(self, bucket: str, prefix: str, after: str = "") -> AsyncIterator[list[Found]]:
        assert bucket == "media"
        left = [key for key in self.keys if key.startswith(prefix) and key > after]
        while True:
            await self._call()
            page, left = left[: self._page], left[self._page :]
            yield [Found(key, "e1", 7, 100.0) for key in page]
            if not left:
                return

    async def folders(self, bucket: str, prefix: str) -> list[str]:
        assert bucket == "media"
        await self._call()
        below = [key.removeprefix(prefix) for key in self.keys if key.startswith(prefix)]
        return sorted({prefix + key.partition("/")[0] + "/" for key in below if "/" in key})

    async def _call(self) -> None:
        self.calls += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(SECONDS)
        self.under_way -= 1
        if self.failures:
            self.failures -= 1
            raise Unavailable("S3 ListObjectsV2 on s3://media/: planted")


class FakeQueue:
    """Takes whatever it is sent, and *gone_a_second* leave it. *failing*: what the next calls do in place of that."""

    def __init__(self, gone_a_second: float = 0.0) -> None:
        self.sent: list[str] = []
        self.calls: list[int] = []
        self.most_held = 0.0
        self.failing: list[OutsideError | None] = []
        self.refusing: set[int] = set()
        """Places of the next call's messages that are not taken."""
        self._gone_a_second = gone_a_second
        self.held = 0.0
        self._at = 0.0

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]:
        await self._call()
        refusing, self.refusing = self.refusing, set()
        taken = [each for at, each in enumerate(messages) if at not in refusing]
        self.calls.append(len(messages))
        self.sent += map(_key, taken)
        self.held = self._now() + len(taken)
        self.most_held = max(self.most_held, self.held)
        return [
            Failure(lost=False, text="planted") if at in refusing else None for at in range(len(messages))
        ]

    async def attributes(self) -> Mapping[str, str]:
        await self._call()
        self.held = self._now()
        return {"ApproximateNumberOfMessages": str(round(self.held))}

    def _now(self) -> float:
        now = asyncio.get_running_loop().time()
        held = max(0.0, self.held - (now - self._at) * self._gone_a_second)
        self._at = now
        return held

    async def _call(self) -> None:
        await asyncio.sleep(SECONDS)
        if self.failing and (error := self.failing.pop(0)) is not None:
            raise error


def _key(message: Outgoing) -> str:
    assert message.attributes == {"backfill": "true"}
    told = parse(message.body)
    assert isinstance(told, Notification)
    [record] = told.records
    assert isinstance(record, Record)
    assert (record.event, record.time, record.object.etag, record.object.size) == (
        "ObjectCreated:Put",
        None,
        "e1",
        7,
    )
    assert unquote_plus(record.object.key) == record.object.key
    return record.object.key


ROOMY = 1_000_000


def room(a_minute: int = ROOMY) -> Room:
    return Room(a_minute, 1)

"""The wires between the workers of a model and their servers, and what goes wrong on them.

Every call travels to its server, is carried out there whoever still waits for it, and travels back. Each may suffer
one :class:`Mishap`: at every await of every port, which is wherever a worker meets the world.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from tests.fakes.archive import FakeArchive
from tests.fakes.darwin import FakeDarwin
from tests.fakes.ledger import MemoryLedger
from tests.fakes.model_processes import SERVERS, Process
from tests.fakes.queue import FakeQueue
from worker.core.answers import Answer
from worker.core.claims import Claim, Denied, Entry, Granted
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.errors import Refused, Unavailable
from worker.core.model import Identity, Lane, Message
from worker.core.naming import normalise_path
from worker.core.queueing import Failure, Outgoing
from worker.core.turns import Turn
from worker.pipeline.ports import Probes, Quota

T = TypeVar("T")

TRIP = 0.004
"""Seconds from a worker to a server, and back."""

CALL_SECONDS = 20.0
"""As the real adapters give up a call."""

CALLS = (
    "queue.receive",
    "queue.extend",
    "queue.delete",
    "queue.send",
    "letters.send",
    "ledger.look_up",
    "ledger.claim",
    "ledger.register",
    "ledger.release",
    "quota.take",
    "quota.refused",
    "probes.turn",
    "probes.well",
    "darwin.register",
    "darwin.team",
    "darwin.datasets",
    "darwin.storages",
    "darwin.find_items",
)


LATEST = 600.0
"""Seconds after which Darwin itself gives up a request, whoever still waits for it."""


class Kind(Enum):
    """What happens to a call. The last four happen to who calls."""

    NOT_ARRIVED = "fails before the work"
    REFUSED = "is refused"
    ANSWER_LOST = "fails after the work"
    SLOW_THERE = "arrives late, perhaps after the worker gave it up"
    SLOW_BACK = "is answered late, perhaps after the worker gave it up"
    KILLED_BEFORE = "kills the worker before it leaves"
    KILLED_AFTER = "kills the worker when it is carried out"
    FROZEN_BEFORE = "freezes the worker before it leaves"
    FROZEN_AFTER = "freezes the worker when it is carried out"


@dataclass(frozen=True)
class Mishap:
    """*seconds*: of being slow or frozen."""

    kind: Kind
    seconds: float = 0.0


class Mishaps:
    """What the next calls are to suffer, by the name of the call."""

    def __init__(self) -> None:
        self._next: defaultdict[str, deque[Mishap]] = defaultdict(deque)

    def plan(self, call: str, mishap: Mishap, times: int) -> None:
        self._next[call].extend([mishap] * times)

    def strike(self, call: str) -> Mishap | None:
        waiting = self._next.get(call)
        return waiting.popleft() if waiting else None

    def clear(self) -> None:
        self._next.clear()


@dataclass(eq=False)
class Wire:
    """All calls of one process go through here. *kill* ends the process."""

    process: Process
    mishaps: Mishaps
    kill: Callable[[], None]

    async def call(self, name: str, work: Callable[[], Awaitable[T]], within: float = CALL_SECONDS) -> T:
        """Raises :class:`Unavailable` when no answer came *within* so many seconds."""
        if self.process.dead:
            raise asyncio.CancelledError
        mishap = self.mishaps.strike(name) or Mishap(Kind.SLOW_THERE)
        if mishap.kind is Kind.KILLED_BEFORE:
            self.kill()
            await _nothing()
        if mishap.kind is Kind.FROZEN_BEFORE:
            self.process.freeze(mishap.seconds)
            await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        served = loop.create_task(self._served(name, work, mishap), context=SERVERS)
        served.add_done_callback(_heard, context=SERVERS)
        try:
            async with asyncio.timeout(within):
                return await asyncio.shield(served)
        except TimeoutError as error:
            raise Unavailable(f"{name}: no answer within {within:g} s") from error

    async def _served(self, name: str, work: Callable[[], Awaitable[T]], mishap: Mishap) -> T:
        """The call as the servers see it."""
        kind = mishap.kind
        await asyncio.sleep(TRIP + (mishap.seconds if kind is Kind.SLOW_THERE else 0))
        if kind is Kind.NOT_ARRIVED:
            raise Unavailable(f"{name}: connection refused")
        if kind is Kind.REFUSED:
            raise Refused(f"{name}: access denied")
        answer = await work()
        if kind is Kind.KILLED_AFTER:
            self.kill()
        if kind is Kind.FROZEN_AFTER:
            self.process.freeze(mishap.seconds)
        if kind is Kind.ANSWER_LOST:
            raise Unavailable(f"{name}: connection reset")
        await asyncio.sleep(TRIP + (mishap.seconds if kind is Kind.SLOW_BACK else 0))
        return answer


def _heard(served: asyncio.Task[T]) -> None:
    """An answer that nobody waits for any more is no mistake of the test's."""
    if not served.cancelled():
        served.exception()


async def _nothing() -> None:
    """A call that never leaves: who waits for it is cancelled."""
    await asyncio.get_running_loop().create_future()


class WiredQueue(FakeQueue):
    """The Queue port of one process, at the far end *queue*. *sending* looks at what the process sends, as it leaves;
    *handles* are those that the process was ever given.
    """

    def __init__(
        self, wire: Wire, queue: FakeQueue, name: str, sending: Callable[[Sequence[Outgoing]], None]
    ) -> None:
        super().__init__()
        self.handles: set[str] = set()
        self._wire, self._far, self._name, self._sending = wire, queue, name, sending

    async def receive(self, limit: int, wait: float, visibility: int) -> list[Message]:
        async def served() -> list[Message]:
            messages = await self._far.receive(limit, wait, visibility)
            self.handles.update(message.handle for message in messages)
            return messages

        return await self._wire.call(f"{self._name}.receive", served, wait + CALL_SECONDS)

    async def extend(self, messages: Sequence[Message], seconds: int) -> list[Failure | None]:
        return await self._wire.call(f"{self._name}.extend", lambda: self._far.extend(messages, seconds))

    async def delete(self, messages: Sequence[Message]) -> list[Failure | None]:
        return await self._wire.call(f"{self._name}.delete", lambda: self._far.delete(messages))

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]:
        self._sending(messages)
        return await self._wire.call(f"{self._name}.send", lambda: self._far.send(messages))


class WiredArchive(FakeArchive):
    """The Archive port of one process, at the far end *archive*."""

    def __init__(self, wire: Wire, archive: FakeArchive) -> None:
        super().__init__()
        self._wire, self._far = wire, archive

    async def put(self, name: str, content: bytes) -> None:
        await self._wire.call("archive.put", lambda: self._far.put(name, content))


class WiredLedger(MemoryLedger):
    """The Ledger port of one process, at the far end *ledger*."""

    def __init__(self, wire: Wire, ledger: MemoryLedger) -> None:
        super().__init__(ledger.now)
        self._wire, self._far = wire, ledger

    async def look_up(self, identities: Sequence[Identity]) -> list[Entry | None]:
        return await self._wire.call("ledger.look_up", lambda: self._far.look_up(identities))

    async def claim(self, claims: Sequence[Claim], token: str, seconds: float) -> list[Granted | Denied]:
        return await self._wire.call("ledger.claim", lambda: self._far.claim(claims, token, seconds))

    async def register(self, claims: Sequence[Claim], token: str) -> None:
        await self._wire.call("ledger.register", lambda: self._far.register(claims, token))

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        await self._wire.call("ledger.release", lambda: self._far.release(identities, token))


class WiredQuota:
    """The Quota port of one process."""

    def __init__(self, wire: Wire, quota: Quota) -> None:
        self._wire, self._far = wire, quota

    async def take(self) -> float:
        return await self._wire.call("quota.take", self._far.take)

    async def refused(self, retry_after: float | None) -> None:
        await self._wire.call("quota.refused", lambda: self._far.refused(retry_after))

    async def level(self) -> float:
        return await self._far.level()


class WiredProbes:
    """The Probes port of one process."""

    def __init__(self, wire: Wire, probes: Probes) -> None:
        self._wire, self._far = wire, probes

    async def turn(self, paused_for: float) -> Turn:
        return await self._wire.call("probes.turn", lambda: self._far.turn(paused_for))

    async def well(self) -> None:
        await self._wire.call("probes.well", self._far.well)


class UnderWay:
    """The identities in requests that somebody still carries: each by the token of the claim it travels under."""

    def __init__(self) -> None:
        self._requests: list[tuple[str, frozenset[Identity]]] = []

    @contextmanager
    def carrying(self, token: str, identities: frozenset[Identity]) -> Iterator[None]:
        self._requests.append((token, identities))
        try:
            yield
        finally:
            self._requests.remove((token, identities))

    def carries(self, token: str, identity: Identity) -> bool:
        return any(token == whose and identity in identities for whose, identities in self._requests)


class WiredDarwin:
    """The Darwin port of one process and team. No answer is an answer here too (ports.py).

    *leaving* looks at each request as it leaves: storage keys by identity, and the seconds that it may take.
    """

    def __init__(
        self,
        wire: Wire,
        darwin: FakeDarwin,
        team: str,
        token: str,
        under_way: UnderWay,
        leaving: Callable[[Mapping[Identity, str], float], None],
    ) -> None:
        self._wire, self._far, self._team, self._token = wire, darwin, team, token
        self._under_way, self._leaving = under_way, leaving

    async def register(self, lane: Lane, body: Mapping[str, object], within: float) -> Answer:
        began = asyncio.get_running_loop().time()
        keys = _keys(self._team, body)
        identities = frozenset(keys)
        self._leaving(keys, within)

        async def served() -> Answer:
            with self._under_way.carrying(self._token, identities):
                return await self._far.register(lane, body, LATEST)

        with self._under_way.carrying(self._token, identities):
            try:
                return await self._wire.call("darwin.register", served, within)
            except (Unavailable, Refused) as error:
                return Answer(None, text=str(error), seconds=asyncio.get_running_loop().time() - began)

    async def team(self) -> str:
        return await self._wire.call("darwin.team", self._far.team)

    async def datasets(self) -> list[Dataset]:
        return await self._wire.call("darwin.datasets", self._far.datasets)

    async def storages(self) -> list[Storage]:
        return await self._wire.call("darwin.storages", self._far.storages)

    async def find_items(self, dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        return await self._wire.call("darwin.find_items", lambda: self._far.find_items(dataset_id, places))

    async def archive(self, dataset_id: int, item_ids: Sequence[str]) -> int:
        return await self._wire.call("darwin.archive", lambda: self._far.archive(dataset_id, item_ids))

    def reread_key(self) -> bool:
        return self._far.reread_key()


def _keys(team: str, body: Mapping[str, object]) -> dict[Identity, str]:
    """The storage keys of a request's items."""
    items = body["items"]
    assert isinstance(items, list)
    dataset = str(body["dataset_slug"])
    return {
        Identity(team, dataset, normalise_path(item["path"]), item["name"]): item["storage_key"]
        for item in items
    }

"""A rig whose objects can be traced: the same S3, ledger, queues and Darwin, asked as an operator asks them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from tests.fakes.rig import BUCKET, START, Rig
from worker.core.claims import Entry
from worker.core.darwin import Storage
from worker.core.errors import OutsideError
from worker.core.model import Identity, Mode
from worker.core.routes import Fallback, Route
from worker.core.routing import Routes
from worker.core.tracing import Trace
from worker.dead_letters import DeadLetters, Look
from worker.demo.twin.state import HeldItem
from worker.pipeline.ports import Darwin, Objects
from worker.tracing import Tracing


class TracedRig(Rig):
    """*otherwise*: what becomes of objects that no route takes, for who explains it. Each side in *failing*, of S3, ledger,
    dead letters, queue and Darwin, raises its error when it is asked. At most *most* dead letters are looked at.
    """

    def __init__(self, routes: Sequence[Route], otherwise: Fallback = Fallback.DEAD_LETTER) -> None:
        super().__init__(routes)
        self.failing: dict[str, OutsideError] = {}
        self.most = 50_000
        storages = {
            (route.lane.team, "prod"): Storage("prod", "prod", Mode.READ_WRITE, "aws", BUCKET, "darwin")
            for route in routes
        }
        self._told = Routes(tuple(routes), otherwise, storages)

    def put(self, *keys: str, content: bytes = b"x") -> None:
        """As S3 does: an object is there, with its time, before its event is."""
        super().put(*keys, content=content)
        for key in keys:
            self.objects.put(key, content, modified=START - 60)

    def held(self, name: str, path: str = "/", dataset: str = "intake") -> HeldItem:
        """What the twin holds there."""
        return self.twin.world.teams["acme"].datasets[dataset].items[path, name]

    async def trace(self, key: str, assumed: str = "") -> Trace:
        tracing = Tracing(
            self._told,
            objects=self._objects,
            look_up=self._look_up,
            darwin=self._darwin,
            look=self._look,
            attributes=self._attributes,
            now=self.now,
            assumed=assumed,
        )
        return await tracing.trace(BUCKET, key)

    def _fail(self, side: str) -> None:
        if side in self.failing:
            raise self.failing[side]

    @asynccontextmanager
    async def _objects(self) -> AsyncIterator[Objects]:
        self._fail("S3")
        yield self.objects

    async def _look_up(self, identities: Sequence[Identity]) -> list[Entry | None]:
        self._fail("ledger")
        return await self.ledger.look_up(identities)

    def _darwin(self, team: str) -> Darwin:
        self._fail("Darwin")
        return self.darwin[team]

    async def _look(self) -> Look:
        self._fail("dead letters")
        return await DeadLetters(self.dead_letters).look(self.most)

    async def _attributes(self) -> Mapping[str, str]:
        self._fail("queue")
        queue, name = self.queue, "ApproximateNumberOfMessages"
        delayed = [each for each in queue.stored if not each.handle and each not in queue.visible]
        return {
            name: str(len(queue.visible)),
            f"{name}NotVisible": str(len(queue.in_flight)),
            f"{name}Delayed": str(len(delayed)),
        }

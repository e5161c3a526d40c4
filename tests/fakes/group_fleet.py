"""Two groups of objects and a fleet in little that makes items of them: steps are taken, and then all comes to rest."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.fakes.group_steps import (
    MARKERS,
    SCENES,
    Away,
    DarwinAnswers,
    Delete,
    InS3,
    Kill,
    LedgerFails,
    Mark,
    Put,
    Replay,
    S3Fails,
    Start,
    Step,
    Stop,
    Tell,
    ToWorkers,
    What,
)
from tests.fakes.objects import FakeObjects
from tests.fakes.rig import START, Rig, event, lane
from worker.core.errors import Unavailable
from worker.core.model import Identity
from worker.core.routes import Completeness, Group, Route

WITHIN, QUIET = 1000, 60
SLOTS = ("front", "Back", "left")
COUNT = 3
MOST_WORKERS = 3
RECEIVES = 200
"""More than any history needs, so that no message is redriven."""

AWAY = Unavailable("away")
LONG = 30.0
"""Seconds that nobody waits through who may as well be started anew: of an idle worker each costs time."""

LONGEST_REST = 6 * 3600.0

GROUPS = {
    Completeness.SLOTS: Group(slots=SLOTS, within=WITHIN),
    Completeness.COUNT: Group(count=COUNT, within=WITHIN),
    Completeness.MARKER: Group(marker=MARKERS["marker"], within=WITHIN),
    Completeness.MANIFEST: Group(manifest=MARKERS["manifest"], within=WITHIN),
    Completeness.QUIET: Group(quiet=QUIET, within=WITHIN),
}


def route_of(rule: Completeness) -> Route:
    """A folder is a group; each part has a slot of its own, but for a count, where all are slices in one slot."""
    return Route(
        "scenes",
        lane(),
        prefix="in",
        glob="*/*.dcm",
        slot="" if rule is Completeness.COUNT else "{stem}",
        group=GROUPS[rule],
    )


Held = Mapping[str, str]
"""What S3 holds of a scene: content by name."""


@dataclass(frozen=True)
class Moment:
    """S3 held this of a scene from *since* on, on the loop's clock."""

    since: float
    held: Held


@dataclass(frozen=True)
class Letter:
    """A dead letter; *at* on the loop's clock."""

    scene: str
    name: str
    reason: str
    detail: str
    at: float


class Bucket(FakeObjects):
    """Remembers all that it ever held of each scene, and when each name was last written."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: dict[str, list[Moment]] = {scene: [Moment(0.0, {})] for scene in SCENES}
        self.written: dict[tuple[str, str], float] = {}
        self.told: dict[str, str] = {}

    def write(self, scene: str, name: str, content: str) -> str:
        """The body of the notification."""
        key = f"in/{scene}/{name}"
        self.put(key, content.encode())
        self.written[scene, name] = asyncio.get_running_loop().time()
        self._note(scene, {**self.now(scene), name: content})
        etag = self._stored["media", key].head.etag
        self.told[key] = json.dumps({"Records": [event(key, etag=etag, size=len(content))]})
        return self.told[key]

    def remove(self, scene: str, name: str) -> None:
        self.delete(f"in/{scene}/{name}")
        self._note(scene, {other: held for other, held in self.now(scene).items() if other != name})

    def now(self, scene: str) -> Held:
        return self.moments[scene][-1].held

    def _note(self, scene: str, held: Held) -> None:
        self.moments[scene].append(Moment(asyncio.get_running_loop().time(), held))


@dataclass
class Fleet:
    """Made and used inside of a running loop. *wrong* is what must stay empty."""

    rule: Completeness
    limit: int
    workers: list[tuple[Rig, "asyncio.Task[None]"]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    replayed: list[Letter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bucket = Bucket()
        self.first = Rig(
            [route_of(self.rule)], objects=self.bucket, max_receive_count=RECEIVES, limit=self.limit
        )
        self._born = 0
        self._heals: list[asyncio.TimerHandle] = []

    # Workers

    def start(self) -> None:
        if len(self.workers) == MOST_WORKERS:
            return
        self._born += 1
        rig = Rig(
            [route_of(self.rule)],
            objects=self.bucket,
            queue=self.first.queue,
            dead_letters=self.first.dead_letters,
            ledger=self.first.ledger,
            twin=self.first.twin,
            cells=self.first.cells,
            max_receive_count=RECEIVES,
            limit=self.limit,
            visibility=60,
            token=f"worker-{self._born}",
        )
        self.workers.append((rig, asyncio.create_task(rig.flow.run())))

    async def stop(self, number: int) -> None:
        if not self.workers:
            return
        rig, task = self.workers.pop(number % len(self.workers))
        rig.stop.ask()
        async with asyncio.timeout(60):
            await task
        self._look_at(rig)
        if rig.flow.settling.book.open_records:
            self.wrong.append("open records after a stop")

    async def kill(self, number: int) -> None:
        if not self.workers:
            return
        rig, task = self.workers.pop(number % len(self.workers))
        task.cancel()
        await asyncio.wait([task])
        self._look_at(rig)

    def look(self) -> None:
        for rig, task in self.workers:
            if task.done():
                raise AssertionError("a worker ended by itself") from task.exception()
            self._look_at(rig)

    def _look_at(self, rig: Rig) -> None:
        if not rig.conserved():
            self.wrong.append("not conserved")

    # Steps

    async def take(self, steps: Sequence[Step]) -> None:
        for step in steps:
            await self._take(step.what)
            await asyncio.sleep(step.after)
            self.look()

    async def _take(self, what: What) -> None:
        match what:
            case Put() | Mark() | Delete() | Tell():
                self._in_s3(what)
            case Start() | Stop() | Kill() | Away():
                await self._to_workers(what)
            case Replay(again):
                self.replay(again=again)
            case S3Fails(seconds):
                self.bucket.failing = AWAY
                self._later(seconds, self._heal_s3)
            case LedgerFails(call, seconds):
                self.first.ledger.faults.fail(call, AWAY)
                self._later(seconds, self.first.ledger.faults.heal)
            case DarwinAnswers(fault, times):
                self.first.fault(**fault, times=times)

    def _in_s3(self, what: InS3) -> None:
        marker = MARKERS.get(self.rule, "")
        match what:
            case Put(scene, parts, content):
                for part in parts:
                    self.first.queue.put(self.bucket.write(scene, part, content))
            case Mark(scene, named):
                slots = [{"slot": part.removesuffix(".dcm"), "file": part} for part in named]
                content = json.dumps({"slots": slots}) if self.rule is Completeness.MANIFEST else ""
                self.first.queue.put(self.bucket.write(scene, marker, content))
            case Delete(scene, part):
                self.bucket.remove(scene, part or marker)
            case Tell(scene, part):
                if told := self.bucket.told.get(f"in/{scene}/{part or marker}"):
                    self.first.queue.put(told)

    async def _to_workers(self, what: ToWorkers) -> None:
        match what:
            case Start():
                self.start()
            case Stop(number):
                await self.stop(number)
            case Kill(number):
                await self.kill(number)
            case Away(seconds):
                while self.workers:
                    await self.stop(0)
                await asyncio.sleep(seconds)
                self.start()

    def replay(self, *, again: bool) -> None:
        """All dead letters go back to where they came from. One for a late part may be told by another record of its group,
        to which the ledger says, when it comes back as it is, that all is known.
        """
        self.replayed += self.letters()
        for letter in self.first.dead_letters.stored:
            self.first.queue.put(letter.body, letter.attributes | ({"again": "true"} if again else {}))
        self.first.dead_letters.purge()

    def _later(self, seconds: float, heal: Callable[[], None]) -> None:
        self._heals.append(asyncio.get_running_loop().call_later(seconds, heal))

    def _heal_s3(self) -> None:
        self.bucket.failing = None

    # The end

    async def rest(self) -> None:
        """All is well again; wait until nothing is left to do. Where nothing is for anybody to be had for a while, nobody
        waits for it: those who are started anew find it.
        """
        loop = asyncio.get_running_loop()
        self._heal_s3()
        for heal in self._heals:
            heal.cancel()
        self.first.ledger.faults.heal()
        self.first.twin.world.faults.clear()
        deadline = loop.time() + LONGEST_REST
        queue = self.first.queue
        while queue.stored and loop.time() < deadline:
            hidden_until = min(stored.visible_at for stored in queue.stored)
            if (
                not any(rig.flow.settling.book for rig, _ in self.workers)
                and hidden_until > loop.time() + LONG
            ):
                while self.workers:
                    await self.stop(0)
                await asyncio.sleep(hidden_until - loop.time())
            if not self.workers:
                self.start()
            await asyncio.sleep(1)
            self.look()
        self.wrong += [f"left in the queue: {stored.body}" for stored in queue.stored]
        while self.workers:
            await self.stop(0)

    # What is seen

    def items(self) -> dict[str, list[tuple[float, list[str]]]]:
        """By scene: when an item was registered, on the loop's clock, and the names of its files."""
        found: dict[str, list[tuple[float, list[str]]]] = {scene: [] for scene in SCENES}
        for item in self.first.twin.world.teams["acme"].datasets["intake"].items.values():
            keys = [file.storage_key.split("/") for file in item.files]
            at = item.inserted_at - START
            found[keys[0][1]].append((at, [name for _, _, name in keys]))
        return found

    def known_at(self, scene: str) -> float:
        """Since when the ledger has the item as registered, on the loop's clock."""
        entry = self.first.ledger.entry(Identity("acme", "intake", "/", scene))
        return entry.at - START if entry is not None and entry.registered else float("inf")

    def letters(self) -> list[Letter]:
        found = list[Letter]()
        for stored in self.first.dead_letters.stored:
            key = json.loads(stored.body)["Records"][0]["s3"]["object"]["key"]
            _, scene, name = key.split("/")
            said = stored.attributes
            found.append(
                Letter(scene, name, said.get("reason", ""), said.get("detail", ""), stored.visible_at)
            )
        return found

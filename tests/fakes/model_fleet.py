"""A fleet in little: whole pipelines as processes, their servers, and eyes on what the servers are told to do.

The two laws, looked at from outside, at the moment at which they would be broken:

- a message is forgotten only when each of its records is an item in Darwin, a stored dead letter, a stored postponed
  copy, or nothing that is to be registered (law 2);
- a claim is forgotten only when no request of its holder is under way with it (law 1);
- a request leaves only under claims that outlast it, a dead letter or copy only for a message under lease (law 3);
- no object is in Darwin twice, and no item was extended (law 8).

At rest the books are read as well: see :mod:`tests.fakes.model_books`.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.fakes.archive import FakeArchive
from tests.fakes.ledger import MemoryLedger
from tests.fakes.model_processes import SERVERS, Process
from tests.fakes.model_records import Upload, is_for_darwin, key_of, records_of
from tests.fakes.model_wires import (
    Mishap,
    Mishaps,
    UnderWay,
    Wire,
    WiredDarwin,
    WiredLedger,
    WiredProbes,
    WiredQueue,
    WiredQuota,
)
from tests.fakes.queue import FakeQueue, Stored
from tests.fakes.rig import BUCKET, START, Rig, lane
from worker.adapters.cells import MemoryCell
from worker.core.model import Identity, OnExisting
from worker.core.queueing import Failure, Outgoing
from worker.core.routes import Route
from worker.demo.twin import state
from worker.demo.twin.faults import Fault
from worker.demo.twin.switches import Switches
from worker.demo.twin.twin import Twin

TEAM = "acme"
RED, BLUE = lane("red"), lane("blue")
ROUTES = [
    Route("flat", RED, prefix="flat", path="/flat"),
    Route("red", RED, prefix="red"),
    Route("adopt", BLUE, prefix="adopt", path="/adopted", on_existing=OnExisting.ACCEPT),
    Route("blue", BLUE, prefix="blue"),
]
DRAIN = 25.0
RATE = 100
RECEIVES = 60
"""More than any history needs, so that no message is redriven."""

RESTARTED_AFTER = 5.0
"""Seconds until a fleet that lost its last worker gets another."""


class LawBroken(AssertionError):
    """A law of the design does not hold."""


class WorkerEnded(AssertionError):
    """A worker ended by itself."""


class WatchedQueue(FakeQueue):
    """The source queue: each delete is looked at, and what is sent to it is remembered."""

    def __init__(self, fleet: "Fleet", dead_letters: FakeQueue) -> None:
        super().__init__(RECEIVES, dead_letters)
        self._fleet = fleet

    def heal(self) -> None:
        self._entry_failures.clear()

    def _remove(self, stored: Stored) -> None:
        super()._remove(stored)
        self._fleet.look_at_forgotten(stored)

    def _send(self, message: Outgoing) -> Failure | None:
        failure = super()._send(message)
        if failure is None:
            self._fleet.note_sent(self._fleet.copied, message.body)
        return failure


class WatchedLetters(FakeQueue):
    """The dead letters, each with the time of its arrival."""

    def __init__(self, fleet: "Fleet") -> None:
        super().__init__()
        self._fleet = fleet

    def heal(self) -> None:
        self._entry_failures.clear()

    def _send(self, message: Outgoing) -> Failure | None:
        failure = super()._send(message)
        if failure is None:
            self._fleet.note_sent(self._fleet.dead, message.body)
        return failure


class WatchedLedger(MemoryLedger):
    """The ledger: each release is looked at."""

    fleet: "Fleet"

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        for identity in identities:
            held = self.entry(identity)
            if (
                held
                and not held.registered
                and held.token == token
                and self.fleet.under_way.carries(token, identity)
            ):
                self.fleet.wrong.append(f"claim of {identity} released while its request is under way")
        await super().release(identities, token)


@dataclass(eq=False)
class Worker(Process):
    """One running pipeline. *handles*: those that it was ever given. *stops_by*: when a stop that was asked for must be
    over, on the loop's clock.
    """

    name: str

    def __post_init__(self) -> None:
        super().__init__(self.name)

    rig: Rig = field(init=False)
    handles: set[str] = field(init=False)
    task: "asyncio.Task[None]" = field(init=False)
    stops_by: float = float("inf")


class Fleet:
    """Made and used inside of a running loop, in the context of the servers. *wrong*: the laws broken so far."""

    def __init__(self, visibility: int, limit: int) -> None:
        self._visibility, self._limit = visibility, limit
        self.wrong: list[str] = []
        self.copied: dict[str, float] = {}
        self.dead: dict[str, float] = {}
        self.dead_letters = WatchedLetters(self)
        self.queue = WatchedQueue(self, self.dead_letters)
        self.ledger = WatchedLedger(self._now)
        self.ledger.fleet = self
        self.under_way = UnderWay()
        self.mishaps = Mishaps()
        self.team = state.Team(
            TEAM, f"key-of-{TEAM}", ["blue", "red"], [state.Storage("prod", BUCKET, "darwin")]
        )
        self.twin = Twin([self.team], Switches(requests_per_minute=RATE))
        self.workers: list[Worker] = []
        self.uploads: Counter[str] = Counter()
        self.bodies: set[str] = set()
        self.happened: set[str] = set()
        self._cells: dict[str, MemoryCell] = {}
        self._gone: list[Worker] = []
        self._born = 0
        self._over = self._shown_early = False

    @staticmethod
    def _now() -> float:
        return START + asyncio.get_running_loop().time()

    # What the world does

    def put(self, upload: Upload) -> None:
        """One message, or two of one id."""
        if upload.readable:
            body = json.dumps({"Records": upload.records})
            self.uploads.update(
                k for record in upload.records if is_for_darwin(record) and (k := key_of(record))
            )
        else:
            body = f"{{ no JSON {len(self.bodies)}"
            self.bodies.add(body)
        attributes = {"again": "true"} if upload.again else {}
        message = self.queue.put(body, attributes, receive_count=upload.seen)
        if upload.doubled:
            self.queue.put(body, attributes, double_of=message)

    def plan(self, call: str, mishap: Mishap, times: int) -> None:
        if call.startswith("darwin"):
            self.happened.update({"no clear answer", "lists fail"})
        self.mishaps.plan(call, mishap, times)

    def strike(self, **values: object) -> None:
        self.twin.world.faults.plan(Fault.model_validate(values))

    def hold_by_hand(self, dataset: str, path: str, name: str) -> None:
        """Somebody put an item there before us."""
        there = self.team.datasets[dataset]
        if (path, name) not in there.items:
            file = state.SentFile("0", name, "image", "by-hand")
            self.team.hold(there, state.SentItem(path, name, (file,)), self._now(), external=False)

    def show_early(self) -> None:
        """SQS shows all messages in flight to whoever asks, whatever lease they are under."""
        self._shown_early = True
        for stored in self.queue.in_flight:
            stored.visible_at = asyncio.get_running_loop().time()

    def start(self) -> Worker:
        self._born += 1
        worker = Worker(f"worker-{self._born}")
        wire = Wire(worker, self.mishaps, lambda: self.kill(worker))

        sending, leaving = partial(self.look_at_owed, worker), partial(self.look_at_leaving, worker)
        queue = WiredQueue(wire, self.queue, "queue", sending)
        worker.handles = queue.handles
        worker.rig = rig = Rig(
            ROUTES,
            limit=self._limit,
            requests_per_minute=RATE,
            drain=DRAIN,
            visibility=self._visibility,
            max_receive_count=RECEIVES,
            ledger=WiredLedger(wire, self.ledger),
            queue=queue,
            dead_letters=WiredQueue(wire, self.dead_letters, "letters", sending),
            twin=self.twin,
            token=worker.name,
            cells=self._cells,
            archive=self.archive_over(wire),
        )
        for team, account in rig.accounts.items():
            account.darwin = WiredDarwin(wire, rig.darwin[team], team, worker.name, self.under_way, leaving)
            account.quota = WiredQuota(wire, account.quota)
            account.probes = WiredProbes(wire, account.probes)
            account.plan_probes = WiredProbes(wire, account.plan_probes)
        worker.task = asyncio.get_running_loop().create_task(rig.flow.run(), context=worker.context())
        self.workers.append(worker)
        return worker

    def archive_over(self, _wire: Wire) -> FakeArchive | None:
        """Where a worker keeps receipts."""

    def stop(self, worker: Worker) -> None:
        """A signal asks it to stop; a frozen one hears it when it thaws."""

        def asked() -> None:
            worker.rig.stop.ask()
            worker.stops_by = asyncio.get_running_loop().time() + DRAIN + 1

        asyncio.get_running_loop().call_soon(asked, context=worker.context())

    def kill(self, worker: Worker) -> None:
        """Nothing of it is heard any more. What it sent is still on its way."""
        if worker.dead:
            return
        worker.dead = True
        self.workers.remove(worker)
        self._gone.append(worker)
        worker.thaw()
        worker.task.cancel()
        asyncio.get_running_loop().call_later(RESTARTED_AFTER, self._replace, context=SERVERS)

    def _replace(self) -> None:
        if not self._over and not self.workers:
            self.start()

    def heal(self) -> None:
        """All is well again, but for what is wrong with single items."""
        self.mishaps.clear()
        self.queue.heal()
        self.dead_letters.heal()
        self.twin.world.faults.clear()
        self.team.plan_full = self.team.paused = self.team.key_revoked = False
        for dataset in self.team.datasets.values():
            dataset.removed = False
        for worker in self.workers:
            worker.thaw()

    # What is looked at

    def note_sent(self, where: dict[str, float], body: str) -> None:
        """When something came that tells of these keys, or is this unreadable body."""
        for key in records_of(body) or [body]:
            if key is not None:
                where[key] = asyncio.get_running_loop().time()

    def look_at_forgotten(self, stored: Stored) -> None:
        """A message was deleted: what its records became must be there by now."""

        def came(where: dict[str, float], what: str) -> bool:
            return where.get(what, float("-inf")) >= stored.received_at

        if stored.body in self.bodies:
            if not came(self.dead, stored.body):
                self.wrong.append(f"forgotten: {stored.body}")
            return
        there = self.storage_keys()
        for record in json.loads(stored.body)["Records"]:
            key = key_of(record)
            if not is_for_darwin(record) or key is None:
                continue
            if not (key in there or came(self.dead, key) or came(self.copied, key) or self.adopted(key)):
                self.wrong.append(f"forgotten: {key}")

    def look_at_owed(self, worker: "Worker", messages: Sequence[Outgoing]) -> None:
        """A worker stores what a verdict owes: the message must be its own (law 3)."""
        told = self._told_to(worker, 0)
        for message in messages:
            if not told.issuperset(records_of(message.body) or [message.body]) and self._may_know(worker):
                self.wrong.append(f"a verdict on a message whose lease is lost: {message.body}")

    def look_at_leaving(self, worker: "Worker", keys: Mapping[Identity, str], within: float) -> None:
        """A request leaves: the claims and leases under which it does must outlast it (laws 1 and 3)."""
        if not self._may_know(worker):
            return
        told = self._told_to(worker, within)
        for identity, key in keys.items():
            held = self.ledger.entry(identity)
            if held is None or held.registered or held.token != worker.name or held.expires_in < within:
                self.wrong.append(f"{worker.name} sends {key} for {within:g} s under {held}")
            if key not in told:
                self.wrong.append(f"{worker.name} sends {key} for {within:g} s, and its lease does not last")

    def _told_to(self, worker: "Worker", seconds: float) -> set[str | None]:
        """The keys, and unreadable bodies, of the messages that are the worker's for so many seconds from now."""
        until = asyncio.get_running_loop().time() + seconds
        bodies = [
            each.body
            for each in self.queue.in_flight
            if each.handle in worker.handles and each.visible_at >= until
        ]
        return {key for body in bodies for key in records_of(body) or [body]}

    def _may_know(self, worker: "Worker") -> bool:
        """Not so when it was frozen after its last look at the clock, or when SQS broke its word."""
        return worker.thawed_at < asyncio.get_running_loop().time() and not self._shown_early

    def storage_keys(self) -> Counter[str]:
        """The objects that Darwin holds, and how often."""
        return Counter(
            file.storage_key
            for dataset in self.team.datasets.values()
            for item in dataset.items.values()
            for file in item.files
            if item.external
        )

    def adopted(self, key: str) -> bool:
        held = self.team.datasets["blue"].items.get(("/adopted", key.rpartition("/")[2]))
        return key.startswith("adopt/") and held is not None and not held.external

    def look(self) -> None:
        """What must hold at every moment. Raises :class:`LawBroken` or :class:`WorkerEnded`."""
        now = asyncio.get_running_loop().time()
        for worker in list(self.workers):
            if worker.task.done():
                self._look_at_ended(worker)
            elif now > max(worker.stops_by, worker.thawed_at + 1) and not worker.frozen:
                raise LawBroken(f"{worker.name} does not come to its end")
            if not worker.rig.conserved():
                self.wrong.append(f"not conserved by {worker.name}")
        self.wrong += [f"doubled: {key}" for key, count in self.storage_keys().items() if count > 1]
        if self.twin.world.counters.extensions:
            self.wrong.append("an item was extended")
        if self.wrong:
            raise LawBroken("; ".join(self.wrong[:5]))

    def _look_at_ended(self, worker: Worker) -> None:
        if worker.stops_by == float("inf") or worker.task.exception() is not None:
            raise WorkerEnded(f"{worker.name}: {worker.task.exception()!r}") from worker.task.exception()
        self.workers.remove(worker)
        asyncio.get_running_loop().call_later(RESTARTED_AFTER, self._replace, context=SERVERS)

    # The end

    async def come_to_rest(self, within: float) -> None:
        """All is well again, and somebody is there who was asked for no stop; wait until nothing is left to do."""
        self.heal()
        self.start()
        try:
            await self.queue.until_empty(within)
        except TimeoutError:
            left = [(stored.receive_count, stored.body) for stored in self.queue.stored[:3]]
            self.wrong.append(f"{len(self.queue.stored)} messages are left: {left}")

    async def end(self) -> None:
        """Every worker is gone, as by SIGKILL."""
        self._over = True
        for worker in list(self.workers):
            self.kill(worker)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

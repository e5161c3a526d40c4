"""The whole pipeline on virtual time: real parts, the twin as Darwin, SQS and the ledger in memory."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote_plus

from prometheus_client import CollectorRegistry

from tests.fakes.archive import FakeArchive
from tests.fakes.darwin import FakeDarwin
from tests.fakes.ledger import MemoryLedger
from tests.fakes.objects import FakeObjects
from tests.fakes.queue import FakeQueue
from worker.adapters.cell_probes import CellProbes
from worker.adapters.cell_quota import CellQuota
from worker.adapters.cells import MemoryCell
from worker.core.darwin import Storage
from worker.core.lanes import TeamLanes
from worker.core.model import Lane, Mode
from worker.core.receipts import Place
from worker.core.routes import Fallback, Route
from worker.core.routing import Routes
from worker.demo.twin import state as twin_state
from worker.demo.twin.faults import Fault
from worker.demo.twin.switches import Switches
from worker.demo.twin.twin import Twin
from worker.metrics import Metrics
from worker.pipeline.accounts import Account
from worker.pipeline.context import Context
from worker.pipeline.flow import Flow
from worker.pipeline.heartbeats import Heartbeats
from worker.pipeline.situation import Situation
from worker.pipeline.stopping import Stop

START = 1_800_000_000.0
"""Unix seconds at which every test begins."""

BUCKET = "media"

ARCHIVE = Place(BUCKET, "receipts")
"""Where receipts are kept, of a rig that is given an archive."""


def lane(dataset: str = "intake", team: str = "acme", *, readonly: bool = False) -> Lane:
    return Lane(team, dataset, "prod", Mode.READ_ONLY if readonly else Mode.READ_WRITE)


def event(
    key: str, *, etag: str = "e1", size: int = 10, name: str = "ObjectCreated:Put"
) -> dict[str, object]:
    """One record of an S3 notification."""
    held = {"key": quote_plus(key, safe="/"), "size": size, "eTag": etag, "sequencer": "0A"}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2027-01-15T08:00:00.000Z",
        "eventName": name,
        "s3": {"bucket": {"name": BUCKET}, "object": held},
    }


def notification(*keys: str, etag: str = "e1") -> str:
    return json.dumps({"Records": [event(key, etag=etag) for key in keys]})


class Rig:
    """Everything a pipeline test holds in its hands."""

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        limit: int = 5000,
        requests_per_minute: int = 100,
        drain: float = 25.0,
        visibility: int = 120,
        max_receive_count: int = 10,
        switches: Switches | None = None,
        ledger: MemoryLedger | None = None,
        twin: Twin | None = None,
        queue: FakeQueue | None = None,
        dead_letters: FakeQueue | None = None,
        cells: dict[str, MemoryCell] | None = None,
        objects: FakeObjects | None = None,
        archive: FakeArchive | None = None,
        readonly: bool = False,
        more_lanes: bool = False,
        token: str = "worker-1",
    ) -> None:
        self.cells = {} if cells is None else cells
        self.dead_letters = dead_letters or FakeQueue()
        self.queue = queue or FakeQueue(max_receive_count, self.dead_letters)
        self.ledger = ledger or MemoryLedger(self.now)
        self.objects = objects or FakeObjects()
        lanes: dict[str, list[Lane]] = {}
        for route in routes:
            lanes.setdefault(route.lane.team, []).append(route.lane)
        self.twin = twin or Twin(
            [
                twin_state.Team(
                    team,
                    f"key-of-{team}",
                    sorted({each.dataset for each in of_team}),
                    [twin_state.Storage("prod", BUCKET, "darwin", readonly=readonly)],
                )
                for team, of_team in lanes.items()
            ],
            switches or Switches(requests_per_minute=requests_per_minute),
        )
        metrics = Metrics(CollectorRegistry())
        self.registry_metrics = metrics
        self.stop = Stop(drain)
        self.heartbeats = Heartbeats()
        self.situation = Situation(metrics, self.now)
        context = Context(metrics, self.situation, self.heartbeats, self.stop, self.now, token, limit)
        self.context = context
        self.darwin = {team: FakeDarwin(self.twin, team, f"key-of-{team}", self.now) for team in lanes}
        self.accounts = {
            team: Account(
                team,
                self.darwin[team],
                CellQuota(self._cell(f"quota/{team}"), requests_per_minute, 2),
                TeamLanes(of_team, 100, more_may_come=more_lanes),
                CellProbes(self._cell(f"probes/{team}/team")),
                CellProbes(self._cell(f"probes/{team}/plan")),
            )
            for team, of_team in lanes.items()
        }
        storages = {
            (team, "prod"): Storage("prod", "prod", lane(readonly=readonly).mode, "aws", BUCKET, "darwin")
            for team in lanes
        }
        self.flow = Flow(
            context,
            queue=self.queue,
            dead_letters=self.dead_letters,
            ledger=self.ledger,
            objects=self.objects,
            accounts=self.accounts,
            routes=Routes(tuple(routes), Fallback.DEAD_LETTER, storages, ARCHIVE if archive else None),
            visibility=visibility,
            wait=10,
            request_timeout=20,
            items_per_second=requests_per_minute * 100 / 60,
            suspect_from=max_receive_count // 2,
            archive=archive,
        )

    def _cell(self, name: str) -> MemoryCell:
        """What several rigs share that were given the same cells."""
        return self.cells.setdefault(name, MemoryCell(asyncio.get_running_loop().time))

    def now(self) -> float:
        return START + asyncio.get_running_loop().time()

    # What tests do

    def upload(self, *keys: str, etag: str = "e1") -> None:
        """One message for each key, as S3 sends them."""
        for key in keys:
            self.queue.put(notification(key, etag=etag))

    def put(self, *keys: str, content: bytes = b"x") -> None:
        """Objects that are there, and of which S3 tells."""
        for key in keys:
            self.objects.put(key, content)
            told = event(key, etag=hashlib.md5(content, usedforsecurity=False).hexdigest(), size=len(content))
            self.queue.put(json.dumps({"Records": [told]}))

    def removed(self, key: str) -> None:
        self.objects.delete(key)
        self.queue.put(json.dumps({"Records": [event(key, name="ObjectRemoved:Delete")]}))

    def fault(self, **values: object) -> int:
        return self.twin.world.faults.plan(Fault.model_validate(values))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Rig"]:
        """The flow runs; at the end it is asked to stop, and must come to its end by itself."""
        for account in self.accounts.values():
            await account.quota.level()  # the bucket begins, as it does when the service opens it
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.flow.run(), name="flow")
            try:
                yield self
            finally:
                self.stop.ask()
            async with asyncio.timeout(60):
                await task

    # What tests see

    def items(self, team: str = "acme") -> dict[str, list[str]]:
        """What Darwin holds: full paths by dataset."""
        return {
            slug: sorted(f"{path.rstrip('/')}/{name}" for path, name in dataset.items)
            for slug, dataset in self.twin.world.teams[team].datasets.items()
        }

    def files(self, dataset: str = "intake", team: str = "acme") -> dict[str, list[tuple[str, str]]]:
        """What Darwin holds: slot and storage key of each file, in their order, by the item's full path."""
        return {
            f"{path.rstrip('/')}/{name}": [(file.slot_name, file.storage_key) for file in item.files]
            for (path, name), item in self.twin.world.teams[team].datasets[dataset].items.items()
        }

    def dead(self) -> list[tuple[str, str]]:
        """The distinct dead letters: key and reason."""
        found = set()
        for stored in self.dead_letters.stored:
            record = json.loads(stored.body)["Records"][0]
            found.add((record["s3"]["object"]["key"], stored.attributes.get("reason", "")))
        return sorted(found)

    def outcomes(self) -> dict[str, int]:
        return {kind.value: count for kind, count in self.flow.settling.book.outcomes.items() if count}

    def conserved(self) -> bool:
        """Law of conservation, by the book and by the metrics alike."""
        book = self.flow.settling.book
        told = Counter[str]()
        for family in self.registry_metrics_families():
            for sample in family:
                told[sample[0]] += int(sample[1])
        return (
            book.received == sum(book.outcomes.values()) + book.returned + book.open_records
            and told["darwin_worker_records_received_total"] == book.received
            and told["darwin_worker_records_total"] == sum(book.outcomes.values())
            and told["darwin_worker_records_returned_total"] == book.returned
            and told["darwin_worker_records_open"] == book.open_records
        )

    def registry_metrics_families(self) -> list[list[tuple[str, float]]]:
        metrics = self.registry_metrics
        watched = (metrics.records_received, metrics.records, metrics.records_returned, metrics.records_open)
        return [
            [(sample.name, sample.value) for sample in family.samples]
            for each in watched
            for family in each.collect()
        ]

    def counters(self) -> Mapping[str, int]:
        counters = self.twin.world.counters
        return {
            "resent": counters.items_resent,
            "extensions": counters.extensions,
            "collisions": counters.collisions,
            "registered": counters.items_registered,
        }


def rig_of(**values: object) -> Rig:
    """The rig with one route, for everything below ``in``."""
    return Rig([Route("all", lane(), prefix="in")], **values)  # type: ignore[arg-type]  # passed on as they come


async def stopped(rig: Rig, after: float) -> float:
    """Run for *after* seconds, then stop; the seconds that the stop took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with rig.running():
        await asyncio.sleep(after)
        began = loop.time()
    return loop.time() - began

"""A routes file at work, with nothing around it: objects in memory, their events, and the requests that come of them, on
virtual time (looptime). The twin then takes each request, as strict as it can be.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from struct import pack

from tests.demo.twin_calls import Calls
from tests.fakes.objects import FakeObjects
from worker.core.claims import Entry, known
from worker.core.darwin import Storage
from worker.core.events import Notification, parse
from worker.core.grouping import Member
from worker.core.model import (
    Identity,
    Item,
    Kind,
    Lane,
    Later,
    Mode,
    Notes,
    Outcome,
    Record,
    RecordId,
    S3Object,
)
from worker.core.registration import ENDPOINTS, body_of
from worker.core.routing import Draft, PartOf, Removal, Routes
from worker.demo.twin import state
from worker.opening import every_route, with_storages
from worker.pipeline.assembly import Assembly, Decided
from worker.routes_file import read_routes

TEAM = "acme"
OTHER_KEY = "CLINIC_API_KEY"
START = 1_800_000_000.0
_LOOKS = 20
"""How often a record may be postponed before a test says that it never ends."""


@dataclass(frozen=True)
class Told:
    """An object that is there, and its *event*: a message's body as it lies in the queue. Without one, nobody told of it."""

    bucket: str
    key: str
    event: str = ""
    content: bytes = b"x"
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What is sent to Darwin: the *path* of its address, and the body."""

    path: str
    body: Mapping[str, object]

    @property
    def text(self) -> str:
        """The body in JSON, in which 1, 1.0 and true are not the same."""
        return json.dumps(self.body, indent=1, sort_keys=True)


@dataclass
class Sent:
    """What came of all events: the requests in their order, and the outcomes of what made no item, as (key, outcome).

    *calls*: what S3 was asked for, by the names of the port.
    """

    requests: list[Request] = field(default_factory=list)
    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)
    calls: Mapping[str, int] = field(default_factory=dict)


def picture(width: int, height: int) -> bytes:
    """The first bytes of a PNG of this size (https://www.w3.org/TR/png-3/#11IHDR)."""
    return b"\x89PNG\r\n\x1a\n" + pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0) + b"crc?"


def routes_of(file: Path, text: str, bucket: str, is_readonly: Callable[[str], bool]) -> Routes:
    """The routes that *text* makes of *file*, with the storages that they name. Those lie in the route's bucket, or else in
    *bucket*.
    """
    file.write_text(text)
    wanted = read_routes(file, TEAM, {OTHER_KEY: "abcdefg.0123456789abcdef0123456789abcdef"})
    storages: dict[str, dict[str, Storage]] = {}
    for route in every_route(wanted):
        lane, mode = route.lane, Mode.READ_ONLY if is_readonly(route.lane.storage) else Mode.READ_WRITE
        held = Storage(lane.storage, lane.storage, mode, "aws", route.bucket or bucket, "darwin")
        storages.setdefault(lane.team, {})[lane.storage] = held
    return with_storages(wanted, {team: list(held.values()) for team, held in storages.items()})


async def sent_for(routes: Routes, objects: Sequence[Told]) -> Sent:
    """What comes of the objects' events, all of them in the queue at once."""
    world = _World(routes)
    for told in objects:
        world.objects.put(told.key, told.content, bucket=told.bucket, metadata=told.metadata, tags=told.tags)
    for told in objects:
        if told.event:
            await world.receive(told.event)
    await world.assemble_groups()
    return world.sent()


class _World:
    def __init__(self, routes: Routes) -> None:
        self.objects = FakeObjects()
        self._routes = routes
        self._assembly = Assembly(routes, self.objects, self._entry, self._now)
        self._ledger: dict[Identity, S3Object] = {}
        self._groups: dict[str, tuple[PartOf, list[Member]]] = {}
        self._items: list[Item] = []
        self._numbers = count()
        self._outcomes: list[tuple[str, Outcome]] = []

    async def receive(self, body: str) -> None:
        notification = parse(body)
        assert isinstance(notification, Notification)
        for record in notification.records:
            assert isinstance(record, Record)
            match self._routes.decide(record):
                case PartOf() as part:
                    self._group_of(part).append(self._member(record.object.key))
                case Draft() as pending:
                    self._placed(record.object.key, await self._draft(pending))
                case Removal():
                    raise AssertionError("nothing is removed here")
                case decided:
                    self._placed(record.object.key, decided)

    def _member(self, key: str) -> Member:
        return Member(RecordId(next(self._numbers), 0), key)

    async def assemble_groups(self) -> None:
        for part, members in self._groups.values():
            waiting = members
            for _ in range(_LOOKS):
                again = list[Member]()
                for member, decided in await self._assembly.group(part, waiting):
                    if isinstance(decided, Later) and decided.notes is not None:
                        again.append(member._replace(notes=decided.notes))
                        await asyncio.sleep(decided.delay)
                    else:
                        self._placed(member.key, decided)
                if not again:
                    break
                waiting = again
            else:
                raise AssertionError(f"the group {part.group.beginning} never comes to an end")

    def sent(self) -> Sent:
        by_lane: dict[Lane, list[Item]] = {}
        for item in self._items:
            by_lane.setdefault(item.lane, []).append(item)
        requests = [
            Request(f"/api/v2/teams/{lane.team}/items/{ENDPOINTS[lane.mode]}", body_of(lane, items))
            for lane, items in by_lane.items()
        ]
        return Sent(requests, self._outcomes, self.objects.calls)

    async def _draft(self, pending: Draft) -> Decided:
        notes: Notes | None = None
        for _ in range(_LOOKS):
            decided = await self._assembly.draft(pending, notes)
            if not isinstance(decided, Later):
                return decided
            notes = decided.notes
            await asyncio.sleep(decided.delay)
        raise AssertionError(f"{pending.object.key} never comes to an end")

    def _group_of(self, part: PartOf) -> list[Member]:
        place = f"{part.group.rule.route.name} {part.group.bucket} {part.group.beginning}"
        return self._groups.setdefault(place, (part, []))[1]

    def _placed(self, key: str, decided: Decided) -> None:
        """In a lane, or wherever the ledger says."""
        while isinstance(decided, Item):
            before = self._ledger.get(decided.identity)
            if before is None:
                self._ledger[decided.identity] = decided.object
                self._items.append(decided)
                return
            decided = known(Entry(before, True, "", 0.0, 0.0), decided)
        outcome = decided.outcome if isinstance(decided, Later) else decided
        self._outcomes.append((key, outcome))

    async def _entry(self, identity: Identity) -> Entry | None:
        held = self._ledger.get(identity)
        return None if held is None else Entry(held, True, "", 0.0, 0.0)

    def _now(self) -> float:
        return START + asyncio.get_running_loop().time()


def as_sent(requests: Sequence[Request]) -> list[tuple[str, str]]:
    return [(request.path, request.text) for request in requests]


def needless(sent: Sent) -> list[tuple[str, str]]:
    """The outcomes that tell of something else than a part or a sidecar of an item that is sent."""
    return [
        (key, f"{outcome.kind.value}:{outcome.reason.value}")
        for key, outcome in sent.outcomes
        if outcome.kind is not Kind.WAITING and outcome.reason.value != "sidecar"
    ]


def assert_taken(request: Request, *, readonly: Iterable[str]) -> None:
    """The twin takes the request, and registers each item of it. *readonly*: the storages that are so in Darwin."""
    body, team = request.body, request.path.split("/")[4]
    storage = str(body["storage_slug"])
    key = "abcdefg.0123456789abcdef0123456789abcdef"
    items = body["items"]
    assert isinstance(items, list)
    tags = [tag for item in items for tag in item.get("tags", [])]
    held = state.Storage(storage, "bucket", "darwin", readonly=storage in readonly)
    calls = Calls(teams=[state.Team(team, key, [str(body["dataset_slug"])], [held], tags=tags)])
    reply = calls.ask("POST", request.path, key=key, body=json.dumps(body).encode())
    answer = json.loads(reply.body)
    assert reply.status == 200, answer
    assert answer["blocked_items"] == []
    assert [(each["path"], each["name"]) for each in answer["items"]] == [
        (each["path"], each["name"]) for each in items
    ]

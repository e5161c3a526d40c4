"""The Darwin port on the twin, without a network: on virtual time."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from worker.core import asking
from worker.core.answers import Answer
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.errors import Refused, Unavailable
from worker.core.model import Lane, Mode
from worker.demo.twin.replies import Reply
from worker.demo.twin.twin import Twin

T = TypeVar("T")

GENERAL_SECONDS = 20.0
"""As the real adapter gives up a question."""


class FakeDarwin:
    """One team's API. *now*: Unix seconds. *seconds*: what every request takes. *unreachable* for an outage."""

    def __init__(self, twin: Twin, team: str, key: str, now: Callable[[], float]) -> None:
        self.seconds = 0.1
        self.unreachable = False
        self.key = key
        self.key_in_file = key
        self.sent_at: list[float] = []
        self.bodies: list[Mapping[str, object]] = []
        self.probes: list[float] = []
        self._twin = twin
        self._team = team
        self._now = now

    async def register(self, lane: Lane, body: Mapping[str, object], within: float) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.sent_at.append(began)
        self.bodies.append(body)
        tail = "register_existing" if lane.mode is Mode.READ_WRITE else "register_existing_readonly"
        path = f"/api/v2/teams/{self._team}/items/{tail}"
        try:
            async with asyncio.timeout(within):
                reply = await self._request("POST", path, body=json.dumps(body).encode())
        except TimeoutError:
            return Answer(None, text=f"no answer within {within:g} s", seconds=within)
        seconds = loop.time() - began
        if reply.drop:
            return Answer(None, text="connection closed without an answer", seconds=seconds)
        after = reply.headers.get("Retry-After")
        return Answer(
            reply.status, _json(reply), reply.body.decode()[:500], float(after) if after else None, seconds
        )

    async def team(self) -> str:
        self.probes.append(asyncio.get_running_loop().time())
        return await self._ask("/api/users/token_info", asking.team_of)

    async def datasets(self) -> list[Dataset]:
        return await self._ask("/api/datasets", asking.datasets_of)

    async def storages(self) -> list[Storage]:
        return await self._ask(f"/api/teams/{self._team}/storage", asking.storages_of)

    async def find_items(self, dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        query = [("dataset_ids[]", str(dataset_id)), ("page[size]", "500"), *asking.query_of_places(places)]
        page = await self._ask(f"/api/v2/teams/{self._team}/items", asking.page_of, query)
        return page.items

    async def archive(self, dataset_id: int, item_ids: Sequence[str]) -> int:
        body = asking.archiving_of(dataset_id, item_ids)
        return await self._ask(f"/api/v2/teams/{self._team}/items/archive", asking.affected_of, body=body)

    def reread_key(self) -> bool:
        changed = self.key != self.key_in_file
        self.key = self.key_in_file
        return changed

    async def _request(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: bytes = b""
    ) -> Reply:
        await asyncio.sleep(self.seconds)
        if self.unreachable:
            return Reply(0, drop=True)
        headers = {"Authorization": f"ApiKey {self.key}", "Content-Type": "application/json"}
        reply = self._twin.handle(
            method, path, query=query or [], headers=headers, body=body, now=self._now()
        )
        while reply.delay or reply.then:
            await asyncio.sleep(reply.delay)
            if reply.then is None:
                break
            reply = reply.then(self._now())
        return reply

    async def _ask(
        self,
        path: str,
        read: Callable[[object], T | None],
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> T:
        method, content = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
        try:
            async with asyncio.timeout(GENERAL_SECONDS):
                reply = await self._request(method, path, query, content)
        except TimeoutError as error:
            raise Unavailable(f"Darwin does not answer {path}") from error
        if reply.drop or reply.status >= 500 or reply.status == 429:
            raise Unavailable(f"Darwin does not answer {path}: {reply.status}")
        told = read(_json(reply)) if reply.status == 200 else None
        if told is None:
            raise Refused(f"Darwin refuses {path}: {reply.status}")
        return told


def _json(reply: Reply) -> object:
    try:
        return json.loads(reply.body)
    except ValueError:
        return None

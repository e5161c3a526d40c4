"""The Darwin port on the twin, without a network: on virtual time."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from worker.core.answers import Answer
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.errors import Refused, Unavailable
from worker.core.model import Lane, Mode
from worker.demo.twin.replies import Reply
from worker.demo.twin.twin import Twin


class FakeDarwin:
    """One team's API. *now*: Unix seconds. *seconds*: what every request takes. *unreachable* for an outage."""

    def __init__(self, twin: Twin, team: str, key: str, now: Callable[[], float]) -> None:
        self.seconds = 0.1
        self.unreachable = False
        self.key = key
        self.key_in_file = key
        self.sent_at: list[float] = []
        self.probes: list[float] = []
        self._twin = twin
        self._team = team
        self._now = now

    async def register(self, lane: Lane, body: Mapping[str, object], within: float) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.sent_at.append(began)
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
        told = await self._get("/api/users/token_info")
        return str(told["selected_team"]["slug"])  # type: ignore[index,call-overload]  # the twin's shape is known

    async def datasets(self) -> list[Dataset]:
        return [Dataset(each["id"], each["slug"]) for each in await self._list("/api/datasets")]

    async def storages(self) -> list[Storage]:
        return [
            Storage(
                each["name"],
                each.get("slug") or each["name"],
                Mode.READ_ONLY if each["readonly"] else Mode.READ_WRITE,
                each["provider"],
                each["bucket"],
                each["prefix"].strip("/"),
            )
            for each in await self._list(f"/api/teams/{self._team}/storage")
        ]

    async def find_items(self, dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        query = [("dataset_ids[]", str(dataset_id)), ("page[size]", "500")]
        query += [("item_names[]", name) for _, name in places]
        told = await self._get(f"/api/v2/teams/{self._team}/items", query)
        assert isinstance(told, dict)
        return [
            HeldItem(
                each["path"],
                each["name"],
                each["slots"][0]["is_external"] if each["slots"] else None,
                datetime.fromisoformat(each["inserted_at"]).timestamp(),
            )
            for each in told["items"]
        ]

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

    async def _get(self, path: str, query: list[tuple[str, str]] | None = None) -> object:
        reply = await self._request("GET", path, query)
        if reply.drop or reply.status >= 500 or reply.status == 429:
            raise Unavailable(f"Darwin does not answer {path}: {reply.status}")
        if reply.status != 200:
            raise Refused(f"Darwin refuses {path}: {reply.status}")
        return _json(reply)

    async def _list(self, path: str) -> list[dict[str, object]]:
        told = await self._get(path)
        assert isinstance(told, list)
        return told


def _json(reply: Reply) -> object:
    try:
        return json.loads(reply.body)
    except ValueError:
        return None

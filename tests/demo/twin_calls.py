"""Calls on the twin without a network, for its own tests: one team, one key, the time as the test sets it."""

import json
from collections.abc import Sequence
from typing import Any

from worker.demo.twin.replies import Reply
from worker.demo.twin.state import Storage, Team
from worker.demo.twin.switches import Switches
from worker.demo.twin.twin import Twin

KEY = "abcdefg.0123456789abcdef0123456789abcdef"
NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z
REGISTER = "/api/v2/teams/acme/items/register_existing"
REGISTER_READONLY = "/api/v2/teams/acme/items/register_existing_readonly"
ITEMS = "/api/v2/teams/acme/items"
ARCHIVE = "/api/v2/teams/acme/items/archive"

Json = Any  # What a reply holds is looked into, not typed.


def acme() -> Team:
    storages = [
        Storage("Acme Media", "acme-media", "darwin"),
        Storage("archive", "acme-archive", "thumbs", readonly=True),
    ]
    return Team("acme", KEY, ["intake", "second"], storages, tags=["night-shift"])


def photo(name: str = "a.jpg", path: str = "/", **fields: object) -> dict[str, object]:
    return {"name": name, "path": path, "storage_key": f"in/{name}", **fields}


class Calls:
    """A twin of its own and ways to call it; each answers (status, JSON body)."""

    def __init__(self, switches: Switches | None = None, teams: Sequence[Team] = ()) -> None:
        self.twin = Twin(teams or [acme()], switches)
        self.now = NOON

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        key: str | None = KEY,
        body: bytes = b"",
    ) -> Reply:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"ApiKey {key}"
        return self.twin.handle(method, path, query=query, headers=headers, body=body, now=self.now)

    def get(self, path: str, *query: tuple[str, str]) -> tuple[int, Json]:
        reply = self.ask("GET", path, query=query)
        return reply.status, json.loads(reply.body)

    def send(self, *items: object, path: str = REGISTER, **envelope: object) -> Reply:
        storage = "archive" if path == REGISTER_READONLY else "acme-media"
        body = {"dataset_slug": "intake", "storage_slug": storage, "items": items, **envelope}
        return self.ask("POST", path, body=json.dumps(body).encode())

    def register(self, *items: object, path: str = REGISTER, **envelope: object) -> tuple[int, Json]:
        reply = self.send(*items, path=path, **envelope)
        return reply.status, json.loads(reply.body)

    def control(self, method: str, call: str, **body: object) -> tuple[int, Json]:
        reply = self.ask(method, f"/_twin/{call}", key=None, body=json.dumps(body).encode())
        return reply.status, json.loads(reply.body)

    def counters(self) -> Json:
        return self.control("GET", "state")[1]["counters"]

    def held(self, dataset: str = "intake") -> list[Json]:
        """The items of a dataset as the control call tells them."""
        items: list[Json] = self.control("GET", "state")[1]["teams"]["acme"]["datasets"][dataset]["items"]
        return items


def reasons(body: Json) -> dict[str, list[str | None]]:
    """The reasons of the blocked items, by name, in the order of their slots."""
    return {item["name"]: [slot.get("reason") for slot in item["slots"]] for item in body["blocked_items"]}


def names(body: Json) -> list[str]:
    """The names of the accepted items."""
    return [item["name"] for item in body["items"]]

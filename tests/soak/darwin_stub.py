"""As much of Darwin as the worker asks for, which remembers of each object only when it came."""

import random
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.soak.fates import BUCKET, Fate, fate_of, number_of

TEAM, DATASET, STORAGE = "acme", "intake", "prod"


class Darwin:
    """Holds items of *records* objects. Not thread-safe, no I/O."""

    def __init__(self, records: int, draw: random.Random, counted: Counter[str]) -> None:
        self.inserted_at = array("d", bytes(8 * records))
        """Unix seconds at which each object was registered; 0: it was not."""
        self.wrong: list[str] = []
        self._draw = draw
        self._counted = counted

    def register(self, body: Mapping[str, Any], now: float) -> tuple[int, Any]:
        """Status and answer. A request that holds an object which is refused is not carried out."""
        numbers = [number_of(item["storage_key"]) for item in body["items"]]
        for item, number in zip(body["items"], numbers, strict=True):
            if number_of(f"{item['path']}/{item['name']}") != number:
                self.wrong.append(f"object {number} goes to {item['path']!r}, {item['name']!r}")
        self._counted["items sent"] += len(numbers)
        if any(fate_of(number) is Fate.REFUSED for number in numbers):
            self._counted["requests refused"] += 1
            return 422, {"errors": {"items": ["is invalid"]}}
        answer: dict[str, list[Any]] = {"items": [], "blocked_items": []}
        for item, number in zip(body["items"], numbers, strict=True):
            reason = self._take(number, now)
            slot = {"slot_name": "0", "file_name": item["name"]}
            entry = {"id": f"{number:032x}", "name": item["name"], "path": item["path"]}
            if reason is None:
                answer["items"].append(entry | {"slots": [slot]})
            else:
                answer["blocked_items"].append(entry | {"slots": [slot | {"reason": reason}]})
        return 200, answer

    def _take(self, number: int, now: float) -> str | None:
        fate = fate_of(number)
        if fate is Fate.BLOCKED:
            return "UNKNOWN_TAGS"
        if fate is not Fate.REGISTERED:
            self.wrong.append(f"object {number} was sent, but is to be {fate.name.lower()}")
        if self.inserted_at[number]:
            self._counted["items re-sent"] += 1
            return "ALREADY_EXISTS"
        if self._draw.randrange(2_000) == 0:
            self._counted["items blocked for now"] += 1
            return "UNEXPECTED_ERROR"
        self.inserted_at[number] = now
        self._counted["items"] += 1
        return None

    def ask(self, path: str, query: Mapping[str, Sequence[str]]) -> Any:
        """The answer to a GET; None for a page that is not there."""
        if path.endswith("/users/token_info"):
            return {"selected_team": {"slug": TEAM}}
        if path.endswith("/datasets"):
            return [{"id": 1, "slug": DATASET, "name": DATASET}]
        if path.endswith("/storage"):
            storage = {
                "name": STORAGE,
                "slug": STORAGE,
                "provider": "aws",
                "bucket": BUCKET,
                "prefix": "darwin",
            }
            return [storage | {"readonly": False, "default": True}]
        if path.endswith("/items"):
            return {"items": self._held(query), "page": {"next": None}}
        return None

    def _held(self, query: Mapping[str, Sequence[str]]) -> list[Any]:
        self._counted["item lists"] += 1
        numbers = [int(name.partition(".")[0]) for name in query.get("item_names[]", ())]
        return [
            {
                "name": f"{number:08d}.png",
                "path": f"/{number // 1_000:05d}",
                "inserted_at": datetime.fromtimestamp(self.inserted_at[number], UTC).isoformat(),
                "slots": [{"is_external": True}],
            }
            for number in numbers
            if self.inserted_at[number]
        ]

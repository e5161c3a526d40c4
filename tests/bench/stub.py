"""``python -m tests.bench.stub``: SQS, S3's listing and Darwin on one loopback port, as fast as Python answers.

``POST /_bench/set`` changes the switches of :class:`Switches` by their names, ``POST /_bench/put`` takes ``{"load": …,
"count": …}``, ``POST /_bench/clear`` forgets what was counted, ``GET /_bench/state`` tells it, and ``progress`` a little of it.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.bench.loads import BUCKET, DATASET, STORAGE, TEAM, Load, listing_of
from tests.bench.queue_stub import Queue
from tests.fakes.wire import Connection, Request, serve
from worker.demo.twin.limits import Form, Limiter, limiter

TAKEN, TOO_FAST = 200, 429


@dataclass(frozen=True)
class Switches:
    """Latencies in seconds. Darwin takes *requests* registrations in any *seconds*, as *form* counts them; 0: any number."""

    sqs_latency: float = 0.0
    darwin_latency: float = 0.0
    form: Form = "sliding"
    requests: int = 0
    seconds: float = 1.0


class Stub:
    """All three services, and what was seen of their client. Times are on the machine's monotonic clock."""

    def __init__(self) -> None:
        self.queue = Queue()
        self.pollers: deque[tuple[Client, Mapping[str, Any], float]] = deque()
        self.waking: asyncio.TimerHandle | None = None
        self.switches = Switches()
        self._limiter: Limiter | None = None
        self.clear()

    def clear(self) -> None:
        self.answered = list[tuple[float, int, int]]()
        """Each registration: when it came, the status, the items."""
        self.lags = list[float]()
        """Seconds from the last delivery to each registration."""
        self.registered = set[str]()
        self.items = 0
        self.lists = 0
        self.first_delivered_at = self.delivered_at = self.emptied_at = 0.0
        self.queue.calls.clear()
        self.queue.delivered = self.queue.deleted = self.queue.dead = 0

    def set(self, changes: Mapping[str, Any]) -> None:
        self.switches = replace(self.switches, **changes)
        one = self.switches
        self._limiter = limiter(one.form, one.requests, one.seconds) if one.requests else None

    def progress(self) -> dict[str, Any]:
        return {
            "now": time.monotonic(),
            "waiting": self.queue.waiting,
            "pollers": len(self.pollers),
            "items": self.items,
            "requests": len(self.answered),
        }

    def state(self) -> dict[str, Any]:
        return self.progress() | {
            "delivered": self.queue.delivered,
            "deleted": self.queue.deleted,
            "dead": self.queue.dead,
            "calls": self.queue.calls,
            "lists": self.lists,
            "distinct": len(self.registered),
            "answered": self.answered,
            "lags": self.lags,
            "first_delivered_at": self.first_delivered_at,
            "emptied_at": self.emptied_at,
        }

    def register(self, body: Mapping[str, Any]) -> tuple[int, Any, str]:
        """Status, answer and headers."""
        now = time.monotonic()
        items = body["items"]
        self.lags.append(now - self.delivered_at)
        wait = self._limiter.take(now) if self._limiter is not None else 0.0
        status = TOO_FAST if wait else TAKEN
        self.answered.append((now, status, len(items)))
        if wait:
            return status, {"errors": {"code": "RATE_LIMITED"}}, f"Retry-After: {int(wait) + 1}\r\n"
        self.items += len(items)
        self.registered.update(f"{item['path']}/{item['name']}" for item in items)
        echoes = [
            {
                "id": f"{place:032x}",
                "name": item["name"],
                "path": item["path"],
                "slots": item.get("slots") or [{"slot_name": "0", "file_name": item["name"]}],
            }
            for place, item in enumerate(items)
        ]
        return status, {"items": echoes, "blocked_items": []}, ""


def ask_darwin(path: str) -> Any:
    """The answer to a GET; None for a page that is not there."""
    if path.endswith("/users/token_info"):
        return {"selected_team": {"slug": TEAM}}
    if path.endswith("/datasets"):
        return [{"id": 1, "slug": DATASET, "name": DATASET, "progress": 0.0}]
    if path.endswith("/storage"):
        storage = {"name": STORAGE, "slug": STORAGE, "provider": "aws", "bucket": BUCKET, "prefix": "darwin"}
        return [storage | {"readonly": False, "default": True}]
    if path.endswith("/items"):
        return {"items": [], "page": {"next": None}}
    return None


class Client(Connection):
    def __init__(self, stub: Stub) -> None:
        super().__init__()
        self._stub = stub

    def received(self, request: Request) -> None:
        parts = urlsplit(request.target)
        if request.sqs_call is not None:
            self._sqs(request.sqs_call, json.loads(request.body))
        elif parts.path.startswith("/_bench/"):
            self._control(parts.path.rpartition("/")[2], json.loads(request.body or b"{}"))
        elif request.method == "POST":
            answer = self._stub.register(json.loads(request.body))
            self._later(self._stub.switches.darwin_latency, *answer)
        elif "list-type" in parts.query:
            self._stub.lists += 1
            prefix = parse_qs(parts.query).get("prefix", [""])[0]
            self._later(self._stub.switches.sqs_latency, TAKEN, listing_of(prefix))
        else:
            answer = ask_darwin(parts.path)
            self.answer(404 if answer is None else TAKEN, answer)

    def _sqs(self, call: str, asked: dict[str, Any]) -> None:
        now = time.monotonic()
        self._stub.queue.calls[call] += 1
        answer = self._stub.queue.call(call, asked, now)
        if call == "ReceiveMessage" and not answer and (wait := asked.get("WaitTimeSeconds", 0)):
            self._stub.pollers.append((self, asked, now + wait))
            wake(self._stub)
            return
        self.answer_sqs(answer)

    def answer_sqs(self, answer: Mapping[str, Any]) -> None:
        if "Messages" in answer:
            self._stub.delivered_at = time.monotonic()
            self._stub.first_delivered_at = self._stub.first_delivered_at or self._stub.delivered_at
        if not self._stub.queue.waiting:
            self._stub.emptied_at = time.monotonic()
        self._later(self._stub.switches.sqs_latency, TAKEN, answer)

    def _later(self, seconds: float, status: int, answer: object, headers: str = "") -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.answer, status, answer, headers)
        else:
            self.answer(status, answer, headers)

    def _control(self, what: str, body: Mapping[str, Any]) -> None:
        match what:
            case "set":
                self._stub.set(body)
            case "clear":
                self._stub.clear()
            case "put":
                self._stub.queue.put(Load(body["load"]), body["count"])
                wake(self._stub)
        told = {"state": self._stub.state, "progress": self._stub.progress}.get(what, dict)
        self.answer(TAKEN, told())


def wake(stub: Stub) -> None:
    """Answer the polls that there is something for, or whose time is over; and look again when that comes."""
    now = time.monotonic()
    for _ in range(len(stub.pollers)):
        client, asked, until = stub.pollers.popleft()
        answer = stub.queue.call("ReceiveMessage", asked, now) if client.open else {}
        if answer or until <= now:
            client.answer_sqs(answer)
        elif client.open:
            stub.pollers.append((client, asked, until))
    if stub.waking is not None:
        stub.waking.cancel()
        stub.waking = None
    if stub.pollers:
        times = [until for *_, until in stub.pollers]
        due = stub.queue.due(now)
        at = min([*times, *([] if due is None else [due])])
        stub.waking = asyncio.get_running_loop().call_at(at, wake, stub)


async def _serve() -> None:
    server = await serve(Client, Stub())
    sys.stdout.write(f"stub listening on {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())

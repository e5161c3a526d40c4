"""``python -m tests.soak.stub``: SQS and Darwin on one loopback port, with faults, as fast as Python answers.

``GET /_soak/state`` tells what was counted, ``GET /_soak/books`` what is wrong in the end.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.soak.darwin_stub import Darwin
from tests.soak.fates import Fate, fate_of
from tests.soak.sqs_stub import Queues

LATENCY = 0.05
"""Seconds that Darwin takes over a registration."""

SLOW = 0.5
TOO_SLOW = 7.0
"""Longer than the worker waits."""

SHOWN = 20


class Stub:
    """Both services, the faults between them and the worker, and the books."""

    def __init__(self, records: int, seed: int, faults: float) -> None:
        self.counted = Counter[str]()
        self._records = records
        self._draw = random.Random(seed)  # noqa: S311 - a seeded draw is the point
        self._faults = faults
        self.queues = Queues(records, self._draw, self.counted)
        self.darwin = Darwin(records, self._draw, self.counted)

    def happens(self, percent: float, what: str) -> bool:
        """Whether a fault happens now, so often in a hundred times."""
        drawn = self._draw.random() * 100 < percent * self._faults
        self.counted[what] += drawn
        return drawn

    def state(self) -> dict[str, Any]:
        return {"told_of": self.queues.told_of, "waiting": self.queues.waiting, **self.counted}

    def books(self) -> dict[str, Any]:
        """Each object by what must have become of it; every difference is named."""
        wrong = self.queues.wrong + self.darwin.wrong
        fates = Counter[str]()
        for number in range(self._records):
            fate = fate_of(number)
            held, dead = self.darwin.inserted_at[number] > 0, self.queues.dead[number] > 0
            fates[fate.name.lower()] += 1
            if held is not (fate is Fate.REGISTERED) or dead is not fate.owes_dead_letter:
                wrong.append(f"object {number} ({fate.name.lower()}): held {held}, dead letter {dead}")
        twice = sum(count > 1 for count in self.queues.dead)
        return {"wrong": len(wrong), "named": wrong[:SHOWN], "dead letters twice": twice, **fates}


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request after the other."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._data[:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            length = int(headers.get("content-length", 0))
            if len(self._data) < end + 4 + length:
                return
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            method, target, _ = first.split(" ", 2)
            if "x-amz-target" in headers:
                self._sqs(headers["x-amz-target"].rpartition(".")[2], json.loads(body))
            elif method == "POST":
                self._register(json.loads(body))
            else:
                self._ask(target)

    # SQS

    def _sqs(self, call: str, asked: dict[str, Any]) -> None:
        happens = self._stub.happens
        if happens(0.3, "SQS answered 503"):
            self._answer(503, {"__type": "com.amazonaws.sqs#ServiceUnavailable", "message": "planted"})
        elif happens(0.1, "SQS throttled"):
            self._answer(400, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "planted"})
        elif happens(0.1, "SQS connections broken before"):
            self._break()
        elif call == "ReceiveMessage":
            self._receive(asked, time.monotonic() + asked.get("WaitTimeSeconds", 0))
        else:
            answer = self._stub.queues.call(call, asked, time.monotonic())
            if happens(0.1, "SQS connections broken after"):
                self._break()
            else:
                self._answer(200, answer)

    def _receive(self, asked: dict[str, Any], until: float) -> None:
        """A long poll looks again when the next message is due."""
        if self._transport is None:
            return
        now = time.monotonic()
        answer = self._stub.queues.call("ReceiveMessage", asked, now)
        if not answer and now < until:
            due = self._stub.queues.next_due()
            wait = min(until, max(due or until, now + 0.05)) - now
            asyncio.get_running_loop().call_later(wait, self._receive, asked, until)
        elif answer and self._stub.happens(0.05, "receives lost"):
            self._break()
        else:
            self._answer(200, answer)

    # Darwin

    def _register(self, body: dict[str, Any]) -> None:
        happens = self._stub.happens
        loop = asyncio.get_running_loop()
        if happens(1.5, "Darwin answered 502 before"):
            loop.call_later(LATENCY, self._answer, 502, "<html>Bad Gateway</html>")
        elif happens(0.2, "Darwin answered 429"):
            loop.call_later(
                LATENCY, self._answer, 429, {"errors": {"code": "RATE_LIMITED"}}, "Retry-After: 1\r\n"
            )
        elif happens(0.5, "Darwin connections broken before"):
            loop.call_later(LATENCY, self._break)
        else:
            status, answer = self._stub.darwin.register(body, time.time())
            if happens(1, "Darwin answered 500 after"):
                loop.call_later(LATENCY, self._answer, 500, {"errors": {"detail": "Internal"}})
            elif happens(0.5, "Darwin connections broken after"):
                loop.call_later(LATENCY, self._break)
            elif happens(0.02, "Darwin answered too late"):
                loop.call_later(TOO_SLOW, self._answer, status, answer)
            else:
                wait = SLOW if happens(0.5, "Darwin answered slowly") else LATENCY
                loop.call_later(wait, self._answer, status, answer)

    def _ask(self, target: str) -> None:
        parts = urlsplit(target)
        if parts.path.startswith("/_soak/"):
            wanted = self._stub.books if parts.path.endswith("books") else self._stub.state
            self._answer(200, wanted())
        elif self._stub.happens(0.5, "Darwin answered 503 to a question"):
            self._answer(503, {})
        else:
            answer = self._stub.darwin.ask(parts.path, parse_qs(parts.query))
            self._answer(404 if answer is None else 200, answer)

    # Both

    def _answer(self, status: int, answer: Any, headers: str = "") -> None:
        if self._transport is not None:
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}"
            self._transport.write(head.encode() + b"\r\n\r\n" + body)

    def _break(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _serve(records: int, seed: int, faults: float) -> None:
    stub = Stub(records, seed, faults)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stub), "127.0.0.1", 0)
    sys.stdout.write(f"stub listening on {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.stub", description=__doc__)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--faults", type=float, default=1.0, help="how many times as often as usual")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.records, arguments.seed, arguments.faults))


if __name__ == "__main__":
    main()

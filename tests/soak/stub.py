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

from tests.fakes.wire import Connection, Request, serve
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


class Client(Connection):
    """One connection of the worker, or of who watches."""

    def __init__(self, stub: Stub) -> None:
        super().__init__()
        self._stub = stub

    def received(self, request: Request) -> None:
        if request.sqs_call is not None:
            self._sqs(request.sqs_call, json.loads(request.body))
        elif request.method == "POST":
            self._register(json.loads(request.body))
        else:
            self._ask(request.target)

    # SQS

    def _sqs(self, call: str, asked: dict[str, Any]) -> None:
        happens = self._stub.happens
        if happens(0.3, "SQS answered 503"):
            self.answer(503, {"__type": "com.amazonaws.sqs#ServiceUnavailable", "message": "planted"})
        elif happens(0.1, "SQS throttled"):
            self.answer(400, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "planted"})
        elif happens(0.1, "SQS connections broken before"):
            self.break_off()
        elif call == "ReceiveMessage":
            self._receive(asked, time.monotonic() + asked.get("WaitTimeSeconds", 0))
        else:
            answer = self._stub.queues.call(call, asked, time.monotonic())
            if happens(0.1, "SQS connections broken after"):
                self.break_off()
            else:
                self.answer(200, answer)

    def _receive(self, asked: dict[str, Any], until: float) -> None:
        """A long poll looks again when the next message is due."""
        if not self.open:
            return
        now = time.monotonic()
        answer = self._stub.queues.call("ReceiveMessage", asked, now)
        if not answer and now < until:
            due = self._stub.queues.next_due()
            wait = min(until, max(due or until, now + 0.05)) - now
            asyncio.get_running_loop().call_later(wait, self._receive, asked, until)
        elif answer and self._stub.happens(0.05, "receives lost"):
            self.break_off()
        else:
            self.answer(200, answer)

    # Darwin

    def _register(self, body: dict[str, Any]) -> None:
        happens = self._stub.happens
        loop = asyncio.get_running_loop()
        if happens(1.5, "Darwin answered 502 before"):
            loop.call_later(LATENCY, self.answer, 502, "<html>Bad Gateway</html>")
        elif happens(0.2, "Darwin answered 429"):
            loop.call_later(
                LATENCY, self.answer, 429, {"errors": {"code": "RATE_LIMITED"}}, "Retry-After: 1\r\n"
            )
        elif happens(0.5, "Darwin connections broken before"):
            loop.call_later(LATENCY, self.break_off)
        else:
            status, answer = self._stub.darwin.register(body, time.time())
            if happens(1, "Darwin answered 500 after"):
                loop.call_later(LATENCY, self.answer, 500, {"errors": {"detail": "Internal"}})
            elif happens(0.5, "Darwin connections broken after"):
                loop.call_later(LATENCY, self.break_off)
            elif happens(0.02, "Darwin answered too late"):
                loop.call_later(TOO_SLOW, self.answer, status, answer)
            else:
                wait = SLOW if happens(0.5, "Darwin answered slowly") else LATENCY
                loop.call_later(wait, self.answer, status, answer)

    def _ask(self, target: str) -> None:
        parts = urlsplit(target)
        if parts.path.startswith("/_soak/"):
            wanted = self._stub.books if parts.path.endswith("books") else self._stub.state
            self.answer(200, wanted())
        elif self._stub.happens(0.5, "Darwin answered 503 to a question"):
            self.answer(503, {})
        else:
            answer = self._stub.darwin.ask(parts.path, parse_qs(parts.query))
            self.answer(404 if answer is None else 200, answer)


async def _serve(records: int, seed: int, faults: float) -> None:
    stub = Stub(records, seed, faults)
    server = await serve(Client, stub)
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

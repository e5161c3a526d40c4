"""``python -m tests.soak.backfill_stub``: S3's listing, SQS and Darwin on one loopback port, for a backfill and a worker.

The bucket holds the objects of :mod:`tests.soak.fates`, but for those that only an event can make unreadable. ``GET
/_soak/state`` and ``/_soak/books`` as :mod:`tests.soak.stub`; ``POST /_soak/hold`` with ``{"at": …}`` lets no answer to a send
leave once the queue was sent so many messages, so that whoever sends can be killed right there.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.fakes.wire import Connection, Request, serve
from tests.soak.darwin_stub import Darwin
from tests.soak.fates import Fate, fate_of
from tests.soak.sqs_stub import Queues

PAGE = 1_000
FOLDER = 1_000
SHOWN = 20
MODIFIED = "2031-02-01T09:00:00.000Z"


class Sent(Queues):
    """A queue that holds what it is sent, and nothing else. Its counts are true."""

    def __init__(self, records: int, draw: random.Random, counted: Counter[str]) -> None:
        super().__init__(records, draw, counted)
        self._told_of = records

    def _send(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        if not asked["QueueUrl"].endswith("/dead"):
            self._counted["sent"] += len(asked["Entries"])
            self._counted["sends"] += 1
            marked = [entry["MessageAttributes"].get("backfill") for entry in asked["Entries"]]
            if marked != [{"DataType": "String", "StringValue": "true"}] * len(marked):
                self.wrong.append(f"a message was sent without backfill=true: {marked}")
        return super()._send(asked, now)

    def _delete(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:  # noqa: ARG002 - as all calls
        """Nothing is lost on the way, which would come back after half a minute."""
        for entry in asked["Entries"]:
            if (id_ := self._held(entry["ReceiptHandle"])) is not None:
                del self._messages[id_]
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]]}

    def _attributes(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        told = super()._attributes(asked, now)
        hidden = sum(message.visible_at > now for message in self._messages.values())
        told["Attributes"] |= {
            "ApproximateNumberOfMessages": str(len(self._messages) - hidden),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        return told


def key_of(number: int) -> str:
    extension = "txt" if fate_of(number) is Fate.UNSUPPORTED else "png"
    return f"in/{number // FOLDER:05d}/{number:08d}.{extension}"


class Bucket:
    """So many objects, listed as S3 does; the numbers of their keys are in the order of the keys."""

    def __init__(self, objects: int) -> None:
        self._objects = objects

    def list(self, asked: Mapping[str, list[str]]) -> str:
        """The page that is asked for, as XML. It starts after a key, or where the token says."""
        if "delimiter" in asked:
            return self._folders(asked["prefix"][0])
        token = asked.get("continuation-token")
        start = int(token[0]) if token else self._after(asked.get("start-after", [""])[0])
        end = min(self._objects, start + PAGE)
        entries = "".join(self._entry(number) for number in range(start, end))
        truncated = end < self._objects
        following = f"<NextContinuationToken>{end}</NextContinuationToken>" if truncated else ""
        return _page(entries + following, truncated=truncated, count=end - start)

    def _after(self, key: str) -> int:
        """The first number whose key comes after *key*."""
        low, high = 0, self._objects
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if key_of(middle) <= key else (low, middle)
        return low

    def _entry(self, number: int) -> str:
        fate = fate_of(number)
        if fate is Fate.UNREADABLE:
            return ""
        size = 0 if fate is Fate.IGNORED else 1_000 + number
        return (
            f"<Contents><Key>{quote(key_of(number))}</Key><LastModified>{MODIFIED}</LastModified>"
            f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _folders(self, prefix: str) -> str:
        if prefix == "":
            found = ["in/"]
        elif prefix == "in/":
            found = [f"in/{number:05d}/" for number in range(-(-self._objects // FOLDER))][:PAGE]
        else:
            found = []
        entries = "".join(f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in found)
        return _page(entries, truncated=False, count=len(found))


def _page(inner: str, *, truncated: bool, count: int) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{str(truncated).lower()}</IsTruncated><EncodingType>url</EncodingType><KeyCount>{count}</KeyCount>"
        f"{inner}</ListBucketResult>"
    )


class Stub:
    def __init__(self, objects: int) -> None:
        self.counted = Counter[str]()
        self.hold_at: int | None = None
        self._objects = objects
        draw = random.Random(0)  # noqa: S311 - a seeded draw is the point
        self.bucket = Bucket(objects)
        self.queues = Sent(objects, draw, self.counted)
        self.darwin = Darwin(objects, draw, self.counted)

    @property
    def holds(self) -> bool:
        return self.hold_at is not None and self.counted["sent"] >= self.hold_at

    def state(self) -> dict[str, Any]:
        return {"waiting": self.queues.waiting, "holds": self.holds, **self.counted}

    def books(self) -> dict[str, Any]:
        """Each object by what must have become of it; every difference is named."""
        wrong = self.queues.wrong + self.darwin.wrong
        fates = Counter[str]()
        for number in range(self._objects):
            fate = fate_of(number)
            held, dead = self.darwin.inserted_at[number] > 0, self.queues.dead[number] > 0
            fates[fate.name.lower()] += 1
            if held is not (fate is Fate.REGISTERED) or dead is not (fate in (Fate.BLOCKED, Fate.REFUSED)):
                wrong.append(f"object {number} ({fate.name.lower()}): held {held}, dead letter {dead}")
        return {"wrong": len(wrong), "named": wrong[:SHOWN], **fates}


class Client(Connection):
    def __init__(self, stub: Stub) -> None:
        super().__init__()
        self._stub = stub

    def received(self, request: Request) -> None:
        parts = urlsplit(request.target)
        if request.sqs_call is not None:
            self._sqs(request.sqs_call, json.loads(request.body))
        elif parts.path.startswith("/_soak/"):
            self._control(parts.path.rpartition("/")[2], request.body)
        elif request.method == "POST":
            self.answer(*self._stub.darwin.register(json.loads(request.body), time.time()))
        elif "list-type" in parts.query:
            self._stub.counted["lists"] += 1
            self.answer(200, self._stub.bucket.list(parse_qs(parts.query, keep_blank_values=True)))
        else:
            answer = self._stub.darwin.ask(parts.path, parse_qs(parts.query))
            self.answer(404 if answer is None else 200, answer)

    def _sqs(self, call: str, asked: dict[str, Any]) -> None:
        if call == "ReceiveMessage":
            self._receive(asked, time.monotonic() + asked.get("WaitTimeSeconds", 0))
            return
        answer = self._stub.queues.call(call, asked, time.monotonic())
        if call != "SendMessageBatch" or not self._stub.holds:
            self.answer(200, answer)

    def _receive(self, asked: dict[str, Any], until: float) -> None:
        if not self.open:
            return
        now = time.monotonic()
        answer = self._stub.queues.call("ReceiveMessage", asked, now)
        if answer or now >= until:
            self.answer(200, answer)
        else:
            asyncio.get_running_loop().call_later(min(0.05, until - now), self._receive, asked, until)

    def _control(self, what: str, body: bytes) -> None:
        if what == "hold":
            self._stub.hold_at = json.loads(body)["at"]
        self.answer(200, self._stub.books() if what == "books" else self._stub.state())


async def _serve(objects: int) -> None:
    server = await serve(Client, Stub(objects))
    sys.stdout.write(f"stub listening on {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.soak.backfill_stub", description=__doc__)
    parser.add_argument("--objects", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().objects))

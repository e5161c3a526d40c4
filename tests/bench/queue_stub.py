"""A queue that makes its messages as they are asked for. What is not deleted comes back when its visibility ends."""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.bench.loads import Load, body_of

DEAD = "dead"


class Queue:
    """Not thread-safe, no I/O. *calls*: how often each action was called."""

    def __init__(self) -> None:
        self.calls = Counter[str]()
        self.dead = 0
        self.delivered = 0
        """Deliveries; more than messages where some came twice."""
        self.deleted = 0
        self._load = Load.S3
        self._next = 0
        self._end = 0
        self._open: dict[int, tuple[int, float]] = {}
        """Receives of each message that was received and not deleted, and when its visibility ends."""
        self._hidden: list[tuple[float, int]] = []

    def put(self, load: Load, count: int) -> None:
        """So many messages more. One load at a time: what was put before must have been received."""
        if self._next < self._end and load is not self._load:
            raise ValueError("the load before is not received yet")
        self._load = load
        self._end += count

    @property
    def waiting(self) -> int:
        """Messages not deleted yet."""
        return self._end - self._next + len(self._open)

    def call(self, name: str, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        """What SQS answers. A receive that finds nothing answers at once: who waits, is the stub's to know."""
        calls: dict[str, Callable[[Mapping[str, Any], float], dict[str, Any]]] = {
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete_one,
            "DeleteMessageBatch": self._delete,
            "ChangeMessageVisibility": self._change_one,
            "ChangeMessageVisibilityBatch": self._change,
            "SendMessageBatch": self._send,
            "GetQueueAttributes": self._attributes,
            "GetQueueUrl": self._url,
        }
        return calls[name](asked, now)

    def due(self, now: float) -> float | None:
        """When a message is to be had (now: *now*); None when nothing waits."""
        if self._next < self._end:
            return now
        return self._hidden[0][0] if self._hidden else None

    def _receive(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        found = list[dict[str, Any]]()
        while len(found) < asked.get("MaxNumberOfMessages", 1) and (number := self._take(now)) is not None:
            receives = self._open.get(number, (0, 0.0))[0] + 1
            self._hide(number, receives, now + asked.get("VisibilityTimeout", 30))
            body = body_of(self._load, number)
            found.append(
                {
                    "MessageId": f"{number:08d}-0000-4000-8000-000000000000",
                    "ReceiptHandle": f"{number}#{receives}#" + "AQEB" * 40,
                    "Body": body,
                    "MD5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                    "Attributes": {"ApproximateReceiveCount": str(receives)},
                }
            )
        self.delivered += len(found)
        return {"Messages": found} if found else {}

    def _take(self, now: float) -> int | None:
        while self._hidden and self._hidden[0][0] <= now:
            until, number = heapq.heappop(self._hidden)
            if number in self._open and self._open[number][1] == until:
                return number
        if self._next >= self._end:
            return None
        self._next += 1
        return self._next - 1

    def _hide(self, number: int, receives: int, until: float) -> None:
        self._open[number] = (receives, until)
        heapq.heappush(self._hidden, (until, number))

    def _held(self, handle: str) -> int | None:
        """The message that the handle is still good for."""
        number, receives = (int(part) if part.isdigit() else -1 for part in f"{handle}#".split("#")[:2])
        return number if self._open.get(number, (0, 0.0))[0] == receives else None

    def _delete(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        for entry in asked["Entries"]:
            self._delete_one(entry, now)
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _delete_one(self, asked: Mapping[str, Any], _now: float) -> dict[str, Any]:
        number = self._held(asked["ReceiptHandle"])
        if number is not None:
            del self._open[number]
            self.deleted += 1
        return {}

    def _change(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        for entry in asked["Entries"]:
            self._change_one(entry, now)
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _change_one(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        number = self._held(asked["ReceiptHandle"])
        if number is not None:
            self._hide(number, self._open[number][0], now + asked["VisibilityTimeout"])
        return {}

    def _send(self, asked: Mapping[str, Any], _now: float) -> dict[str, Any]:
        self.dead += len(asked["Entries"])
        sent = [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in asked["Entries"]]
        for entry, one in zip(asked["Entries"], sent, strict=True):
            body = entry["MessageBody"].encode()
            one["MD5OfMessageBody"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return {"Successful": sent, "Failed": []}

    def _attributes(self, asked: Mapping[str, Any], _now: float) -> dict[str, Any]:
        name = asked["QueueUrl"].rpartition("/")[2]
        told = {"QueueArn": _arn(name), "VisibilityTimeout": "30", "MessageRetentionPeriod": "1209600"}
        if name != DEAD:
            policy = {"deadLetterTargetArn": _arn(DEAD), "maxReceiveCount": 100}
            told["RedrivePolicy"] = json.dumps(policy)
        return {"Attributes": told}

    def _url(self, asked: Mapping[str, Any], _now: float) -> dict[str, Any]:
        return {"QueueUrl": f"http://127.0.0.1/000000000000/{asked['QueueName']}"}


def _arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"

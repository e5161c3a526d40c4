"""A queue and its dead-letter queue that make their messages as they are asked for them.

Visibility, receipt handles and redelivery are real: what is not deleted in time comes back, with a higher count.
"""

import hashlib
import heapq
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.soak.fates import Fate, fate_of, number_of, record_of

MAX_RECEIVES = 100
_RECORDS = (1, 1, 1, 1, 2, 3, 5, 10)
_DUPLICATE_ONE_IN = 20
_RECENT = 5_000


@dataclass(slots=True)
class _Message:
    body: str
    numbers: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    receives: int = 0
    visible_at: float = 0.0


class Queues:
    """*records* objects are told of in all, in messages of one to ten, some twice. Not thread-safe, no I/O."""

    def __init__(self, records: int, draw: random.Random, counted: Counter[str]) -> None:
        self.dead = bytearray(records)
        """Dead letters of each object, at most 255."""
        self.wrong: list[str] = []
        self._records = records
        self._draw = draw
        self._counted = counted
        self._told_of = 0
        self._messages: dict[str, _Message] = {}
        self._due: list[tuple[float, str]] = []
        self._ids = itertools.count(1)

    @property
    def told_of(self) -> int:
        return self._told_of

    @property
    def waiting(self) -> int:
        """Messages not deleted yet."""
        return len(self._messages)

    def call(self, name: str, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        calls: dict[str, Callable[[Mapping[str, Any], float], dict[str, Any]]] = {
            "ReceiveMessage": self._receive,
            "DeleteMessageBatch": self._delete,
            "ChangeMessageVisibilityBatch": self._change,
            "SendMessageBatch": self._send,
            "GetQueueAttributes": self._attributes,
            "GetQueueUrl": self._url,
        }
        return calls[name](asked, now)

    def next_due(self) -> float | None:
        """When the next message is to be had (any past time: now); None when nothing waits."""
        if self._told_of < self._records:
            return 0.0
        return self._due[0][0] if self._due else None

    def _receive(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        found = list[dict[str, Any]]()
        while len(found) < asked["MaxNumberOfMessages"] and (id_ := self._take(now)):
            message = self._messages[id_]
            message.receives += 1
            if message.receives > MAX_RECEIVES:
                self.wrong.append(f"message {id_} was received more than {MAX_RECEIVES} times")
            self._hide(id_, now + asked["VisibilityTimeout"])
            self._counted["redeliveries"] += message.receives > 1
            found.append(
                {
                    "MessageId": id_,
                    "ReceiptHandle": f"{id_}#{message.receives}",
                    "Body": message.body,
                    "MD5OfBody": _md5(message.body),
                    "Attributes": {"ApproximateReceiveCount": str(message.receives)},
                    "MessageAttributes": message.attributes,
                }
            )
        return {"Messages": found} if found else {}

    def _take(self, now: float) -> str | None:
        while self._due and self._due[0][0] <= now:
            at, id_ = heapq.heappop(self._due)
            message = self._messages.get(id_)
            if message is not None and message.visible_at == at:
                return id_
        if self._told_of >= self._records:
            return None
        if self._told_of and self._draw.randrange(_DUPLICATE_ONE_IN) == 0:
            self._counted["duplicates"] += 1
            numbers: tuple[int, ...] = (self._draw.randrange(max(0, self._told_of - _RECENT), self._told_of),)
        else:
            end = min(self._records, self._told_of + self._draw.choice(_RECORDS))
            numbers = tuple(range(self._told_of, end))
            self._told_of = end
        return self._put('{"Records":[' + ",".join(map(record_of, numbers)) + "]}", numbers, {})

    def _put(self, body: str, numbers: tuple[int, ...], attributes: Mapping[str, Any]) -> str:
        id_ = f"{next(self._ids):08x}-0000-4000-8000-000000000000"
        self._messages[id_] = _Message(body, numbers, attributes)
        return id_

    def _hide(self, id_: str, until: float) -> None:
        self._messages[id_].visible_at = until
        heapq.heappush(self._due, (until, id_))

    def _held(self, handle: str) -> str | None:
        """The message that the handle is still good for."""
        id_, _, receives = handle.partition("#")
        message = self._messages.get(id_)
        return id_ if message is not None and message.receives == int(receives) else None

    def _delete(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:  # noqa: ARG002 - as all calls
        answer: dict[str, list[Any]] = {"Successful": [], "Failed": []}
        for entry in asked["Entries"]:
            id_ = self._held(entry["ReceiptHandle"])
            drawn = self._draw.randrange(1_000)
            if drawn < 5:
                self._counted["deletes refused"] += 1
                answer["Failed"].append(_failure(entry, "InternalError", sender=False))
                continue
            if drawn < 10:
                self._counted["deletes lost"] += 1
            elif id_ is not None:
                self._counted["records done"] += len(self._messages.pop(id_).numbers)
            answer["Successful"].append({"Id": entry["Id"]})
        return answer

    def _change(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        answer: dict[str, list[Any]] = {"Successful": [], "Failed": []}
        for entry in asked["Entries"]:
            id_ = self._held(entry["ReceiptHandle"])
            if id_ is None:
                answer["Failed"].append(_failure(entry, "ReceiptHandleIsInvalid", sender=True))
                continue
            self._counted["extensions"] += 1
            self._hide(id_, now + entry["VisibilityTimeout"])
            answer["Successful"].append({"Id": entry["Id"]})
        return answer

    def _send(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:
        answer: dict[str, list[Any]] = {"Successful": [], "Failed": []}
        for entry in asked["Entries"]:
            body, attributes = entry["MessageBody"], entry.get("MessageAttributes", {})
            numbers = tuple(
                number_of(record["s3"]["object"]["key"]) for record in json.loads(body)["Records"]
            )
            if asked["QueueUrl"].endswith("/dead"):
                self._bury(numbers, attributes)
            else:
                self._counted["postponed"] += 1
                self._hide(self._put(body, numbers, attributes), now + entry.get("DelaySeconds", 0))
            sent = {"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": _md5(body)}
            answer["Successful"].append(sent)
        return answer

    def _bury(self, numbers: tuple[int, ...], attributes: Mapping[str, Any]) -> None:
        reason = attributes.get("reason", {}).get("StringValue", "")
        for number in numbers:
            if len(numbers) != 1 or fate_of(number) in (Fate.REGISTERED, Fate.IGNORED):
                detail = attributes.get("detail", {}).get("StringValue", "")
                self.wrong.append(f"object {number} is in the dead letters: {reason}: {detail}")
            elif reason != fate_of(number).value:
                self.wrong.append(f"object {number} is dead for {reason}, not for {fate_of(number).value}")
            self._counted[f"dead letters, {reason}"] += 1
            self.dead[number] = min(255, self.dead[number] + 1)

    def _attributes(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:  # noqa: ARG002 - as all calls
        name = asked["QueueUrl"].rpartition("/")[2]
        told = {"QueueArn": _arn(name), "VisibilityTimeout": "30", "MessageRetentionPeriod": "1209600"}
        if name != "dead":
            policy = {"deadLetterTargetArn": _arn("dead"), "maxReceiveCount": MAX_RECEIVES}
            told["RedrivePolicy"] = json.dumps(policy)
        return {"Attributes": told}

    def _url(self, asked: Mapping[str, Any], now: float) -> dict[str, Any]:  # noqa: ARG002 - as all calls
        return {"QueueUrl": f"http://127.0.0.1/000000000000/{asked['QueueName']}"}


def _arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


def _failure(entry: Mapping[str, Any], code: str, *, sender: bool) -> dict[str, Any]:
    return {"Id": entry["Id"], "Code": code, "SenderFault": sender, "Message": "planted"}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

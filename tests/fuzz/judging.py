"""What must hold for every body, whoever sent it."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from tests.fuzz.mutator import Body
from tests.fuzz.rich_routes import ROUTES, settled
from worker.core.deadletters import MAX_DELAY, dead_letter, postponed
from worker.core.events import MAX_RECORDS, BadRecord, Notification, Unreadable, parse
from worker.core.model import Item, Kind, Lane, Message, Notes, Outcome, Reason, Record
from worker.core.queueing import Outgoing
from worker.core.registration import body_of, correlate

NOW = 1_927_702_800.0
LARGEST_MESSAGE = 1_048_576
"""Bytes of body and attributes that SQS takes."""

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_SQS_TAKES = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_ATTRIBUTE_NAME = re.compile("[A-Za-z0-9_.-]{1,256}", re.ASCII)
_FEW = 20
"""Records of one body whose dead letters are looked at; the others are only made."""


def judge(body: Body) -> str:
    """What became of the body, in a word or two. Raises what the worker raises, and AssertionError where it is wrong."""
    message = Message("id", "handle", body.text, 3, body.attributes)
    told = parse(body.text)
    if isinstance(told, Unreadable):
        _check_why(told.why)
        outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_BODY, told.why)
        letter = dead_letter(message, None, outcome, NOW)
        _check_sendable(letter, empty=not body.text)
        if carried_by_sqs(body.text):
            assert letter.body == body.text, "an unreadable body stays verbatim"
        return "unreadable"
    assert len(told.records) <= MAX_RECORDS
    items = list[Item]()
    words = {_judge_record(message, told, position, items) for position in range(len(told.records))}
    for lane in {item.lane for item in items}:
        _check_request(lane, [item for item in items if item.lane == lane][:100])
    if not words:
        return "a test event" if told.is_test else "no records"
    return " and ".join(sorted(words)) if len(words) < 3 else "several"


@lru_cache(maxsize=1)
def carried_by_sqs(body: str) -> bool:
    """Whether SQS would ever hand us the body; an emulator hands over more."""
    return _SQS_TAKES.fullmatch(body) is not None


def _judge_record(message: Message, told: Notification, position: int, items: list[Item]) -> str:
    record = told.records[position]
    looked_at = position < _FEW
    if isinstance(record, BadRecord):
        _check_why(record.why)
        outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_RECORD, record.why)
        _check_letter(message, told, position, outcome, looked_at=looked_at)
        return "bad record"
    _check_record(record)
    decided = settled(ROUTES[(position + len(message.body)) % len(ROUTES)], record, NOW)
    if isinstance(decided, Item):
        _check_item(decided, record)
        items.append(decided)
        if looked_at:
            _check_copy(message, told, position, None)
            blocked = Outcome(Kind.BLOCKED, Reason.UNEXPECTED_ERROR, message.body[:2_000])
            _check_letter(message, told, position, blocked, looked_at=True)
        return "item"
    assert len(decided.detail.encode()) < 3 * LARGEST_MESSAGE
    if decided.kind is Kind.POSTPONED and looked_at:
        _check_copy(message, told, position, Notes(NOW, "0" * 32, NOW - 60))
    if decided.kind.owes_dead_letter:
        _check_letter(message, told, position, decided, looked_at=looked_at)
    return decided.kind.value


def _check_record(record: Record) -> None:
    held = record.object
    assert 0 < len(held.key.encode()) <= 1_024
    for said in (held.bucket, record.event, held.version or "", held.etag or ""):
        assert len(said.encode()) <= 4 * 4_096
    assert held.size is None or 0 <= held.size < 2**63


def _check_item(item: Item, record: Record) -> None:
    """What Darwin takes (darwin-api.md 1.10), whatever the key was."""
    assert item.object.bucket == record.object.bucket
    assert item.object == record.object or (item.grouped and record.object.key.startswith(item.object.key))
    assert item.path.startswith("/")
    assert item.path == "/" or not item.path.endswith("/")
    assert not {".", ".."} & set(item.path.split("/"))
    for name in (item.name, *([item.versioned] if item.versioned else [])):
        assert name
        assert "/" not in name
        assert name not in (".", "..")
    written = [item.path, item.name, item.versioned, item.lane.dataset, *(slot.name for slot in item.slots)]
    assert not re.search("[\0-\x1f\x7f-\x9f\ud800-\udfff]", "".join(written))
    for key in [slot.key for slot in item.slots] or [item.object.key]:
        assert key[0] != "/"
        assert key[-1] != "/"


def _check_request(lane: Lane, items: list[Item]) -> None:
    body = body_of(lane, items)
    for written in (json.dumps(body), json.dumps(body, ensure_ascii=False, allow_nan=False)):
        assert json.loads(written.encode()) == body
    answer = {"items": [{"name": item.name, "path": item.path} for item in items], "blocked_items": []}
    assert correlate(items, answer) is not None


def _check_why(why: str) -> None:
    assert 0 < len(why) <= 200, why
    assert why.isprintable(), why


def _check_copy(message: Message, told: Notification, position: int, notes: Notes | None) -> None:
    copy = postponed(message, position, NOW, position * 100.0, notes)
    _check_sendable(copy)
    _check_told_again(copy, message, told, position)


def _check_letter(
    message: Message, told: Notification, position: int, outcome: Outcome, *, looked_at: bool
) -> None:
    letter = dead_letter(message, position, outcome, NOW, dataset="intake", route="rest of in")
    if looked_at:
        _check_sendable(letter)
        _check_told_again(letter, message, told, position)


def _check_told_again(letter: Outgoing, message: Message, told: Notification, position: int) -> None:
    """It is a notification of the one record; only a record that fills a message by itself keeps its neighbours. Not so
    where the body had halves of characters, which no queue but an emulator carries: written as ASCII, two may make one.
    """
    if not carried_by_sqs(message.body):
        return
    again = parse(letter.body)
    assert isinstance(again, Notification)
    assert told.records[position] in again.records
    assert len(again.records) == 1 or letter.body == message.body


def _check_sendable(letter: Outgoing, *, empty: bool = False) -> None:
    """SQS takes it."""
    attributes: Mapping[str, str] = letter.attributes
    for said in (letter.body, *attributes.values()):
        assert _SQS_TAKES.fullmatch(said) or (empty and said == letter.body == "")
    assert len(attributes) <= 10
    assert all(_ATTRIBUTE_NAME.fullmatch(name) for name in attributes)
    size = len(letter.body.encode()) + sum(
        len(name) + len("String") + len(value.encode()) for name, value in attributes.items()
    )
    assert size <= LARGEST_MESSAGE
    assert 0 <= letter.delay <= MAX_DELAY

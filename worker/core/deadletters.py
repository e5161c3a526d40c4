"""What goes back into a queue: dead letters and postponed copies, and the history that they carry.

The rules that hold here: a body is a valid S3 notification of one record, so that our replay, any other tool and AWS's
own redrive can put it back and it simply works (an unreadable body stays verbatim); what SQS would refuse is never
composed: an attribute has a value, of characters that SQS takes, and the whole fits one message. Where it does not,
attributes go before the body, the least needed first.

Source: Amazon SQS API reference, SendMessage and "Amazon SQS message attributes".
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from worker.core.events import MAX_BODY_BYTES, iso_time, notification_of, single, unix_time
from worker.core.model import Message, Notes, Outcome, Record
from worker.core.queueing import Outgoing

MAX_DELAY = 900
"""Seconds: the longest that SQS delays a message."""

MAX_DETAIL = 1_000
"""Characters of an outcome's detail that a dead letter keeps."""

BACKFILL = "backfill"
"""The attribute of a message that a backfill sent."""

_DATA_TYPE = "String"
_TRUE = "true"
_REFUSED_BY_SQS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNT = re.compile("[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class History:
    """What a message brought along from earlier deliveries of its records.

    *first_seen*: when a worker first received them (Unix seconds), None on a first delivery. *attempts*: deliveries
    before the message was sent again, not counting its own. *again*: an operator sent it, so a registered claim is
    not to be trusted. *backfill*: it tells of what was there before, and gives way to what is new; a dead letter does
    not keep that, for whoever replays it wants it registered. *notes*: of a postponed copy; a dead letter that is
    replayed has none, and waits anew.
    """

    first_seen: float | None = None
    attempts: int = 0
    again: bool = False
    notes: Notes | None = None
    backfill: bool = False


_NONE = History()


def read_history(message: Message) -> History:
    """The history in the message's attributes. What cannot be read counts as not there."""
    if not message.attributes:
        return _NONE
    attempts = message.attributes.get("attempts", "")
    return History(
        first_seen=unix_time(message.attributes.get("first_seen", "")),
        attempts=int(attempts) if _COUNT.fullmatch(attempts) else 0,
        again=_is_true(message.attributes, "again"),
        notes=_read_notes(message.attributes),
        backfill=_is_true(message.attributes, BACKFILL),
    )


def _is_true(attributes: Mapping[str, str], name: str) -> bool:
    return attributes.get(name, "").strip().lower() == _TRUE


def _read_notes(attributes: Mapping[str, str]) -> Notes | None:
    since = unix_time(attributes.get("waiting_since", ""))
    if since is None:
        return None
    unchanged = unix_time(attributes.get("unchanged_since", ""))
    mark = attributes.get("fingerprint", "")
    return Notes(since) if unchanged is None or not mark else Notes(since, mark, unchanged)


def _written_notes(notes: Notes | None) -> dict[str, str]:
    if notes is None:
        return {}
    written = {"waiting_since": iso_time(notes.waiting_since)}
    if notes.fingerprint:
        written |= {"fingerprint": notes.fingerprint, "unchanged_since": iso_time(notes.unchanged_since)}
    return written


def backfilled(record: Record) -> Outgoing:
    """The record as a backfill sends it."""
    return Outgoing(notification_of(record), {BACKFILL: _TRUE})


def dead_letter(
    message: Message,
    position: int | None,
    outcome: Outcome,
    received_at: float,
    *,
    dataset: str = "",
    route: str = "",
) -> Outgoing:
    """The dead letter of the record at *position* in the message; None stands for a whole body that is unreadable.

    *received_at* is when this delivery was received (Unix seconds). *dataset* and *route*, where known, are for
    whoever triages.
    """
    return _fitting(
        message.body if position is None else _body(message, position),
        {
            "reason": outcome.reason.value,
            "outcome": outcome.kind.value,
            **_carried(message, received_at),
            "dataset": dataset,
            "route": route,
            "detail": outcome.detail[:MAX_DETAIL],
        },
    )


def postponed(
    message: Message, position: int, received_at: float, delay: float, notes: Notes | None = None
) -> Outgoing:
    """The record at *position* in the message, to come back in *delay* seconds (rounded up, at most 900), with these
    *notes*, or else those that it came with.
    """
    history = read_history(message)
    again = {"again": _TRUE} if history.again else {}
    backfill = {BACKFILL: _TRUE} if history.backfill else {}
    return _fitting(
        _body(message, position),
        again | backfill | _written_notes(notes or history.notes) | _carried(message, received_at),
        min(MAX_DELAY, max(0, math.ceil(delay))),
    )


def _carried(message: Message, received_at: float) -> dict[str, str]:
    history = read_history(message)
    first_seen = received_at if history.first_seen is None else history.first_seen
    return {"first_seen": iso_time(first_seen), "attempts": str(history.attempts + message.receive_count)}


def _body(message: Message, position: int) -> str:
    """The one record; or the whole body, which SQS took once, where the record alone would be too large."""
    text = single(message.body, position)
    return text if len(text) <= MAX_BODY_BYTES else message.body


def _fitting(body: str, attributes: Mapping[str, str], delay: int = 0) -> Outgoing:
    """*attributes* are in order of need: what does not fit is dropped from their end."""
    body = _sendable(body)
    kept = {name: _sendable(value) for name, value in attributes.items() if value}
    room = MAX_BODY_BYTES - len(body.encode())
    while kept and sum(_bytes(name, value) for name, value in kept.items()) > room:
        kept.popitem()
    return Outgoing(body, kept, delay)


def _sendable(text: str) -> str:
    """A body that came through SQS is sendable already; an emulator may have let more through."""
    return _REFUSED_BY_SQS.sub("?", text)


def _bytes(name: str, value: str) -> int:
    return len(name) + len(_DATA_TYPE) + len(value.encode())

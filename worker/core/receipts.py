"""The archive: one line for each record's outcome, which object the lines go to, and when.

The rules that hold here: every line has every field, in one order and of one type, so that whoever reads the archive may
declare its columns once (docs/archive.md); a line is UTF-8 and ends with its only line feed. No object is written twice:
an upload that was given up may still arrive, and would undo what came after it.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.core.deadletters import MAX_DETAIL, read_history
from worker.core.events import BadRecord
from worker.core.model import Record
from worker.core.naming import under
from worker.core.owing import age_of
from worker.core.settlement import OpenMessage, Receipt, Settled

EVERY = 60.0
"""Seconds that a receipt awaits others, at most."""

_TOLD = ("outcome", "reason", "bucket", "key", "route", "dataset", "path", "name", "detail")
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Place:
    """Where the archive is. *prefix* has no slash at its ends; an empty one is the whole bucket."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def key_of(self, name: str) -> str:
        """The key of the archive's object of this *name*."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def holds(self, bucket: str, key: str) -> bool:
        """Whether the object is one of the archive's, by whole segments."""
        return bucket == self.bucket and under(self.prefix, key)

    def meets(self, bucket: str | None, prefix: str) -> bool:
        """Whether keys below *prefix* may be the archive's."""
        inner, outer = prefix.strip("/") + "/", self.prefix + "/"
        return bucket == self.bucket and (under(self.prefix, inner) or under(prefix, outer))


def place_at(url: str) -> Place:
    """The place that ``s3://bucket/prefix`` names."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return Place(bucket, prefix.strip("/"))


def name_of(at: float, identifier: str) -> str:
    """The name of an object that is written *at* (Unix seconds), below the archive's prefix: by the hour, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y/%m/%d/%H/%Y-%m-%d-%H-%M-%S}-{identifier}.gz"


def third(limit: int) -> int:
    """The records that may await only their receipts beside *limit* open ones; so many are written at once."""
    return max(1, limit // 3)


def occupied(open_records: int, awaiting: int, limit: int) -> int:
    """How many of the *open_records* count against *limit*. Those that await only their receipts do not, up to a third of it:
    they are small, and would keep others out for a minute. While the archive is away more of them gather, and then nothing
    more comes in.
    """
    return open_records - min(awaiting, third(limit))


def wait(awaiting: int, since: float | None, now: float, *, most: int, patience: float) -> float:
    """Seconds until receipts are to be written: none once *most* records await theirs, or when the first one has for
    *patience* seconds. Infinite where none does: *since* is None.
    """
    if since is None:
        return math.inf
    return 0.0 if awaiting >= most else max(0.0, since + patience - now)


def receipts_of(
    opened: OpenMessage, now: float, worker: str, redact: Callable[[str], str]
) -> tuple[Receipt, ...]:
    """The receipts of a message whose records have their outcomes, *now* (Unix seconds). *redact* strikes secrets out of
    words that are not ours.
    """
    message, history = opened.message, read_history(opened.message)
    of_message = {
        "message_id": message.id,
        "receive_count": message.receive_count,
        "first_seen": _time(opened.received_at if history.first_seen is None else history.first_seen),
        "attempts": history.attempts + message.receive_count,
        "worker": worker,
    }
    return tuple(
        Receipt(
            settled.outcome.kind,
            settled.outcome.reason,
            settled.lane,
            age_of(message, record, now),
            _line(
                {"time": _time(now), **_of_outcome(settled, redact), **_of_object(record)}
                | _of_item(settled)
                | {"record": position}
                | of_message
            ),
        )
        for position, (record, settled) in enumerate(
            zip(opened.records or (None,), opened.results, strict=True)
        )
        if settled is not None
    )


def _of_outcome(settled: Settled, redact: Callable[[str], str]) -> dict[str, object]:
    outcome = settled.outcome
    return {
        "outcome": outcome.kind.value,
        "reason": outcome.reason.value,
        "detail": redact(outcome.detail)[:MAX_DETAIL] or None,
    }


def _of_object(record: Record | BadRecord | None) -> dict[str, object]:
    held = record.object if isinstance(record, Record) else None
    return {
        "bucket": held and held.bucket,
        "key": held and held.key,
        "version_id": held and held.version,
        "etag": held and held.etag,
        "size": held and held.size,
        "event": record.event if isinstance(record, Record) else None,
        "event_time": _time(record.time) if isinstance(record, Record) else None,
    }


def _of_item(settled: Settled) -> dict[str, object]:
    """A duplicate that made no item of its own repeats the place of the one that was registered before."""
    item, before = settled.item, settled.outcome.before
    place = item.identity if item is not None else before and before.identity
    return {
        "route": (item.route if item is not None else settled.outcome.route) or None,
        "team": place and place.team,
        "dataset": place and place.dataset,
        "path": place and place.path,
        "name": place and place.name,
        "first_registered_at": _time(before.at) if before is not None else None,
    }


def _time(at: float | None) -> str | None:
    """ISO 8601 in UTC, always with milliseconds: readers that guess a column's type guess it by its form."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(fields: Mapping[str, object]) -> bytes:
    return _encoded(fields).encode("utf-8", "replace") + b"\n"


def told(receipt: Receipt) -> dict[str, object]:
    """What the log tells of the record, see :func:`worker.core.owing.line_of`."""
    fields = json.loads(receipt.line)
    return {name: fields[name] for name in _TOLD if fields[name] is not None}

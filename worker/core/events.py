"""From a message's body to the records it tells of.

The rules that hold here:

- Nothing raises, whatever the body holds: it is a notification, or it is unreadable and says why. Of a notification
  that holds several records, each is read by itself.
- A key is decoded exactly once, by the rules of its envelope: S3's notifications carry keys form-encoded,
  EventBridge carries them raw.
- What leaves this module is bounded and can be written as UTF-8: a key is no longer than S3 allows.

Sources: Amazon S3 user guide, "Event message structure" and "EventBridge event message structure"; Amazon SNS
developer guide, "Parsing message formats".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote_plus, unquote_plus

from worker.core.model import Record, S3Object
from worker.core.strict_json import MAX_NESTING, decoder, nests_too_deep

MAX_BODY_BYTES = 1_048_576
"""What SQS takes as one message, attributes included."""

MAX_RECORDS = 1_000
"""More records than this in one body are refused as a whole. S3 itself sends one."""

_MAX_KEY_BYTES = 1_024
_MAX_TEXT = 4_096
_MAX_SIZE = 2**63


class Shape(StrEnum):
    """How a notification came: a closed set, so that it may label a metric. Raw delivery by SNS leaves no trace."""

    S3 = "s3"
    SNS = "sns"
    EVENTBRIDGE = "eventbridge"
    SNS_EVENTBRIDGE = "sns_eventbridge"


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be read. *why* is one short sentence, safe to log."""

    why: str


@dataclass(frozen=True, slots=True)
class Notification:
    """What a body tells of. A test event (S3 sends one when notifications are set up) holds no records."""

    shape: Shape
    records: tuple[Record | BadRecord, ...]
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The body is no notification we know. *why* is one short sentence, safe to log."""

    why: str


def parse(body: str) -> Notification | Unreadable:
    """Read *body*; never raises. The cost is linear in its length."""
    opened = _open(body)
    if isinstance(opened, Unreadable):
        return opened
    if opened.raw_records is None:
        return Notification(opened.shape, (), is_test=True)
    return Notification(opened.shape, tuple(_read(raw, opened.shape) for raw in opened.raw_records))


def single(body: str, position: int) -> str:
    """A body that tells of just the record at *position* in *body*, which must be a readable notification.

    It is a direct S3 notification in ASCII: S3's records keep all their fields, EventBridge's take S3's shape, with
    the key encoded as S3 does it. An EventBridge event that cannot be read stays as it is. :func:`parse` reads from
    it the same record. It fits an SQS message, unless the record cannot be read and fills a message by itself. To take
    all records out of a body, one after the other, costs one reading of it.
    """
    opened = _open_once(body)
    if isinstance(opened, Unreadable) or opened.raw_records is None:
        raise ValueError("no record can be taken out of a body that tells of none")
    raw = opened.raw_records[position]
    record = _read(raw, opened.shape)
    if opened.shape in _FROM_S3:
        text = _dump({"Records": [raw]})
    elif isinstance(record, BadRecord):
        return _dump(raw)
    else:
        text = _dump({"Records": [_as_s3_record(record) | _kept_of_eventbridge(raw)]})
    if len(text) > MAX_BODY_BYTES and isinstance(record, Record):
        return _dump({"Records": [_as_s3_record(record)]})
    return text


def notification_of(record: Record) -> str:
    """A body as S3 would send it for the one record; :func:`parse` reads from it the same record."""
    return _dump({"Records": [_as_s3_record(record)]})


def unix_time(text: object) -> float | None:
    """Unix seconds of an ISO 8601 time (UTC when it names no zone); None for anything else, and before 1970."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = moment.timestamp()
    return seconds if 0 <= seconds < _YEAR_10000 else None


def iso_time(seconds: float) -> str:
    """The ISO 8601 form, in UTC, that :func:`unix_time` reads back unchanged."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


_YEAR_10000 = 253_402_300_800


# -- opening the envelope -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opened:
    """A notification out of its envelopes. *raw_records* is None for a test event."""

    shape: Shape
    raw_records: list[object] | None


_FROM_S3 = frozenset({Shape.S3, Shape.SNS})
_SNS_HANDSHAKES = ("SubscriptionConfirmation", "UnsubscribeConfirmation")


def _open(body: str) -> _Opened | Unreadable:
    document = _load(body, "The body")
    if isinstance(document, Unreadable):
        return document
    through_sns = _is_sns(document)
    if through_sns:
        message = document.get("Message")
        if document["Type"] in _SNS_HANDSHAKES:
            return Unreadable(
                f"An SNS {document['Type']}, which no worker answers: settle the subscription in SNS."
            )
        if not isinstance(message, str):
            return Unreadable("An SNS notification whose Message is no text.")
        document = _load(message, "The message inside the SNS notification")
        if isinstance(document, Unreadable):
            return document
        if _is_sns(document):
            return Unreadable("An SNS notification inside another one: only one layer of SNS is read.")
    if "Records" in document:
        return _open_records(document["Records"], Shape.SNS if through_sns else Shape.S3)
    if document.get("Event") == "s3:TestEvent":
        return _Opened(Shape.SNS if through_sns else Shape.S3, None)
    if document.get("source") == "aws.s3" and "detail" in document:
        return _Opened(Shape.SNS_EVENTBRIDGE if through_sns else Shape.EVENTBRIDGE, [document])
    return Unreadable(
        "A JSON object that is neither an S3 notification, nor an EventBridge event of S3, nor either inside SNS."
    )


# Who takes one record out of a body takes the others too, and a body may hold a thousand.
_open_once = lru_cache(maxsize=1)(_open)


def _is_sns(document: Mapping[str, object]) -> bool:
    kind = document.get("Type")
    return kind == "Notification" or kind in _SNS_HANDSHAKES


def _open_records(records: object, shape: Shape) -> _Opened | Unreadable:
    if not isinstance(records, list):
        return Unreadable("The Records of the notification are no list.")
    if len(records) > MAX_RECORDS:
        return Unreadable(f"The notification holds {len(records)} records; at most {MAX_RECORDS} are read.")
    return _Opened(shape, records)


_DECODER = decoder()
_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _load(text: str, what: str) -> dict[str, object] | Unreadable:
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return Unreadable(f"{what} is no JSON: {error.msg} at character {error.pos}.")
    except ValueError:
        return Unreadable(f"{what} holds a number that cannot be read.")
    except RecursionError:
        return _too_deep(what)
    if not isinstance(document, dict):
        return Unreadable(f"{what} is JSON, but no object.")
    if nests_too_deep(text, document):
        return _too_deep(what)
    return document


def _too_deep(what: str) -> Unreadable:
    return Unreadable(f"{what} is nested more than {MAX_NESTING} levels deep.")


# -- reading one record ---------------------------------------------------------------------------------------------


class _Bad(Exception):
    """The record cannot be read; the text says why."""


def _read(raw: object, shape: Shape) -> Record | BadRecord:
    if not isinstance(raw, dict):
        return BadRecord("The record is no object.")
    try:
        return _read_s3(raw) if shape in _FROM_S3 else _read_eventbridge(raw)
    except _Bad as bad:
        return BadRecord(str(bad))


def _read_s3(raw: dict[str, object]) -> Record:
    version = _text(raw, "eventVersion")
    if version is not None and version.partition(".")[0] != "2":
        raise _Bad("The record's eventVersion is not 2.x, the only one known.")
    s3 = _section(raw, "s3")
    fields = _section(s3, "object")
    event = _required(raw, "eventName").removeprefix("s3:")
    try:
        key = unquote_plus(_required(fields, "key"), errors="strict")
    except UnicodeDecodeError:
        raise _Bad("The record's key, once decoded, is no UTF-8.") from None
    return Record(
        _object(_section(s3, "bucket"), key, fields, _text(fields, "versionId")),
        event,
        unix_time(raw.get("eventTime")),
    )


def _read_eventbridge(raw: dict[str, object]) -> Record:
    detail = _section(raw, "detail")
    fields = _section(detail, "object")
    return Record(
        _object(_section(detail, "bucket"), _required(fields, "key"), fields, _text(fields, "version-id")),
        _event_name(_required(raw, "detail-type"), detail),
        unix_time(raw.get("time")),
    )


def _object(bucket: dict[str, object], key: str, fields: dict[str, object], version: str | None) -> S3Object:
    if len(key.encode()) > _MAX_KEY_BYTES:
        raise _Bad(f"The record's key is longer than the {_MAX_KEY_BYTES} bytes that S3 allows.")
    size = fields.get("size")
    # True is an int to Python, but no size.
    if size is not None and (type(size) is not int or not 0 <= size < _MAX_SIZE):
        raise _Bad("The record's size is no number of bytes.")
    # Some emulators spell EventBridge's etag as S3's notifications do.
    etag = _text(fields, "eTag") or _text(fields, "etag") or ""
    return S3Object(
        bucket=_required(bucket, "name"),
        key=key,
        version=None if version == "null" else version or None,
        etag=etag.strip('"') or None,
        size=size,
    )


def _section(fields: dict[str, object], name: str) -> dict[str, object]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise _Bad(f"The record's {name} is missing or no object.")
    return value


def _required(fields: dict[str, object], name: str) -> str:
    value = _text(fields, name)
    if not value:
        raise _Bad(f"The record's {name} is missing or empty.")
    return value


def _text(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _Bad(f"The record's {name} is no text.")
    if len(value) > _MAX_TEXT:
        raise _Bad(f"The record's {name} is longer than {_MAX_TEXT} characters.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Bad(f"The record's {name} holds half a character (a lone surrogate).") from None
    return value


# -- between EventBridge and S3 -------------------------------------------------------------------------------------

# EventBridge names an event by its detail-type and, within detail, a reason or a deletion type.
_CREATED = {
    "PutObject": "ObjectCreated:Put",
    "POST Object": "ObjectCreated:Post",
    "CopyObject": "ObjectCreated:Copy",
    "CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
}
_OTHERS = {
    "Object Restore Initiated": "ObjectRestore:Post",
    "Object Restore Completed": "ObjectRestore:Completed",
    "Object Restore Expired": "ObjectRestore:Delete",
    "Object Tags Added": "ObjectTagging:Put",
    "Object Tags Deleted": "ObjectTagging:Delete",
    "Object ACL Updated": "ObjectAcl:Put",
    "Object Storage Class Changed": "LifecycleTransition",
    "Object Access Tier Changed": "IntelligentTiering",
}


def _event_name(detail_type: str, detail: dict[str, object]) -> str:
    reason = _text(detail, "reason") or ""
    if detail_type == "Object Created":
        return _CREATED.get(reason, "ObjectCreated:Unknown")
    if detail_type == "Object Deleted":
        family = "LifecycleExpiration" if reason == "Lifecycle Expiration" else "ObjectRemoved"
        marker = detail.get("deletion-type") == "Delete Marker Created"
        return f"{family}:{'DeleteMarkerCreated' if marker else 'Delete'}"
    return _OTHERS.get(detail_type, detail_type)


def _as_s3_record(record: Record) -> dict[str, object]:
    held = record.object
    fields = {
        "key": quote_plus(held.key, safe="/"),
        "size": held.size,
        "eTag": held.etag,
        "versionId": held.version,
    }
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        **({} if record.time is None else {"eventTime": iso_time(record.time)}),
        "eventName": record.event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": held.bucket, "arn": f"arn:aws:s3:::{held.bucket}"},
            "object": {name: value for name, value in fields.items() if value is not None},
        },
    }


def _kept_of_eventbridge(raw: object) -> dict[str, object]:
    region = raw.get("region") if isinstance(raw, dict) else None
    return {"awsRegion": region} if isinstance(region, str) else {}

"""What is uploaded to the model's fleet: messages, their records, and what must become of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

Record = Mapping[str, object]


@dataclass(frozen=True)
class Upload:
    """One message: what it tells of, whether an operator sent it again, whether SQS holds it twice, how often it was
    received before, and whether it can be read at all.
    """

    records: tuple[Record, ...]
    again: bool = False
    doubled: bool = False
    seen: int = 0
    readable: bool = True


def key_of(record: object) -> str | None:
    """The key of a record as the tests write them; None for anything else."""
    match record:
        case {"s3": {"object": {"key": str(key)}}}:
            return key
        case _:
            return None


def records_of(body: str) -> list[str | None]:
    """The keys of a body's records; none for one that is unreadable or tells of nothing."""
    try:
        told = json.loads(body)
    except ValueError:
        return []
    return [key_of(record) for record in told.get("Records", [])]


def is_for_darwin(record: object) -> bool:
    """Whether a record tells of an object that must become an item or a dead letter."""
    match record:
        case {"eventName": str(name), "s3": {"object": {"key": str(key), "size": int(size)}}}:
            return name.startswith("ObjectCreated") and not key.endswith("/") and size > 0
        case _:
            return True

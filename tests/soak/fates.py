"""Which objects there are in a soak, what is planted with each, and what must become of it.

An object is a number: it needs no memory to be known, so that a million cost the stub a few bytes each.
"""

import json
import re
from enum import Enum

BUCKET = "media"
REFUSED_REASON = "refused_alone"


class Fate(Enum):
    """What must become of an object; the value is the reason of the dead letter that it owes, if it owes one."""

    REGISTERED = ""
    IGNORED = "(ignored)"
    UNSUPPORTED = "unsupported_type"
    UNREADABLE = "unreadable_record"
    BLOCKED = "unknown_tags"
    REFUSED = REFUSED_REASON

    @property
    def owes_dead_letter(self) -> bool:
        return self not in (Fate.REGISTERED, Fate.IGNORED)


_PLANTED = {
    Fate.UNSUPPORTED: 100,
    Fate.BLOCKED: 100,
    Fate.IGNORED: 50,
    Fate.UNREADABLE: 50,
    Fate.REFUSED: 2,
}
"""In ten thousand."""

_TABLE = [fate for fate, share in _PLANTED.items() for _ in range(share)]
_KEY = re.compile(r"(?:in/)?(\d{5})/(\d{8})\.(?:png|txt)")


def fate_of(number: int) -> Fate:
    drawn = number * 2_654_435_761 % 2**32 // 7 % 10_000
    return _TABLE[drawn] if drawn < len(_TABLE) else Fate.REGISTERED


def record_of(number: int) -> str:
    """The record that S3 would send, as JSON."""
    fate = fate_of(number)
    extension = "txt" if fate is Fate.UNSUPPORTED else "png"
    size: object = {Fate.IGNORED: 0, Fate.UNREADABLE: "large"}.get(fate, 1_000 + number)
    return (
        '{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2031-02-01T09:00:00.000Z",'
        '"eventName":"ObjectCreated:Put","userIdentity":{"principalId":"A"},"requestParameters":{"sourceIPAddress":'
        '"192.0.2.1"},"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810"},"s3":{"s3SchemaVersion":"1.0",'
        f'"configurationId":"soak","bucket":{{"name":"{BUCKET}","arn":"arn:aws:s3:::{BUCKET}"}},"object":{{"key":'
        f'"in/{number // 1_000:05d}/{number:08d}.{extension}","size":{json.dumps(size)},"eTag":"{number:032x}",'
        f'"sequencer":"{number:016X}"}}}}}}'
    )


def number_of(place: str) -> int:
    """The object that a key, or a path and name together, belong to. Raises ValueError for any other."""
    found = _KEY.fullmatch(place.removeprefix("/"))
    if found is None or int(found[1]) != int(found[2]) // 1_000:
        raise ValueError(f"nobody uploaded {place!r}")
    return int(found[2])

"""How an entry of the ledger stands in DynamoDB, for people to read there too: ``id`` names the identity, ``object`` is
JSON, times are Unix seconds.

Text stays as it is, but for what DynamoDB does not carry (lone surrogates) or nobody sees (control characters): that is
escaped as JSON does it, and so are the backslash and the bar, which have a meaning here.
"""

import hashlib
import json
import re
from typing import TYPE_CHECKING

from worker.core.claims import Entry
from worker.core.model import Identity, S3Object

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef

    from worker.adapters.dynamodb_table import Item

KEY_BYTES = 2048
"""The most that a partition key takes."""
READABLE_BYTES = 1024

TO_ESCAPE = re.compile("[\x00-\x1f\x7f|\\\\\ud800-\udfff]")
ESCAPED = re.compile(r"\\u([0-9a-f]{4})")

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def item_key(identity: Identity) -> str:
    """``item|TEAM|DATASET|PATH|NAME``; of an identity too long for that a hash, and how it begins."""
    whole = "|".join(("item", *map(escape, identity)))
    encoded = whole.encode()
    if len(encoded) <= KEY_BYTES:
        return whole
    beginning = encoded[:READABLE_BYTES].decode(errors="ignore")
    return f"hash|{hashlib.sha256(encoded).hexdigest()}|{beginning}"


def object_value(thing: S3Object) -> "AttributeValueTypeDef":
    fields = {
        "bucket": escape(thing.bucket),
        "key": escape(thing.key),
        "version": thing.version and escape(thing.version),
        "etag": thing.etag and escape(thing.etag),
        "size": thing.size,
    }
    return {"S": _to_json(fields)}


def number(value: float) -> "AttributeValueTypeDef":
    """The shortest decimal that gives the same float again: 17 digits at most, where DynamoDB keeps 38."""
    return {"N": repr(float(value))}


def entry(item: "Item", now: float) -> Entry:
    """What *item* says at *now*, on the table's clock."""
    fields = json.loads(item["object"]["S"])
    thing = S3Object(
        bucket=unescape(fields["bucket"]),
        key=unescape(fields["key"]),
        version=fields["version"] and unescape(fields["version"]),
        etag=fields["etag"] and unescape(fields["etag"]),
        size=fields["size"],
    )
    registered = item["registered"]["BOOL"]
    return Entry(
        object=thing,
        registered=registered,
        token=item["token"]["S"],
        since=float(item["since"]["N"]),
        at=float(item["at"]["N"]),
        expires_in=0.0 if registered else float(item["expires"]["N"]) - now,
    )


def escape(text: str) -> str:
    return TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)

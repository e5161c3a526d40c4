"""Bodies too large to lie in a folder, and values that no sender means well with. All of them are small to write."""

import json
from collections.abc import Callable
from typing import Any

LARGEST = 1_048_576
"""Bytes that SQS takes as one message."""

FATAL_VALUES = (
    "1e999999",
    "-1e999999",
    "1E400",
    "9" * 4_301,
    "NaN",
    "-Infinity",
    "[" * 70 + "]" * 70,
    '{"a":' * 70 + "1" + "}" * 70,
)
"""JSON that makes the whole body unreadable, wherever it stands."""

RAW_VALUES = (
    "-0",
    "0.1e-999999",
    "9" * 4_300,
    str(2**63 - 1),
    str(2**63),
    "-1",
    "null",
    "true",
    "[]",
    "{}",
    '""',
    r'"\ud800"',
    r'"\udfff\ud800"',
    r'"\ud83d\ude00"',
    r'"\u0000"',
    r'"\ufffe\uffff\u0001\u0085\u2028"',
    r'"a\u0000b.png"',
    '"%00.png"',
    '"%"',
    '"%F"',
    '"%FF%FE.png"',
    '"%ED%A0%80.png"',
    '"%C0%AF..%C0%AF"',
    '"%252525.png"',
    '"+%2B%20 .png"',
    '"../../etc/passwd"',
    '"in/../../x.png"',
    '"/in/x.png"',
    '"in//x.png"',
    '"in/./x.png"',
    '"in/x.png/"',
    '"in/.png"',
    '"darwin/data/x/uploads/0"',
    '"null"',
    '"{folder}/{folder}.png"',
    json.dumps("in/" + "k" * 1_017 + ".png"),
    json.dumps("in/" + "k" * 1_018 + ".png"),
    json.dumps("in/" + "é" * 510 + ".png", ensure_ascii=False),
    json.dumps("in/" + "a/" * 510 + ".png"),
    json.dumps("in/" + "." * 1_020),
    json.dumps("/" * 1_024),
    json.dumps("k" * 4_097),
    json.dumps("%41" * 1_365),
    json.dumps("\N{FIRE}" * 1_025, ensure_ascii=False),
    '"9999-12-31T23:59:59.999999-23:59"',
    '"0001-01-01T00:00:00+23:59"',
    '"2031-W53-7"',
    '"2031-02-30T25:61:61Z"',
    '"ObjectCreated:Put"',
    '"s3:s3:ObjectCreated:Put"',
    '"ObjectRemoved:Delete"',
    '"s3:TestEvent"',
    '"Notification"',
    '"SubscriptionConfirmation"',
    '"aws.s3"',
    '"2.1"',
    '"3.0"',
)
"""JSON that may stand in for any value of a body."""

ATTRIBUTES = (
    "",
    "true",
    " TRUE ",
    "0",
    "-1",
    "999999999",
    "9999999999",
    "9" * 5_000,
    "٣",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999985+00:00",
    "0001-01-01T00:00:00Z",
    "not a time",
    "\x00\x01",
    "\ud800",
    "\ufffe",
    "é" * 20_000,
)
"""Message attributes as nobody should send them."""


def _record(key: object = "in/a.png", **more: object) -> dict[str, object]:
    return {
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2031-02-01T09:00:00.250Z",
        "s3": {"bucket": {"name": "media"}, "object": {"key": key, "size": 7, "eTag": "e"}},
        **more,
    }


def _body(*records: object) -> str:
    return json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=False)


def _sns(message: str) -> str:
    return json.dumps({"Type": "Notification", "Message": message})


def _sns_in_sns() -> str:
    text = _body(_record())
    while len(_sns(text)) < LARGEST:  # each layer doubles the backslashes
        text = _sns(text)
    return text


def _fill(unit: str, before: str = "", after: str = "") -> str:
    """*unit* as often as it fits into a message between the two."""
    room = LARGEST - len(before.encode()) - len(after.encode())
    return before + unit * (room // len(unit.encode())) + after


def _members() -> str:
    return "{" + ",".join(f'"k{number}":{number}' for number in range(60_000)) + "}"


def _event(**detail: object) -> dict[str, Any]:
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


BIG: dict[str, Callable[[], str]] = {
    "lists 100,000 deep": lambda: "[" * 100_000 + "]" * 100_000,
    "objects 100,000 deep": lambda: '{"a":' * 100_000 + "1" + "}" * 100_000,
    "lists as deep as a message is long": lambda: "[" * LARGEST,
    "objects that never close": lambda: _fill('{"a":'),
    "a record 100,000 deep": lambda: '{"Records":[' + '{"s3":' * 100_000 + "1" + "}" * 100_000 + "]}",
    "an integer of a megabyte": lambda: _fill("9", '{"Records":[', "]}"),
    "a size of a megabyte": lambda: _fill(
        "9", '{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"size":', "}}}]}"
    ),
    "many integers of 4,300 digits": lambda: _fill("9" * 4_300 + ",", '{"n":[', "1]}"),
    "a fraction of a megabyte": lambda: _fill("9", '{"n":0.', "}"),
    "an exponent of a megabyte": lambda: _fill("9", '{"n":1e', "}"),
    "a megabyte of lists": lambda: _fill("[],", '{"Records":[', "[]]}"),
    "a megabyte of lists beside the records": lambda: _fill("[],", '{"Records":[0,0,0,0,0,0],"x":[', "[]]}"),
    "a megabyte of objects in a record": lambda: _fill(
        "{},", '{"Records":[{"eventName":"ObjectCreated:Put","x":[', "{}]}]}"
    ),
    "a wide and deep tree": lambda: _fill("[" * 60 + "]" * 60 + ",", '{"Records":[],"x":[', "0]}"),
    "a megabyte of members": _members,
    "a megabyte of one member": lambda: _fill('"Records":[],', "{", '"Records":[1]}'),
    "a megabyte of spaces": lambda: _fill(" ", "", _body(_record())),
    "a megabyte of quotes": lambda: _fill('"'),
    "a megabyte of backslashes": lambda: _fill("\\\\", '{"Records":"', '"}'),
    "a megabyte of NULs": lambda: _fill("\x00"),
    "a megabyte of escaped NULs": lambda: _fill(r"\u0000", '{"Records":[{"a":"', '"}]}'),
    "a megabyte of escaped halves of characters": lambda: _fill(r"\ud800", '{"Records":[{"a":"', '"}]}'),
    "a key of a megabyte": lambda: _body(_record("k" * 1_040_000)),
    "a key of a megabyte of per cents": lambda: _body(_record("%25" * 346_000)),
    "a bucket of a megabyte": lambda: json.dumps(
        {"Records": [{"eventName": "x", "s3": {"bucket": {"name": "b" * 10**6}, "object": {"key": "k"}}}]}
    ),
    "a time of a megabyte": lambda: _body(_record(eventTime="2" * 1_040_000)),
    "an event name of a megabyte": lambda: _body(_record(eventName="s3:" * 340_000)),
    "ten thousand records": lambda: _body(*[0] * 10_000),
    "a thousand and one records": lambda: _body(*[_record()] * 1_001),
    "a thousand records that cannot be read": lambda: _body(*[{"x": "y" * 1_000}] * 1_000),
    "a thousand numbers for records, and much beside": lambda: _fill(
        "[],", '{"Records":[' + ",".join(["0"] * 1_000) + '],"x":[', "[]]}"
    ),
    "a thousand records of the longest keys": lambda: _body(*[_record("in/" + "a/" * 385 + ".x")] * 1_000),
    "a thousand names of dots": lambda: _body(*[_record("in/" + "." * 780)] * 1_000),
    "a thousand records of slashes": lambda: _body(*[_record("in" + "/" * 780 + "a.png")] * 1_000),
    "a record that outgrows a message once it is ASCII": lambda: _body(_record(note="é" * 520_000)),
    "a bad record that outgrows a message once it is ASCII": lambda: _body({"note": "é" * 520_000}),
    "a bad event that outgrows a message once it is ASCII": lambda: json.dumps(
        _event(note="\N{FIRE}" * 260_000), ensure_ascii=False
    ),
    "two bad records that each outgrow a message": lambda: _body(*[{"note": "é" * 260_000}] * 2),
    "SNS in SNS as often as it fits": _sns_in_sns,
    "lists 100,000 deep inside SNS": lambda: _sns("[" * 100_000 + "]" * 100_000),
    "a megabyte of text inside SNS": lambda: _sns("x" * 1_040_000),
    "an event of EventBridge with a megabyte of resources": lambda: json.dumps(
        _event(bucket={"name": "media"}, object={"key": "in/a.png"}) | {"resources": ["r"] * 200_000}
    ),
    "a body that fills its message to the last byte": lambda: _fill("x"),
}
"""Name to body. None is larger than SQS lets through, but "a thousand and one records" and its like may be."""

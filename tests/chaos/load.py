"""What a storm is fed with: notifications of new objects, some told of twice, and what is to become of each object.

Everything comes from one source of chance, so a seed makes the same load again.
"""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from tests.system.outside import Letter

DUPLICATES = 0.1
BANNED = 0.01
UNSUPPORTED, INVALID, IGNORED, UNREADABLE = 0.01, 0.003, 0.01, 0.003

BAN = "^banned-"
"""What Darwin blocks, by the names of items, and how a dead letter calls it."""
BAN_REASON, BAN_TOLD_AS = "UNEXPECTED_ODDITY", "other_darwin_reason"

ODD = ("", "", "", " b", "+c", "%25", "é 写", "&=")
"""What names have in them, for each envelope encodes a key in its own way."""

SHORT, LONG = 1, 20
"""Records in a message: half of the messages have one, the others up to twenty."""


@dataclass(frozen=True, slots=True)
class Load:
    """*letters* in the order in which they are sent. What is to become of them: *good* keys are items in the end,
    *dead* ones dead letters with that reason, *unreadable* bodies dead letters as they are; the rest is ignored.
    """

    letters: list[Letter]
    good: frozenset[str]
    dead: Mapping[str, str]
    unreadable: frozenset[str]
    records: int


def load(records: int, bucket: str, chance: random.Random) -> Load:
    """*records* in all, one tenth of them told of before, and a few unreadable bodies besides."""
    twice = int(records * DUPLICATES)
    keys: list[str] = []
    dead: dict[str, str] = {}
    ignored = set[str]()
    for n in range(records - twice):
        folder = f"in/{n % 17}/{chance.choice(ODD)}x"
        match _kind(chance.random()):
            case "banned":
                keys.append(f"{folder}/banned-{n}.jpg")
                dead[keys[-1]] = BAN_TOLD_AS
            case "unsupported":
                keys.append(f"{folder}/letter-{n}.docx")
                dead[keys[-1]] = "unsupported_type"
            case "invalid":
                keys.append(f"{folder}/line\nbreak-{n}.jpg")
                dead[keys[-1]] = "invalid_key"
            case "ignored":
                keys.append(f"{folder}/folder-{n}/")
                ignored.add(keys[-1])
            case _:
                ending = chance.choice((".jpg", ".PNG", ".mp4", ".pdf", ".nii.gz"))
                keys.append(f"{folder}/photo{chance.choice(ODD)}-{n}{ending}")
    told = _with_copies(keys, twice, chance)
    letters = [_letter(some, bucket, chance) for some in _in_messages(told, chance)]
    unreadable = frozenset(f"no notification at all, number {n}" for n in range(int(records * UNREADABLE)))
    for body in sorted(unreadable):
        letters.insert(chance.randrange(len(letters) + 1), Letter(body, {}))
    return Load(letters, frozenset(keys).difference(dead, ignored), dead, unreadable, records)


def _kind(drawn: float) -> str:
    for kind, share in (
        ("banned", BANNED),
        ("unsupported", UNSUPPORTED),
        ("invalid", INVALID),
        ("ignored", IGNORED),
    ):
        if drawn < share:
            return kind
        drawn -= share
    return "good"


def _with_copies(keys: list[str], twice: int, chance: random.Random) -> list[str]:
    """Half of the copies are near the first telling, so that two processes hold both at a time; the others anywhere."""
    told = list(keys)
    for n in range(twice):
        at = chance.randrange(len(told))
        near = at + chance.randrange(1, 30)
        told.insert(near if n % 2 else chance.randrange(len(told)), told[at])
    return told


def _in_messages(told: list[str], chance: random.Random) -> Iterator[list[str]]:
    at = 0
    while at < len(told):
        count = SHORT if chance.random() < 0.5 else chance.randint(SHORT + 1, LONG)
        yield told[at : at + count]
        at += count


def _letter(keys: list[str], bucket: str, chance: random.Random) -> Letter:
    """One message that tells of *keys*: as S3 does, at times through SNS; of a single one at times as EventBridge does."""
    if len(keys) == 1 and chance.random() < 0.3:
        detail = {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": keys[0], "size": 1, "etag": "e", "sequencer": "0A"},
            "reason": "PutObject",
        }
        event = {"version": "0", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}
        return Letter(json.dumps({**event, "time": "2026-01-02T03:04:05Z"}), {})
    body = json.dumps({"Records": [_record(key, bucket) for key in keys]})
    if chance.random() < 0.2:
        topic = "arn:aws:sns:us-east-1:123456789012:topic"
        body = json.dumps({"Type": "Notification", "TopicArn": topic, "Message": body})
    return Letter(body, {})


def _record(key: str, bucket: str) -> dict[str, object]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2026-01-02T03:04:05.678Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": bucket},
            "object": {"key": quote_plus(key, safe="/"), "size": 1, "eTag": "e", "sequencer": "0A"},
        },
    }

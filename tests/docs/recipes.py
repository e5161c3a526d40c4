"""A recipe of docs/routes.md, read: the objects, what becomes of those that make no item, and the requests."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from tests.docs.page import Section
from tests.docs.world import Request, Told, picture

BUCKET = "acme-media"
READ_ONLY = "acme-ro"
"""The storage that is read-only in Darwin."""

_PICTURE = re.compile("([0-9]+)x([0-9]+)")


@dataclass(frozen=True)
class Line:
    """A line of the objects: the object and, where it becomes no item, what becomes of it."""

    told: Told
    outcome: str = ""


def line_of(text: str, contents: Mapping[str, bytes]) -> Line:
    """Two spaces or more stand between the key and each word about it."""
    place, *words = re.split("  +", text)
    bucket, key = place[5:].split("/", 1) if place.startswith("s3://") else (BUCKET, place)
    facts = dict(word.split("=", 1) for word in words if "=" in word)
    pixels = next((found for word in words if (found := _PICTURE.fullmatch(word))), None)
    content = picture(int(pixels[1]), int(pixels[2])) if pixels else contents.get(key, b"x")
    if "size" in facts:
        content = b"x" * int(facts["size"])
    told = Told(
        bucket,
        key,
        event(bucket, key, content, facts.get("version")),
        content,
        {
            name.removeprefix("metadata."): text
            for name, text in facts.items()
            if name.startswith("metadata.")
        },
        {name.removeprefix("tags."): text for name, text in facts.items() if name.startswith("tags.")},
    )
    return Line(told, next((word for word in words if re.fullmatch("[a-z]+:[a-z_]+", word)), ""))


def event(bucket: str, key: str, content: bytes, version: str | None) -> str:
    held = {
        "key": quote_plus(key, safe="/"),
        "size": len(content),
        "eTag": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "sequencer": "0055AED6DCD90281E5",
        **({} if version is None else {"versionId": version}),
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2027-01-15T08:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": held},
    }
    return json.dumps({"Records": [record]})


def requests_of(section: Section) -> list[Request]:
    """What the page says is sent, in its order."""
    requests = []
    for block in section.blocks:
        if block.language == "json" and not _holds_content(block.before):
            said = re.fullmatch("`POST (.+)`", block.before)
            path = said[1] if said else "/api/v2/teams/acme/items/register_existing"
            requests.append(Request(path, json.loads(block.text)))
    return requests


def contents_of(section: Section) -> dict[str, bytes]:
    """What the page says that objects hold, by their keys."""
    return {
        block.before.strip("`"): block.text.encode()
        for block in section.blocks
        if block.language == "json" and _holds_content(block.before)
    }


def _holds_content(before: str) -> bool:
    return re.fullmatch("`[^ ]+[.]json`", before) is not None


def lines_of(section: Section) -> list[Line]:
    (keys,) = section.blocks_of("keys")
    return [line_of(text, contents_of(section)) for text in keys.splitlines()]

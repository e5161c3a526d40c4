"""What a single setting must look like. A ValueError says what the value should be; the settings say whose value it is."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Secret, SecretStr, StringConstraints

from worker import logs

SHORTEST_TOKEN = 16
"""Characters; a shorter one could be guessed by trying."""

LONGEST_PREFIX = 900
"""Bytes of a key that the archive's prefix may take: S3 takes 1,024, and the name of an object needs its share."""


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("it must begin with https:// (or http://) and name a host")
    return value.rstrip("/")


def _queue_url(value: str) -> str:
    if value.startswith("arn:"):
        raise ValueError("this is the queue's ARN; its URL is wanted (`aws sqs get-queue-url`)")
    value = _http_url(value)
    if not urlsplit(value).path.strip("/"):
        raise ValueError("the queue's name is missing at its end")
    if value.endswith(".fifo"):
        raise ValueError("S3 cannot send events to a FIFO queue; use a standard queue")
    return value


def _slug(value: str) -> str:
    if re.search(r"[\s/]", value):
        raise ValueError("a slug has no spaces and no slashes, as in the address of its page in Darwin")
    return value


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("an API key is one word of plain letters, digits and signs, without spaces")
    return value


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"a token is one word of {SHORTEST_TOKEN} or more plain letters, digits and signs, without spaces "
            "(`openssl rand -hex 16` makes one)"
        )
    return value


class LedgerUrl(Secret[str]):
    """Where the ledger is. Shown without the user and the password that it may hold."""

    def _display(self) -> str:
        return logs.redact(self.get_secret_value())


def _ledger_url(value: LedgerUrl) -> LedgerUrl:
    url = value.get_secret_value().strip()
    scheme, _, rest = url.partition("://")
    match scheme:
        case "sqlite":
            if not re.fullmatch(r"/+[^/?#].*[^/]|/+[^/?#]", rest):
                raise ValueError("after sqlite:// it takes the absolute path of a file")
        case "redis" | "rediss":
            if not urlsplit(url).hostname or not re.fullmatch(r"(/\d*)?", urlsplit(url).path):
                raise ValueError(f"after {scheme}:// it takes a host, and after that /database, a number")
        case "dynamodb":
            if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", rest):
                raise ValueError("after dynamodb:// it takes the name of a table")
        case _:
            raise ValueError("it must begin with sqlite:///, redis://, rediss:// or dynamodb://")
    return LedgerUrl(url)


def _s3_url(value: str) -> str:
    bucket, _, prefix = value.removeprefix("s3://").partition("/")
    if not value.startswith("s3://") or not re.fullmatch(r"[A-Za-z0-9._-]{3,255}", bucket):
        raise ValueError("it must begin with s3:// and the name of a bucket")
    segments = prefix.strip("/").split("/")
    if {".", ".."} & set(segments) or (len(segments) > 1 and "" in segments):
        raise ValueError('its prefix has an empty segment, or one that is "." or ".."')
    if not prefix.isprintable() or len(prefix.encode()) > LONGEST_PREFIX:
        raise ValueError(
            f"its prefix takes {LONGEST_PREFIX} bytes at most, all of them of printable characters"
        )
    return value.rstrip("/")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
HttpUrl = Annotated[Text, AfterValidator(_http_url)]
QueueUrl = Annotated[Text, AfterValidator(_queue_url)]
S3Url = Annotated[Text, AfterValidator(_s3_url)]
LedgerPlace = Annotated[LedgerUrl, AfterValidator(_ledger_url)]
Slug = Annotated[Text, AfterValidator(_slug)]
Key = Annotated[SecretStr, AfterValidator(_key)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Level = Annotated[logs.Level, BeforeValidator(_lower)]
Format = Annotated[logs.Format, BeforeValidator(_lower)]

"""An answer of the twin, before anything is sent, and the shapes that answers take."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal

Body = Literal["html", "json", "empty"]
RetryAfter = Literal["seconds", "date", "absent"]
Entry = Mapping[str, object]
"""What the journal tells of one registration."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send, and how.

    Who carries it out waits *delay* seconds; then, if *then* is set, asks it (with the time) for the real reply;
    then sends, or closes the connection without a byte where *drop* is set (*status* is 0); then writes the *entry*, if
    there is one, into the journal.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    drop: bool = False
    then: "Callable[[float], Reply] | None" = None
    entry: Entry | None = None


def json_reply(value: object, status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode())


def html_reply(text: str, status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": "text/html; charset=utf-8"}, text.encode())


def error(status: int, code: str, detail: str) -> Reply:
    return json_reply({"errors": {"code": code, "detail": detail}}, status)


def unprocessable(errors: Mapping[str, object]) -> Reply:
    """The body is not as documented; *errors* by the names of the fields."""
    return json_reply({"errors": errors}, 422)


def failure(status: int, body: Body) -> Reply:
    """What a proxy or a failing server says, with nothing of use in it."""
    match body:
        case "html":
            return html_reply(
                f"<html><head><title>{status}</title></head><body>{status}</body></html>", status
            )
        case "json":
            return json_reply({"errors": {"code": "FAILED", "detail": "planned fault"}}, status)
        case "empty":
            return Reply(status)


def retry_after(form: RetryAfter, seconds: float, now: float) -> dict[str, str]:
    """The header in one of the two forms of RFC 9110 section 10.2.3, never earlier than *seconds* from now."""
    match form:
        case "seconds":
            return {"Retry-After": str(math.ceil(seconds))}
        case "date":
            return {"Retry-After": formatdate(math.ceil(now + seconds), usegmt=True)}
        case "absent":
            return {}

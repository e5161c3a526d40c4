"""Every log event, declared once with its sentence, and how lines are written.

One line per message at its verdict and one per request tell what happened; the rest is about change. Every line goes to
stdout: JSON in production, readable on a terminal. What aiohttp, botocore, asyncio and Python's warnings have to say is
written the same way, from WARNING on: below that botocore logs whole requests, credentials among them. No secret leaves
the process in a line (law 9): whatever looks like one is struck out of every value.
"""

import asyncio
import io
import json
import logging
import re
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum, unique
from typing import Literal, Self, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]


@unique
class Event(StrEnum):
    """The closed set of events; *sentence* says what a reader may conclude from the line, and what it holds."""

    sentence: str

    def __new__(cls, text: str, sentence: str) -> Self:
        member = str.__new__(cls, text)
        member._value_ = text
        member.sentence = sentence
        return member

    STARTED = "worker started", "All connections were tried and the first receive is under way."
    CAUTION = "caution", "A setting is allowed, and costs something that the operator should know of."
    STOPPING = "worker stopping", "A stop was asked for: no new receives; what can be sent is sent."
    STOPPED = "worker stopped", "Everything is handed back or done; the line holds what was open."
    MESSAGE_SETTLED = (
        "message settled",
        "A verdict was carried out; the line holds the message's id, receive count, keys, outcomes and dead letters.",
    )
    REQUEST_ANSWERED = (
        "request answered",
        "One registration request has its answer, or none; the line holds the lane, items, status and seconds.",
    )
    CONDITION_RAISED = (
        "condition raised",
        "Something stands in the way; the line says what, why and what to do.",
    )
    CONDITION_CLEARED = (
        "condition cleared",
        "It does not stand in the way any more; the line says for how long it did.",
    )
    LEASE_LOST = (
        "lease lost",
        "SQS may show this message to somebody else: its verdict is not carried out here.",
    )
    RECORD_STORED = (
        "record stored",
        "A dead letter or a postponed copy is in its queue; the line holds its attributes, the reason among them.",
    )
    RECORD_NOT_STORED = (
        "record not stored",
        "A queue did not take a dead letter or a postponed copy; it is tried again, and its message stays until then.",
    )
    RECEIPTS_STORED = (
        "receipts stored",
        "An object of receipts is in the archive; the line holds its name, and how many receipts and bytes it has.",
    )
    POLL_FAILED = "poll failed", "SQS did not answer a receive; it is tried again after a pause."


class Log:
    """A logger that takes events of the catalogue only; values are keyed by name."""

    def __init__(self) -> None:
        self._to: structlog.typing.FilteringBoundLogger = structlog.get_logger()

    def bind(self) -> None:
        """Write as structlog is configured now: to ask it again for each line costs half of what the line does."""
        self._to = structlog.get_logger().bind()

    def debug(self, event: Event, /, **values: object) -> None:
        self._to.debug(event, **values)

    def info(self, event: Event, /, **values: object) -> None:
        self._to.info(event, **values)

    def warning(self, event: Event, /, **values: object) -> None:
        self._to.warning(event, **values)

    def error(self, event: Event, /, **values: object) -> None:
        self._to.error(event, **values)

    def exception(self, event: Event, /, **values: object) -> None:
        self._to.exception(event, **values)


log = Log()
"""What every part logs with. It follows :func:`configure` whenever that is called."""


class _Turns:
    """A stream that is written to once for each turn of the event loop: messages that are settled by one call are told with
    one. Each write lets go of the interpreter's lock, and to have it back costs more than the line. Where no loop runs, a
    line is written at once. A stream that takes nothing any more does not stop the worker.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._asked: asyncio.AbstractEventLoop | None = None

    def write(self, line: str) -> None:
        self._lines.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write()
            return
        if self._asked is not loop:
            self._asked = loop
            loop.call_soon(self._write)

    def flush(self) -> None:
        """The end of the turn sees to it."""

    def _write(self) -> None:
        self._asked, lines = None, list[str]()
        with suppress(IndexError):  # another thread may take the last one
            while True:
                lines.append(self._lines.popleft())
        # ValueError where it is closed. Raised from here, either would be told here again.
        with suppress(OSError, ValueError):
            self._stream.write("".join(lines))
            self._stream.flush()


_SECRETS = (
    # Darwin's keys: a prefix of 7 characters, a dot, 32 more (darwin-api.md, section 8).
    (re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{7}\.[A-Za-z0-9_-]{32}(?![A-Za-z0-9_-])"), "***"),
    (re.compile(r"(?i)\b(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\"'\\\r\n]+"), r"\1***"),
    (re.compile(r"(?i)\b((?:apikey|bearer)\s+)[^\s\"'\\]+"), r"\1***"),
    (re.compile(r"(://)[^/\s@\"']+@"), r"\1***@"),
)
_END_OF_KEY = re.compile(r"\.[A-Za-z0-9_-]{32}")


def _may_hold_secret(text: str) -> bool:
    """Whether *text* has in it what each of the secrets has: hardly any has, and to ask so costs a tenth of looking."""
    lowered = text.lower()
    return (
        "authorization" in lowered
        or "apikey" in lowered
        or "bearer" in lowered
        or ("://" in text and "@" in text)
        or _END_OF_KEY.search(text) is not None
    )


def redact(text: str) -> str:
    """*text* without what looks like a Darwin key, an Authorization value, or a user and password in a URL."""
    if _may_hold_secret(text):
        for secret, instead in _SECRETS:
            text = secret.sub(instead, text)
    return text


def _plain(value: object) -> object:
    """*value* as JSON knows it, secrets struck out, and always encodable: a key may hold a lone surrogate."""
    if isinstance(value, str):
        text = redact(value)
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): "***" if _is_authorization(name) else _plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(held) for held in value]
    return _plain(str(value))


_JSON = json.JSONEncoder(default=_plain).encode


def _is_authorization(name: object) -> bool:
    return str(name).lower() in ("authorization", "proxy-authorization")


_FIRST = ("timestamp", "level", "event")


def strike_secrets(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    """The processor that stands right before the renderer, so that nothing is added behind its back."""
    return {name: "***" if _is_authorization(name) else _plain(value) for name, value in values.items()}


def _in_order(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    """What every line has comes first in it."""
    return {**{name: values[name] for name in _FIRST if name in values}, **values}


def to_json(values: Mapping[str, object]) -> str:
    """One line of ASCII, secrets struck out. Most lines hold none, and one look at the whole of it tells."""
    line = _JSON(values)
    return _JSON(_plain(values)) if _may_hold_secret(line) else line


def render_json(_logger: WrappedLogger, _method: str, values: EventDict) -> str:
    return to_json(values)


def configure(level: Level, format: Format | None) -> None:  # noqa: A002 - the word that the setting has
    """Write every line from *level* on to stdout. A *format* of None: console on a terminal, else JSON.

    May be called again; the last call counts. Takes over the root logger of the standard library.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A key may hold what the terminal's encoding does not know; a line must never stop the worker.
        sys.stdout.reconfigure(errors="backslashreplace")
    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderers = _renderers(format or ("console" if sys.stdout.isatty() else "json"))
    stdout = cast("TextIO", _Turns(sys.stdout))
    structlog.configure(
        processors=[*before, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stdout),
    )
    log.bind()
    handler = logging.StreamHandler(stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


def _renderers(format: Format) -> list[Processor]:  # noqa: A002 - as above
    if format == "json":
        return [_in_order, render_json]
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [_in_order, strike_secrets, console]

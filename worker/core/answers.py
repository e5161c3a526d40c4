"""What Darwin's answers mean: the answer table of the design, one function. Facts from darwin-api.md section 2."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from worker.core.model import Item, Reason
from worker.core.registration import Absent, Accepted, Blocked, Echo, correlate


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request, before anybody judged it.

    *status* is None when no whole answer came: time-out, broken connection. *payload* is the parsed JSON body, or
    None when the body is no JSON. *text* is at most 500 characters of what Darwin (or the network) said.
    *retry_after* in seconds, from now. *seconds* is how long the request took.
    """

    status: int | None
    payload: object = None
    text: str = ""
    retry_after: float | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.status} {self.text}".strip() if self.status is not None else self.text


@dataclass(frozen=True, slots=True)
class Taken:
    """2xx: one echo per item, in order."""

    echoes: list[Echo]


@dataclass(frozen=True, slots=True)
class PlanFull:
    """429 that is no rate limit: the team's plan has no room."""


@dataclass(frozen=True, slots=True)
class TooFast:
    """429: the quota is overrun, or smaller than we believe."""

    retry_after: float | None


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """401, 403."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """404: team, dataset or storage."""


@dataclass(frozen=True, slots=True)
class BatchRefused:
    """The request as a whole was not taken, and nothing of it was done. *too_large*: 413, 414. *signature* tells
    whether two refusals are the same.
    """

    signature: str
    too_large: bool


@dataclass(frozen=True, slots=True)
class NoClearAnswer:
    """Any of the items may be registered by now."""


Meaning = Taken | PlanFull | TooFast | KeyRefused | NotFound | BatchRefused | NoClearAnswer

SUCCESS, CLIENT_ERROR = 2, 4
"""The first digit of a status."""

_TOO_LARGE = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_URI_TOO_LONG)

_UNCLEAR = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)
"""Statuses below 500 that say nothing about what was done."""


def judge(items: Sequence[Item], answer: Answer) -> Meaning:
    """What an answer to a request with these items means."""
    status = answer.status
    if status is None:
        return NoClearAnswer()
    if status // 100 == SUCCESS:
        echoes = correlate(items, answer.payload)
        return NoClearAnswer() if echoes is None else Taken(echoes)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return (
            PlanFull()
            if _code(answer.payload) == "INSUFFICIENT_REMAINING_STORAGE"
            else TooFast(answer.retry_after)
        )
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return KeyRefused()
    if status == HTTPStatus.NOT_FOUND:
        return NotFound()
    if status // 100 == CLIENT_ERROR and status not in _UNCLEAR:
        return BatchRefused(_signature(answer), too_large=status in _TOO_LARGE)
    return NoClearAnswer()


def _code(payload: object) -> str | None:
    errors = payload.get("errors") if isinstance(payload, dict) else None
    code = errors.get("code") if isinstance(errors, dict) else None
    return code.upper() if isinstance(code, str) else None


def _signature(answer: Answer) -> str:
    """The status and what kind of error, without the words, which may name the single item."""
    errors = answer.payload.get("errors") if isinstance(answer.payload, dict) else None
    kinds = sorted(str(key) for key in errors) if isinstance(errors, dict) else []
    return " ".join([str(answer.status), _code(answer.payload) or "", *kinds])


@dataclass(frozen=True, slots=True)
class Registered:
    """Darwin took the item."""


@dataclass(frozen=True, slots=True)
class Exists:
    """Darwin holds an item of this path and name, ours or not."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Five tries, then blocked for *reason*. Darwin may hold the item by now."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The team's plan has no room for the item."""


@dataclass(frozen=True, slots=True)
class Final:
    """The item is blocked, and will be as long as things are as they are."""

    reason: Reason
    text: str


ItemMeaning = Registered | Exists | TryAgain | NoRoom | Final

_TRY_AGAIN = {"UNEXPECTED_ERROR": Reason.UNEXPECTED_ERROR, "FILE_UPLOAD_FAILED": Reason.UPLOAD_FAILED}
_FINAL = {"UNKNOWN_TAGS": Reason.UNKNOWN_TAGS, "FILE_UPLOAD_TIMEOUT": Reason.UPLOAD_FAILED}


def judge_item(echo: Echo) -> ItemMeaning:
    """What Darwin's word on one item means. With several reasons, the one that says most about where we stand."""
    match echo:
        case Accepted():
            return Registered()
        case Absent():
            return TryAgain(Reason.NO_ANSWER_FOR_ITEM, "Darwin's answer does not name the item")
        case Blocked(reasons):
            if "ITEM_COUNT_LIMIT_EXCEEDED" in reasons:
                return NoRoom()
            text = ", ".join(reasons)
            for name in reasons:
                if name in _FINAL:
                    return Final(_FINAL[name], text)
            if "ALREADY_EXISTS" in reasons:
                return Exists()
            for name in reasons:
                if name in _TRY_AGAIN:
                    return TryAgain(_TRY_AGAIN[name], text)
            return Final(Reason.OTHER_DARWIN_REASON, text)

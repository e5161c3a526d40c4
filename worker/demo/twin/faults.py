"""Planned faults: what goes wrong, with which requests, and how often.

The first fault that matches a request and fires decides; one fault per request.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from worker.demo.twin.replies import Body, RetryAfter

Kind = Literal[
    "status",
    "item-always-fails",
    "drop-answer-after-work",
    "drop-before-work",
    "slow",
    "slow-answer",
    "html",
    "truncated-json",
    "429",
    "omit-items",
]
Endpoint = Literal[
    "register",
    "register_existing",
    "register_existing_readonly",
    "items",
    "archive",
    "datasets",
    "storage",
    "token_info",
]
Work = Literal["none", "half", "all"]

_WORK: dict[Kind, Work] = {"drop-answer-after-work": "all", "truncated-json": "all"}


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class Fault(BaseModel):
    """One planned fault.

    Which requests: *endpoint* (``register`` is both registrations; None is every endpoint), *team*, *dataset*, and
    *item*, a regular expression searched in the names of the items sent.
    How often: the first *times* matches (None: until cleared), each with *probability* (with *seed*, the same run
    each time).
    What: see :data:`Kind`. ``slow`` waits *seconds* and then works; ``slow-answer`` works and then waits.
    ``omit-items`` works, and leaves the items that match *item* out of both lists. *work* says how much of a batch is
    registered although the answer is bad: for ``status``, ``html`` and ``truncated-json``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    endpoint: Endpoint | None = None
    team: str | None = None
    dataset: str | None = None
    item: Pattern | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0
    status: Annotated[int, Field(ge=200, le=599)] = 503
    body: Body = "html"
    seconds: Annotated[float, Field(ge=0)] = 0.0
    retry_after: Annotated[float, Field(ge=0)] | None = None
    retry_after_form: RetryAfter = "seconds"
    work: Work | None = None

    @model_validator(mode="after")
    def _items_are_named(self) -> "Fault":
        if self.kind in ("item-always-fails", "omit-items") and self.item is None:
            raise ValueError(f"{self.kind} needs item, a regular expression")
        return self

    @property
    def worked(self) -> Work:
        return self.work or _WORK.get(self.kind, "none")


@dataclass(frozen=True, slots=True)
class Target:
    """What a fault can tell about a request. *names* are the names of the items sent."""

    endpoint: str
    team: str = ""
    dataset: str = ""
    names: Sequence[str] = ()


class Faults:
    """The faults that are active, in the order they were planned."""

    def __init__(self) -> None:
        self._active: dict[int, _Active] = {}
        self._given = 0

    def plan(self, fault: Fault) -> int:
        """A number to clear it by."""
        self._given += 1
        # A seeded run must repeat itself; nothing here is secret.
        self._active[self._given] = _Active(fault, random.Random(fault.seed))  # noqa: S311  # see above
        return self._given

    def clear(self, number: int | None = None) -> None:
        """Forget one fault, or all of them."""
        if number is None:
            self._active.clear()
        else:
            self._active.pop(number, None)

    def strike(self, target: Target) -> Fault | None:
        """The fault that hits this request, and count it."""
        for number, active in list(self._active.items()):
            if not _matches(active.fault, target) or active.chance.random() >= active.fault.probability:
                continue
            active.struck += 1
            if active.fault.times is not None and active.struck >= active.fault.times:
                del self._active[number]
            return active.fault
        return None

    def listed(self) -> list[dict[str, object]]:
        """The active faults for people and tests: number, how often struck, and what was planned."""
        return [
            {"number": number, "struck": active.struck, **active.fault.model_dump(exclude_defaults=True)}
            for number, active in self._active.items()
        ]


@dataclass(slots=True)
class _Active:
    fault: Fault
    chance: random.Random
    struck: int = 0


def _matches(fault: Fault, target: Target) -> bool:
    return (
        fault.endpoint
        in (None, target.endpoint, "register" if target.endpoint.startswith("register") else None)
        and fault.team in (None, target.team)
        and fault.dataset in (None, target.dataset)
        and (fault.item is None or any(re.search(fault.item, name) for name in target.names))
    )

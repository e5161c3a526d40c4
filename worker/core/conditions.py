"""What stands in the worker's way at the moment, since when, why, and what to do about it.

Readiness is a pure function of this: not ready while any condition but a paused lane is raised. Liveness has nothing to
do with it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self


class Name(StrEnum):
    """The closed set of conditions, so that they may label a metric. *advice* is what to do, for people."""

    advice: str

    def __new__(cls, text: str, advice: str) -> Self:
        member = str.__new__(cls, text)
        member._value_ = text
        member.advice = advice
        return member

    STARTING = "starting", "Wait: the worker is trying its connections."
    STOPPING = "stopping", "Nothing: the worker was asked to stop and is handing back what it has not done."
    SQS_UNREACHABLE = (
        "sqs_unreachable",
        "Check the queue's URL, the network to SQS, and the credentials and permissions of the worker's AWS role.",
    )
    DEAD_LETTERS_UNREACHABLE = (
        "dead_letters_unreachable",
        "Check that the dead-letter queue exists and that the worker's AWS role may send to it.",
    )
    S3_UNREACHABLE = (
        "s3_unreachable",
        "Check the network to S3 and that the worker's AWS role may do what the condition names in this bucket.",
    )
    ARCHIVE_UNREACHABLE = (
        "archive_unreachable",
        "Check the network to S3, and that the worker's AWS role may put objects into the archive; nothing is lost.",
    )
    LEDGER_UNREACHABLE = (
        "ledger_unreachable",
        "Check that the ledger's store is up, has room and may be written to.",
    )
    DARWIN_DOWN = "darwin_down", "Wait, or see V7's status page; messages are held and nothing is lost."
    KEY_REFUSED = (
        "key_refused",
        "Give the worker a key of this team that may add data to datasets; a key file is read again by itself.",
    )
    PLAN_FULL = "plan_full", "Free items or storage in the team's Darwin plan, or extend the plan."
    LANE_PAUSED = (
        "lane_paused",
        "Check that the dataset and the storage exist in Darwin under these names, and run `darwin-worker check`.",
    )
    ALL_LANES_PAUSED = (
        "all_lanes_paused",
        "See the conditions of the single lanes; until one of them is mended nothing is received.",
    )

    @property
    def bars_readiness(self) -> bool:
        """One paused lane stops no other lane, so the worker stays ready."""
        return self is not Name.LANE_PAUSED


@dataclass(frozen=True, slots=True)
class Condition:
    """*subject* is whom it concerns: a team, a lane, a queue's URL. *since* in Unix seconds. *why* is for people."""

    name: Name
    subject: str
    since: float
    why: str

    def as_json(self) -> dict[str, str]:
        """Plain values; *since* in ISO 8601, UTC."""
        return {
            "condition": self.name.value,
            "subject": self.subject,
            "since": datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds"),
            "why": self.why,
            "advice": self.name.advice,
        }


class State(StrEnum):
    """What the worker does, in one word: WAITING when a condition bars it, IDLE when it has no record in hand."""

    STARTING = "starting"
    RUNNING = "running"
    IDLE = "idle"
    WAITING = "waiting"
    STOPPING = "stopping"


def state(conditions: Collection[Condition], open_records: int) -> State:
    names = {condition.name for condition in conditions}
    if Name.STOPPING in names:
        return State.STOPPING
    if Name.STARTING in names:
        return State.STARTING
    if not ready(conditions):
        return State.WAITING
    return State.RUNNING if open_records else State.IDLE


def ready(conditions: Iterable[Condition]) -> bool:
    return not any(condition.name.bars_readiness for condition in conditions)


class Conditions:
    """The conditions that are raised now, at most one of a name for each subject."""

    def __init__(self) -> None:
        self._raised: dict[tuple[Name, str], Condition] = {}

    def raise_(self, name: Name, subject: str, why: str, now: float) -> bool:
        """True when it was not raised before: the moment to log it.

        What is raised already keeps its *since* and takes the new *why*. That alone is no change, because the words of
        an error differ from try to try.
        """
        known = self._raised.get((name, subject))
        since = now if known is None else known.since
        self._raised[name, subject] = Condition(name, subject, since, why)
        return known is None

    def clear(self, name: Name, subject: str) -> Condition | None:
        """The condition as it was last, or None when it was not raised: nothing to log then."""
        return self._raised.pop((name, subject), None)

    def now(self) -> tuple[Condition, ...]:
        """All that is raised, the oldest first."""
        return tuple(sorted(self._raised.values(), key=lambda raised: raised.since))

    @property
    def ready(self) -> bool:
        return ready(self._raised.values())

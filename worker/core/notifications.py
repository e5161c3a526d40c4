"""Whether the events of a bucket reach our queue, as far as the bucket's notification configuration tells.

S3 sends an event to a target when one of the target's configurations names its type and has a prefix and a suffix that
the key begins and ends with, by characters and not by segments
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html). What goes to SNS or
EventBridge may reach the queue from there, which the bucket does not know.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.core.checks import Finding, note, ok, wrong

MULTIPART = "s3:ObjectCreated:CompleteMultipartUpload"
CREATED, REMOVED = "s3:ObjectCreated:*", "s3:ObjectRemoved:*"
EVERY_CREATED = frozenset(
    {"s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", MULTIPART}
)
EVERY_REMOVED = frozenset({"s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated"})
EVERY = {CREATED: EVERY_CREATED, REMOVED: EVERY_REMOVED}
"""All that :data:`CREATED` and :data:`REMOVED` stand for."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One configuration of a bucket: which events go to *target*, an ARN. *prefix* and *suffix* are decoded."""

    target: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def __str__(self) -> str:
        ends = f" and end in {self.suffix!r}" if self.suffix else ""
        return f"{', '.join(self.events)} of keys that begin with {self.prefix!r}{ends}"

    def kinds(self, of: str = CREATED) -> frozenset[str]:
        """The kinds of new, or of removed, objects that it tells of."""
        return EVERY[of] if of in self.events else EVERY[of] & set(self.events)

    def touches(self, prefix: str, of: str = CREATED) -> bool:
        """Whether it tells of some such objects below *prefix*."""
        return bool(self.kinds(of)) and (prefix.startswith(self.prefix) or self.prefix.startswith(prefix))

    def covers(self, prefix: str) -> bool:
        """Whether it tells of all objects below *prefix*, of the kinds that it tells of."""
        return not self.suffix and prefix.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class Notifications:
    """All that one bucket sends, by the kind of target."""

    queues: tuple[Notification, ...] = ()
    topics: tuple[Notification, ...] = ()
    eventbridge: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """What a route wants to be told of: the new objects below *prefix* of *bucket*, and the removed ones if *removals*."""

    route: str
    bucket: str
    prefix: str
    removals: bool = False

    def __str__(self) -> str:
        return f"route {self.route!r} (s3://{self.bucket}/{_folder(self.prefix)})"


def judge_events(watched: Watched, notifications: Notifications, queue: str) -> Finding:
    """Whether what the route watches is sent to *queue*, an ARN: all of it, a part of it, or nothing."""
    prefix = _folder(watched.prefix)
    ours = [sent for sent in notifications.queues if sent.target == queue and sent.touches(prefix)]
    whole = frozenset().union(*(sent.kinds() for sent in ours if sent.covers(prefix)))
    if whole == EVERY_CREATED:
        return ok("events", f"{watched}: the bucket tells the queue of every new object")
    if ours:
        return note("events", _in_part(watched, ours))
    if through := [*_through(notifications, prefix)]:
        return note(
            "events",
            f"{watched}: events go through {' and '.join(through)}, which cannot be followed from here: "
            f"see that they reach {queue}",
        )
    return wrong("events", _nothing(watched, notifications, queue))


def judge_removals(watched: Watched, notifications: Notifications, queue: str) -> list[Finding]:
    """A note when a route that wants to be told of removed objects is not told of all of them, as far as can be seen."""
    if not watched.removals:
        return []
    prefix = _folder(watched.prefix)
    ours = [sent for sent in notifications.queues if sent.target == queue and sent.covers(prefix)]
    if frozenset().union(*(sent.kinds(REMOVED) for sent in ours)) == EVERY_REMOVED:
        return []
    if through := [*_through(notifications, prefix, REMOVED)]:
        what = f"go through {' and '.join(through)}, which cannot be followed from here: see that they reach {queue}"
    else:
        what = f"do not all reach the queue: send it {REMOVED}{_filtered(prefix)}, or leave on_removed out"
    return [note("events", f"{watched}: events of removed objects {what}")]


def judge_overlap(
    bucket: str, written: str, notifications: Notifications, queue: str, what: str = "what Darwin writes"
) -> list[Finding]:
    """A note when the queue is told of *what* is written below the prefix *written*, and is not to be registered."""
    prefix = _folder(written)
    if not prefix or not any(sent.target == queue and sent.touches(prefix) for sent in notifications.queues):
        return []
    text = (
        f"the bucket {bucket} tells the queue also of {what} below {prefix}: it is ignored, but costs "
        "receives. Narrow the notification's prefix to what is to be registered"
    )
    return [note("events", text)]


def _in_part(watched: Watched, ours: list[Notification]) -> str:
    kinds = frozenset().union(*(sent.kinds() for sent in ours))
    large = "" if MULTIPART in kinds else f" Large files, which come as {MULTIPART}, are not told of."
    return (
        f"{watched}: the queue is told of a part of its objects only: {'; '.join(map(str, ours))}.{large} "
        f"If that is not meant, send it {CREATED} with prefix {_folder(watched.prefix)!r}"
    )


def _through(notifications: Notifications, prefix: str, of: str = CREATED) -> Iterator[str]:
    for topic in notifications.topics:
        if topic.touches(prefix, of):
            yield f"SNS ({topic.target})"
    if notifications.eventbridge:
        yield "EventBridge"


def _nothing(watched: Watched, notifications: Notifications, queue: str) -> str:
    missed = [sent for sent in notifications.queues if sent.kinds()]
    elsewhere = [sent for sent in missed if sent.target != queue and sent.touches(_folder(watched.prefix))]
    if others := [sent for sent in missed if sent.target == queue]:
        why = f"the queue is told only of {'; '.join(map(str, others))}"
    elif elsewhere:
        why = f"they go to {elsewhere[0].target} and not to the queue"
    else:
        why = "the bucket tells nobody of its new objects"
    filtered = _filtered(_folder(watched.prefix))
    return (
        f"{watched}: no event reaches the queue, {why}. Add a notification of {CREATED}{filtered} to {queue}, "
        "or correct the route's prefix"
    )


def _filtered(prefix: str) -> str:
    return f" with prefix {prefix!r}" if prefix else ""


def _folder(prefix: str) -> str:
    """A route's prefix as the beginning of its keys: whole segments."""
    prefix = prefix.strip("/")
    return prefix + "/" if prefix else ""

"""What `check` finds out, as values, and how it judges what AWS and Darwin told.

Wrong is what keeps `run` from doing its work, and nothing else; what works but costs something, or cannot be known from
here, is a note. Every text says what is so and, unless all is well, what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import PurePath

from worker.core.darwin import Storage
from worker.core.errors import OutsideError, Unavailable
from worker.core.model import Mode

DAY = 86_400
LONGEST_RETENTION = 14 * DAY
"""Seconds; SQS keeps no message longer (SetQueueAttributes, MessageRetentionPeriod)."""

RECEIVES_WANTED = 10

OF_AWS = "alias/aws/sqs"
"""The key that KMS holds for SQS in every account."""


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. *about* is a word or two that people may search for."""

    level: Level
    about: str
    text: str


def ok(about: str, text: str) -> Finding:
    return Finding(Level.OK, about, text)


def note(about: str, text: str) -> Finding:
    return Finding(Level.NOTE, about, text)


def wrong(about: str, text: str) -> Finding:
    return Finding(Level.WRONG, about, text)


def in_the_way(about: str, error: OutsideError, where: str) -> Finding:
    """The one line for what cannot be asked. A refusal says itself what to do; of the rest, *where* is to be looked at."""
    advice = f" Check {where} and the network." if isinstance(error, Unavailable) else ""
    return wrong(about, f"{str(error).rstrip('.')}.{advice}")


# What SQS tells of queues: attributes as in its API's GetQueueAttributes, all values text


def judge_queue(attributes: Mapping[str, str], url: str) -> Finding:
    """The source queue by itself."""
    if _is_fifo(attributes):
        why = "is a FIFO queue, and S3 sends no events to those: use a standard queue"
        return wrong("queue", f"{url} {why}")
    waiting = attributes.get("ApproximateNumberOfMessages", "?")
    return ok("queue", f"{url} answers; about {waiting} messages wait")


def judge_encryption(attributes: Mapping[str, str], url: str, *, of_events: bool) -> list[Finding]:
    """A queue with a key of KMS, which only a message sent or received would try. *of_events*: AWS sends them to it."""
    key = attributes.get("KmsMasterKeyId")
    if not key or (key == OF_AWS and not of_events):
        return []
    if key == OF_AWS:
        # "Amazon SQS Key management" in its developer guide: nobody can let another service use this key.
        return [
            note(
                "encryption",
                f"{url} is encrypted with {key}, which S3, SNS and EventBridge cannot use, so their events never come. "
                "Encrypt it with SQS's own keys (SSE-SQS), or with a key of yours in KMS",
            )
        ]
    services = ", and by the key's policy S3, SNS or EventBridge do too" if of_events else ""
    return [
        note(
            "encryption",
            f"{url} is encrypted with {key}, which is not tried here. The worker's role needs there: kms:Decrypt, "
            f"kms:GenerateDataKey (deploy/iam: kms.json){services}",
        )
    ]


def judge_redrive(policy: Mapping[str, object]) -> Finding:
    """The redrive policy of the source queue; empty when it has none."""
    count = policy.get("maxReceiveCount")
    if count is None:
        return note(
            "redrive",
            "the queue has no redrive policy: a message that crashes the worker comes back until its retention ends. "
            f"Give the queue one, with maxReceiveCount {RECEIVES_WANTED} or more",
        )
    receives = int(str(count))
    if receives < RECEIVES_WANTED:
        return note(
            "redrive",
            f"maxReceiveCount is {receives}: each stop and each crash costs a message one receive, and at half of them "
            "it is a suspect and passes alone; after the last, SQS moves it to the dead letters although nothing is "
            f"wrong with it. Set it to {RECEIVES_WANTED} or more",
        )
    return ok("redrive", f"maxReceiveCount is {receives}; stops and crashes cost one each")


def judge_retention(source: Mapping[str, str], dead_letters: Mapping[str, str] | None) -> list[Finding]:
    """How long both queues keep messages. *dead_letters*: None when that queue could not be asked."""
    held = _seconds(source, "MessageRetentionPeriod")
    found = []
    if held is not None and held < LONGEST_RETENTION:
        found.append(
            note(
                "retention",
                f"the queue keeps messages for {_days(held)}: events that wait longer, in a backlog or an outage, are "
                f"lost. Set its MessageRetentionPeriod to {LONGEST_RETENTION}, which is 14 days",
            )
        )
    kept = None if dead_letters is None else _seconds(dead_letters, "MessageRetentionPeriod")
    if kept is not None and kept < LONGEST_RETENTION:
        sooner = (
            " What SQS moves there keeps the time at which it was first sent, so it may be gone at once."
            if held is not None and kept < held
            else ""
        )
        found.append(
            note(
                "retention",
                f"the dead-letter queue keeps messages for {_days(kept)}: what nobody replays until then is lost."
                f"{sooner} Set its MessageRetentionPeriod to {LONGEST_RETENTION}, which is 14 days",
            )
        )
    if found or held is None or kept is None:
        return found
    return [ok("retention", "both queues keep messages for 14 days")]


def judge_dead_letters(
    source: Mapping[str, str], policy: Mapping[str, object], dead_letters: Mapping[str, str], url: str
) -> Finding:
    """The dead-letter queue at *url*, which answered."""
    arn = dead_letters.get("QueueArn")
    if arn is not None and arn == source.get("QueueArn"):
        return wrong(
            "dead letters",
            f"{url} is the queue itself: dead letters would be received again without end. "
            "Make a queue of its own for them",
        )
    if _is_fifo(dead_letters):
        return wrong(
            "dead letters", f"{url} is a FIFO queue, which takes no dead letters: use a standard queue"
        )
    target = policy.get("deadLetterTargetArn")
    if target is not None and arn is not None and target != arn:
        return note(
            "dead letters",
            f"what the worker cannot register goes to {url}, but SQS moves what was received too often to {target}. "
            "Watch both, or make them one",
        )
    return ok("dead letters", f"{url} answers")


def _is_fifo(attributes: Mapping[str, str]) -> bool:
    return attributes.get("FifoQueue") == "true" or attributes.get("QueueArn", "").endswith(".fifo")


def _seconds(attributes: Mapping[str, str], name: str) -> int | None:
    value = attributes.get(name)
    return None if value is None else int(value)


def _days(seconds: int) -> str:
    days, rest = divmod(seconds, DAY)
    return f"{seconds} seconds" if rest else "1 day" if days == 1 else f"{days} days"


# Where the ledger's file lies

PASSING = frozenset({"aufs", "overlay", "ramfs", "tmpfs"})
"""File systems that end with their container, or with the machine."""

POD = "kubernetes.io~empty-dir"
"""What the path of an emptyDir holds on its node; it ends with its pod."""


def judge_ledger_file(path: PurePath, mounts: str) -> Finding:
    """*path*, absolute, was opened as the ledger. *mounts*: /proc/self/mountinfo (proc(5)); empty where there is none."""
    kind, root = _mount_of(path, mounts)
    if kind in PASSING or POD in root:
        where = (
            "an emptyDir, which ends with its pod"
            if POD in root
            else f"{kind}, which ends with its container"
        )
        return note(
            "ledger",
            f"{path} can be written, but lies on {where}: the next one would not know what was registered, and only "
            "Darwin's unique names would tell its duplicates. Mount a volume there, or use a ledger in Redis or DynamoDB",
        )
    return ok("ledger", f"{path} can be written, and nobody holds it")


def _mount_of(path: PurePath, mounts: str) -> tuple[str, str]:
    """The type of the file system that *path* lies on, and what of it is mounted there."""
    kind, root, longest = "", "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        point = PurePath(fields[4].replace("\\040", " "))
        # Of two mounts on one point the later one is seen.
        if path.is_relative_to(point) and len(point.parts) >= longest:
            kind, root, longest = after.split(" ")[0], fields[3], len(point.parts)
    return kind, root


# What Darwin tells of its team


def judge_storage(storage: Storage) -> list[Finding]:
    """One storage that a route registers from. Facts from darwin-api.md sections 1.8 and 6.3."""
    name = repr(storage.slug)
    found = []
    if storage.provider not in ("", "aws"):
        level = wrong if storage.provider in ("gcp", "azure") else note
        found.append(
            level(
                "storage",
                f"{name} is of provider {storage.provider!r} in Darwin, but the events come from AWS S3: "
                "name a storage of provider aws",
            )
        )
    if not storage.bucket:
        found.append(
            wrong("storage", f"{name} has no bucket in Darwin: complete it in the team's settings there")
        )
    if "." in storage.bucket:
        found.append(
            wrong(
                "storage",
                f"{name} is on bucket {storage.bucket!r}; Darwin cannot show files of a bucket with dots in its name: "
                "use a bucket without",
            )
        )
    if not storage.prefix:
        found.append(
            note(
                "storage",
                f"{name} has no prefix in Darwin, so Darwin writes its thumbnails and frames anywhere in the bucket, "
                "and only the shape of their keys keeps them from being registered. Give it a prefix in Darwin",
            )
        )
    if found:
        return found
    mode = "read-write" if storage.mode is Mode.READ_WRITE else "read-only"
    where = f"bucket {storage.bucket}; Darwin writes below {storage.prefix}/"
    return [ok("storage", f"{name} is {mode}, on {where}")]


def judge_dataset(slug: str, listed: Sequence[str]) -> Finding:
    """One dataset that a route registers in. *listed*: the slugs of the team's datasets."""
    if slug in listed:
        return ok("dataset", f"{slug!r} is there")
    nearest = get_close_matches(slug, listed, n=3)
    there = (
        f"did you mean {' or '.join(map(repr, nearest))}?"
        if nearest
        else f"none of the {len(listed)} there has a name like it."
    )
    return wrong(
        "dataset",
        f"{slug!r} is not among the team's datasets in Darwin; {there} Correct the slug (it is in the address of the "
        "dataset's page), or make the dataset, or let the key see it",
    )

"""``darwin-worker check``: the settings in force, and everything that `run` needs tried for real.

Nothing is received from the queues or sent to them, and nothing is registered; the ledger is opened as `run` opens it,
which makes its file, and ``--create`` makes its DynamoDB table; in the table an item that is nobody's is written and
deleted, in the archive an empty object is put. What does not depend on each other is tried at once and whatever became of
the rest. Every call has its deadline in its adapter.
"""

import argparse
import asyncio
import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker import logs
from worker.adapters.aws_session import aws_session
from worker.adapters.s3 import S3Buckets, open_bucket_client
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.commands.check_archive import look_at_archive
from worker.commands.check_darwin import look_at_darwin
from worker.commands.check_ledger import look_at_ledger
from worker.core.checks import (
    Finding,
    Level,
    in_the_way,
    judge_dead_letters,
    judge_encryption,
    judge_queue,
    judge_redrive,
    judge_retention,
    note,
    ok,
    wrong,
)
from worker.core.darwin import Storage
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.model import Message
from worker.core.notifications import Watched, judge_events, judge_overlap, judge_removals
from worker.core.receipts import Place
from worker.core.routes import OnRemoved
from worker.metrics import Metrics
from worker.opening import open_queues, redrive_policy
from worker.routes_file import Wanted, load_routes
from worker.settings import (
    LEASE_MARGIN,
    STOP_MARGIN,
    Settings,
    Web,
    cautions,
    describe,
    load_settings,
)

NOBODYS = Message("check", "a-handle-that-no-message-has", "", 1)
STYLES = {Level.OK: "green", Level.NOTE: "yellow", Level.WRONG: "bold red"}


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--create", action="store_true", help="make the DynamoDB table of the ledger if it is missing"
    )


def main(arguments: argparse.Namespace) -> int:
    settings = load_settings(os.environ)
    wanted = load_routes(settings)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may hold what the terminal's encoding does not know.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False, soft_wrap=True)
    for name, value in describe(settings):
        console.print(Text(f"{name}={value}"))
    console.print()
    findings = asyncio.run(look(settings, wanted, create=arguments.create))
    _show(console, findings)
    return 1 if any(finding.level is Level.WRONG for finding in findings) else 0


async def look(settings: Settings, wanted: Wanted, *, create: bool = False) -> list[Finding]:
    """All findings, in an order that reads well. *create*: make the DynamoDB table of the ledger if it is missing."""
    metrics = Metrics(CollectorRegistry())  # what adapters count by; nobody looks at it here
    async with asyncio.TaskGroup() as tasks:
        queues = tasks.create_task(_queues(settings, metrics), name="queues")
        darwin = tasks.create_task(look_at_darwin(settings, wanted, metrics), name="darwin")
        ledger = tasks.create_task(look_at_ledger(settings.ledger, create=create), name="ledger")
        archive = tasks.create_task(look_at_archive(wanted.archive, metrics), name="archive")
        web_port = tasks.create_task(_web_port(settings.web), name="web port")
    of_queues, queue_arn = queues.result()
    of_darwin, storages = darwin.result()
    return [
        *_timing(settings),
        *of_queues,
        *of_darwin,
        *await _events(queue_arn, wanted, storages),
        *ledger.result(),
        *archive.result(),
        web_port.result(),
    ]


def _timing(settings: Settings) -> list[Finding]:
    """The laws across fields hold, or the settings would have been refused; here they are explained."""
    lease, wait = settings.queue.visibility_seconds, settings.queue.wait_seconds
    timeout, drain = settings.darwin.request_timeout_seconds, settings.drain_seconds
    return [
        ok(
            "timing",
            f"a lease of {lease} s outlasts one receive ({wait} s), one request ({timeout:g} s) and {LEASE_MARGIN} s "
            f"around them; a stop of {drain:g} s outlasts the receive under way ({wait} s) and {STOP_MARGIN} s. "
            f"Have the platform wait longer than {drain:g} s before it kills the worker",
        ),
        *(note("timing", caution) for caution in cautions(settings)),
    ]


# SQS


async def _queues(settings: Settings, metrics: Metrics) -> tuple[list[Finding], str | None]:
    """What is found of both queues, and the ARN of the source queue once it told it."""
    url = settings.queue.url
    try:
        async with open_queue_client(aws_session()) as client:
            queue = SqsQueue(client, url, metrics)
            attributes = await queue.attributes()
            found = [
                judge_queue(attributes, url),
                *judge_encryption(attributes, url, of_events=True),
                await _permissions(queue),
            ]
    except OutsideError as error:
        return [in_the_way("queue", error, "WORKER_QUEUE__URL and AWS_REGION (or AWS_ENDPOINT_URL)")], None
    return found + await _dead_letters(settings, attributes, metrics), attributes.get("QueueArn")


async def _permissions(queue: SqsQueue) -> Finding:
    """Of two calls that do nothing when nobody holds the handle, AWS tells whether they are allowed."""
    try:
        await queue.extend([NOBODYS], 0)
        await queue.delete([NOBODYS])
    except Refused as error:
        return wrong("permissions", str(error))
    except Unavailable as error:
        return note("permissions", f"cannot be told: {error}")
    return ok(
        "permissions",
        "messages may be extended and deleted. Not tried, for it would touch messages: sqs:ReceiveMessage on the queue, "
        "sqs:SendMessage on both queues",
    )


async def _dead_letters(settings: Settings, source: Mapping[str, str], metrics: Metrics) -> list[Finding]:
    policy = redrive_policy(source)
    redrive = judge_redrive(policy)
    try:
        async with open_queues(settings, metrics) as queues:
            kept = await queues.dead_letters.attributes()
            url = queues.dead_letters.url
            looking = await _looking(queues.dead_letters)
    except OutsideError as error:
        where = "the queue's redrive policy, or WORKER_QUEUE__DEAD_LETTER_URL"
        return [in_the_way("dead letters", error, where), redrive, *judge_retention(source, None)]
    return [
        judge_dead_letters(source, policy, kept, url),
        *judge_encryption(kept, url, of_events=False),
        *looking,
        redrive,
        *judge_retention(source, kept),
    ]


async def _looking(queue: SqsQueue) -> list[Finding]:
    """As :func:`_permissions`, of what `run` does without."""
    try:
        await queue.extend([NOBODYS], 0)
    except OutsideError as error:
        return [note("permissions", f"dead letters cannot be looked at, on the page or by commands: {error}")]
    return []


# S3


async def _events(queue_arn: str | None, wanted: Wanted, storages: Mapping[str, Storage]) -> list[Finding]:
    """The buckets' notifications against the routes. `run` does not read them, so what cannot be read is a note."""
    if queue_arn is None:
        return [note("events", "not tried: the queue must be reached first")]
    found: list[Finding] = []
    watched: list[Watched] = []
    for route in wanted.routes:
        storage = storages.get(route.name)
        bucket = route.bucket or (storage.bucket if storage else "")
        if bucket:
            removals = route.on_removed is OnRemoved.ARCHIVE
            watched.append(Watched(route.name, bucket, route.prefix, removals=removals))
        else:
            found.append(
                note("events", f"route {route.name!r} was not tried: its storage must tell the bucket first")
            )
    try:
        async with open_bucket_client(aws_session()) as client, asyncio.TaskGroup() as tasks:
            trying = [
                tasks.create_task(
                    _events_of(S3Buckets(client), bucket, watched, storages, wanted.archive, queue_arn),
                    name=bucket,
                )
                for bucket in dict.fromkeys(one.bucket for one in watched)
            ]
    except Refused as error:
        return [*found, note("events", str(error))]
    return found + [finding for task in trying for finding in task.result()]


async def _events_of(
    buckets: S3Buckets,
    bucket: str,
    watched: Sequence[Watched],
    storages: Mapping[str, Storage],
    archive: Place | None,
    queue_arn: str,
) -> list[Finding]:
    try:
        notifications = await buckets.notifications(bucket)
    except OutsideError as error:
        text = (
            f"the notifications of bucket {bucket} cannot be read; see that they reach {queue_arn}. {error}"
        )
        return [note("events", text)]
    if notifications is None:
        return [
            wrong("events", f"there is no bucket {bucket!r}: correct the route, or the storage in Darwin")
        ]
    here = [one for one in watched if one.bucket == bucket]
    written = dict.fromkeys(storage.prefix for storage in storages.values() if storage.bucket == bucket)
    return [
        *(judge_events(one, notifications, queue_arn) for one in here),
        *(finding for one in here for finding in judge_removals(one, notifications, queue_arn)),
        *(
            finding
            for prefix in written
            for finding in judge_overlap(bucket, prefix, notifications, queue_arn)
        ),
        *(
            judge_overlap(bucket, archive.prefix, notifications, queue_arn, "what the archive keeps")
            if archive is not None and archive.bucket == bucket
            else []
        ),
    ]


# This machine


async def _web_port(web: Web) -> Finding:
    place = f"{web.host}:{web.port}"
    try:
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, web.host, web.port, start_serving=False
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"{place} is taken. If that is not this worker, set WORKER_WEB__PORT to one that is free"
            return note("web port", text)
        why = error.strerror or str(error)
        return wrong(
            "web port", f"{place} cannot be served on: {why}. Set WORKER_WEB__HOST and WORKER_WEB__PORT right"
        )
    server.close()
    return ok("web port", f"{place} is free")


# What is said


def _show(console: Console, findings: Sequence[Finding]) -> None:
    """Columns on a terminal, else one line each."""
    rows = [
        (Text(f"{finding.level:<5}", STYLES[finding.level]), finding.about, logs.redact(finding.text))
        for finding in findings
    ]
    if console.is_terminal:
        columns = Table.grid(padding=(0, 2, 0, 0))
        for level, about, text in rows:
            columns.add_row(level, Text(about), Text(text))
        console.print(columns, soft_wrap=False)
    else:
        for level, about, text in rows:
            console.print(Text.assemble(level, f"  {about}: {text}"))
    bad = sum(finding.level is Level.WRONG for finding in findings)
    verdict = f"{bad} wrong: `run` would not work as things are." if bad else "`run` would work."
    console.print(Text(f"\n{verdict}"))

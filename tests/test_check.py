"""``darwin-worker check`` from outside: the real process against MiniStack and the Darwin twin.

One MiniStack serves all tests; each has queues, a bucket and a twin of its own.
"""

import asyncio
import fcntl
import json
import os
import pty
import re
import socket
import struct
import sys
import termios
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aioboto3
import pytest

from worker.adapters.sqlite_ledger import SqliteLedger
from worker.demo.engines import running_ministack
from worker.demo.twin.server import running_twin
from worker.demo.twin.state import Storage, Team
from worker.demo.twin.twin import Twin

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sqs import SQSClient

KEY = "abcdefg.0123456789abcdef0123456789abcdef"
FOURTEEN_DAYS = "1209600"
DEADLINE = 60.0
AWS = {
    "AWS_ACCESS_KEY_ID": "000000000007",
    "AWS_SECRET_ACCESS_KEY": "aws-secret",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture(scope="module")
def ministack() -> Iterator[str]:
    with running_ministack() as endpoint:
        yield endpoint


class Said(NamedTuple):
    """What the process printed, and its exit code."""

    code: int
    out: str
    err: str

    def lines(self, level: str, about: str) -> list[str]:
        """The texts of all findings of this level about this thing."""
        beginning = f"{level:<5}  {about}: "
        return [line.removeprefix(beginning) for line in self.out.splitlines() if line.startswith(beginning)]

    @property
    def wrong(self) -> list[str]:
        """What all that is wrong is about."""
        return re.findall(r"^wrong  ([\w ]+): ", self.out, re.MULTILINE)


@dataclass
class World:
    """One set-up that is all well until a test breaks it."""

    sqs: "SQSClient"
    s3: "S3Client"
    bucket: str
    queue: str
    dead_letters: str
    arn: str
    twin: Twin
    environ: dict[str, str]

    @property
    def team(self) -> Team:
        return self.twin.world.teams["acme"]

    async def check(self, **changes: str) -> Said:
        return await checked(self.environ | changes)

    async def notify(self, **configuration: object) -> None:
        """Replace what the bucket tells of its objects."""
        await self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket,
            NotificationConfiguration=configuration,  # type: ignore[arg-type]  # written out by each test
            SkipDestinationValidation=True,
        )

    def sent(
        self, prefix: str = "", suffix: str = "", event: str = "s3:ObjectCreated:*"
    ) -> dict[str, object]:
        """One configuration that sends events to the queue."""
        rules = [{"Name": "prefix", "Value": prefix}, {"Name": "suffix", "Value": suffix}]
        return {
            "QueueArn": self.arn,
            "Events": [event],
            "Filter": {"Key": {"FilterRules": [rule for rule in rules if rule["Value"]]}},
        }


async def checked(environ: Mapping[str, str]) -> Said:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "check"),
        env={name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        | dict(environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def world(ministack: str, tmp_path: Path) -> AsyncIterator[World]:
    session = aioboto3.Session(AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"])
    name = f"check-{uuid.uuid4().hex[:12]}"
    async with AsyncExitStack() as stack:
        sqs = await stack.enter_async_context(
            session.client("sqs", region_name="eu-west-1", endpoint_url=ministack)
        )
        s3 = await stack.enter_async_context(
            session.client("s3", region_name="eu-west-1", endpoint_url=ministack)
        )
        team = Team("acme", KEY, ["intake", "archive"], [Storage("Acme Media", name, "darwin")])
        twin = await stack.enter_async_context(running_twin([team]))
        dead = await sqs.create_queue(
            QueueName=f"{name}-dead", Attributes={"MessageRetentionPeriod": FOURTEEN_DAYS}
        )
        redrive = {"deadLetterTargetArn": await arn_of(sqs, dead["QueueUrl"]), "maxReceiveCount": 10}
        created = await sqs.create_queue(
            QueueName=name,
            Attributes={
                "MessageRetentionPeriod": FOURTEEN_DAYS,
                "VisibilityTimeout": "120",
                "RedrivePolicy": json.dumps(redrive),
            },
        )
        queue = created["QueueUrl"]
        await s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        environ = AWS | {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": ministack,
            "AWS_MAX_ATTEMPTS": "1",
            "WORKER_QUEUE__URL": queue,
            "WORKER_DARWIN__DATASET": "intake",
            "WORKER_DARWIN__STORAGE": "Acme Media",
            "WORKER_DARWIN__PREFIX": "incoming",
            "WORKER_LEDGER__URL": f"sqlite://{tmp_path}/ledger.sqlite3",
            "WORKER_WEB__HOST": "127.0.0.1",
            "WORKER_WEB__PORT": "0",
            "DARWIN_API_KEY": KEY,
            "DARWIN_TEAM": "acme",
            "DARWIN_BASE_URL": twin.url,
        }
        arn = await arn_of(sqs, queue)
        made = World(sqs, s3, name, queue, dead["QueueUrl"], arn, twin.twin, environ)
        await made.notify(QueueConfigurations=[made.sent("incoming/")])
        yield made


async def arn_of(sqs: "SQSClient", url: str) -> str:
    return (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]))["Attributes"][
        "QueueArn"
    ]


async def test_when_all_is_well_every_line_says_ok_and_the_code_is_0(world: World) -> None:
    said = await world.check()

    assert (said.code, said.err) == (0, ""), said.out
    settings, findings, verdict = said.out.split("\n\n")
    assert "WORKER_QUEUE__VISIBILITY_SECONDS=120" in settings.splitlines()
    assert [line.split(":")[0] for line in findings.splitlines()] == [
        "ok     timing",
        "ok     queue",
        "ok     permissions",
        "ok     dead letters",
        "ok     redrive",
        "ok     retention",
        "ok     darwin",
        "ok     route",
        "ok     storage",
        "ok     dataset",
        "ok     events",
        "ok     ledger",
        "ok     web port",
    ]
    assert verdict == "`run` would work.\n"


async def test_no_secret_and_no_colour_is_in_what_is_printed(world: World) -> None:
    """Law 9."""
    said = await world.check(DARWIN_API_KEY="zyxwvut.0123456789abcdef0123456789abcdef")

    assert "DARWIN_API_KEY=(hidden)" in said.out.splitlines()
    assert "zyxwvut" not in said.out
    assert "aws-secret" not in said.out
    assert "\x1b" not in said.out


async def test_nothing_is_received_sent_or_registered(world: World) -> None:
    # MiniStack told the queue of its notification: that test event is there, and has to stay.
    before = await counts(world)
    await world.check()

    assert await counts(world) == before
    assert not world.team.datasets["intake"].items


async def counts(world: World) -> list[tuple[str, str]]:
    """What waits in each queue, and what is hidden there."""
    answers = [
        await world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        for url in (world.queue, world.dead_letters)
    ]
    return [
        (held["ApproximateNumberOfMessages"], held["ApproximateNumberOfMessagesNotVisible"])
        for held in (answer["Attributes"] for answer in answers)
    ]


async def test_a_wrong_key_is_told_once(world: World) -> None:
    said = await world.check(DARWIN_API_KEY="zyxwvut.0123456789abcdef0123456789abcdef")

    assert (said.code, said.wrong) == (1, ["darwin"])
    (text,) = said.lines("wrong", "darwin")
    assert "401" in text
    assert "Check the API key" in text
    assert said.lines("note", "storage")


async def test_the_key_of_another_team_is_told(world: World) -> None:
    said = await world.check(DARWIN_TEAM="globex")

    assert (said.code, said.wrong) == (1, ["darwin"])
    assert said.lines("wrong", "darwin") == [
        "team globex: The API key belongs to team acme, not to globex: set the team or the key right."
    ]


async def test_a_missing_dataset_is_told_with_the_nearest_one(world: World) -> None:
    said = await world.check(WORKER_DARWIN__DATASET="intakes")

    assert (said.code, said.wrong) == (1, ["dataset"])
    assert "did you mean 'intake'?" in said.lines("wrong", "dataset")[0]


async def test_storages_are_judged_one_by_one_as_run_would(world: World, tmp_path: Path) -> None:
    world.team.storages += [
        Storage("frozen", world.bucket, "frozen", readonly=True),
        Storage("dots", "acme.media", "darwin"),
        Storage("blobs", world.bucket, "blobs", provider="azure"),
        Storage("bare", world.bucket, ""),
    ]
    routes = tmp_path / "routes.yaml"
    names = ("frozen", "dots", "blobs", "bare", "absent", "acme-media")
    rules = [
        {"name": name, "prefix": f"incoming/{name}", "dataset": "intake", "storage": name} for name in names
    ]
    loop = {"name": "loop", "prefix": "darwin/sub", "dataset": "intake", "storage": "acme-media"}
    routes.write_text(json.dumps({"routes": [*rules, loop]}))
    environ = {name: value for name, value in world.environ.items() if "DARWIN__" not in name}
    said = await checked(environ | {"WORKER_ROUTES_FILE": str(routes)})

    assert (said.code, said.err) == (1, "")
    read_only, absent, loop_text = said.lines("wrong", "route")
    assert "storage 'frozen' is read-only in Darwin" in read_only
    assert "has no storage 'absent'" in absent
    assert "where Darwin writes" in loop_text
    dots, blobs = said.lines("wrong", "storage")
    assert "'acme.media'" in dots
    assert "'azure'" in blobs
    assert "'bare' has no prefix" in said.lines("note", "storage")[0]
    assert len(said.lines("ok", "route")) == 4
    assert "there is no bucket 'acme.media'" in said.lines("wrong", "events")[0]


async def test_without_a_dead_letter_queue_run_would_not_start(world: World) -> None:
    await world.sqs.set_queue_attributes(QueueUrl=world.queue, Attributes={"RedrivePolicy": ""})
    said = await world.check()

    assert (said.code, said.wrong) == (1, ["dead letters"])
    assert "has no redrive policy" in said.lines("wrong", "dead letters")[0]
    assert "WORKER_QUEUE__DEAD_LETTER_URL" in said.lines("wrong", "dead letters")[0]


async def test_a_dead_letter_queue_that_is_gone_is_told(world: World) -> None:
    await world.sqs.delete_queue(QueueUrl=world.dead_letters)
    said = await world.check()

    assert (said.code, said.wrong) == (1, ["dead letters"])
    assert "NonExistentQueue" in said.lines("wrong", "dead letters")[0]


async def test_a_dead_letter_queue_of_the_settings_is_tried_too(world: World) -> None:
    said = await world.check(WORKER_QUEUE__DEAD_LETTER_URL=f"{world.dead_letters}-gone")

    assert (said.code, said.wrong) == (1, ["dead letters"])
    assert f"{world.dead_letters}-gone" in said.lines("wrong", "dead letters")[0]


async def test_what_the_queues_risk_is_a_note(world: World) -> None:
    policy = {"deadLetterTargetArn": await arn_of(world.sqs, world.dead_letters), "maxReceiveCount": 3}
    await world.sqs.set_queue_attributes(
        QueueUrl=world.queue,
        Attributes={
            "RedrivePolicy": json.dumps(policy),
            "MessageRetentionPeriod": "345600",
        },
    )
    await world.sqs.set_queue_attributes(
        QueueUrl=world.dead_letters, Attributes={"MessageRetentionPeriod": "86400"}
    )
    said = await world.check()

    assert (said.code, said.wrong) == (0, [])
    assert said.lines("note", "redrive")[0].startswith("maxReceiveCount is 3")
    source, dead = said.lines("note", "retention")
    assert "for 4 days" in source
    assert "for 1 day:" in dead


async def test_a_queue_that_does_not_exist_is_told_and_the_rest_is_tried(world: World) -> None:
    said = await world.check(WORKER_QUEUE__URL=f"{world.queue}-gone")

    assert (said.code, said.wrong) == (1, ["queue"])
    assert "NonExistentQueue" in said.lines("wrong", "queue")[0]
    assert "Check the queue's name, account and region." in said.lines("wrong", "queue")[0]
    assert said.lines("ok", "dataset")


async def test_an_unreachable_endpoint_gives_one_clear_line_each(world: World) -> None:
    nobody = "http://127.0.0.1:1"
    said = await world.check(
        AWS_ENDPOINT_URL=nobody, WORKER_QUEUE__URL=f"{nobody}/1/q", DARWIN_BASE_URL=nobody
    )

    assert (said.code, said.wrong, said.err) == (1, ["queue", "darwin"], "")
    assert "Check WORKER_QUEUE__URL" in said.lines("wrong", "queue")[0]
    assert "Check DARWIN_BASE_URL (http://127.0.0.1:1) and the network." in said.lines("wrong", "darwin")[0]
    assert said.lines("ok", "ledger")


async def test_a_missing_notification_is_told_with_what_to_add(world: World) -> None:
    await world.notify()
    said = await world.check()

    assert (said.code, said.wrong) == (1, ["events"])
    (text,) = said.lines("wrong", "events")
    assert "the bucket tells nobody" in text
    assert f"Add a notification of s3:ObjectCreated:* with prefix 'incoming/' to {world.arn}" in text


async def test_a_notification_for_another_prefix_is_told(world: World) -> None:
    await world.notify(QueueConfigurations=[world.sent("outgoing/")])
    said = await world.check()

    assert (said.code, said.wrong) == (1, ["events"])
    assert "keys that begin with 'outgoing/'" in said.lines("wrong", "events")[0]


async def test_a_notification_for_a_part_and_darwins_own_prefix_are_notes(world: World) -> None:
    await world.notify(QueueConfigurations=[world.sent(suffix=".jpg")])
    said = await world.check()

    assert (said.code, said.wrong) == (0, [])
    part, overlap = said.lines("note", "events")
    assert "end in '.jpg'" in part
    assert "what Darwin writes below darwin/" in overlap


async def test_events_through_eventbridge_cannot_be_followed(world: World) -> None:
    await world.notify(EventBridgeConfiguration={})
    said = await world.check()

    assert (said.code, said.wrong) == (0, [])
    assert "go through EventBridge" in said.lines("note", "events")[0]


async def test_a_route_that_archives_what_was_removed_is_to_be_told_of_it(
    world: World, tmp_path: Path
) -> None:
    routes = tmp_path / "routes.yaml"
    route = {"name": "all", "prefix": "incoming", "dataset": "intake", "storage": "acme-media"}
    routes.write_text(json.dumps({"routes": [route | {"on_removed": "archive"}]}))
    environ = {name: value for name, value in world.environ.items() if "DARWIN__" not in name}
    said = await checked(environ | {"WORKER_ROUTES_FILE": str(routes)})

    assert (said.code, said.wrong) == (0, [])
    (text,) = said.lines("note", "events")
    assert "events of removed objects do not all reach the queue: send it s3:ObjectRemoved:*" in text
    assert "s3:GetObject" in said.lines("note", "s3")[0]


async def test_notifications_that_cannot_be_read_are_a_note_for_run_does_not_read_them(world: World) -> None:
    said = await world.check(AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")

    assert (said.code, said.wrong) == (0, [])
    (text,) = said.lines("note", "events")
    assert f"the notifications of bucket {world.bucket} cannot be read" in text
    assert world.arn in text


async def test_what_a_running_worker_holds_is_a_note(world: World, tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path / "ledger.sqlite3", lambda: 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with ledger:
            said = await world.check(WORKER_WEB__PORT=str(taken.getsockname()[1]))

    assert (said.code, said.wrong) == (0, [])
    assert "is held by another process" in said.lines("note", "ledger")[0]
    assert "is taken" in said.lines("note", "web port")[0]


async def test_a_ledger_and_an_address_that_cannot_be_had_are_wrong(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = await world.check(
        WORKER_LEDGER__URL=f"sqlite://{tmp_path}/file/ledger", WORKER_WEB__HOST="192.0.2.1"
    )

    assert (said.code, said.wrong) == (1, ["ledger", "web port"])
    assert "WORKER_LEDGER__URL" in said.lines("wrong", "ledger")[0]
    assert "WORKER_WEB__HOST" in said.lines("wrong", "web port")[0]


async def test_the_archive_is_tried_by_a_put_and_events_of_it_are_a_note(world: World) -> None:
    await world.notify(QueueConfigurations=[world.sent()])
    place = f"s3://{world.bucket}/receipts"
    said = await world.check(WORKER_ARCHIVE__URL=place)

    assert said.code == 0, said.out
    assert said.lines("ok", "archive") == [f"receipts may be put below {place}: the empty object _check was"]
    tried = await world.s3.get_object(Bucket=world.bucket, Key="receipts/_check")
    assert await tried["Body"].read() == b""
    told = f"the bucket {world.bucket} tells the queue also of what the archive keeps below receipts/"
    assert [told in line for line in said.lines("note", "events")] == [False, True]


async def test_an_archive_that_cannot_be_written_is_wrong(world: World) -> None:
    said = await world.check(WORKER_ARCHIVE__URL="s3://no-such-archive/receipts")

    assert (said.code, said.wrong) == (1, ["archive"])
    (line,) = said.lines("wrong", "archive")
    assert "S3 PutObject on s3://no-such-archive/receipts/_check: there is no bucket no-such-archive" in line
    assert "WORKER_ARCHIVE__URL" in line


async def test_wrong_settings_end_with_code_2_before_anything_is_tried(world: World) -> None:
    said = await world.check(WORKER_QUEUE__URL="https://sqs.example/1/q.fifo", WORKER_QUOTE="1")

    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 2


def test_on_a_terminal_the_levels_have_colours_and_the_texts_a_column(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:1"
    environ = AWS | {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TERM": "xterm",
        "AWS_ENDPOINT_URL": nobody,
        "AWS_MAX_ATTEMPTS": "1",
        "WORKER_QUEUE__URL": f"{nobody}/1/q",
        "WORKER_DARWIN__DATASET": "intake",
        "WORKER_DARWIN__STORAGE": "media",
        "DARWIN_API_KEY": KEY,
        "DARWIN_TEAM": "acme",
        "DARWIN_BASE_URL": nobody,
    }
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "worker", "check"], environ)  # noqa: S606 - our own
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    shown = b""
    while chunk := _read(terminal):
        shown += chunk
    os.close(terminal)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 1
    lines = shown.decode().splitlines()
    (at,) = [place for place, line in enumerate(lines) if line.startswith("\x1b[1;31mwrong\x1b[0m  queue")]
    assert lines[at + 1].startswith(" " * 10)


def _read(terminal: int) -> bytes:
    """The end of a pseudo-terminal is told as an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""

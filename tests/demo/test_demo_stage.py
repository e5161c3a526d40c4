"""The stage: a cloud as an operator would make it, and the worker as a process that is watched from outside."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from worker.demo.books import read_letter
from worker.demo.engines import nice_port
from worker.demo.stage import (
    HOST,
    Cloud,
    LogLine,
    TooLate,
    WorkerDied,
    cloud,
    until,
    worker_process,
    worker_settings,
)
from worker.demo.twin.server import running_twin
from worker.demo.twin.state import Storage, Team

KEY = "abcdefg.0123456789abcdef0123456789abcdef"
DEADLINE = 30.0


@pytest.fixture
async def media(ministack: str, request: pytest.FixtureRequest) -> AsyncIterator[Cloud]:
    name = request.node.name.replace("_", "-")[-40:].strip("-")
    async with cloud(ministack, name) as made:
        yield made


async def received(media: Cloud) -> list[dict[str, object]]:
    bodies: list[dict[str, object]] = []
    while True:
        answer = await media.sqs.receive_message(QueueUrl=media.queue_url, MaxNumberOfMessages=10)
        if not answer.get("Messages"):
            return bodies
        bodies += [json.loads(message["Body"]) for message in answer["Messages"]]


async def test_the_queue_keeps_messages_for_14_days_and_gives_up_after_10_receives(media: Cloud) -> None:
    answer = await media.sqs.get_queue_attributes(QueueUrl=media.queue_url, AttributeNames=["All"])
    attributes = answer["Attributes"]

    assert attributes["MessageRetentionPeriod"] == "1209600"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert int(redrive["maxReceiveCount"]) == 10
    assert redrive["deadLetterTargetArn"].endswith("-dead-letters")
    assert json.loads(attributes["Policy"])["Statement"][0]["Principal"] == {"Service": "s3.amazonaws.com"}


async def test_an_upload_is_told_to_the_queue(media: Cloud) -> None:
    await media.upload("in/a b.jpg", b"pixels")

    assert await media.messages() == 2
    test_event, told = await received(media)
    assert test_event["Event"] == "s3:TestEvent"
    assert told["Records"][0]["s3"]["object"]["key"] == "in/a+b.jpg"  # type: ignore[index]  # S3's shape
    assert await media.keys() == ["in/a b.jpg"]


async def test_an_event_told_again_names_the_same_object(media: Cloud) -> None:
    await media.upload("in/50% a+b é.jpg", b"pixels")
    await media.tell_again("in/50% a+b é.jpg")

    _, first, again = [body.get("Records") for body in await received(media)]
    objects = [records[0]["s3"]["object"] for records in (first, again)]  # type: ignore[index]  # S3's shape
    assert [(held["key"], held["eTag"], held["size"]) for held in objects] == [
        ("in/50%25+a%2Bb+%C3%A9.jpg", "d399848208da8b80a306af0fd62bb03f", 6)
    ] * 2


async def test_dead_letters_can_be_read_more_than_once(media: Cloud) -> None:
    for number in range(12):
        await media.sqs.send_message(QueueUrl=media.dead_letter_url, MessageBody=f"letter {number}")

    for _ in range(2):
        letters = await media.dead_letters()
        assert sorted(letter.body for letter in letters) == sorted(f"letter {number}" for number in range(12))


async def test_a_wait_in_vain_names_what_it_waited_for() -> None:
    async def never() -> bool:
        return False

    with pytest.raises(TooLate, match="waited 0 s in vain until pigs fly"):
        await until("pigs fly", never, 0.01)


def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        wanted = taken.getsockname()[1]

        assert nice_port(wanted) not in (0, wanted)
    assert nice_port(wanted) == wanted


async def test_a_worker_on_the_stage_registers_and_stops_when_asked(media: Cloud, tmp_path: Path) -> None:
    team = Team("acme", KEY, ["intake"], [Storage("media", media.bucket, "darwin")])
    lines: list[LogLine] = []
    async with running_twin([team]) as twin:
        settings = worker_settings(
            media, darwin_url=twin.url, team="acme", key=KEY, ledger=tmp_path / "ledger.sqlite3", port=0
        )
        settings |= {
            "WORKER_DARWIN__DATASET": "intake",
            "WORKER_DARWIN__STORAGE": "media",
            "WORKER_QUEUE__WAIT_SECONDS": "1",
        }
        async with worker_process(settings, lines.append) as worker:
            assert await worker.port() > 0
            await media.upload("in/a b.jpg", b"pixels")
            await media.send("junk")

            async def settled() -> bool:
                return (
                    bool(team.datasets["intake"].items)
                    and len(await media.dead_letters()) == 1
                    and not await media.messages()
                )

            await until("both messages are settled", settled, DEADLINE)
            assert await worker.stop() == 0
            await worker.guard()

    assert list(team.datasets["intake"].items) == [("/in", "a b.jpg")]
    letter = (await media.dead_letters())[0]
    assert read_letter(letter.body, letter.attributes).reason == "unreadable_body"
    assert [line["event"] for line in lines][-1] == "worker stopped"


async def test_a_worker_that_cannot_start_is_reported_with_its_last_lines() -> None:
    async with worker_process({}, lambda _: None) as worker:
        with pytest.raises(
            WorkerDied, match=r"ended with code 2(?s:.*)darwin-worker: WORKER_QUEUE__URL is not set"
        ):
            await worker.port()
        with pytest.raises(WorkerDied, match="ended by itself with code 2"):
            await worker.guard()


async def test_a_worker_that_somebody_kills_is_reported() -> None:
    async with worker_process({}, lambda _: None) as worker, asyncio.timeout(DEADLINE):
        worker.process.kill()
        with pytest.raises(WorkerDied, match="ended by itself with code -9"):
            await worker.guard()


async def test_no_setting_of_the_caller_reaches_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_QUEUE__URL", "http://127.0.0.1:1/queue")
    monkeypatch.setenv("DARWIN_TEAM", "somebody")
    async with worker_process({}, lambda _: None) as worker:
        with pytest.raises(WorkerDied, match=r"WORKER_QUEUE__URL is not set(?s:.*)DARWIN_TEAM is not set"):
            await worker.port()


async def test_a_worker_is_gone_when_its_block_ends(media: Cloud, tmp_path: Path) -> None:
    settings = worker_settings(
        media, darwin_url=f"http://{HOST}:9", team="acme", key=KEY, ledger=tmp_path / "ledger.sqlite3", port=0
    )
    async with worker_process(settings, lambda _: None) as worker:
        assert worker.process.returncode is None

    assert worker.process.returncode is not None

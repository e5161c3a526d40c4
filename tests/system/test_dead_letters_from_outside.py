"""``darwin-worker dead-letters`` as a process of its own, over the wire; killed, and broken off, between two calls."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from tests.core.bodies import s3_body, s3_record
from tests.system.outside import Cloud, Letter, Waiting, until
from tests.system.processes import KEY, OURS, settings_for
from tests.system.proxy import running_proxy
from worker.core.deadletters import dead_letter
from worker.core.model import Kind, Message, Outcome, Reason

NINE_O_CLOCK = 1927702800.0
FAILED = Outcome(Kind.BLOCKED, Reason.UPLOAD_FAILED, "Darwin could not read the file.")
ENDS = 60


@pytest.fixture
def settings(cloud: Cloud, tmp_path: Path) -> dict[str, str]:
    """Of a command that never asks Darwin."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return own | settings_for(cloud, "http://127.0.0.1:9", tmp_path)


def written(*keys: str) -> list[Letter]:
    """As the worker writes them."""
    letters = []
    for key in keys:
        told = Message("id", "handle", s3_body(s3_record(key)), 3)
        sent = dead_letter(told, 0, FAILED, NINE_O_CLOCK, dataset="intake", route="line")
        attributes = {
            name: {"DataType": "String", "StringValue": value} for name, value in sent.attributes.items()
        }
        letters.append(Letter(sent.body, attributes))
    return letters


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "worker", "dead-letters", *words]


def ended(settings: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(  # noqa: S603 - our own program
        command(*words),
        env=dict(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDS,
        check=False,
    )
    assert KEY not in done.stdout + done.stderr
    return done


def started(settings: Mapping[str, str], *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - our own program
        command(*words),
        env=dict(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background of a shell ignores SIGINT, and what they start would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread here holds a lock that it needs
    )


def keys(letters: Sequence[Letter]) -> list[str]:
    told: list[Any] = [json.loads(letter.body) for letter in letters]
    return sorted(record["s3"]["object"]["key"] for body in told for record in body["Records"])


def test_letters_are_listed_and_a_replay_that_is_broken_off_gives_back_what_it_has_not_sent(
    cloud: Cloud, settings: Mapping[str, str]
) -> None:
    moved = Letter(s3_body(s3_record("a.png"), s3_record("b.png")), {})
    cloud.send([*written("1.png", "2.png"), moved, Letter("not ours", {})], cloud.dead_letter_url)

    listed = ended(settings, "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split("\t")[:5] for line in listed.stdout.splitlines()] == [
        ["received_too_often", "-", "1970-01-01", "2", "2"],
        ["upload_failed", "intake", "2031-02-01", "2", "2"],
        ["unknown", "-", "-", "1", "1"],
    ]

    words = ("replay", "--reason", "upload_failed", "--yes", "--per-minute", "1")
    with started(settings, *words) as replay:
        until("one is replayed", lambda: cloud.waiting(cloud.dead_letter_url) == Waiting(2, 1), ENDS)
        replay.send_signal(signal.SIGINT)
        told = replay.communicate(timeout=ENDS)
        assert replay.returncode == 130
    assert told == ("", "1 sent, 1 deleted.\n")
    assert cloud.waiting(cloud.dead_letter_url) == Waiting(3, 0)
    (letter,) = cloud.drain(cloud.queue_url)
    assert {name: letter.said(name) for name in letter.attributes} == {
        "again": "true",
        "attempts": "3",
        "first_seen": "2031-02-01T09:00:00Z",
    }


def test_a_replay_that_is_killed_between_send_and_delete_leaves_everything_and_is_repeated(
    cloud: Cloud, settings: Mapping[str, str]
) -> None:
    cloud.send(written("1.png", "2.png", "3.png"), cloud.dead_letter_url)
    with running_proxy(cloud.endpoint) as proxy:
        through = {**settings, "AWS_ENDPOINT_URL": proxy.url}
        hold = proxy.hold("DeleteMessageBatch")
        with started(through, "replay", "--yes") as replay:
            hold.wait_until_met(ENDS)
            replay.send_signal(signal.SIGKILL)
            assert replay.wait(ENDS) == -signal.SIGKILL
        hold.lose()
        dead_letters = copy(cloud)
        dead_letters.queue_url = cloud.dead_letter_url
        proxy.end_leases(dead_letters)
    assert cloud.waiting() == Waiting(3, 0)
    assert cloud.waiting(cloud.dead_letter_url) == Waiting(3, 0)

    assert ended(settings, "replay", "--yes").returncode == 0
    assert cloud.waiting(cloud.dead_letter_url) == Waiting(0, 0)
    assert keys(cloud.drain(cloud.queue_url)) == ["1.png", "1.png", "2.png", "2.png", "3.png", "3.png"]

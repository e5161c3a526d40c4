"""What `backfill` understands, and how it answers. What it does is tested against real servers."""

import json
import os
from collections import Counter

import pytest

from worker.cli import main
from worker.commands.backfill_shown import on_the_way, show
from worker.core.backfill import Room, Tally

TALLY = Tally(Counter(scans=12_000, pictures=345), Counter(no_route=7, too_old=1))


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "DARWIN_", "WORKER_")):
            monkeypatch.delenv(name)
    for name, value in {
        "DARWIN_API_KEY": "key",
        "DARWIN_TEAM": "acme",
        "WORKER_DARWIN__DATASET": "intake",
        "WORKER_DARWIN__STORAGE": "prod",
        "WORKER_QUEUE__URL": "https://sqs.eu-west-1.amazonaws.com/1/events",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: s3://bucket/prefix"),
        (["media/in"], "'media/in' is no place in S3; write s3://bucket/prefix"),
        (["s3:///in"], "'s3:///in' is no place in S3"),
        (
            ["s3://media", "--since", "yesterday"],
            "argument --since: 'yesterday' is no time; write 2024-07-01",
        ),
        (["s3://media", "--min-size", "big"], "argument --min-size: 'big' is no size; write bytes"),
        (["s3://media", "--match", "/a"], "argument --match: The glob '/a' can match nothing"),
        (["s3://media", "--event", "put"], "argument --event: invalid choice: 'put'"),
        (
            ["s3://media", "--inventory", "manifest.json"],
            "argument --inventory: 'manifest.json' is no place in S3",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_by_its_option(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["backfill", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_route_that_is_not_there_is_told_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backfill", "s3://media/in", "--route", "environ"]) == 2
    assert "--route 'environ' is no route; did you mean 'environment'?" in capsys.readouterr().err


def test_the_help_teaches_by_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["backfill", "--help"])
    assert ended.value.code == 0
    assert "darwin-worker backfill s3://acme-media/incoming/ --dry-run\n" in capsys.readouterr().out


def test_the_summary_is_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    show("s3://media/in", TALLY, dry_run=True, as_json=False, by_quota=74.1, took=3.0)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "objects  would be sent, by route",
        " 12,000  scans",
        "    345  pictures",
        "      7  not sent: no_route",
        "      1  not sent: too_old",
        "12,345 of 12,353 objects of s3://media/in would be sent. To register them takes 1 min 14 s by the quota, if nothing else comes.",
    ]


def test_the_summary_is_one_json_object_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    show("s3://media/in", TALLY, dry_run=False, as_json=True, by_quota=74.1, took=3.0)
    assert json.loads(capsys.readouterr().out) == {
        "place": "s3://media/in",
        "dry_run": False,
        "looked_at": 12_353,
        "chosen": 12_345,
        "by_route": {"pictures": 345, "scans": 12_000},
        "not_sent": {"no_route": 7, "too_old": 1},
        "seconds_by_quota": 74,
        "seconds": 3.0,
    }


def test_on_the_way_the_time_left_by_the_quota_is_told_as_soon_as_all_is_counted() -> None:
    room = Room(100, 100)
    assert on_the_way(1_000, None, 500, room).words == "1,000 sent, 500 messages in the queue, still counting"
    assert on_the_way(1_000, 601_000, 500, room).words == (
        "1,000 of 601,000 sent, 500 messages in the queue, 1 h left by the quota"
    )

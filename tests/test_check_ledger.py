"""What `check` finds of the ledger, on real stores."""

import time
from pathlib import Path, PurePath

import pytest

from tests.servers import running_redis
from worker.adapters.aws_session import aws_session
from worker.adapters.dynamodb_table import DynamodbTable, open_table_client
from worker.commands.check_ledger import look_at_ledger
from worker.core.checks import judge_ledger_file, note, ok
from worker.demo.engines import running_ministack
from worker.setting_values import LedgerUrl
from worker.settings import Ledger

MOUNTS = """\
22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/a
23 22 0:22 / /proc rw - proc proc rw
24 22 259:1 /volumes/one /var/lib/darwin-worker rw shared:1 - ext4 /dev/nvme1n1 rw
25 22 259:1 /pods/1/volumes/kubernetes.io~empty-dir/state /state rw - ext4 /dev/nvme1n1 rw
26 22 0:30 / /with\\040space rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/home/worker/ledger.sqlite3", "overlay, which ends with its container"),
        ("/var/lib/darwin-worker-not/ledger.sqlite3", "overlay, which ends with its container"),
        ("/state/ledger.sqlite3", "an emptyDir, which ends with its pod"),
        ("/with space/ledger.sqlite3", "tmpfs, which ends with its container"),
    ],
)
def test_a_ledger_that_will_not_outlive_its_container_is_noted(path: str, where: str) -> None:
    found = judge_ledger_file(PurePath(path), MOUNTS)
    assert found == note(
        "ledger",
        f"{path} can be written, but lies on {where}: the next one would not know what was registered, and only Darwin's "
        "unique names would tell its duplicates. Mount a volume there, or use a ledger in Redis or DynamoDB",
    )


@pytest.mark.parametrize("mounts", [MOUNTS, ""])
def test_a_ledger_on_a_volume_is_well(mounts: str) -> None:
    path = "/var/lib/darwin-worker/ledger.sqlite3"
    found = judge_ledger_file(PurePath(path), mounts)
    assert found == ok("ledger", f"{path} can be written, and nobody holds it")


def ledger_at(url: str) -> Ledger:
    return Ledger(url=LedgerUrl(url))


async def test_a_redis_that_forgets_is_noted_and_one_that_is_away_is_wrong() -> None:
    with running_redis() as server:
        [found] = await look_at_ledger(ledger_at(server.url), create=False)
        assert (found.level, found.about) == ("note", "ledger")
        server.stop()
        [away] = await look_at_ledger(ledger_at(server.url), create=False)
    assert (away.level, "WORKER_LEDGER__URL" in away.text) == ("wrong", True)


async def test_the_table_of_a_dynamodb_ledger_is_made_when_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running_ministack() as endpoint:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "111111111111",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "HOME": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        ledger = ledger_at("dynamodb://darwin-ledger")
        [missing] = await look_at_ledger(ledger, create=False)
        assert missing.level == "wrong"
        assert "darwin-worker check --create" in missing.text
        text = "the DynamoDB table darwin-ledger is there, has the key it needs, and may be read and written"
        there = ok("ledger", text)
        assert await look_at_ledger(ledger, create=True) == [there]
        assert await look_at_ledger(ledger, create=True) == [there]
        assert await look_at_ledger(ledger, create=False) == [there]
        async with open_table_client(aws_session()) as client:
            assert await DynamodbTable(client, "darwin-ledger", time.time).read_all(["check"]) == {}

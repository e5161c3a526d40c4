"""``darwin-worker why`` and ``forget`` as processes of their own: beside a running worker, and after its end."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import KEY, OURS, Twin, settings_for

TOKEN = "a-token-of-this-test"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def settings(cloud: Cloud, twin: Twin, tmp_path: Path) -> dict[str, str]:
    return settings_for(cloud, twin.url, tmp_path)


@pytest.fixture
def command(settings: Mapping[str, str]) -> Command:
    """A command with the worker's settings but for those given."""

    def ended(*words: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "worker", *words],
            env=own | dict(settings) | changes,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert KEY not in done.stdout + done.stderr
        return done

    return ended


def verdict(done: "subprocess.CompletedProcess[str]") -> str:
    return done.stdout.splitlines()[-1]


def test_the_running_worker_answers_and_after_its_end_its_registration_can_be_forgotten(
    cloud: Cloud, settings: dict[str, str], start: Start, command: Command
) -> None:
    """As after the wrong dataset was registered: the routes were put right meanwhile."""
    cloud.notify_queue()
    cloud.upload("a.jpg", "a.xyz")
    worker = start(WORKER_WEB__PORT=settings["WORKER_WEB__PORT"], WORKER_WEB__TOKEN=TOKEN)
    until("the queue is empty", cloud.emptied)
    one, other = f"s3://{cloud.bucket}/a.jpg", f"s3://{cloud.bucket}/a.xyz"

    asked = command("why", one, other, WORKER_WEB__TOKEN=TOKEN)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert (
        "registered: It is registered as /a.jpg in dataset intake, and Darwin is done with it; nothing is to be done."
        in asked.stdout.splitlines()
    )
    assert verdict(asked) == (
        "rejected: It became a dead letter (unsupported_type); name the file's type in the route, or convert the file, then "
        "replay it with `darwin-worker dead-letters replay`."
    )

    assert worker.stop() == 0
    forgotten = command("forget", one, "--dataset", "intake", "--yes", WORKER_DARWIN__DATASET="right")
    assert (forgotten.returncode, forgotten.stderr) == (0, "")
    assert forgotten.stdout.startswith(
        f"{one}\n"
        "  routes now  /a.jpg in dataset right of team acme\n"
        "  item        /a.jpg in dataset intake of team acme\n"
        "  ledger      registered "
    )
    assert "\n  Darwin      still holds an item of this path and name\n" in forgotten.stdout
    assert verdict(forgotten) == "Forgotten. `darwin-worker backfill` sends the object again."

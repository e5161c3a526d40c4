"""The twin as a process of its own, with several teams: each has what stands after its name on the command line."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest

TWIN = [sys.executable, "-m", "worker.demo.twin"]
TEAMS = [
    *("--team", "acme", "--key", "key-of-acme", "--dataset", "intake", "--storage", "prod:media:darwin"),
    *("--team", "globex", "--key", "key-of-globex", "--dataset", "scans", "--dataset", "films"),
]


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """Where it listens."""
    with subprocess.Popen([*TWIN, *arguments], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


async def test_each_team_has_what_stands_after_its_name_and_a_key_of_its_own() -> None:
    with running(*TEAMS) as url:
        async with asyncio.timeout(20), aiohttp.ClientSession(url) as client:
            async with client.get("/_twin/state") as answer:
                teams = (await answer.json())["teams"]
            statuses = {}
            for owner in ("acme", "globex"):
                for team in ("acme", "globex"):
                    headers = {"Authorization": f"ApiKey key-of-{owner}"}
                    async with client.get(f"/api/teams/{team}/storage", headers=headers) as answer:
                        statuses[owner, team] = answer.status
    assert {slug: list(team["datasets"]) for slug, team in teams.items()} == {
        "acme": ["intake"],
        "globex": ["scans", "films"],
    }
    assert {slug: team["storages"] for slug, team in teams.items()} == {
        "acme": ["prod"],
        "globex": ["acme-media"],
    }
    assert statuses == {
        ("acme", "acme"): 200,
        ("acme", "globex"): 403,
        ("globex", "acme"): 403,
        ("globex", "globex"): 200,
    }


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--team", "acme", "--team", "globex"], "--key"),
        (["--dataset", "intake", "--team", "acme", "--key", "k"], "--team"),
    ],
)
def test_teams_that_could_not_be_told_apart_are_refused_in_words(arguments: list[str], what: str) -> None:
    ended = subprocess.run(  # noqa: S603 - our own program
        [*TWIN, *arguments], capture_output=True, text=True, timeout=20, check=False
    )

    assert ended.returncode == 2
    assert f"two teams share one {what}" in ended.stderr

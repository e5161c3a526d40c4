"""One worker for two teams of Darwin, each with its key, its quota and its storage, over one queue."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import DATASET, KEY, STORAGE, TEAM, Twin, Worker, twin_of
from worker.demo.twin.state import Storage, Team

OTHER, OTHER_KEY, NEXT_KEY = "globex", "the-other-key-that-nobody-may-see", "its-next-key-that-nobody-may-see"
ROUTES = f"""
teams:
  {OTHER}: {{api_key_file: KEY_FILE}}
routes:
  - {{name: photos, prefix: photos/, dataset: {DATASET}, storage: {STORAGE}}}
  - name: scans
    team: {OTHER}
    prefix: scans/
    storage: clinic
    dataset: {{by: "{{filename[:2]}}", values: {{ct: tomography}}, otherwise: rest}}
"""


@pytest.fixture
def twin(cloud: Cloud) -> Iterator[Twin]:
    """Two teams in one Darwin: neither key may act for the other team."""
    teams = [
        Team(TEAM, KEY, [DATASET], [Storage(STORAGE, cloud.bucket, "darwin")]),
        Team(OTHER, OTHER_KEY, ["tomography", "rest"], [Storage("clinic", cloud.bucket, "thumbs")]),
    ]
    with twin_of(teams) as running:
        yield running


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "key-of-the-other-team"


@pytest.fixture
def worker(start: Start, cloud: Cloud, tmp_path: Path, key_file: Path) -> Worker:
    """Started with a key of the other team that Darwin does not know."""
    key_file.write_text("a-key-of-nobody")
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES.replace("KEY_FILE", str(key_file)))
    cloud.notify_queue()
    return start(WORKER_ROUTES_FILE=str(routes), WORKER_DARWIN__DATASET=None, WORKER_DARWIN__STORAGE=None)


def held(twin: Twin) -> dict[str, list[str]]:
    """The keys that each dataset holds, by team and slug."""
    return {
        f"{slug}/{dataset}": sorted(item["storage_keys"][0] for item in told["items"])
        for slug, team in twin.state()["teams"].items()
        for dataset, told in team["datasets"].items()
    }


def raised(worker: Worker) -> set[tuple[str, str]]:
    """Every condition with the team, or whatever else, that it concerns."""
    conditions = json.loads(worker.page("readyz")[1] or '{"conditions": []}')["conditions"]
    return {(condition["condition"], condition["subject"]) for condition in conditions}


def test_each_item_lands_in_its_own_team_and_a_refused_key_stops_no_other_team(
    cloud: Cloud, twin: Twin, worker: Worker, key_file: Path
) -> None:
    """Row: 401, 403. At the start all teams must answer; later each is paused by itself."""
    until("it says whose key is refused", lambda: ("key_refused", OTHER) in raised(worker))
    assert raised(worker) == {("starting", "worker"), ("key_refused", OTHER)}
    key_file.write_text(OTHER_KEY)
    worker.wait_until_ready()
    cloud.upload("photos/1.jpg", "photos/2.jpg", "scans/ct-1.jpg", "scans/mr-1.jpg")
    both = {
        "acme/intake": ["photos/1.jpg", "photos/2.jpg"],
        "globex/tomography": ["scans/ct-1.jpg"],
        "globex/rest": ["scans/mr-1.jpg"],
    }
    until("each team has its own", lambda: held(twin) == both)

    twin.control("switch", {"teams": {OTHER: {"key": NEXT_KEY}}})
    cloud.upload("scans/ct-2.jpg")
    until("it says whose key is refused", lambda: ("key_refused", OTHER) in raised(worker))
    cloud.upload("photos/3.jpg", "scans/ct-3.jpg")
    one = both | {"acme/intake": ["photos/1.jpg", "photos/2.jpg", "photos/3.jpg"]}
    until("the team whose key is good goes on", lambda: held(twin) == one)
    assert raised(worker) == {("key_refused", OTHER)}

    key_file.write_text(NEXT_KEY)
    worker.wait_until_ready()
    late = one | {"globex/tomography": ["scans/ct-1.jpg", "scans/ct-2.jpg", "scans/ct-3.jpg"]}
    until("the other team has what waited", lambda: held(twin) == late)
    until("the queue is empty", cloud.emptied)
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)
    assert twin.counters()["items_resent"] == 0
    assert worker.stop() == 0
    (started,) = worker.lines("worker started")
    assert started["teams"] == [TEAM, OTHER]
    for secret in (OTHER_KEY, NEXT_KEY):
        assert secret not in worker.output()

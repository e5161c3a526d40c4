"""`reconcile` beside a running worker: each kind of difference is planted behind its back, and what is missing is mended."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import DATASET, KEY, STORAGE, TEAM, Twin, settings_for
from worker.cli import main

ROUTES = f"""
routes:
  - {{name: flat, prefix: flat/, dataset: {DATASET}, storage: {STORAGE}, path: /flat}}
  - name: rig
    prefix: rig/
    dataset: {DATASET}
    storage: {STORAGE}
    path: /rig
    slot: "{{stem}}"
    group: {{complete: {{slots: [back, front]}}}}
  - name: series
    prefix: ct/
    dataset: {DATASET}
    storage: {STORAGE}
    path: /ct
    type: dicom
    group: {{complete: {{quiet: 1s}}}}
  - name: patients
    prefix: patients/
    dataset: {DATASET}
    storage: {STORAGE}
    path: /patients
    item_name: "{{metadata.patient}}-{{filename}}"
  - name: over
    prefix: over/
    dataset: {DATASET}
    storage: {STORAGE}
    path: /over
    on_overwrite: register
  - {{name: held, prefix: held/, dataset: {DATASET}, storage: {STORAGE}, paused: true}}
  - {{name: line, prefix: in/, dataset: {DATASET}, storage: {STORAGE}}}
"""
Reconcile = Callable[..., tuple[int, list[Any]]]
ALL_AT_ONCE = ("--young", "0", "--stuck", "0")
"""What a test does is neither young nor old."""

REGISTERED = {
    ("/rig", "scene_1"),
    ("/rig", "scene_2"),
    ("/ct", "series_1"),
    ("/patients", "p7-scan.png"),
    ("/over", "a.png"),
    ("/flat", "twice.png"),
    *(("/", f"{name}.png") for name in ("archived", "broken", "lost é + %", "slow", "well")),
}


@pytest.fixture
def reconcile(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Reconcile:
    """The command beside a worker that has registered all of REGISTERED: its exit code and the differences."""
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    settings = settings_for(cloud, twin.url, tmp_path) | {"WORKER_ROUTES_FILE": str(file)}
    for name in ("WORKER_DARWIN__DATASET", "WORKER_DARWIN__STORAGE"):
        del settings[name]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    cloud.notify_queue()
    cloud.upload(
        "flat/a/twice.png",
        "rig/scene_1/back.png",
        "rig/scene_1/front.png",
        "rig/scene_2/back.png",
        "rig/scene_2/front.png",
        "ct/series_1/1.dcm",
        "ct/series_1/2.dcm",
        "over/a.png",
        *(f"in/{name}.png" for name in ("archived", "broken", "lost é + %", "slow", "well")),
    )
    cloud.s3.put_object(Bucket=cloud.bucket, Key="patients/scan.png", Body=b"x", Metadata={"patient": "p7"})
    start(WORKER_ROUTES_FILE=str(file), WORKER_DARWIN__DATASET=None, WORKER_DARWIN__STORAGE=None)
    until("all is registered", lambda: twin.items().keys() == REGISTERED)

    def run(*words: str) -> tuple[int, list[Any]]:
        out = tmp_path / "differences"
        code = main(["reconcile", *ALL_AT_ONCE, "--json", str(out), *words])
        return code, [json.loads(line) for line in out.read_text().splitlines()]

    return run


def at(differences: list[Any]) -> list[tuple[str, str, str]]:
    """Kind, item, and the folder of the object: of a group's parts any may be named."""
    return [
        (each["kind"], f"{each['path'].rstrip('/')}/{each['name']}", each["key"].rpartition("/")[0])
        for each in differences
    ]


def test_each_kind_is_found_and_what_is_missing_is_mended_also_what_the_ledger_has_as_registered(
    cloud: Cloud, twin: Twin, reconcile: Reconcile
) -> None:
    cloud.upload("over/a.png", body=b"another")
    until("the new version is registered", lambda: len(twin.items()) == len(REGISTERED) + 1)
    assert reconcile() == (0, [])

    cloud.notify({})  # from here on nobody is told
    cloud.upload(
        "flat/b/twice.png",
        "rig/scene_3/front.png",
        "held/later.png",
        "in/by hand.png",
        "in/never told.png",
        "in/no type.xyz",
    )
    lose = {"dataset": DATASET}
    for path, name in (
        ("/", "lost é + %.png"),
        ("/rig", "scene_2"),
        ("/patients", "p7-scan.png"),
        ("/ct", "series_1"),
    ):
        assert twin.control("items", lose | {"path": path, "name": name}, "DELETE") == {"removed": 1}
    twin.control(
        "progress", lose | {"name": "broken.png", "processing": "error", "error": "The file is no picture"}
    )
    twin.control("progress", lose | {"name": "slow.png", "processing": "processing"})
    twin.control("items", lose | {"name": "by hand.png"})
    twin.control(
        "items",
        lose | {"name": "gone.png", "external": True, "inserted_at": "2024-01-01T00:00:00Z"},
    )
    archive(twin, "archived.png")

    code, differences = reconcile()
    assert code == 3
    assert at(differences) == [
        ("missing", "/lost é + %.png", "in"),
        ("missing", "/never told.png", "in"),
        ("missing", "/ct/series_1", "ct/series_1"),
        ("missing", "/patients/p7-scan.png", "patients"),
        ("missing", "/rig/scene_2", "rig/scene_2"),
        ("incomplete", "/rig/scene_3", "rig/scene_3"),
        ("collision", "/flat/twice.png", "flat/a"),
        ("failed", "/broken.png", "in"),
        ("stuck", "/slow.png", "in"),
        ("foreign", "/by hand.png", "in"),
        ("archived", "/archived.png", "in"),
        ("stray", "/gone.png", ""),
    ]
    assert differences[7]["detail"] == "error: The file is no picture"

    assert reconcile("--kind", "missing", "--enqueue", "--yes")[0] == 3
    wanted = REGISTERED | {("/", "never told.png")}
    until("what was missing is there", lambda: wanted <= twin.items().keys(), 60)
    assert reconcile("--kind", "missing") == (0, [])
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)


def archive(twin: Twin, name: str) -> None:
    """As somebody does in Darwin."""
    held = twin.state()["teams"][TEAM]["datasets"][DATASET]
    filters = {"dataset_ids": [held["id"]], "item_ids": [i["id"] for i in held["items"] if i["name"] == name]}
    request = urllib.request.Request(  # noqa: S310 - http, our own
        f"{twin.url}/api/v2/teams/{TEAM}/items/archive",
        json.dumps({"filters": filters}).encode(),
        {"Authorization": f"ApiKey {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        assert json.load(answer) == {"affected_item_count": 1}

"""deploy/kubernetes as a user edits and tries it."""

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy.manifests import (
    FOLDER,
    OVERLAYS,
    ROOT,
    container,
    environment,
    of_kind,
    one,
    render,
    rendered,
    worker,
)
from worker.cli import main


def edited(folder: Path, file: str, old: str, new: str) -> None:
    """*new* in place of *old*, which is there once."""
    text = (folder / file).read_text()
    assert text.count(old) == 1
    (folder / file).write_text(text.replace(old, new))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """deploy/kubernetes, to be edited as a user does."""
    return shutil.copytree(FOLDER, tmp_path / "kubernetes")


def test_another_number_of_workers_is_written_once_moves_keda_and_replaces_the_pods(copy: Path) -> None:
    edited(copy, "base/worker.env", "WORKER_REPLICAS=2\n", "WORKER_REPLICAS=21\n")
    edited(copy, "base/worker.env", "AWS_REGION=eu-west-1", "AWS_REGION=us-east-1")
    before, after = rendered("dynamodb"), render(copy / "overlays/dynamodb")
    scaled = one(after, "ScaledObject", "darwin-worker")["spec"]
    assert scaled["maxReplicaCount"] == 21
    assert scaled["triggers"][0]["metadata"]["awsRegion"] == "us-east-1"
    assert environment(after, worker(after), {})["WORKER_REPLICAS"] == "21"
    assert container(worker(before))["envFrom"] != container(worker(after))["envFrom"]


def test_other_routes_replace_the_pods(copy: Path) -> None:
    edited(copy, "base/routes.yaml", "dataset: intake", "dataset: other")
    before, after = rendered("dynamodb"), render(copy / "overlays/dynamodb")
    assert worker(before)["spec"]["volumes"] != worker(after)["spec"]["volumes"]
    assert container(worker(before)) == container(worker(after))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_without_keda_the_overlay_says_how_many_workers_there_are(copy: Path, overlay: str) -> None:
    file = f"overlays/{overlay}/kustomization.yaml"
    page = (FOLDER / "README.md").read_text()
    instead = "replicas: [{name: darwin-worker, count: 2}]"
    assert f"put `{instead}` in place of `- ../../components/keda`" in page
    edited(copy, file, f"  - ../../components/keda # or else: {instead}\n", "")
    (copy / file).write_text((copy / file).read_text() + instead + "\n")
    objects = render(copy / f"overlays/{overlay}")
    assert one(objects, "Deployment", "darwin-worker")["spec"]["replicas"] == 2
    assert of_kind(objects, "ScaledObject", "TriggerAuthentication") == []


def test_the_routes_can_be_tried_as_the_page_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    [line] = re.findall(r"^darwin-worker (explain .*)$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert main(line.split()) == 0
    assert "intake" in capsys.readouterr().out

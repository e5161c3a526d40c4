"""What kubectl makes of deploy/kubernetes: the objects as the API server would get them."""

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("dynamodb", "redis")

Object = Mapping[str, Any]
"""As it is written in YAML."""

Objects = tuple[Object, ...]


@cache
def rendered(overlay: str) -> Objects:
    """The objects of an overlay as it is shipped."""
    return render(FOLDER / "overlays" / overlay)


def render(folder: Path) -> Objects:
    """The objects that a folder with a kustomization stands for. The test is skipped where there is no kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl on PATH: nothing of deploy/kubernetes is tried here")
    done = subprocess.run(  # noqa: S603 - our own folders, no shell
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    # It warns of what a later kustomize will refuse.
    assert (done.returncode, done.stderr) == (0, "")
    return tuple(yaml.safe_load_all(done.stdout))


def one(objects: Objects, kind: str, name: str) -> Object:
    [found] = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def of_kind(objects: Objects, *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def worker(objects: Objects) -> Object:
    """The template of the workers' pods."""
    template: Object = one(objects, "Deployment", "darwin-worker")["spec"]["template"]
    return template


def reconcile(objects: Objects) -> Object:
    """The template of reconcile's pods."""
    job = one(objects, "CronJob", "darwin-worker-reconcile")["spec"]["jobTemplate"]
    template: Object = job["spec"]["template"]
    return template


def container(template: Object) -> Object:
    """The only one of a pod."""
    [only] = template["spec"]["containers"]
    found: Object = only
    return found


def volumes(template: Object) -> Mapping[str, Object]:
    """Of a pod's only container, by the path that they are mounted at."""
    by_name = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    return {mount["mountPath"]: by_name[mount["name"]] for mount in container(template)["volumeMounts"]}


def environment(objects: Objects, template: Object, secrets: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The variables of a pod's only container. *secrets*: what is kept in the cluster, by Secret and key; a variable that
    wants another one is left out where it may be, and a KeyError where it must be there.
    """
    found: dict[str, str] = {}
    for source in container(template).get("envFrom", []):
        found |= one(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container(template).get("env", []):
        wanted = variable["valueFrom"]["secretKeyRef"]
        place = (wanted["name"], wanted["key"])
        if place in secrets or not wanted.get("optional", False):
            found[variable["name"]] = secrets[place]
    return found

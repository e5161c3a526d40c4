"""What `explain` says would be sent is what `run` sends: the same objects, over the wire, by the same routes file."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import DATASET, STORAGE, Twin, settings_for
from tests.system.proxy import Call, running_proxy

ROUTES = f"""
routes:
  - name: rig
    prefix: rig/
    regex: '(?P<scene>[^/]+)/(?P<camera>[^/.]+)[.]mp4'
    dataset: {DATASET}
    storage: {STORAGE}
    item_name: "{{scene}}"
    path: /rig
    slot: "{{camera}}"
    fps: native
    layout: {{version: 2, type: grid, slots: [front, back], layout_shape: [2, 1]}}
    group: {{by: "{{scene}}/", complete: {{slots: [front, back]}}}}
  - name: series
    prefix: ct/
    glob: "**/*.dcm"
    dataset: {DATASET}
    storage: {STORAGE}
    path: "/ct/{{folder}}"
    group: {{complete: {{count: 3}}}}
  - name: patients
    prefix: patients/
    dataset: {DATASET}
    storage: {STORAGE}
    path: /patients
    item_name: "{{metadata.patient}}-{{filename}}"
  - name: rest
    dataset: {DATASET}
    storage: {STORAGE}
"""
KEYS = [
    "rig/scene 1/front.mp4",
    "rig/scene 1/back.mp4",
    "ct/7/2.dcm",
    "ct/7/10.dcm",
    "ct/7/1.dcm",
    "rest/a photo + 100% é.jpg",
    "rest/b.pdf",
]
PATIENT = "patients/scan.png"


def test_what_explain_says_would_be_sent_is_what_run_sends(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    cloud.notify_queue()
    cloud.upload(*KEYS)
    cloud.s3.put_object(Bucket=cloud.bucket, Key=PATIENT, Body=b"x", Metadata={"patient": "p7"})
    sent: list[Any] = []

    def note(call: Call) -> None:
        if "/register_existing" in call.name:
            sent.append(json.loads(call.body))

    with running_proxy(twin.url) as between:
        between.instead = note
        routed: dict[str, str | None] = {
            "WORKER_ROUTES_FILE": str(file),
            "WORKER_DARWIN__DATASET": None,
            "WORKER_DARWIN__STORAGE": None,
            "DARWIN_BASE_URL": between.url,
        }
        worker = start(**routed)
        until("all five items are there", lambda: len(twin.items()) == 5)
        assert worker.stop() == 0

    settings = settings_for(cloud, twin.url, tmp_path) | routed | {"DARWIN_BASE_URL": twin.url}
    explained = explain({name: value for name, value in settings.items() if value}, cloud.bucket)
    assert [each["outcome"] for each in explained] == ["item"] * 8
    assert by_place(body for body in sent) == by_place(each["body"] for each in explained)


def by_place(bodies: Any) -> dict[tuple[str, str], Any]:
    """Each item of the bodies as it stands there, with what the body says of all its items."""
    return {
        (item["path"], item["name"]): {**body, "items": [item]} for body in bodies for item in body["items"]
    }


def explain(settings: Mapping[str, str], bucket: str) -> list[Any]:
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DARWIN_", "WORKER_"))
    }
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "worker", "explain", "--json", "--list", f"s3://{bucket}/"],
        env={**own, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]

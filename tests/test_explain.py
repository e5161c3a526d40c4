"""`explain` on its own: no S3, no Darwin, the objects that are named are all that is there."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from worker.cli import main

ROUTES = """
routes:
  - name: rig
    prefix: incoming/rig/
    regex: '(?P<scene>[^/]+)/(?P<camera>[^/.]+)[.]mp4'
    dataset: rig
    storage: acme-media
    item_name: "{scene}"
    path: /
    slot: "{camera}"
    group: {by: "{scene}/", complete: {slots: [front, back]}}
  - {name: scans, prefix: incoming/ct/, dataset: ct, storage: acme-media, type: dicom}
  - {name: lines, prefix: incoming/line/, glob: "**/*.jpg", dataset: line, storage: acme-media}
"""


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    return file


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKER_ROUTES_FILE", "DARWIN_TEAM"):
        monkeypatch.delenv(name, raising=False)


def explain(routes: Path, *words: str) -> int:
    return main(["explain", "--offline", "--routes", str(routes), *words])


def test_of_one_object_the_route_the_reasons_and_the_request_are_told(
    routes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(routes, "s3://acme-media/incoming/line/3/weld 07.jpg") == 0
    assert capsys.readouterr().out == (
        "s3://acme-media/incoming/line/3/weld 07.jpg\n"
        "  2 routes before it look at other buckets or prefixes\n"
        "  route lines -> /3/weld 07.jpg in dataset line of team your-team, as image\n"
        "  POST /api/v2/teams/your-team/items/register_existing\n"
        "  {\n"
        '    "dataset_slug": "line",\n'
        '    "storage_slug": "acme-media",\n'
        '    "items": [\n'
        "      {\n"
        '        "path": "/3",\n'
        '        "name": "weld 07.jpg",\n'
        '        "storage_key": "incoming/line/3/weld 07.jpg",\n'
        '        "type": "image"\n'
        "      }\n"
        "    ]\n"
        "  }\n\n"
    )


def test_why_no_route_takes_an_object_is_told_of_those_that_look_at_its_prefix(
    routes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(routes, "s3://acme-media/incoming/line/notes.txt") == 0
    assert capsys.readouterr().out == (
        "s3://acme-media/incoming/line/notes.txt\n"
        "  2 routes before it look at other buckets or prefixes\n"
        "  not lines: the key below the prefix does not match the glob **/*.jpg\n"
        "  no route -> blocked: no_route\n"
        "  No route matches the object.\n\n"
    )


def test_of_several_objects_a_line_each_is_told_and_a_group_is_one_item(
    routes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [
        "s3://acme-media/incoming/rig/scene_1/front.mp4",
        "s3://acme-media/incoming/rig/scene_1/back.mp4",
        "",
        "s3://acme-media/incoming/rig/scene_2/front.mp4",
        "s3://acme-media/incoming/ct/7.scan",
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(keys)))
    assert explain(routes, "-") == 0
    assert capsys.readouterr().out.splitlines() == [
        "incoming/rig/scene_1/front.mp4\trig\trig\t/scene_1\tslots front, back",
        "incoming/rig/scene_1/back.mp4\trig\trig\t/scene_1\tthe same item",
        (
            "incoming/rig/scene_2/front.mp4\trig\t-\t-\tpostponed: group_incomplete. Of the group, no file for slot 'back' is "
            "there."
        ),
        "incoming/ct/7.scan\tscans\tct\t/7.scan\tdicom",
        "",
        "4 objects make 2 items; 1 make none. --full shows why, and each request.",
    ]


def test_objects_may_come_from_a_file_and_all_may_be_told_in_full(
    routes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys"
    file.write_text("s3://acme-media/incoming/ct/7\ns3://acme-media/other/b.jpg\n")
    assert explain(routes, "--from", str(file), "--full") == 0
    out = capsys.readouterr().out
    assert "route scans -> /7 in dataset ct of team your-team, as dicom" in out
    assert "no route -> blocked: no_route" in out


def test_a_prefix_stands_for_all_objects_below_it(routes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(routes, "--list", "s3://acme-media/incoming/ct/", "--json") == 0
    [told] = map(json.loads, capsys.readouterr().out.splitlines())
    assert told["key"] == "incoming/ct/"  # offline, what is named is all that is there
    assert told["outcome"] == "ignored: folder_marker"


def test_machines_are_told_in_json(routes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(routes, "--json", "s3://acme-media/incoming/ct/7") == 0
    told: Any = json.loads(capsys.readouterr().out)
    assert told == {
        "bucket": "acme-media",
        "key": "incoming/ct/7",
        "route": "scans",
        "passed_over": {},
        "outcome": "item",
        "detail": "",
        "group": "",
        "endpoint": "/api/v2/teams/your-team/items/register_existing",
        "body": {
            "dataset_slug": "ct",
            "storage_slug": "acme-media",
            "items": [
                {"path": "/", "name": "7", "storage_key": "incoming/ct/7", "type": "dicom"},
            ],
        },
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "explain needs an object, as s3://bucket/key; see `darwin-worker explain --help`"),
        (["a.jpg"], "'a.jpg' names no object; write s3://bucket/key"),
        (["s3://bucket"], "'s3://bucket' names no object; write s3://bucket/key"),
        (["--from", "/nowhere"], "/nowhere cannot be read: No such file or directory"),
    ],
)
def test_what_names_no_object_is_refused_in_one_line(
    routes: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(routes, *words) == 2
    assert capsys.readouterr().err == f"darwin-worker: {said}\n"


def test_offline_a_routes_file_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--offline", "s3://b/k"]) == 2
    assert capsys.readouterr().err == (
        "darwin-worker: explain --offline needs a routes file: name it with --routes, or set WORKER_ROUTES_FILE\n"
    )

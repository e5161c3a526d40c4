"""`reconcile` over the wire, with exactly 37 differences planted: here among two thousand objects, by hand among a hundred
thousand and a million (``python -m tests.reconcile``).
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.reconcile.planted import settings_for
from tests.reconcile.stub import PLANTED
from tests.system.processes import running_stub
from worker.cli import main

OBJECTS = 2_000


@pytest.fixture(scope="module")
def stub() -> Iterator[str]:
    with running_stub("tests.reconcile.stub", "--objects", str(OBJECTS)) as url:
        yield url


@pytest.fixture(autouse=True)
def _settings(stub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings_for(stub, tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def all_of_it(stub: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what one look at everything told: ``json``, ``csv``, ``out`` and the ``code``."""
    folder = tmp_path_factory.mktemp("all")
    with pytest.MonkeyPatch.context() as patch, (folder / "out").open("w") as out, redirect_stdout(out):
        for name, value in settings_for(stub, folder).items():
            patch.setenv(name, value)
        code = main(["reconcile", "--json", str(folder / "json"), "--csv", str(folder / "csv")])
    (folder / "code").write_text(str(code))
    return folder


def found(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_it_finds_exactly_the_37_differences_that_were_planted(all_of_it: Path) -> None:
    differences = found(all_of_it / "json")
    assert sum(PLANTED.values()) == 37
    assert Counter(each["kind"] for each in differences) == PLANTED
    with (all_of_it / "csv").open(newline="") as table:
        assert [row["key"] for row in csv.DictReader(table)] == [each["key"] for each in differences]
    assert (all_of_it / "code").read_text() == "3"


def test_it_says_how_many_of_each_kind_there_are_with_examples_and_what_was_looked_at(
    all_of_it: Path,
) -> None:
    lines = (all_of_it / "out").read_text().splitlines()
    assert lines[0] == (
        "missing\t11\ts3://media/in/00000/00000050 é+%.png (intake:/00000/00000050 é+%.png)\t"
        "s3://media/in/00000/00000100 é+%.png (intake:/00000/00000100 é+%.png)\t"
        "s3://media/in/00000/00000150 é+%.png (intake:/00000/00000150 é+%.png)"
    )
    assert [line.split("\t")[:2] for line in lines[1:8]] == [
        ["incomplete", "2"],
        ["collision", "3"],
        ["failed", "5"],
        ["stuck", "4"],
        ["foreign", "2"],
        ["archived", "3"],
        ["stray", "7"],
    ]
    assert lines[8:] == [
        "2,044 objects and the items of 2 datasets were compared: 37 differences.",
        "3 are on their way still, and so not missing yet.",
    ]


def test_each_difference_tells_its_object_its_item_and_why(all_of_it: Path) -> None:
    first: dict[str, Any] = {}
    for each in found(all_of_it / "json"):
        first.setdefault(each["kind"], each)
    assert first["missing"] == {
        "kind": "missing",
        "team": "acme",
        "dataset": "intake",
        "path": "/00000",
        "name": "00000050 é+%.png",
        "route": "line",
        "bucket": "media",
        "key": "in/00000/00000050 é+%.png",
        "etag": "5d41402abc4b2a76b9719d911017c592",
        "size": 5,
        "time": "2024-02-01T09:00:00Z",
        "item": "",
        "detail": "",
    }
    assert first["collision"]["detail"] == "The same item comes of s3://media/flat/b/0.png."
    assert first["incomplete"]["detail"] == "Of the group, no file for slot 'back' is there."
    assert first["failed"]["detail"] == "error: The file is no picture"
    assert first["stuck"]["detail"] == "Darwin says: processing."
    assert (first["stray"]["path"], first["stray"]["name"], first["stray"]["key"]) == ("/gone", "0.png", "")


def test_of_a_part_of_the_bucket_what_lies_there_is_told_and_no_strays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reconcile", "s3://media/in/00001/", "s3://media/rig/", "--json", str(tmp_path / "part")]
    assert main(words) == 3
    kinds = Counter(each["kind"] for each in found(tmp_path / "part"))
    assert kinds == {"missing": 1, "incomplete": 2, "foreign": 2, "archived": 3}
    assert capsys.readouterr().out.endswith(
        "Strays were not looked for in acme/intake: not all that may be in there was listed.\n"
    )


def test_only_the_kinds_that_were_asked_for_are_told_and_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = "s3://media/in/00000/"
    assert main(["reconcile", place, "--kind", "stuck", "--json", "-"]) == 3
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == ["stuck"] * 4
    assert main(["reconcile", place, "--kind", "stuck", "--stuck", "99999999"]) == 0


def test_objects_of_which_no_item_is_made_are_no_difference_and_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reconcile", "s3://media/elsewhere"]) == 0
    assert capsys.readouterr().out == (
        "1 object and the items of no dataset were compared: nothing differs.\n"
        "Of some objects no item is made now, as `darwin-worker why` tells of each: 1 no_route.\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["media/in"], "'media/in' names no place in a bucket; write s3://bucket/prefix"),
        (["--csv", "-", "--json", "-"], "--csv - and --json - cannot both have standard output"),
        (["--json", "/nowhere/at/all"], "/nowhere/at/all cannot be written: No such file or directory"),
        (["--enqueue"], "--enqueue asks before it sends, and nobody is there to be asked: add --yes"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_looked_at(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reconcile", *words]) == 2
    assert said in capsys.readouterr().err

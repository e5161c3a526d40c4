"""What the README shows of `explain` is what it prints, and the routes that it shows can be used."""

import os
import re
from pathlib import Path

import pytest

from worker.cli import main
from worker.routes_file import read_routes

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
COMMAND = "darwin-worker explain --offline --routes docs/example/routes.yaml --from docs/example/objects.txt"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def block_after(words: str) -> str:
    """The first fenced block behind the words."""
    fenced = re.search(r"```[a-z]*\n(.*?)```", README[README.index(words) :], re.DOTALL)
    assert fenced is not None
    return fenced[1]


def test_the_readme_shows_what_explain_prints_of_twenty_objects(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    assert COMMAND in README
    assert main(COMMAND.split()[1:]) == 0
    printed = [line.rstrip() for line in COLOURS.sub("", capsys.readouterr().out).splitlines()]
    assert len((ROOT / "docs/example/objects.txt").read_text().splitlines()) == 20
    assert printed == block_after("on a terminal of 120 columns").splitlines()


def test_the_routes_that_the_readme_shows_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(block_after("The first route that matches wins"))
    wanted = read_routes(file, "acme", os.environ)
    assert [route.name for route in wanted.routes] == ["rig", "by-code", "line"]
    assert wanted.cautions == ()


def test_the_example_has_no_cautions() -> None:
    assert read_routes(ROOT / "docs/example/routes.yaml", "acme", os.environ).cautions == ()

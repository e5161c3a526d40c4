"""docs/operations.md: a section for each alert, commands that are understood, links that lead somewhere."""

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from tests.deploy.watching import ROOT, alerts
from tests.docs.page import sections_of

PAGE = ROOT / "docs" / "operations.md"
SECTIONS = sections_of(PAGE)
ALERTS = [title for title, section in SECTIONS.items() if section.within[-1:] == ("The alerts",)]
DEPLOYED = [
    path for path in sorted((ROOT / "deploy").rglob("*")) if path.suffix in {".yaml", ".md", ".tf", ".json"}
]


def anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_there_is_a_section_for_every_alert_and_for_no_other() -> None:
    # The age of a message in the queue is told by CloudWatch alone.
    assert set(ALERTS) == {rule["alert"] for rule in alerts()} | {"DarwinWorkerQueueOld"}


@pytest.mark.parametrize("alert", ALERTS)
def test_a_section_says_what_the_alert_means_where_to_look_and_what_to_do(alert: str) -> None:
    bold = re.findall(r"^\*\*(.+?)\*\*", SECTIONS[alert].text, re.MULTILINE)
    said = " ".join(bold).lower()
    assert all(word in said for word in ("it means", "see", "do"))


def test_whatever_is_deployed_refers_to_sections_that_there_are() -> None:
    referred = {
        (path.name, name)
        for path in DEPLOYED
        for name in re.findall(r"operations\.md#([\w-]+)", path.read_text())
    }
    there = set(map(anchor, SECTIONS))
    assert {each for each in referred if each[1] not in there} == set()


def test_the_links_of_the_page_lead_somewhere() -> None:
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", PAGE.read_text()):
        name, _, part = link.partition("#")
        path = (PAGE.parent / name).resolve() if name else PAGE
        headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE) if path.is_file() else None
        if headings is None or (part and part not in map(anchor, headings)):
            wrong.append(link)
    assert wrong == []


def commands(page: Path) -> list[str]:
    """What its blocks say after the name of our command, each once."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    parts = [part.strip() for line in lines for part in line.split("&&")]
    ours = [shlex.split(part, comments=True)[1:] for part in parts if part.startswith("darwin-worker ")]
    return sorted({shlex.join(words) for words in ours})


@pytest.mark.parametrize("command", commands(PAGE))
def test_every_command_of_the_page_is_understood(command: str) -> None:
    words = shlex.split(command)
    parser = argparse.ArgumentParser(prog=f"darwin-worker {words[0]}")
    import_module(f"worker.commands.{words[0].replace('-', '_')}").declare(parser)
    parser.parse_args(words[1:])

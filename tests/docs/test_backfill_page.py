"""docs/backfill.md says what the command understands, and nothing else."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from worker.commands import backfill

PAGE = (Path(__file__).parent.parent.parent / "docs" / "backfill.md").read_text()


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="darwin-worker backfill")
    backfill.declare(made)
    return made


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_page_is_understood(words: list[str]) -> None:
    assert words[:2] == ["darwin-worker", "backfill"]
    bucket, _ = parser().parse_args(words[2:]).place
    assert bucket == "acme-media"


def test_the_page_names_every_option_and_no_other() -> None:
    there = set(re.findall(r"(--[a-z-]+)", parser().format_help().partition("examples:")[0]))
    assert set(re.findall(r"(--[a-z][a-z-]+)", PAGE)) == there - {"--help"}

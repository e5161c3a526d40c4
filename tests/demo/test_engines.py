"""Starting the emulator: what the user is told where it cannot be done."""

import urllib.request
from pathlib import Path

import pytest

from worker.demo.engines import EngineError, running_ministack


def engine_of(folder: Path, script: str) -> None:
    program = folder / "bin" / "ministack"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_ministack_runs_for_as_long_as_it_is_needed() -> None:
    with running_ministack() as endpoint:
        health = f"{endpoint}/_ministack/health"
        with urllib.request.urlopen(health, timeout=5) as response:  # noqa: S310 - our own
            assert response.status == 200
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(health, timeout=5)  # noqa: S310 - our own


def test_a_missing_engine_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_ENGINES_DIR", str(tmp_path))
    with pytest.raises(EngineError, match="run `make demo`"), running_ministack():
        pass


def test_an_engine_that_ends_at_once_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_of(tmp_path, "echo no room for me >&2; exit 3")
    monkeypatch.setenv("DEMO_ENGINES_DIR", str(tmp_path))
    told = "ended with code 3 before it was up. It said: no room for me"
    with pytest.raises(EngineError, match=told), running_ministack():
        pass

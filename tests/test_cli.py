"""Arguments to commands, and what a user sees when something is wrong: one line per problem, no traceback."""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import pytest

from worker import cli
from worker.core.errors import Refused, Unavailable
from worker.settings import SettingsError

Command = Callable[[Namespace], int]
KEY = "abcdefg.0123456789abcdef0123456789abcdef"


def put(monkeypatch: pytest.MonkeyPatch, name: str, command: Command) -> None:
    """Let *command* stand for the command module *name*."""
    module = ModuleType(f"worker.commands.{name}")
    module.declare = import_module(module.__name__).declare  # type: ignore[attr-defined]  # as below
    module.main = command  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, module.__name__, module)


def failing(error: BaseException) -> Command:
    def command(_: Namespace) -> int:
        raise error

    return command


def test_without_arguments_help_is_printed_and_the_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage: darwin-worker" in capsys.readouterr().err


def test_an_unknown_command_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["rnu"])

    assert ended.value.code == 2
    assert "rnu" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("darwin-worker 0.")


@pytest.mark.parametrize("name", ["run", "check", "schema", "demo"])
def test_a_command_gives_the_exit_code(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    put(monkeypatch, name, lambda _: 7)

    assert cli.main([name]) == 7


def test_demo_may_end_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, "demo", lambda arguments: 5 if arguments.once else 6)

    assert cli.main(["demo", "--once"]) == 5
    assert cli.main(["demo"]) == 6


def test_wrong_settings_are_one_line_each_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, "run", failing(SettingsError(["WORKER_A is wrong", "WORKER_B is wrong"])))

    assert cli.main(["run"]) == 2
    assert capsys.readouterr().err == "darwin-worker: WORKER_A is wrong\ndarwin-worker: WORKER_B is wrong\n"


@pytest.mark.parametrize("error", [Refused("no such queue"), Unavailable("no such queue")])
def test_an_error_outside_is_one_line_and_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    put(monkeypatch, "run", failing(error))

    assert cli.main(["run"]) == 1
    assert capsys.readouterr().err == "darwin-worker: no such queue\n"


def test_errors_outside_are_found_in_the_groups_of_task_groups(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group = ExceptionGroup("tasks", [Refused("one"), ExceptionGroup("more", [Refused("two")])])
    put(monkeypatch, "run", failing(group))

    assert cli.main(["run"]) == 1
    assert capsys.readouterr().err == "darwin-worker: one\ndarwin-worker: two\n"


def test_a_bug_is_not_hidden_by_an_error_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, "run", failing(ExceptionGroup("tasks", [Refused("one"), KeyError("bug")])))

    with pytest.raises(ExceptionGroup):
        cli.main(["run"])


def test_no_secret_is_in_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Law 9."""
    put(monkeypatch, "run", failing(Refused(f"Darwin refused {KEY}")))
    cli.main(["run"])

    assert capsys.readouterr().err == "darwin-worker: Darwin refused ***\n"


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    put(monkeypatch, "run", failing(KeyboardInterrupt()))

    assert cli.main(["run"]) == 130
    assert capsys.readouterr().err == ""


def test_the_package_can_be_run_as_a_module() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "worker"], capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: darwin-worker")

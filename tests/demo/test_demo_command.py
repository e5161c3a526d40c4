"""``darwin-worker demo`` as a user runs it. Ports are free ones here, for several tests may run at a time."""

import os
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from worker import cli
from worker.commands import demo
from worker.demo import samples
from worker.demo.samples import Place, Sample
from worker.demo.stage import worker_settings

ON_FREE_PORTS = """
import sys
from worker import cli
from worker.commands import demo
demo.TWIN_PORT = demo.WORKER_PORT = 0
sys.exit(cli.main(sys.argv[1:]))
"""
DEADLINE = 60.0


class Demo:
    """A demo under way, and all that it printed so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said = ""
        assert process.stdout is not None
        self._output = process.stdout
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._output, selectors.EVENT_READ)

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + DEADLINE
        while (found := re.search(pattern, self.said)) is None:
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} was not printed: {self.said}"
            if self._ready.select(left):
                chunk = os.read(self._output.fileno(), 65_536)
                assert chunk, f"{pattern!r} was not printed before the end: {self.said}"
                self.said += chunk.decode()
        return found

    def end(self) -> int:
        rest, _ = self.process.communicate(timeout=DEADLINE)
        self.said += rest.decode()
        return self.process.returncode


@contextmanager
def running(*arguments: str) -> Iterator[Demo]:
    command = [sys.executable, "-c", ON_FREE_PORTS, "demo", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own program, no shell
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield Demo(process)
        finally:
            # It ends what it started when it is asked to; SIGKILL would leave that behind.
            process.terminate()
            process.wait(DEADLINE)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command in this process: its signals are put back, its ports are free ones."""
    monkeypatch.setattr(demo, "TWIN_PORT", 0)
    monkeypatch.setattr(demo, "WORKER_PORT", 0)
    before = {number: signal.getsignal(number) for number in demo.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - the demo's own address
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@pytest.mark.usefixtures("in_process")
def test_once_every_sample_is_where_it_has_to_be_and_the_books_balance(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Conservation, seen from outside."""
    assert cli.main(["demo", "--once"]) == 0

    said = capsys.readouterr().out
    assert "The books balance: 37 keys uploaded = 25 items in Darwin + 7 dead letters + 5 ignored." in said
    assert "Records beside these keys: " in said
    for reason in ("foreign_item", "invalid_key", "name_collision", "other_darwin_reason", "unreadable_body"):
        assert reason in said
    assert "The worker ended with exit code 0." in said


@pytest.mark.usefixtures("in_process")
def test_once_ends_with_1_and_says_what_differs_when_the_books_do_not_balance(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Sample("incoming/a.png", "panel.png", "registered", "accepted", Place("intake", "/b", "a.png"))
    monkeypatch.setattr(samples, "FIRST_ACT", (wrong,))
    monkeypatch.setattr(samples, "SECOND_ACT", ())
    monkeypatch.setattr(samples, "SAMPLES", (wrong,))

    assert cli.main(["demo", "--once"]) == 1

    said = capsys.readouterr().out
    assert "The books do not balance:" in said
    assert "'incoming/a.png' is not in Darwin as intake:/b/a.png" in said
    assert "'incoming/a.png' is in Darwin as intake:/a.png, where nobody expects it" in said


@pytest.mark.usefixtures("in_process")
def test_a_worker_that_dies_ends_the_demo_with_its_last_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    def without_a_queue(*args: object, **kwargs: object) -> dict[str, str]:
        settings = worker_settings(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        return settings | {"WORKER_QUEUE__URL": settings["WORKER_QUEUE__URL"] + "-which-is-not-there"}

    monkeypatch.setattr(demo, "worker_settings", without_a_queue)

    assert cli.main(["demo", "--once"]) == 1
    told = capsys.readouterr().err
    first, *last = told.splitlines()
    assert first == "darwin-worker: the worker ended with code 1. Its last lines:"
    assert last[-1].startswith("darwin-worker: ")
    assert "which-is-not-there" in last[-1]


@pytest.mark.usefixtures("in_process")
def test_a_worker_that_dies_in_the_middle_ends_the_demo_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stabbed(demo._Show):  # noqa: SLF001 - nothing from outside can kill the worker at a known moment
        async def play(self, *, once: bool) -> None:
            self.worker.process.kill()
            await super().play(once=once)

    monkeypatch.setattr(demo, "_Show", Stabbed)

    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err.startswith("darwin-worker: the worker ended by itself with code -9.")


def test_files_of_ones_own_are_registered_until_ctrl_c_which_drains_and_ends_with_0() -> None:
    with running() as show:
        show.wait_for("Ctrl-C ends the demo")
        assert (
            "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 aws s3 cp"
            in show.said
        )
        copy = show.wait_for(r"aws s3 cp FILE (s3://demo-media/incoming/) --endpoint-url (http://\S+)")
        curl = show.wait_for(r"curl -T FILE (http://\S+/)")
        page = show.wait_for(r"the page +(http://\S+)/ shows")
        pages = show.wait_for(r"see (http://\S+)/metrics")
        assert curl[1] == f"{copy[2]}/demo-media/incoming/"
        assert page[1] == pages[1]
        assert answers(pages[1] + "/readyz")
        assert answers(page[1] + "/page.js")

        mine = urllib.request.Request(  # noqa: S310 - the demo's own address
            curl[1] + "my%20own.png", samples.content("panel.png"), method="PUT"
        )
        with urllib.request.urlopen(mine, timeout=10):  # noqa: S310 - as above
            show.wait_for(r"✓ registered +incoming/my own.png +→ intake:/my own.png")
        show.process.send_signal(signal.SIGINT)

        assert show.end() == 0
        assert "The worker ended with exit code 0." in show.said
        assert "Traceback" not in show.said
        assert not answers(copy[2])
        assert not answers(pages[1] + "/healthz")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_broken_off_ends_what_it_started(number: signal.Signals) -> None:
    with running("--once") as show:
        pages = show.wait_for(r"see (http://\S+)/metrics")
        engine = show.wait_for(r"an emulator, at (http://\S+)")
        show.wait_for("Uploading")
        show.process.send_signal(number)

        assert show.end() == 130
        assert "Traceback" not in show.said
        assert not answers(engine[1])
        assert not answers(pages[1] + "/healthz")


def test_without_the_engines_one_line_says_what_to_do(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "worker", "demo", "--once"],
        env=os.environ | {"DEMO_ENGINES_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("darwin-worker: ")
    assert ended.stderr.count("\n") == 1
    assert "run `make demo`" in ended.stderr

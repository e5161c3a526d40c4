"""Lines: one shape for ours and the libraries', and no secret in any of them."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from worker.logs import Event, configure, log, redact

KEY = "abcdefg.0123456789abcdef0123456789ABCDEF"


@pytest.fixture(autouse=True)
def _put_logging_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.configure(**before)
    log.bind()


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (only,) = capsys.readouterr().out.splitlines()
    parsed = json.loads(only)
    assert isinstance(parsed, dict)
    return parsed


def test_a_line_is_json_with_event_level_and_utc_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log.info(Event.MESSAGE_SETTLED, message="m-1", receives=1, keys=["a b.jpg"])

    parsed = line(capsys)

    assert str(parsed.pop("timestamp")).endswith("Z")
    assert parsed == {
        "event": "message settled",
        "level": "info",
        "message": "m-1",
        "receives": 1,
        "keys": ["a b.jpg"],
    }


def test_away_from_a_terminal_lines_are_json_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", None)
    log.info(Event.STARTED)

    assert line(capsys)["event"] == "worker started"


def test_on_the_console_a_line_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "console")
    log.warning(Event.LEASE_LOST, message="m-1")

    written = capsys.readouterr().out
    assert "lease lost" in written
    assert "message=m-1" in written
    assert "\x1b" not in written


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure("warning", "json")
    log.info(Event.STARTED)

    assert capsys.readouterr().out == ""


def test_libraries_are_written_the_same_way_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    logging.getLogger("botocore.auth").info("whole request")
    logging.getLogger("asyncio").warning("slow %s", "callback")

    parsed = line(capsys)

    assert (parsed["event"], parsed["logger"], parsed["level"]) == ("slow callback", "asyncio", "warning")


def test_warnings_of_python_become_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old way", DeprecationWarning, stacklevel=1)

    assert "old way" in str(line(capsys)["event"])


def _fail() -> None:
    raise RuntimeError(KEY)


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_key_leaves_in_a_line(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Law 9: wherever it stands, nested, in an error or in a traceback."""
    configure("info", "json" if form == "json" else "console")
    log.info(
        Event.POLL_FAILED,
        why=f"refused {KEY}.",
        headers={"Authorization": "ApiKey short", "x": [(KEY, {KEY})]},
        error=ValueError(KEY),
    )
    logging.getLogger("aiohttp").warning("sent %s", {"Authorization": f"ApiKey {KEY}"})
    try:
        _fail()
    except RuntimeError:
        log.exception(Event.POLL_FAILED)
        logging.getLogger("asyncio").exception("lost")

    written = capsys.readouterr().out
    assert written.count("RuntimeError: ***") == 2
    assert KEY not in written
    assert "short" not in written


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (KEY, "***"),
        (f"key={KEY};", "key=***;"),
        ("Authorization: ApiKey whatever-it-is", "Authorization: ***"),
        ('{"authorization": "Bearer abc", "a": 1}', '{"authorization": "***", "a": 1}'),
        ("ApiKey sesame", "ApiKey ***"),
        ("redis://user:pass@host/0", "redis://***@host/0"),
        ("incoming/line.0123.jpg", "incoming/line.0123.jpg"),
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/1/q"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out_and_nothing_else(text: str, without: str) -> None:
    """Law 9."""
    assert redact(text) == without


def test_a_key_that_no_encoding_knows_does_not_stop_the_worker(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("json", "console"):
        configure("info", "json" if form == "json" else "console")
        log.info(Event.MESSAGE_SETTLED, keys=["a\ud800.jpg"])

    assert capsys.readouterr().out.count("ud800") == 2


class _Stream(io.StringIO):
    """*writes*: how many lines each write brought."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def write(self, text: str) -> int:
        self.writes.append(text.count("\n"))
        return super().write(text)

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.getvalue().splitlines()]


@pytest.fixture
def stdout(monkeypatch: pytest.MonkeyPatch) -> _Stream:
    """What lines of JSON are written to."""
    stream = _Stream()
    monkeypatch.setattr("sys.stdout", stream)
    configure("info", "json")
    return stream


@pytest.mark.looptime
async def test_the_lines_of_one_turn_of_the_loop_leave_in_one_write_and_in_their_order(
    stdout: _Stream,
) -> None:
    log.info(Event.STARTED)
    logging.getLogger("aiohttp").warning("in between")
    log.info(Event.STOPPING)
    assert stdout.writes == []

    await asyncio.sleep(0)
    assert stdout.writes == [3]
    assert stdout.events == ["worker started", "in between", "worker stopping"]

    log.info(Event.STOPPED)
    await asyncio.sleep(0)
    assert stdout.writes == [3, 1]


def test_where_no_loop_runs_each_line_is_written_at_once(stdout: _Stream) -> None:
    log.info(Event.STARTED)
    log.info(Event.STOPPED)
    assert stdout.writes == [1, 1]


def test_what_is_told_last_is_written_whatever_ends_the_loop(stdout: _Stream) -> None:
    async def fails() -> None:
        log.info(Event.STOPPING)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(fails())
    assert stdout.events == ["worker stopping"]


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError], ids=["gone", "closed"])
def test_a_stdout_that_takes_nothing_any_more_does_not_stop_the_worker(
    stdout: _Stream, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(_text: str) -> int:
        raise error

    async def tells() -> None:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(stdout, "write", broken)
            log.info(Event.STARTED)
            await asyncio.to_thread(logging.getLogger("botocore").warning, "from a thread")
        log.info(Event.STOPPED)

    asyncio.run(tells())
    assert stdout.events == ["worker stopped"]


def test_a_line_that_another_thread_tells_is_written_beside_those_of_the_loop(stdout: _Stream) -> None:
    async def tells() -> None:
        log.info(Event.STARTED)
        await asyncio.to_thread(logging.getLogger("botocore").warning, "from a thread")

    asyncio.run(tells())
    assert sorted(stdout.events) == ["from a thread", "worker started"]


def test_every_event_says_what_it_means() -> None:
    assert all(event.sentence.endswith(".") for event in Event)
    assert len({event.sentence for event in Event}) == len(Event)

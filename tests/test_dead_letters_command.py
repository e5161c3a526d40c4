"""`dead-letters`, what it says and what it leaves alone; the queues are in memory."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

import worker.dead_letters
from tests.core.bodies import s3_body, s3_record
from tests.fakes.queue import FakeQueue
from worker.cli import main
from worker.commands import dead_letters_shown
from worker.core.letters import letter_of
from worker.core.model import Message
from worker.dead_letters import Look
from worker.opening import Queues

SETTINGS = {
    "WORKER_QUEUE__URL": "http://sqs.invalid/1/events",
    "WORKER_DARWIN__DATASET": "intake",
    "WORKER_DARWIN__STORAGE": "acme-media",
    "WORKER_LEDGER__URL": "redis://redis.invalid",
    "DARWIN_API_KEY": "the-key-that-nobody-may-see",
    "DARWIN_TEAM": "acme",
}
UPLOAD_FAILED = {
    "reason": "upload_failed",
    "outcome": "blocked",
    "dataset": "intake",
    "route": "line",
    "detail": "Darwin could not read the file.",
    "attempts": "3",
    "first_seen": "2031-02-01T09:00:00Z",
}
COLLISION = UPLOAD_FAILED | {"reason": "name_collision", "first_seen": "2031-02-02T09:00:00Z"}
NONE: Mapping[str, str] = MappingProxyType({})
PAGE = Path(__file__).parent.parent / "docs" / "dead-letters.md"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "a%1B%5B31m%0A%09<script>[red]%E2%80%AE.png"


class Sqs(FakeQueue):
    """A queue that can be asked for its attributes."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.others = 0

    async def attributes(self) -> Mapping[str, str]:
        return {
            "ApproximateNumberOfMessages": str(len(self.visible)),
            "ApproximateNumberOfMessagesNotVisible": str(self.others),
        }


class Place:
    """A source queue and its dead letters, for tests that are no coroutines."""

    def __init__(self) -> None:
        self.source = Sqs("http://sqs.invalid/1/events")
        self.letters = Sqs("http://sqs.invalid/1/dead-letters")

    def put(self, body: str, attributes: Mapping[str, str] = NONE) -> None:
        async def put() -> None:
            self.letters.put(body, attributes)

        asyncio.run(put())

    def visible(self) -> int:
        async def count() -> int:
            return len(self.letters.visible)

        return asyncio.run(count())


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place()

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Queues]:
        yield Queues(made.source, made.letters, 10)  # type: ignore[arg-type]  # what of it is used, it has

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("worker.commands.dead_letters.open_queues", opened)
    monkeypatch.setattr(worker.dead_letters, "WAIT", 0)
    return made


@pytest.fixture
def some(place: Place) -> Place:
    """Four letters, one of them twice, and all of them visible."""
    place.put(s3_body(s3_record("in/1.png")), UPLOAD_FAILED)
    place.put(s3_body(s3_record("in/1.png")), UPLOAD_FAILED)
    place.put(s3_body(s3_record("in/2.jpg")), COLLISION)
    place.put(s3_body(s3_record(HOSTILE), s3_record("in/3.png")))
    place.put("not ours")
    return place


def run(*words: str) -> int:
    return main(["dead-letters", *words])


# -- list and show


def test_off_a_terminal_each_group_is_a_line_and_a_key_can_break_none(
    some: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list") == 0
    [*lines, last] = capsys.readouterr().out.splitlines()
    assert lines == [
        r"received_too_often	-	1970-01-01	2	2	s3://b/a\x1b[31m\n\t<script>[red]\u202e.png",
        "name_collision	intake	2031-02-02	1	1	s3://b/in/2.jpg",
        "unknown	-	-	1	1	(message message-5)",
    ]
    assert last == "upload_failed	intake	2031-02-01	1	2	s3://b/in/1.png"
    assert some.visible() == 5


def test_on_a_terminal_there_are_headings_and_the_reasons_of_sqs_in_words(
    some: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert run("list", "--key", "**") == 0
    out = capsys.readouterr().out
    assert [
        word for word in ("reason", "dataset", "day", "letters", "copies", "example") if word not in out
    ] == []
    assert "received too often (moved by SQS)" in out
    assert r"\x1b[31m\n\t<script>[red]\u202e.png" in out
    assert some.visible() == 5


def test_for_machines_there_is_one_object_with_what_the_table_does_not_hold(
    some: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    some.letters.others = 7
    assert run("list", "--json", "--reason", "upload_failed") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "letters": 1,
        "sampled": False,
        "counted": 5,
        "hidden": 7,
        "groups": [
            {
                "reason": "upload_failed",
                "dataset": "intake",
                "day": "2031-02-01",
                "letters": 1,
                "copies": 2,
                "example": "s3://b/in/1.png",
            }
        ],
    }
    assert captured.err.startswith("About 7 messages are in somebody else's hands, and not shown")


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["--reason", "upload_failed", "--reason", "name_collision"], ["in/1.png", "in/2.jpg"]),
        (["--dataset", "intake", "--day", "2031-02-02"], ["in/2.jpg"]),
        (["--dataset", "intake", "--until", "2031-02-01"], ["in/1.png"]),
        (["--since", "2031-02-01"], ["in/1.png", "in/2.jpg"]),
        (["--key", "in/*.png"], ["in/1.png", "in/3.png"]),
    ],
)
def test_letters_are_chosen_by_what_they_fit(
    some: Place, capsys: pytest.CaptureFixture[str], words: list[str], keys: list[str]
) -> None:
    assert run("show", "--json", *words) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [letter["key"] for letter in told] == keys
    assert some.visible() == 5


@pytest.mark.usefixtures("some")
def test_one_letter_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "--key", "in/1.png") == 0
    assert capsys.readouterr().out == (
        "s3://b/in/1.png\n"
        "  reason      blocked: upload_failed\n"
        "  detail      Darwin could not read the file.\n"
        "  dataset     intake\n"
        "  route       line\n"
        "  first seen  2031-02-01T09:00:00Z\n"
        "  event       1970-01-01T00:00:01Z\n"
        "  attempts    3\n"
        "  copies      2\n\n"
    )


@pytest.mark.usefixtures("some")
def test_several_letters_are_shown_whole_with_their_bodies_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("show", "--full") == 0
    out = capsys.readouterr().out
    assert out.count("  reason ") == 5, "one message tells of two objects"
    assert "  attribute   reason=name_collision\n" in out
    assert "\n  not ours\n" in out
    assert "\x1b" not in out


def test_a_detail_is_shown_without_a_secret(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "abcdefg." + "x" * 32
    place.put(s3_body(s3_record("a.png")), UPLOAD_FAILED | {"detail": f"ApiKey {secret}"})
    for words in (["show"], ["show", "--json"], ["show", "--full"]):
        assert run(*words) == 0
        assert secret not in capsys.readouterr().out


@pytest.mark.usefixtures("some")
def test_where_nothing_fits_the_reasons_that_are_there_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--reason", "no_route") == 0
    assert capsys.readouterr().err == (
        "None of the 6 letters is chosen. Reasons that are there: name_collision, received_too_often, unknown, "
        "upload_failed.\n"
    )


@pytest.mark.usefixtures("place")
def test_an_empty_queue_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert capsys.readouterr() == ("", "There are no letters in http://sqs.invalid/1/dead-letters.\n")


def test_a_sample_and_a_look_that_found_less_than_sqs_counts_are_told_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [letter] = letter_of(Message("m1", "handle", s3_body(s3_record("a.png")), 1))
    dead_letters_shown.notes(Look([letter], sampled=True), 1, "the queue")
    assert capsys.readouterr().err == (
        "This is a sample: 1 letters were looked at, and the queue may hold more.\n"
    )
    dead_letters_shown.notes(Look([letter], counted=3, hidden=0), 1, "the queue")
    assert capsys.readouterr().err.startswith(
        "SQS counts about 3 messages in the queue, and 1 letters were found."
    )


# -- replay


def test_where_nobody_can_be_asked_a_replay_says_what_it_would_send_and_that_is_a_no(
    some: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("replay", "--reason", "upload_failed") == 1
    captured = capsys.readouterr()
    assert captured.out == "upload_failed	intake	2031-02-01	1	2	s3://b/in/1.png\n"
    assert captured.err == (
        "1 letter would be sent to http://sqs.invalid/1/events, 2,000 a minute at most, which takes less than a minute, "
        "and then be deleted here.\n"
        "Nothing was done. With --yes nobody is asked.\n"
    )
    assert (some.visible(), some.source.sent) == (5, [])


class Terminal(io.StringIO):
    """Somebody who answers; *meanwhile* happens before."""

    def __init__(self, answer: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        super().__init__(answer)
        self._meanwhile = meanwhile

    def isatty(self) -> bool:
        return True

    def readline(self, _size: int | None = -1, /) -> str:  # type: ignore[override]  # as StringIO has it
        self._meanwhile()
        return super().readline()


def at_terminal(
    monkeypatch: pytest.MonkeyPatch, answer: str, meanwhile: Callable[[], None] = lambda: None
) -> Terminal:
    """What it says to whoever answers."""
    told = Terminal("")
    monkeypatch.setattr("sys.stdin", Terminal(answer, meanwhile))
    monkeypatch.setattr("sys.stderr", told)
    return told


def test_whoever_agrees_has_sent_what_was_shown_and_nothing_that_came_meanwhile(
    some: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = at_terminal(monkeypatch, "y\n", lambda: some.put(s3_body(s3_record("in/9.png")), UPLOAD_FAILED))
    assert run("replay", "--reason", "upload_failed") == 0
    assert "Send them? [y/N]" in told.getvalue()
    assert told.getvalue().endswith("1 sent, 1 deleted.\n")
    assert some.source.bodies == [s3_body(s3_record("in/1.png"))]
    assert some.visible() == 4


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_whoever_does_not_agree_has_sent_nothing(
    some: Place, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    at_terminal(monkeypatch, answer)
    assert run("replay") == 1
    assert (some.visible(), some.source.sent) == (5, [])


def test_what_was_shown_and_is_gone_by_then_is_told_of(some: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    told = at_terminal(monkeypatch, "y\n", some.letters.purge)
    assert run("replay") == 0
    assert "5 of the 5 messages that were shown are not to be had now" in told.getvalue()


def test_a_replay_with_yes_sends_unreadable_bodies_and_whole_messages_too(
    some: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("replay", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "sent": 5,
        "deleted": 5,
        "left": 0,
        "lost": 0,
        "refused": [],
    }
    assert some.letters.stored == []
    assert sorted(some.source.bodies) == sorted(
        [
            "not ours",
            s3_body(s3_record("in/1.png")),
            s3_body(s3_record("in/2.jpg")),
            s3_body(s3_record(HOSTILE), s3_record("in/3.png")),
        ]
    )


# -- export and purge


def test_an_export_holds_every_message_whole(some: Place, tmp_path: Path) -> None:
    file = tmp_path / "letters.ndjson"
    assert run("export", "--dataset", "intake", str(file)) == 0
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(each["body"], each["attributes"]) for each in told] == [
        (s3_body(s3_record("in/1.png")), UPLOAD_FAILED),
        (s3_body(s3_record("in/1.png")), UPLOAD_FAILED),
        (s3_body(s3_record("in/2.jpg")), COLLISION),
    ]
    assert told[2]["letters"][0]["key"] == "in/2.jpg"
    assert (some.visible(), list(tmp_path.iterdir())) == (5, [file])


@pytest.mark.usefixtures("some")
def test_an_export_goes_to_standard_output_where_no_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export") == 0
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 5


def test_a_file_that_is_there_is_not_written_over(
    some: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "letters.ndjson"
    file.write_text("what was purged last year")
    assert run("export", str(file)) == 2
    assert run("purge", "--yes", "--export", str(file)) == 2
    assert capsys.readouterr().err == 2 * f"darwin-worker: {file} is there already; name a new file\n"
    assert file.read_text() == "what was purged last year"
    assert some.visible() == 5


def test_a_purge_says_to_export_first_and_that_is_a_no_where_nobody_can_be_asked(
    some: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("purge", "--reason", "unknown") == 1
    assert capsys.readouterr().err == (
        "1 letter would be deleted from http://sqs.invalid/1/dead-letters, and nothing brings them back: export them "
        "first, with --export FILE.\n"
        "Nothing was done. With --yes nobody is asked.\n"
    )
    assert some.visible() == 5


def test_a_purge_writes_what_it_deletes_and_spares_messages_that_hold_more(
    some: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "letters.ndjson"
    assert run("purge", "--key", "in/*.png", "--yes", "--export", str(file)) == 0
    assert capsys.readouterr().err == (
        "1 message left alone: other records stand there too, which are not meant.\n1 deleted.\n"
    )
    assert [json.loads(line)["body"] for line in file.read_text().splitlines()] == 2 * [
        s3_body(s3_record("in/1.png"))
    ]
    assert some.visible() == 3


def test_a_purge_whose_file_cannot_be_written_deletes_nothing(
    some: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "no such folder" / "letters.ndjson"
    assert run("purge", "--yes", "--export", str(file)) == 1
    assert f"darwin-worker: {file} cannot be written: No such file or directory\n" in capsys.readouterr().err
    assert some.visible() == 5


# -- the page about them


def test_the_page_shows_what_list_prints_on_a_terminal_of_120_columns(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")
    bucket = {"name": "acme-media"}
    for number in (7, 7, 8):
        record = s3_record(f"incoming/line-3/weld-0{number}.jpg")
        record["s3"]["bucket"] = bucket
        place.put(s3_body(record), UPLOAD_FAILED | {"dataset": "line"})
    moved = s3_record("incoming/line-3/poison.jpg", eventTime="2031-02-02T03:00:00Z")
    moved["s3"]["bucket"] = bucket
    place.put(s3_body(moved))
    assert run("list") == 0
    printed = [line.rstrip() for line in COLOURS.sub("", capsys.readouterr().out).splitlines()]
    shown = re.search(r"of 120 columns `list` prints:\n\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    assert printed == shown[1].splitlines()


# -- arguments


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["list", "--key", "s3://b/in/*"], "leave the bucket out"),
        (["list", "--key", "/in/*"], "can match nothing"),
        (["list", "--day", "2031-02-01", "--since", "2031-01-01"], "give one or the other"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_asked(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "the following arguments are required: verb"),
        (["replay", "--per-minute", "0"], "'0' is no whole number above 0"),
        (["list", "--day", "yesterday"], "'yesterday' is no day; write it as 2031-02-01"),
    ],
)
def test_arguments_that_cannot_be_read_are_told_with_the_usage(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err

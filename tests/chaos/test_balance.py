"""The books of a storm find what is wrong: each case is a small storm written out by hand."""

import json
import random
from pathlib import Path

import pytest

from tests.chaos.balance import (
    Request,
    Resent,
    requests_of,
    resent,
    settled_in,
    story,
    wrong_items,
    wrong_letters,
    wrong_words,
)
from tests.chaos.fleet import Absence
from tests.chaos.load import Load, load
from tests.system.outside import Letter

LOAD = Load([], frozenset({"a", "b"}), {"x.docx": "unsupported_type"}, frozenset({"no json"}), 4)


def letter(key: str, reason: str) -> Letter:
    body = json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})
    return Letter(body, {"reason": {"DataType": "String", "StringValue": reason}})


def unreadable(body: str) -> Letter:
    return Letter(body, {"reason": {"DataType": "String", "StringValue": "unreadable_body"}})


def sent(*keys: str, answer: str = "200") -> Request:
    return Request(0.0, "1.1", keys, answer)


@pytest.mark.parametrize(
    ("items", "wrong"),
    [
        (["a", "b"], []),
        (["a"], ["'b' was lost: neither an item nor planned to be a dead letter"]),
        (["a", "b", "x.docx"], ["'x.docx' is an item and should not be"]),
        (["a", "b", "b"], ["'b' is an item twice"]),
    ],
)
def test_what_is_lost_or_too_much_among_the_items_is_named(items: list[str], wrong: list[str]) -> None:
    assert wrong_items(LOAD, items) == wrong


DEAD = letter("x.docx", "unsupported_type")


@pytest.mark.parametrize(
    ("letters", "wrong"),
    [
        ([DEAD, unreadable("no json")], []),
        ([DEAD, DEAD, unreadable("no json"), unreadable("no json")], []),
        ([unreadable("no json")], ["'x.docx' is not among the dead letters"]),
        (
            [DEAD, unreadable("no json"), letter("a", "foreign_item")],
            ["'a' is a dead letter and should not be"],
        ),
        (
            [letter("x.docx", "invalid_key"), unreadable("no json")],
            ["'x.docx' is a dead letter for ['invalid_key'] in place of unsupported_type"],
        ),
        (
            [letter("x.docx", ""), unreadable("no json")],
            ["'x.docx' is a dead letter for [''] in place of unsupported_type"],
        ),
        ([DEAD], ["'no json' is not among the unreadable"]),
        ([DEAD, unreadable("no json"), unreadable("{}")], ["'{}' was called unreadable"]),
    ],
)
def test_what_is_lost_or_too_much_among_the_dead_letters_is_named(
    letters: list[Letter], wrong: list[str]
) -> None:
    assert wrong_letters(LOAD, letters) == wrong


def counted(*requests: Request) -> Resent:
    return resent(requests, LOAD.good, [], {})


def test_an_item_may_be_sent_again_once_for_each_request_that_was_spoilt() -> None:
    told = counted(sent("a", "b", answer="503"), sent("a", answer="dropped"), sent("a", "b"))
    assert told == Resent(items=3, spoilt=3, needless=())


def test_an_item_that_is_sent_again_after_a_clear_answer_is_named() -> None:
    told = counted(sent("a", "b"), sent("a", "b", answer="cut"), sent("b"), sent("b"))
    assert told == Resent(items=4, spoilt=2, needless=("a", "b", "b"))


def test_what_darwin_blocks_may_be_sent_again_for_each_notification_of_it() -> None:
    assert counted(sent("banned"), sent("banned")) == Resent(0, 0, ())


@pytest.mark.parametrize(
    ("at", "by", "settled", "needless"),
    [
        (8.0, "1.1", None, ()),
        (8.0, "1.1", 9.0, ("a",)),
        (12.0, "1.2", None, ("a",)),
        (8.0, "2.1", None, ()),
        (8.0, "2.1", 9.0, ("a",)),
        (8.0, "2.1", 60.0, ()),
        (15.0, "2.1", None, ()),
        (21.0, "2.1", None, ("a",)),
    ],
)
def test_who_is_killed_or_frozen_before_it_settled_what_it_heard_cut_its_request(
    at: float, by: str, settled: float | None, needless: tuple[str, ...]
) -> None:
    """1.1 is killed at 10; 2.1 is frozen from 10 to 20, and may be who sends it again and settles it."""
    absences = [Absence("1.1", 10.0, float("inf")), Absence("2.1", 10.0, 20.0)]
    requests = [Request(at, by, ["a"], "200"), Request(50.0, "3.1", ["a"], "200")]
    assert (
        resent(requests, LOAD.good, absences, {by: {} if settled is None else {"a": settled}}).needless
        == needless
    )


def test_journal_and_logs_are_read_from_their_files(tmp_path: Path) -> None:
    line = {"by": "1.1", "items": [["/", "a", "in/a"]], "answer": "cut", "ended": 8.5}
    lines = [json.dumps(line | {"at": at}) for at in (8.0, 7.0)]
    (tmp_path / "journal").write_text("\n".join(lines))
    assert requests_of(tmp_path / "journal") == [
        Request(7.0, "1.1", ["in/a"], "cut"),
        Request(8.0, "1.1", ["in/a"], "cut"),
    ]
    (tmp_path / "worker-1.1").mkdir()
    said = {
        "timestamp": "2031-02-01T09:00:00Z",
        "event": "message settled",
        "records": [{"key": "in/a"}, {"outcome": "unreadable"}],
    }
    (tmp_path / "worker-1.1" / "stdout").write_text(
        "\n".join(
            [
                json.dumps(said),
                json.dumps(said | {"timestamp": "2031-02-01T09:00:05Z"}),
                json.dumps(said)[:20],
            ]
        )
    )
    assert settled_in(tmp_path) == {"1.1": {"in/a": 1_927_702_800.0}}


def test_errors_tracebacks_and_secrets_in_what_a_worker_says_are_found(tmp_path: Path) -> None:
    for name, said in (
        ("1.1", '{"level": "info"}\nno json\n'),
        ("1.2", '{"level": "error", "event": "x"}\n'),
        ("2.1", '{"level": "info", "event": "the key is abc"}\nTraceback (most recent call last):\n'),
    ):
        (tmp_path / f"worker-{name}").mkdir()
        (tmp_path / f"worker-{name}" / "stdout").write_text(said)
    assert wrong_words(tmp_path, ["abc"]) == [
        f'{tmp_path}/worker-1.2/stdout: {{"level": "error", "event": "x"}}',
        f"{tmp_path}/worker-2.1/stdout holds a secret",
        f"{tmp_path}/worker-2.1/stdout holds a traceback",
    ]


def test_a_seed_makes_the_same_load_again_and_another_seed_another() -> None:
    one, same, other = (load(300, "media", random.Random(seed)) for seed in (1, 1, 2))  # noqa: S311 - no secret
    assert one == same
    assert one != other


def test_one_record_in_ten_is_told_of_before() -> None:
    made = load(1000, "media", random.Random(1))  # noqa: S311 - no secret
    told = sum(
        letter.body.count('"key"') + letter.body.count('\\"key\\"')
        for letter in made.letters
        if letter.body not in made.unreadable
    )
    assert told == 1000
    assert 0 < len(made.good) + len(made.dead) <= 900


def test_a_story_tells_all_that_was_said_of_one_key_in_order(tmp_path: Path) -> None:
    (tmp_path / "worker-1.1").mkdir()
    lines = [
        {"timestamp": "1970-01-01T00:00:03Z", "event": "lease lost", "message": "m1"},
        {
            "timestamp": "1970-01-01T00:00:04Z",
            "event": "message settled",
            "message": "m1",
            "records": [{"key": "é", "outcome": "registered"}, {"key": "other"}],
        },
        {"timestamp": "1970-01-01T00:00:05Z", "event": "message settled", "message": "m2", "records": []},
    ]
    (tmp_path / "worker-1.1" / "stdout").write_text("".join(json.dumps(line) + "\n" for line in lines))
    request = {"at": 1.0, "by": "1.1", "items": [["/", "é", "é"]], "answer": "503", "ended": 2.0}
    (tmp_path / "journal").write_text(json.dumps(request) + "\n")
    assert story(tmp_path, "é") == [
        "1970-01-01T00:00:01Z darwin: 1.1 asks, 1 items",
        "1970-01-01T00:00:02Z darwin: 1.1 gets 503, 1 items",
        '1970-01-01T00:00:03Z worker-1.1: {"event": "lease lost", "message": "m1"}',
        (
            '1970-01-01T00:00:04Z worker-1.1: {"event": "message settled", "message": "m1", '
            '"records": [{"key": "\\u00e9", "outcome": "registered"}]}'
        ),
    ]

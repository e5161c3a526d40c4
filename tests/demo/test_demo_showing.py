"""How records look on a terminal."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from worker.core.printing import printable
from worker.demo.books import Books, Held, Letter, Told
from worker.demo.samples import Place
from worker.demo.showing import (
    letters_table,
    outcomes_table,
    record_line,
    shorten,
    trouble_line,
    verdict,
)

WELD = Place("intake", "/line-3", "weld 07.jpg")
BOOKS = Books(
    ("in/line-3/weld 07.jpg", "in/a.txt", "in/b.txt"),
    (
        Told("in/line-3/weld 07.jpg", "registered", "accepted", "", WELD),
        Told("in/a.txt", "rejected", "unsupported_type", "No type."),
        Told("in/b.txt", "rejected", "unsupported_type", "No type."),
        Told("", "ignored", "test_event"),
    ),
    (Held(WELD, "in/line-3/weld 07.jpg"),),
    (Letter("in/a.txt", "unsupported_type", "No type."), Letter("in/b.txt", "unsupported_type", "No type.")),
)


def shown(what: RenderableType) -> list[str]:
    console = Console(width=90)
    with console.capture() as capture:
        console.print(what)
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_a_registered_record_shows_its_key_and_its_place() -> None:
    line = record_line(Told("in/line-3/weld 07.jpg", "registered", "accepted", "", WELD), 80)

    assert line.plain == "✓ registered  in/line-3/weld 07.jpg             → intake:/line-3/weld 07.jpg"


def test_an_item_at_the_top_has_one_slash() -> None:
    line = record_line(Told("a.jpg", "registered", "accepted", "", Place("intake", "/", "a.jpg")), 80)

    assert line.plain.endswith(" → intake:/a.jpg")


def test_a_dead_letter_shows_its_reason_and_as_much_of_the_detail_as_fits() -> None:
    line = record_line(
        Told("in/a.txt", "rejected", "unsupported_type", "The name has the extension .txt"), 80
    )

    assert line.plain == "✗ rejected    in/a.txt                            unsupported_type: The name ha…"


def test_a_record_of_no_object_says_so() -> None:
    assert "(no object)" in record_line(Told("", "unreadable", "unreadable_body"), 80).plain


def test_an_outcome_that_nobody_told_the_demo_of_is_shown_all_the_same() -> None:
    assert record_line(Told("a.jpg", "novel", "why"), 80).plain.startswith("? novel")


def test_what_cannot_be_printed_is_escaped() -> None:
    assert printable("bell\x07 \x1b[31m\u202e.jpg") == "bell\\x07 \\x1b[31m\\u202e.jpg"


def test_a_long_text_loses_its_middle() -> None:
    assert shorten("incoming/a/very/long/key/of/an/image.jpg", 20) == "incoming/a…image.jpg"


def test_what_fits_is_left_alone() -> None:
    assert shorten("incoming/a.jpg", 14) == "incoming/a.jpg"


@given(st.text(), st.integers(1, 60))
def test_a_shortened_text_never_takes_more_columns_than_it_may(text: str, cells: int) -> None:
    assert cell_len(shorten(printable(text), cells)) <= cells


@given(st.text(min_size=1), st.integers(60, 200), st.sampled_from(["registered", "blocked", "duplicate"]))
def test_a_record_is_one_line_that_fits(key: str, width: int, outcome: str) -> None:
    line = record_line(Told(key, outcome, "why", "detail " * 30, Place("intake", "/" + key, key)), width)

    assert line.cell_len <= width
    assert "\n" not in line.plain


def test_the_table_tells_keys_and_records_by_outcome_and_reason() -> None:
    assert shown(outcomes_table(BOOKS)) == [
        "What became of each record",
        "keys uploaded 3",
        "✓ registered 1 1 accepted",
        "· ignored 1 1 test_event",
        "✗ rejected 2 2 unsupported_type",
    ]


def test_dead_letters_are_told_by_reason() -> None:
    assert shown(letters_table(BOOKS)) == ["Dead letters by reason", "unsupported_type 2 No type."]


def test_the_last_word_is_the_sum() -> None:
    assert verdict(BOOKS, []).plain == (
        "The books balance: 3 keys uploaded = 1 items in Darwin + 2 dead letters + 0 ignored.\n"
        "Records beside these keys: 1 test_event."
    )


def test_the_last_word_names_what_is_wrong() -> None:
    assert verdict(BOOKS, ["'a' is lost", "'b\x07' is lost"]).plain == (
        "The books do not balance:\n  - 'a' is lost\n  - 'b\\x07' is lost"
    )


def test_a_warning_of_the_worker_is_shown_with_its_advice() -> None:
    line = trouble_line(
        {
            "event": "condition raised",
            "level": "warning",
            "condition": "darwin_down",
            "subject": "demo",
            "why": "no answer",
            "advice": "Wait.",
        }
    )

    assert line is not None
    assert line.plain == "! condition raised: darwin_down: demo: no answer: Wait."


def test_what_is_no_line_of_the_log_is_shown_as_it_is() -> None:
    line = trouble_line({"text": "Traceback (most recent call last):"})

    assert line is not None
    assert line.plain == "Traceback (most recent call last):"


def test_an_ordinary_line_is_no_trouble() -> None:
    assert trouble_line({"event": "worker started", "level": "info"}) is None

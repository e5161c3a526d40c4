"""docs/configuration.md is what the settings make of it, and its examples can be used."""

from pathlib import Path

import pytest

from tests.docs import configuration
from tests.docs.configuration import ALTERNATIVES, CAUTIONS, EXAMPLES, LAWS, NOTES, Law, refusals, told
from worker.settings import FIELDS, load_settings


def test_the_page_is_what_the_settings_make_of_it() -> None:
    wrong = "docs/configuration.md is not what the settings say: run `python -m tests.docs.configuration`"
    assert configuration.PAGE.read_text() == configuration.page(), wrong


def test_every_setting_has_an_example_and_nothing_else_has() -> None:
    assert list(EXAMPLES) == list(FIELDS)
    assert not {*NOTES, *configuration.DEFAULTS} - {*FIELDS}


@pytest.mark.parametrize("left_out", [ALTERNATIVES.values(), ALTERNATIVES], ids=["as such", "in files"])
def test_the_examples_can_be_set_together(left_out: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _: "the-key")  # its file is not on this machine
    load_settings({name: example for name, example in EXAMPLES.items() if name not in left_out})


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.words)
def test_what_breaks_a_law_is_refused(law: Law) -> None:
    assert refusals(law)


@pytest.mark.parametrize("law", CAUTIONS, ids=lambda law: law.words)
def test_what_breaks_a_softer_law_is_told_of(law: Law) -> None:
    assert len(told(law)) == 1

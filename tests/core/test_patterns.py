"""Regular expressions of routes: what they match, and which are refused. Globs have a file of their own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.patterns import compile_regex

ADVICE = "It is read as RE2 does, which matches in linear time and has no look-around and no back-references"


@pytest.mark.parametrize(
    ("regex", "key", "groups"),
    [
        (
            r"(?P<scene>scene_\d+)/(?P<cam>\w+)\.mp4",
            "scene_001/front.mp4",
            {"scene": "scene_001", "cam": "front"},
        ),
        (r"(?<scene>[^/]+)/.*", "a/b/c.png", {"scene": "a"}),
        (r"(?P<side>left|right)?\.png", ".png", {"side": ""}),
        (r"(?P<day>\d{4}-\d\d)(-(?P<rest>.*))?", "2031-02", {"day": "2031-02", "rest": ""}),
        (r"(?P<größe>\pL+)\.png", "größe.png", {"größe": "größe"}),
        (r"(?P<x>.)🙂", "é🙂", {"x": "é"}),
        (r"(?i)A\.PNG", "a.png", {}),
        (r"a\.png", "a.png", {}),
        (r"a\.png", "a.png.part", None),
        (r"a\.png", "b/a.png", None),
        (r"a.png", "A.png", None),
        (r"\d", "٣", None),
        (r".*", "a\nb", None),
        (r"(?s).*", "a\nb", {}),
        (r"^a$", "a", {}),
        (r"", "a", None),
        (r".*", "a\ud800", None),
    ],
)
def test_a_regular_expression_is_of_the_whole_key_and_tells_its_named_groups(
    regex: str, key: str, groups: dict[str, str] | None
) -> None:
    """A group that took no part is empty text; what is no UTF-8 matches nothing."""
    named, groups_of = compile_regex(regex)
    assert groups_of(key) == groups
    assert groups is None or named == groups.keys()


@pytest.mark.parametrize(
    ("regex", "what"),
    [
        (r"(?=a)b", "(?="),
        (r"(?!a)b", "(?!"),
        (r"(?<=a)b", "(?<"),
        (r"(?<!a)b", "(?<"),
        (r"(a)\1", r"\1"),
        (r"(?P<a>a)(?P=a)", "(?P"),
        (r"(?>a)", "(?>"),
        (r"(a", "missing )"),
        (r"*", "repetition operator"),
        (r"[b-a]", "b-a"),
        (r"((a{100}){100}){100}", "{100}"),
        (r"(?P<a-b>x)", "(?P<a-b>"),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_refused_with_a_sentence(regex: str, what: str) -> None:
    """Look-around and back-references, and what is no regular expression at all; RE2 tells what is wrong."""
    with pytest.raises(ValueError, match=re.escape(what)) as refused:
        compile_regex(regex)
    assert str(refused.value).startswith("the regular expression cannot be used: ")
    assert str(refused.value).endswith(ADVICE)


def test_half_a_character_is_refused() -> None:
    """YAML can write one."""
    with pytest.raises(ValueError, match="holds half a character"):
        compile_regex("a\ud800")


@pytest.mark.parametrize(
    "regex",
    [
        r"(a+)+$",
        r"(a|aa)+$",
        r"(a|a?)+$",
        r"(a*)*b",
        r"(.*a){12}b",
        r"([a-z]+)*\d",
        r"(?P<x>(a+)+)(?P<y>(a+)+)c",
        r"(x+x+)+y|(a+a+)+y",
    ],
)
def test_no_regular_expression_runs_away_on_a_long_key(regex: str) -> None:
    """With a matcher that goes back, each would take longer than anybody waits, and so longer than this test may."""
    _, groups_of = compile_regex(regex)
    assert groups_of("a" * 1_000 + "!") is None


texts = st.text(st.sampled_from(r"ab(?P<x>|[]{}*+.\d^$:!=é"), max_size=12)


@given(st.text(max_size=12) | texts, st.text(max_size=12) | st.text(st.characters(codec=None), max_size=5))
def test_any_regular_expression_is_refused_or_gives_an_answer_on_any_key(regex: str, key: str) -> None:
    try:
        named, groups_of = compile_regex(regex)
    except ValueError:
        return
    groups = groups_of(key)
    assert groups is None or groups.keys() == named


atoms = st.sampled_from(["a", "b", ".", "[ab]", "a+", "b*?", "(a|ab)", "(?P<x>ab?)", "é", "a?", r"\d"])


@given(st.lists(atoms, max_size=6, unique=True).map("".join), st.text(st.sampled_from("abé1"), max_size=8))
def test_what_both_know_is_matched_as_python_matches_it(regex: str, key: str) -> None:
    _, groups_of = compile_regex(regex)
    match = re.fullmatch(regex, key)
    assert groups_of(key) == (None if match is None else match.groupdict())

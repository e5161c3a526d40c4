"""What a route's glob matches, and which globs are refused."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcmatch import glob as wcmatch

from worker.core.patterns import compile_glob


@pytest.mark.parametrize(
    ("glob", "key", "matches"),
    [
        ("*", "a.png", True),
        ("*", ".a", True),
        ("*", "a/b", False),
        ("**", "a/b/.c", True),
        ("**/*.png", "a.png", True),
        ("**/*.png", "a/.b/c.png", True),
        ("a/**/c.png", "a/c.png", True),
        ("a/?.png", "a/b.png", True),
        ("[!a].png", "b.png", True),
        ("{a,b}/{1..3}.png", "b/2.png", True),
        (r"\*.png", "*.png", True),
        ("[[]a].png", "[a].png", True),
        ("[a-c[].png", "b.png", True),
        (r"\*.png", "a.png", False),
        ("a b+(c).png", "a b+(c).png", True),
        ("!a.png", "!a.png", True),
        ("*.png", "a.png\n", False),
        ("*.png", "a\nb.png", True),
        ("*", "a\\b", True),
        ("a/*.png", "a//b.png", True),
        ("**/a/b/**/*.png", "x/a/c/a/b/y.png", True),
        ("**/a/b/**/*.png", "a/c/b/y.png", False),
        ("a/**/**/b", "a/b", True),
    ],
)
def test_a_glob_means_what_shells_mean_by_it(glob: str, key: str, matches: bool) -> None:
    assert compile_glob(glob)(key) is matches


@pytest.mark.parametrize(
    ("glob", "why"),
    [
        ("", "can match nothing"),
        ("/a.png", "can match nothing"),
        ("**/a/**/b/**/*.png", r'more than 2 times "\*\*"'),
        ("{1..1000}.png", "more than 100 alternatives"),
        ("[0-.[]", "can be read in two ways"),
    ],
)
def test_a_glob_that_cannot_work_well_is_refused_with_a_reason(glob: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        compile_glob(glob)


@given(st.text(max_size=30) | st.text(st.sampled_from("a*?[]{}!,\\./-("), max_size=30), st.text(max_size=30))
def test_any_glob_is_refused_or_gives_an_answer_on_any_key(glob: str, key: str) -> None:
    try:
        matches = compile_glob(glob)
    except ValueError:
        return
    assert matches(key) in (True, False)


segments = st.sampled_from(["a", "b", "ab", "a.b", ".a", "..a", ""])
parts = st.sampled_from(["**", "**", "*", "a", "b", "?", "*b", "[ab]", "a*", "{a,b}", "a.?", "**b"])


@given(st.lists(parts, min_size=1, max_size=5), st.lists(segments, min_size=1, max_size=7))
def test_a_glob_matches_what_the_library_says_that_it_matches(glob: list[str], key: list[str]) -> None:
    """Our shorter way to the answer changes none."""
    try:
        matches = compile_glob("/".join(glob))
    except ValueError:
        return
    flags = wcmatch.GLOBSTAR | wcmatch.BRACE | wcmatch.DOTGLOB | wcmatch.FORCEUNIX
    assert matches("/".join(key)) is wcmatch.globmatch("/".join(key), "/".join(glob), flags=flags)


@pytest.mark.parametrize(
    "glob",
    [
        "**/a/**/*a*a*a*b",
        "*a*a*a*a*a*a*b",
        "**/**",
        "**/*?*?*?*?b",
        "**/a/**/{1..100}*a*b",
        "{a,aa}/**/*[!b]*a/**/{1..50}",
        "**/*/*/**/*/x{1..100}",
    ],
)
@pytest.mark.parametrize("key", ["a" * 1024, "a/" * 512, "/" * 1024, "aa/" * 341, "a/" + "." * 1022])
def test_no_key_makes_a_glob_run_away(glob: str, key: str) -> None:
    """Whoever uploads chooses the key, and a message may hold a thousand; without bounds these take seconds and more."""
    matches = compile_glob(glob)
    before = time.process_time()
    matches(key)
    assert time.process_time() - before < 0.1

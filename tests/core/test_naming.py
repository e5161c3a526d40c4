"""What Darwin takes as a key, a path, a name, and what lies under a prefix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.naming import (
    below,
    normalise_path,
    under,
    why_no_key,
    why_no_name,
    why_no_path,
    why_no_word,
)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("/a.png", "The key starts with a slash, and Darwin's storage keys must not."),
        ("", "The key has no name behind its last slash."),
        ("a/", "The key has no name behind its last slash."),
        ("a\x00.png", "The key holds the character U+0000, which no name can hold."),
        ("a\n.png", "The key holds the character U+000A, which no name can hold."),
        ("a\x7f.png", "The key holds the character U+007F, which no name can hold."),
        ("a\x85.png", "The key holds the character U+0085, which no name can hold."),
        ("a\ud800.png", "The key holds the character U+D800, which no name can hold."),
        ("a/../b.png", 'The key has a segment "." or "..", which paths would take for a way up or down.'),
        ("./b.png", 'The key has a segment "." or "..", which paths would take for a way up or down.'),
        ("a/..", 'The key has a segment "." or "..", which paths would take for a way up or down.'),
    ],
)
def test_a_key_that_darwin_cannot_take_says_why(key: str, why: str) -> None:
    """Row: rejected, key that Darwin cannot take."""
    assert why_no_key(key) == why


@pytest.mark.parametrize(
    "key",
    ["weld.jpg", "a//b///c.png", "a/ b /c.png", "a/...b/.hidden", "ü/日本/🙂.png", "{folder}/{0}/{x!r}.png"],
)
def test_an_odd_key_is_no_bad_key(key: str) -> None:
    assert why_no_key(key) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "The item would have no name."),
        ("a/b", "The item's name would be 'a/b', and a name holds no slash."),
        ("..", "The item's name would be '..', which paths would take for a way up or down."),
        ("a\x00", "The item's name holds the character U+0000, which no name can hold."),
    ],
)
def test_a_name_that_darwin_cannot_take_says_why(name: str, why: str) -> None:
    assert why_no_name(name) == why


def test_a_name_may_hold_dots_spaces_and_any_script() -> None:
    assert [why_no_name(name) for name in (".hidden", "...", " ", "日本, 🙂")] == [None] * 4


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (
            "/a/../b",
            'The item\'s path would be \'/a/../b\', and a segment "." or ".." is taken for a way up or down.',
        ),
        (".", 'The item\'s path would be \'.\', and a segment "." or ".." is taken for a way up or down.'),
        ("/a\n", "The item's path holds the character U+000A, which no name can hold."),
    ],
)
def test_a_path_that_darwin_cannot_take_says_why(path: str, why: str) -> None:
    assert why_no_path(path) == why


def test_a_path_may_be_empty_and_have_slashes_anywhere() -> None:
    assert [why_no_path(path) for path in ("", "/", "a//b/", "/...", "/.b")] == [None] * 5


def test_a_word_is_not_empty_and_can_be_written() -> None:
    assert why_no_word("A tag", "") == "A tag would be empty."
    assert why_no_word("A tag", "a\tb") == "A tag holds the character U+0009, which no name can hold."
    assert why_no_word("A tag", "night/shift 2") is None


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("dir", "/dir"),
        ("/dir", "/dir"),
        ("/dir/", "/dir"),
        ("dir1//dir3/", "/dir1/dir3"),
        ("/ ", "/ "),
    ],
)
def test_a_path_has_one_normal_form(path: str, normal: str) -> None:
    assert normalise_path(path) == normal


@pytest.mark.parametrize(
    ("prefix", "key", "lies_there"),
    [
        ("", "a.png", True),
        ("/", "a.png", True),
        ("raw", "raw/a.png", True),
        ("raw/", "raw/a.png", True),
        ("/raw/", "raw/b/a.png", True),
        ("raw", "rawest/a.png", False),
        ("raw", "raw.png", False),
        ("raw", "raw", False),
        ("raw", "Raw/a.png", False),
        ("raw/b", "raw/a.png", False),
        ("raw", "x/raw/a.png", False),
    ],
)
def test_prefixes_compare_on_whole_segments(prefix: str, key: str, lies_there: bool) -> None:
    """Law 5."""
    assert under(prefix, key) is lies_there


segments = st.text(st.sampled_from("ab.{}/ é"), max_size=8)
keys = st.text(max_size=40) | st.text(st.characters(codec=None)) | segments


@given(keys)
def test_every_key_is_taken_or_says_in_one_line_why_not(key: str) -> None:
    why = why_no_key(key)
    assert why is None or (why.isprintable() and why.endswith("."))


@given(keys)
def test_the_parts_of_a_key_that_can_be_taken_can_be_taken_too(key: str) -> None:
    """So only what templates make of them is to be looked at."""
    if why_no_key(key) is None:
        folder, _, name = key.rpartition("/")
        assert why_no_path(folder) is None
        assert why_no_name(name) is None


@given(segments)
def test_a_normal_path_stays_as_it_is(path: str) -> None:
    normal = normalise_path(path)
    assert normal.startswith("/")
    assert "//" not in normal
    assert normal == "/" or not normal.endswith("/")
    assert normalise_path(normal) == normal


@given(segments, keys)
def test_what_lies_under_a_prefix_is_prefix_slash_rest(prefix: str, key: str) -> None:
    """Law 5, against the segments themselves."""
    inner = prefix.strip("/")
    if inner:
        outer, whole = inner.split("/"), key.split("/")
        assert under(prefix, key) is (whole[: len(outer)] == outer and len(whole) > len(outer))
        if under(prefix, key):
            assert f"{inner}/{below(prefix, key)}" == key
    else:
        assert under(prefix, key)
        assert below(prefix, key) == key

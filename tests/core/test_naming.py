"""From a key to the item's name and path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.naming import InvalidKey, Place, below, normalise_path, place, under


@pytest.mark.parametrize(
    ("key", "prefix", "path", "name"),
    [
        ("weld.jpg", "", "/", "weld.jpg"),
        ("line-3/2031/weld 07.jpg", "", "/line-3/2031", "weld 07.jpg"),
        ("incoming/line-3/weld.jpg", "incoming", "/line-3", "weld.jpg"),
        ("incoming/line-3/weld.jpg", "/incoming/", "/line-3", "weld.jpg"),
        ("incoming/weld.jpg", "incoming", "/", "weld.jpg"),
        ("a//b///c.png", "", "/a/b", "c.png"),
        ("a/ b /c.png", "", "/a/ b ", "c.png"),
        ("a/...b/.hidden", "", "/a/...b", ".hidden"),
        ("ü/日本/🙂.png", "", "/ü/日本", "🙂.png"),
    ],
)
def test_the_folders_below_the_prefix_become_the_path(key: str, prefix: str, path: str, name: str) -> None:
    assert place(key, prefix) == Place(path, name)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/{folder}", "/line-3/2031"),
        ("/intake", "/intake"),
        ("/", "/"),
        ("", "/"),
        ("intake/", "/intake"),
        ("/intake/{folder}", "/intake/line-3/2031"),
        ("/{folder}/raw", "/line-3/2031/raw"),
        ("/{other}", "/{other}"),
    ],
)
def test_a_route_may_put_its_items_elsewhere(template: str, path: str) -> None:
    assert place("line-3/2031/weld.jpg", "", template) == Place(path, "weld.jpg")


def test_braces_in_a_key_are_only_braces() -> None:
    assert place("{folder}/{0}/{x!r}/{folder}.png", "", "/in/{folder}") == Place(
        "/in/{folder}/{0}/{x!r}", "{folder}.png"
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
    assert place(key) == InvalidKey(why)


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


@given(keys, segments, segments)
def test_every_key_has_a_place_or_a_reason_why_not(key: str, prefix: str, template: str) -> None:
    found = place(key, prefix, template)
    if isinstance(found, InvalidKey):
        assert found.why.isprintable()
    else:
        assert found.name
        assert "/" not in found.name
        assert key.endswith(found.name)
        assert found.path == normalise_path(found.path)


@given(st.lists(segments.map(lambda text: text.replace("/", "x") + "y"), min_size=1, max_size=5))
def test_path_and_name_hold_the_whole_key(parts: list[str]) -> None:
    """So two keys have one place only where empty segments tell them apart."""
    assert place("/".join(parts)) == Place("/" + "/".join(parts[:-1]), parts[-1])


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

"""Texts with placeholders, and tables: what they make, and which are refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.templates import Chooser, NoValue, Table, read_template, read_value

VALUES = {
    "bucket": "acme-media",
    "key": "in/line-3/weld 07.jpg",
    "folder": "line-3",
    "filename": "weld 07.jpg",
    "stem": "weld 07",
    "ext": "jpg",
}
NAMES = frozenset(VALUES)
ASKED_OF_S3 = NAMES | {"metadata.*", "tags.*"}


def rendered(text: str, values: dict[str, str] = VALUES) -> str:
    return read_template(text, ASKED_OF_S3).render(values)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("/intake", "/intake"),
        ("{filename}", "weld 07.jpg"),
        ("/in/{folder}/{stem}-{stem}.{ext}", "/in/line-3/weld 07-weld 07.jpg"),
        ("{filename[:2]}", "we"),
        ("{stem[-2:]}", "07"),
        ("{stem[1:3]}", "el"),
        ("{stem[:-3]}", "weld"),
        ("{stem[:]}", "weld 07"),
        ("{stem[:900]}", "weld 07"),
        ("{{folder}}", "{folder}"),
        ("{{{ext}}}", "{jpg}"),
        ("}}{{", "}{"),
        ("100% [raw] $1 \\1", "100% [raw] $1 \\1"),
    ],
)
def test_a_placeholder_stands_for_its_value_or_a_part_of_it(template: str, text: str) -> None:
    assert rendered(template) == text


def test_a_part_is_counted_in_characters_not_in_bytes() -> None:
    assert rendered("{stem[:2]}", {"stem": "é🙂x"}) == "é🙂"


def test_what_a_value_holds_is_text_and_never_syntax() -> None:
    odd = {"folder": "{ext}/{0}/{x!r}", "filename": "%s {folder[:1]} }}"}
    assert rendered("/{folder}/{filename}", odd) == "/{ext}/{0}/{x!r}/%s {folder[:1]} }}"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{", "a brace '{' stands alone; write '{{' for one that is meant"),
        ("a}b", "a brace '}' stands alone; write '}}' for one that is meant"),
        ("{ext", "a brace '{' stands alone; write '{{' for one that is meant"),
        ("{ext[}", "a brace '{' stands alone; write '{{' for one that is meant"),
        ("{ext}}", "a brace '}' stands alone; write '}}' for one that is meant"),
        ("{fodler}", "there is no placeholder {fodler} here; did you mean {folder}?"),
        ("{file_name}", "there is no placeholder {file_name} here; did you mean {filename}?"),
        ("{Key}", "there is no placeholder {Key} here; did you mean {key}?"),
        (
            "{}",
            "there is no placeholder {} here; there are: bucket, ext, filename, folder, key, metadata.NAME, stem, tags.NAME",
        ),
        (
            "{0}",
            "there is no placeholder {0} here; there are: bucket, ext, filename, folder, key, metadata.NAME, stem, tags.NAME",
        ),
        ("{metadata.}", "there is no placeholder {metadata.} here; did you mean {metadata.NAME}?"),
        ("{metadata.*}", "there is no placeholder {metadata.*} here; did you mean {metadata.NAME}?"),
        (
            "{stem[0]}",
            "[0] is no part of a text; write [:2] for its first two characters, [-4:] for its last four",
        ),
        (
            "{stem[1:2:3]}",
            "[1:2:3] is no part of a text; write [:2] for its first two characters, [-4:] for its last four",
        ),
        (
            "{stem[٣:]}",
            "[٣:] is no part of a text; write [:2] for its first two characters, [-4:] for its last four",
        ),
        ("{stem[3:2]}", "[3:2] is empty, whatever the text is"),
        ("{stem[:0]}", "[:0] is empty, whatever the text is"),
        ("{stem[-1:-1]}", "[-1:-1] is empty, whatever the text is"),
    ],
)
def test_an_impossible_template_is_refused_with_the_nearest_that_works(template: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        read_template(template, ASKED_OF_S3)


def test_metadata_and_tags_may_be_asked_for_only_where_they_are_allowed() -> None:
    assert rendered("{metadata.camera-id}", {"metadata.camera-id": "7"}) == "7"
    assert rendered("{tags.Cost Center:a/b}", {"tags.Cost Center:a/b": "x"}) == "x"
    with pytest.raises(ValueError, match=r"there is no placeholder \{tags\.Project\} here"):
        read_template("{tags.Project}", NAMES)


def test_the_name_of_metadata_has_no_case_and_that_of_a_tag_has_one() -> None:
    """S3 keeps the names of metadata in lower case."""
    template = read_template("{metadata.Camera} {tags.Camera}", ASKED_OF_S3)
    assert template.names == {"metadata.camera", "tags.Camera"}
    assert template.render({"metadata.camera": "7", "tags.Camera": "8"}) == "7 8"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{metadata.camera}", "The object has no metadata 'camera'."),
        ("{tags.project}", "The object has no tag 'project'."),
        ("{folder}", "The object has no value 'folder'."),
    ],
)
def test_what_an_object_does_not_tell_is_said(template: str, why: str) -> None:
    with pytest.raises(NoValue, match=f"^{re.escape(why)}$"):
        rendered(template, {})


def test_a_template_tells_what_it_asks_for_and_how_its_texts_begin_and_end() -> None:
    template = read_template("/in/{folder}/{stem[:2]}-{stem}.png", NAMES)
    assert template.names == {"folder", "stem"}
    assert template.whole == {"folder", "stem"}
    assert read_template("{folder[:2]}", NAMES).whole == frozenset()
    assert (template.beginning, template.ending) == ("/in/", ".png")
    assert (read_template("{ext}", NAMES).beginning, read_template("{ext}", NAMES).ending) == ("", "")
    assert (read_template("", NAMES).beginning, read_template("", NAMES).ending) == ("", "")
    assert (read_template("{{a", NAMES).beginning, read_template("a}}", NAMES).ending) == ("{a", "a}")


def test_a_pattern_escapes_what_stands_between_the_placeholders() -> None:
    template = read_template("t.{folder}/{stem[:2]}+", NAMES)
    assert template.pattern(lambda name: f"<{name}>") == r"t\.<folder>/<stem>\+"


def test_a_table_chooses_by_what_its_template_makes() -> None:
    """The issue: the first two characters of the file name choose the dataset."""
    table = Table("{filename[:2]}", {"we": "welds", "se": "seams"}, "rest")
    chooser = read_value(table, NAMES)
    assert chooser.names == {"filename"}
    chosen = [chooser.render({"filename": name}) for name in ("weld.jpg", "seam.jpg", "Weld.jpg", "")]
    assert chosen == ["welds", "seams", "rest", "rest"]


def test_a_table_without_a_line_and_without_otherwise_has_no_value() -> None:
    chooser = read_value(Table("{ext}", {"png": "pictures"}), NAMES)
    with pytest.raises(NoValue, match="The table has no line for 'jpg'"):
        chooser.render(VALUES)
    with pytest.raises(NoValue, match="The object has no value 'ext'"):
        chooser.render({})


def test_the_values_of_a_table_are_no_templates() -> None:
    assert read_value(Table("{ext}", {"jpg": "{folder}"}), NAMES).render(VALUES) == "{folder}"


def test_the_template_of_a_table_is_refused_like_any_other() -> None:
    with pytest.raises(ValueError, match="there is no placeholder"):
        read_value(Table("{exd}", {"a": "b"}), NAMES)
    assert isinstance(read_value(Table("{ext}", {}), NAMES), Chooser)


syntax = st.text(st.sampled_from("{}[]:-1a.*metadatags"), max_size=14)
texts = st.text(max_size=20) | syntax


@given(texts | syntax.map(lambda text: f"x{{{text}}}y"))
def test_any_text_is_a_template_or_is_refused_in_a_sentence(text: str) -> None:
    try:
        template = read_template(text, ASKED_OF_S3)
    except ValueError as error:
        why = str(error)
    else:
        made = template.render(dict.fromkeys(template.names, "v"))
        assert made.startswith(template.beginning)
        assert made.endswith(template.ending)
        return
    assert why


@given(st.text())
def test_a_text_with_its_braces_doubled_is_the_text_itself(text: str) -> None:
    written = text.replace("{", "{{").replace("}", "}}")
    assert read_template(written, NAMES).render({}) == text


bounds = st.none() | st.integers(-99, 99)


@given(st.text(), bounds, bounds)
def test_a_part_is_what_a_slice_of_the_value_is(value: str, first: int | None, last: int | None) -> None:
    written = f"<{{stem[{'' if first is None else first}:{'' if last is None else last}]}}>"
    try:
        template = read_template(written, NAMES)
    except ValueError:
        assert not ("x" * 200)[first:last]
    else:
        assert template.render({"stem": value}) == f"<{value[first:last]}>"

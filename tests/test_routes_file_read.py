"""The routes file as a file, and the keys of its teams: what cannot be read is one line each, and no key is ever shown."""

from pathlib import Path

import pytest

from tests.routes_files import ONE, read, refused, route
from worker.routes_file import read_routes
from worker.settings import SettingsError

# -- teams ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("teams", "line"),
    [
        ("{beta: {}}", "teams.beta: write one of api_key_file and api_key_variable"),
        ("{beta: {api_key_file: f, api_key_variable: V}}", "teams.beta: write one of api_key_file and api_key_variable"),
        ("{beta: f}", "teams.beta must be a mapping of fields"),
        ("{be ta: {api_key_file: f}}", "teams: 'be ta': a slug has no spaces and no slashes, as in the address of its page in Darwin"),
        ("{beta: {api_key_variable: NOT_SET}}", "teams.beta.api_key_variable is 'NOT_SET', an environment variable that is not set to an API key; set it"),
        ("{acme: {api_key_file: f}}", "teams.acme is the worker's own team, whose key is DARWIN_API_KEY; leave it out"),
    ],
)  # fmt: skip
def test_a_team_whose_key_cannot_be_found_is_named(tmp_path: Path, teams: str, line: str) -> None:
    assert refused(tmp_path, f"{ONE}teams: {teams}\n") == [f": {line}"]


@pytest.mark.parametrize("held", ["", "  ", "two words", "clé"])
def test_a_variable_that_holds_no_key_is_named_and_not_shown(tmp_path: Path, held: str) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(ONE + "teams: {beta: {api_key_variable: BETA_KEY}}\n")

    with pytest.raises(SettingsError) as error:
        read_routes(file, "acme", {"BETA_KEY": held})

    assert error.value.lines == [
        f"{file}: teams.beta.api_key_variable is 'BETA_KEY', an environment variable that is not set to an API key; set it"
    ]


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("api_key_variable", "teams.beta.api_key_variable: this is no name of an environment variable; the key itself does not belong in the file"),
        ("api_key", "teams.beta: there is no field 'api_key'; did you mean 'api_key_file'?"),
    ],
)  # fmt: skip
def test_a_key_in_the_file_itself_is_refused_and_not_shown(tmp_path: Path, field: str, line: str) -> None:
    """Law 9."""
    text = f"{ONE}teams: {{beta: {{{field}: not-shaped-like-a-key.0123456789}}}}\n"

    assert refused(tmp_path, text) == [f": {line}"]


@pytest.mark.parametrize(
    ("team", "advice"), [("betta", "did you mean 'beta'?"), ("zzz", "there are: acme, beta")]
)
def test_a_route_of_a_team_without_a_key_is_refused(tmp_path: Path, team: str, advice: str) -> None:
    text = route(team=team) + (
        f"otherwise: {{dataset: d, storage: s, team: {team}}}\nteams: {{beta: {{api_key_file: f}}}}\n"
    )

    assert refused(tmp_path, text) == [
        f": route 'a': team is {team!r}, which has no key under teams; {advice}",
        f": route 'otherwise': team is {team!r}, which has no key under teams; {advice}",
    ]


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "routes:\n  - name: a: b\n")

    assert line.startswith(", line 2: mapping values are not allowed ")


def test_characters_that_yaml_forbids_are_one_line(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "routes: \x01\n")

    assert line.startswith(": this is no YAML: unacceptable character #x0001")


def test_tags_that_make_objects_are_refused(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "routes: !!python/name:os.system\n")

    assert line.startswith(", line 1: could not determine a constructor for the tag")


@pytest.mark.parametrize("value", ["2024-02-31", "!!int a", "0b_", "!!timestamp x"])
def test_a_value_that_does_not_fit_its_tag_is_one_line(tmp_path: Path, value: str) -> None:
    (line,) = refused(tmp_path, route(path=value))

    assert line.startswith(": this is no YAML: ")


@pytest.mark.parametrize("nest", ["[", "{a: ", "- "])
def test_a_file_that_is_nested_without_end_is_one_line(tmp_path: Path, nest: str) -> None:
    assert refused(tmp_path, "routes:\n  " + nest * 100_000) == [
        ": lists and mappings lie in each other more than 100 levels deep"
    ]


def test_a_mapping_that_merges_itself_is_one_line(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "routes: &a {<<: *a}\n")

    assert line.startswith(": ")


def test_keys_that_stand_twice_are_refused_with_their_lines(tmp_path: Path) -> None:
    text = "routes:\n  - name: a\n    dataset: d\n    storage: s\n    dataset: e\ntypes: {a: pdf, a: pdf}\ntypes: {}\n"

    assert refused(tmp_path, text) == [
        ", line 5: 'dataset' stands twice in one mapping; keep one of them",
        ", line 6: 'a' stands twice in one mapping; keep one of them",
        ", line 7: 'types' stands twice in one mapping; keep one of them",
    ]


def test_a_key_of_a_merged_mapping_may_be_written_over(tmp_path: Path) -> None:
    """Also where the merged mapping merges another one itself, deeper in the file than where it is used first."""
    text = """
        routes:
          - {name: a, prefix: a, dataset: d, storage: s,
             metadata: {x: {y: &deep {<<: &base {k: 1}, k: 2}}}}
          - {name: b, prefix: b, dataset: d, storage: s, metadata: {<<: *deep, k: 3}}
        """

    assert read(tmp_path, text).routes[1].metadata == {"k": 3}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", " is empty; write at least one route under `routes:`"),
        ("# nothing yet\n", " is empty; write at least one route under `routes:`"),
        ("- name: a\n", ": the file must be a mapping with `routes:`, but is a list"),
        ("otherwise: ignore\n", ": routes is missing; write `routes:` and a value"),
        ("routes: [a]\n", ": route 1: this must be a mapping of fields"),
        ("routes: {a: b}\n", ": routes is {'a': 'b'}: should be a valid list"),
        ("routes: []\n", ": routes is []: it must hold at least 1"),
    ],
)
def test_a_file_of_another_shape_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    assert refused(tmp_path, text) == [line]


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, route(fps="x" * 1000))

    assert len(line) < 200


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"

    with pytest.raises(SettingsError) as error:
        read_routes(file, "acme", {})

    assert error.value.lines == [
        f"{file} cannot be read: No such file or directory; WORKER_ROUTES_FILE must be the path of a routes file"
    ]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_routes(tmp_path, "acme", {})


def test_a_file_that_is_not_text_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match="cannot be read: it is not text"):
        read_routes(file, "acme", {})

"""The routes file: what people write becomes routes; what is wrong is one line with file, route and field."""

from pathlib import Path

import pytest

from worker.core.model import ItemType, Lane, OnExisting
from worker.core.routes import Fallback, Route
from worker.routes_file import Wanted, load_routes, read_routes
from worker.settings import SettingsError, load_settings

ONE = "routes:\n  - {name: line, dataset: line, storage: media}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "routes.yaml"


def read(file: Path, text: str) -> Wanted:
    file.write_text(text)
    return read_routes(file, "acme")


def refused(file: Path, text: str) -> list[str]:
    """What is said of *text*, without the file's name, which begins each line."""
    with pytest.raises(SettingsError) as error:
        read(file, text)
    assert all(line.startswith(str(file)) for line in error.value.lines)
    return [line.removeprefix(str(file)) for line in error.value.lines]


def test_all_fields_become_a_route(file: Path) -> None:
    wanted = read(
        file,
        """
        types: {".FOO": image}
        routes:
          - name: line-cameras
            bucket: acme-media
            prefix: incoming/line/
            glob: "**/*.{jpg,png}"
            dataset: line
            storage: acme-prod-media
            path: "/cameras/{folder}"
            type: video
            on_existing: accept
        otherwise: ignore
        """,
    )

    assert wanted == Wanted(
        routes=(
            Route(
                name="line-cameras",
                lane=Lane("acme", "line", "acme-prod-media"),
                bucket="acme-media",
                prefix="incoming/line/",
                glob="**/*.{jpg,png}",
                path="/cameras/{folder}",
                type=ItemType.VIDEO,
                types={"foo": ItemType.IMAGE},
                on_existing=OnExisting.ACCEPT,
            ),
        ),
        otherwise=Fallback.IGNORE,
    )


def test_name_dataset_and_storage_are_enough_and_the_rest_is_dead_lettered(file: Path) -> None:
    assert read(file, ONE) == Wanted((Route("line", Lane("acme", "line", "media")),), Fallback.DEAD_LETTER)


def test_what_matches_no_route_may_go_to_a_dataset(file: Path) -> None:
    wanted = read(
        file, ONE + "otherwise: {dataset: rest, storage: media, path: /rest, on_existing: accept}\n"
    )

    assert wanted.otherwise == Route(
        "otherwise", Lane("acme", "rest", "media"), path="/rest", on_existing=OnExisting.ACCEPT
    )


def test_routes_keep_their_order(file: Path) -> None:
    wanted = read(
        file,
        "routes:\n  - {name: b, prefix: b, dataset: d, storage: s}\n  - {name: a, prefix: a, dataset: d, storage: s}\n",
    )

    assert [route.name for route in wanted.routes] == ["b", "a"]


def test_anchors_and_merges_may_be_used(file: Path) -> None:
    wanted = read(
        file,
        """
        routes:
          - &common {name: a, prefix: a, dataset: d, storage: s}
          - {<<: *common, name: b, prefix: b}
        """,
    )

    assert [(route.name, route.lane.dataset) for route in wanted.routes] == [("a", "d"), ("b", "d")]


def test_without_a_file_the_environment_tells_of_one_route() -> None:
    settings = load_settings(
        {
            "WORKER_QUEUE__URL": "https://sqs.eu-west-1.amazonaws.com/1/q",
            "DARWIN_API_KEY": "abcdefg.0123456789abcdef0123456789abcdef",
            "DARWIN_TEAM": "acme",
            "WORKER_DARWIN__DATASET": "line",
            "WORKER_DARWIN__STORAGE": "media",
            "WORKER_DARWIN__PREFIX": "incoming/",
        }
    )

    assert load_routes(settings) == Wanted(
        (Route("environment", Lane("acme", "line", "media"), prefix="incoming/"),), Fallback.IGNORE
    )


def test_with_a_file_the_routes_are_the_files(file: Path) -> None:
    file.write_text(ONE)
    settings = load_settings(
        {
            "WORKER_QUEUE__URL": "https://sqs.eu-west-1.amazonaws.com/1/q",
            "DARWIN_API_KEY": "abcdefg.0123456789abcdef0123456789abcdef",
            "DARWIN_TEAM": "acme",
            "WORKER_ROUTES_FILE": str(file),
        }
    )

    assert load_routes(settings).routes == (Route("line", Lane("acme", "line", "media")),)


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "routes:\n  - {name: line, datset: line, storage: media}\n",
            [
                ": route 'line': dataset is missing; write `dataset:` and a value",
                ": route 'line': there is no field 'datset'; did you mean 'dataset'?",
            ],
        ),
        (
            "routes:\n  - {dataset: line, storage: media, colour: red}\n",
            [
                ": route 1: name is missing; write `name:` and a value",
                ": route 1: there is no field 'colour'; there are: dataset, storage, path, type, on_existing, name, bucket, prefix, glob",
            ],
        ),
        (ONE + "otherwize: ignore\n", [": there is no field 'otherwize'; did you mean 'otherwise'?"]),
        (
            ONE + "otherwise: {dataset: a, storage: b, prefix: c}\n",
            [": otherwise: there is no field 'prefix'; there are: dataset, storage, path, type, on_existing"],
        ),
        (
            ONE + "otherwise: drop\n",
            [": otherwise is 'drop'; write ignore, dead_letter, or a dataset and a storage"],
        ),
    ],
)
def test_an_unknown_or_missing_field_is_named_with_its_route(file: Path, text: str, lines: list[str]) -> None:
    assert refused(file, text) == lines


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("dataset: acme/line", "dataset is 'acme/line': a slug has no spaces and no slashes"),
        ("type: img", "type is 'img': should be 'image', 'video', 'pdf' or 'dicom'"),
        ("on_existing: skip", "on_existing is 'skip': should be 'block' or 'accept'"),
        ("path: '/{date}'", "path is '/{date}': the only placeholder is {folder}"),
        ("glob: /x", "glob is '/x': The glob '/x' can match nothing"),
        ("prefix: 2024", "prefix is 2024, which is no text; put it in quotes"),
        ("bucket: ''", "bucket is '': String should have at least 1 character"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_route_and_field(file: Path, field: str, line: str) -> None:
    values = {"name": "a", "dataset": "d", "storage": "s"}
    name, _, value = field.partition(": ")
    text = "routes:\n  - " + "\n    ".join(f"{key}: {held}" for key, held in {**values, name: value}.items())

    (told,) = refused(file, text)

    assert told.startswith(f": route 'a': {line}")


@pytest.mark.parametrize(
    ("types", "line"),
    [
        ("{.foo: img}", ": types: '.foo' is 'img': should be 'image', 'video', 'pdf' or 'dicom'"),
        (
            "{a/b: image}",
            ": types: 'a/b' is 'a/b': an extension is what follows a dot of the name, such as .jpg",
        ),
    ],
)
def test_a_wrong_type_by_extension_is_named(file: Path, types: str, line: str) -> None:
    assert refused(file, f"{ONE}types: {types}\n") == [line]


def test_a_syntax_error_is_told_with_its_line(file: Path) -> None:
    assert refused(file, "routes:\n  - name: a: b\n") == [", line 2: mapping values are not allowed here"]


def test_characters_that_yaml_forbids_are_one_line(file: Path) -> None:
    (line,) = refused(file, "routes: \x01\n")

    assert line.startswith(": this is no YAML: unacceptable character #x0001")


def test_tags_that_make_objects_are_refused(file: Path) -> None:
    (line,) = refused(file, "routes: !!python/name:os.system\n")

    assert line.startswith(", line 1: could not determine a constructor for the tag")


def test_a_key_that_stands_twice_is_refused_with_its_line(file: Path) -> None:
    text = "routes:\n  - name: a\n    dataset: d\n    storage: s\n    dataset: e\n"

    assert refused(file, text) == [", line 5: 'dataset' stands twice in one mapping; keep one of them"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", " is empty; write at least one route under `routes:`"),
        ("# nothing yet\n", " is empty; write at least one route under `routes:`"),
        ("- name: a\n", ": the file must be a mapping with `routes:`, but is a list"),
        ("otherwise: ignore\n", ": routes is missing; write `routes:` and a value"),
        ("routes: [a]\n", ": route 1: this must be a mapping of fields"),
        ("routes: {a: b}\n", ": routes is {'a': 'b'}: should be a valid list"),
    ],
)
def test_a_file_of_another_shape_is_one_line(file: Path, text: str, line: str) -> None:
    assert refused(file, text) == [line]


def test_a_file_without_routes_is_refused(file: Path) -> None:
    (line,) = refused(file, "routes: []\n")

    assert line.startswith(": routes is []: ")


def test_two_routes_of_one_name_are_refused(file: Path) -> None:
    text = "routes:\n  - {name: a, prefix: x, dataset: d, storage: s}\n  - {name: a, prefix: y, dataset: d, storage: s}\n"

    assert refused(file, text) == [": Two routes are named 'a': give each a name of its own."]


def test_a_missing_file_is_one_line(file: Path) -> None:
    with pytest.raises(SettingsError) as error:
        read_routes(file, "acme")

    assert error.value.lines == [
        f"{file} cannot be read: No such file or directory; WORKER_ROUTES_FILE must be the path of a routes file"
    ]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_routes(tmp_path, "acme")


def test_a_file_that_is_not_text_is_one_line(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match="cannot be read: it is not text"):
        read_routes(file, "acme")

"""The reference of docs/routes.md: placeholders, durations, fields and their defaults, permissions, and what is refused."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from tests.docs.ends import come_to_an_end, rig_for
from tests.docs.page import ROUTES_PAGE, Row, sections_of
from tests.docs.recipes import BUCKET, READ_ONLY, lines_of
from tests.docs.world import TEAM, routes_of, sent_for
from worker import routes_fields as fields
from worker.core.grouping import GroupOf, values_of_group
from worker.core.model import Lane, S3Object
from worker.core.routes import Group, Route
from worker.core.rules import Rule
from worker.core.templates import read_template
from worker.route_values import Bytes, Duration, FieldsModel
from worker.routes_file import read_routes
from worker.settings import SettingsError

SECTIONS = sections_of(ROUTES_PAGE)
TEMPLATES, FIELDS = SECTIONS["Templates"], SECTIONS["Every field"]
PERMISSIONS, REFUSED = SECTIONS["Permissions"], SECTIONS["Refused at the start"]
WARNED = SECTIONS["Warned of at the start"]

CODE = re.compile("`([^`]+)`")
LINE = {"name": "line", "dataset": "intake", "storage": "acme-media"}


def code(cell: str) -> str:
    """What stands in a cell between backticks."""
    return cell.strip("`")


# -- templates, durations and sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row", [row for row in TEMPLATES.rows if "placeholder" in row], ids=lambda row: row["placeholder"]
)
def test_a_placeholder_has_the_value_that_the_page_says(row: Row) -> None:
    rule = Rule(
        Route(
            "ct",
            Lane(TEAM, "ct", "media"),
            prefix="incoming",
            regex="(?P<kind>[a-z]+)/.+",
            item_name="{stem}{ext}",
        )
    )
    held = S3Object(BUCKET, "incoming/ct/4410/Scan.nii.gz")
    groups = rule.takes(held)
    assert groups is not None
    values = rule.values(held, groups)
    assert read_template(code(row["placeholder"]), set(values)).render(values) == code(row["its value"])


@pytest.mark.parametrize(
    ("by", "beginning", "filename", "folder"),
    [
        (None, "incoming/rig/run-118/", "run-118", "rig"),
        ("{run}/", "incoming/run-118/", "run-118", ""),
        ("{run}_", "incoming/run-118_", "run-118", ""),
        ("{run}_", "incoming/run-118-_", "run-118-", ""),
        ("{stem[:8]}", "incoming/run-118_", "run-118", ""),
        ("{stem[:8]}", "incoming/run-118-", "run-118", ""),
    ],
)
def test_the_item_of_a_group_is_called_as_the_page_says(
    by: str | None, beginning: str, filename: str, folder: str
) -> None:
    regex, group = "(?P<run>.*)", Group(by, count=2)
    rule = Rule(Route("rig", Lane(TEAM, "rig", "media"), prefix="incoming", regex=regex, group=group))
    values = values_of_group(GroupOf(rule, BUCKET, beginning), ())
    assert (values["filename"], values["folder"]) == (filename, folder)


def test_a_marker_begins_as_its_group_does() -> None:
    group = Group("{pair}_", marker="done")
    route = Route("pairs", Lane(TEAM, "d", "s"), prefix="in", regex="(?P<pair>[^_]+)_.*", group=group)
    assert Rule(route).marks(S3Object(BUCKET, "in/0042_done")) == "0042_"
    assert Rule(route).marks(S3Object(BUCKET, "in/0042/done")) is None


@pytest.mark.parametrize(
    "row", [row for row in TEMPLATES.rows if "written" in row], ids=lambda row: row["written"]
)
def test_a_duration_or_a_size_is_what_the_page_says(row: Row) -> None:
    number, unit = row["means"].split()
    kind = TypeAdapter[int](Duration if unit == "seconds" else Bytes)
    assert kind.validate_python(yaml.safe_load(code(row["written"]))) == int(number)


def test_the_table_of_the_page_can_be_used(tmp_path: Path) -> None:
    (table,) = TEMPLATES.blocks_of("yaml")
    file = tmp_path / "routes.yaml"
    file.write_text("routes:\n  - name: a\n    storage: s\n    " + table.replace("\n", "\n    "))
    assert len(read_routes(file, TEAM, {}).routes) == 1


# -- fields ---------------------------------------------------------------------------------------------------------------------

MODELS: dict[str, type[FieldsModel]] = {
    "": fields.RouteFields,
    "size.": fields.SizeFields,
    "options.": fields.OptionsFields,
    "frames.": fields.FramesFields,
    "group.": fields.GroupFields,
    "group.complete.": fields.CompleteFields,
    "examples.": fields.ExampleFields,
    "teams.<team>.": fields.TeamFields,
}
FILE = {name: field for name, field in fields.RoutesFile.model_fields.items() if name != "teams"}
EVERY_FIELD: dict[str, FieldInfo] = FILE | {
    within + name: field
    for within, model in MODELS.items()
    for name, field in model.model_fields.items()
    if f"{within}{name}." not in MODELS
}


def test_every_field_is_on_the_page_once() -> None:
    assert sorted(code(row["field"]) for row in FIELDS.rows) == sorted(EVERY_FIELD)


@pytest.mark.parametrize("row", FIELDS.rows, ids=lambda row: code(row["field"]))
def test_a_field_has_the_default_that_the_page_says(row: Row) -> None:
    field, said = EVERY_FIELD[code(row["field"])], row["default"]
    assert field.is_required() == (said == "needed")
    if not field.is_required():
        assert field.get_default(call_default_factory=True) in _readings(said)


def _readings(said: str) -> list[object]:
    """What the cell of a default may stand for: nothing, the text as it is, YAML, or a duration."""
    if said == "none":
        return [None]
    text = code(said)
    if re.fullmatch("[0-9]+[smhd]", text):
        return [TypeAdapter[int](Duration).validate_python(text)]
    return [text, yaml.safe_load(text)]


# -- permissions --------------------------------------------------------------------------------------------------------------------

NEEDS = {
    "list": {"s3:ListBucket"},
    "head": {"s3:GetObject", "s3:ListBucket"},
    "get": {"s3:GetObject", "s3:ListBucket"},
    "tags": {"s3:GetObjectTagging", "s3:ListBucket"},
}
"""What a call needs, as the adapter says where S3 refuses it (tests/adapters/test_s3_objects.py)."""

BY_METADATA = "The dataset by the object's own metadata or tags"
USED_IN: dict[str, list[str]] = {
    "none of these": ["Images, their folders kept", "A new version under a name of its own", "Tags"],
    "`group` by slots, count, marker or quiet period": [
        "Several cameras, one item",
        "DICOM: a series of so many slices",
        "DICOM: a series that a marker closes",
        "DICOM: a series that nobody closes",
    ],
    "`group` by a manifest": ["A manifest tells the item"],
    "`thumbnail`": ["Read-only: an image"],
    "`thumbnail` with `width` and `height` of the metadata": [
        "Read-only: an image whose size its first bytes do not tell"
    ],
    "`thumbnail` and `frames`": ["Read-only: a video with its frames", "Read-only: several slots"],
}
"""The recipes that show what a row of permissions tells; the rows that are not here are shown below."""


@pytest.mark.parametrize("row", PERMISSIONS.rows, ids=lambda row: row["a route that has"])
def test_a_call_needs_the_permissions_that_the_page_says(row: Row) -> None:
    calls = set(CODE.findall(row["calls S3 for"]))
    needed = {action for call in calls for action in NEEDS[call]}
    assert {word for word in CODE.findall(row["needs"]) if word.startswith("s3:")} == needed


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("has", "recipe"), [(has, recipe) for has, recipes in USED_IN.items() for recipe in recipes]
)
async def test_a_route_calls_s3_for_what_the_page_says(has: str, recipe: str, tmp_path: Path) -> None:
    (text,) = SECTIONS[recipe].blocks_of("yaml")
    routes = routes_of(tmp_path / "routes.yaml", text, BUCKET, READ_ONLY.__eq__)
    sent = await sent_for(routes, [line.told for line in lines_of(SECTIONS[recipe])])
    assert called(sent.calls) == said_of_calls(has)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("has", "section", "key"),
    [
        ("`head` or `{metadata.…}`", "Pausing, and asking first", "asked/a.jpg"),
        ("`on_removed: archive`", "Removals", "mirrored/a.jpg"),
    ],
)
async def test_asking_first_and_removals_call_s3_for_what_the_page_says(
    has: str, section: str, key: str, tmp_path: Path
) -> None:
    rig = rig_for(SECTIONS[section], tmp_path)
    async with rig.running():
        rig.put(key)
        await come_to_an_end(rig)
        rig.removed(key)
        await come_to_an_end(rig)
    assert called(rig.objects.calls) == said_of_calls(has)


@pytest.mark.looptime
async def test_metadata_and_tags_cost_the_calls_that_the_page_says(tmp_path: Path) -> None:
    (text,) = SECTIONS[BY_METADATA].blocks_of("yaml")
    routes = routes_of(tmp_path / "routes.yaml", text, BUCKET, READ_ONLY.__eq__)
    lines = lines_of(SECTIONS[BY_METADATA])
    sent = await sent_for(routes, [line.told for line in lines])
    assert called(sent.calls) == said_of_calls("`head` or `{metadata.…}`") | said_of_calls("`{tags.…}`")
    assert sent.calls == {"head": len(lines), "tags": len(lines)}


def test_every_row_of_permissions_is_shown() -> None:
    shown_above = {"`head` or `{metadata.…}`", "`{tags.…}`", "`on_removed: archive`"}
    assert {row["a route that has"] for row in PERMISSIONS.rows} == {*USED_IN, *shown_above}


def called(calls: Mapping[str, int]) -> set[str]:
    """The calls by the words of the metric."""
    return {"get" if call == "read" else call for call, count in calls.items() if count}


def said_of_calls(has: str) -> set[str]:
    (row,) = [row for row in PERMISSIONS.rows if row["a route that has"] == has]
    return set(CODE.findall(row["calls S3 for"]))


# -- refused and warned of ------------------------------------------------------------------------------------------------------------


def refused(folder: Path, text: str) -> list[str]:
    """What is said of a routes file, without the file's own name."""
    with pytest.raises(SettingsError) as error:
        routes_of(folder / "routes.yaml", text, BUCKET, READ_ONLY.__eq__)
    return [re.sub(f"^{re.escape(str(folder))}/routes.yaml(: |, )", "", line) for line in error.value.lines]


@pytest.mark.parametrize("row", REFUSED.rows, ids=lambda row: code(row["in the route"]))
def test_a_route_is_refused_with_the_line_that_the_page_says(row: Row, tmp_path: Path) -> None:
    besides = yaml.safe_load("{" + code(row["in the route"]) + "}")
    base = "".join(f"{name}: {value}, " for name, value in LINE.items() if name not in besides)
    text = f"routes: [{{{base}{code(row['in the route'])}}}]"
    assert refused(tmp_path, text) == [row["what is said"].removeprefix("``").removesuffix("``")]


@pytest.mark.parametrize("number", range(len(REFUSED.blocks) // 2))
def test_a_file_is_refused_with_the_lines_that_stand_below_it(number: int, tmp_path: Path) -> None:
    text, said = REFUSED.blocks_of("yaml")[number], REFUSED.blocks_of("text")[number]
    assert refused(tmp_path, text) == said.splitlines()


def test_the_worker_warns_of_what_the_page_says(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(*WARNED.blocks_of("yaml"))
    (said,) = WARNED.blocks_of("text")
    assert list(read_routes(file, TEAM, {}).cautions) == said.splitlines()

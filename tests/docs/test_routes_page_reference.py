"""The reference of docs/routes.md: placeholders, durations, fields and their defaults, permissions, and what is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from tests.docs.ends import rig_for, come_to_an_end
from tests.docs.page import ROUTES_PAGE, Row, sections_of
from tests.docs.test_routes_page import BUCKET, READ_ONLY, lines_of
from tests.docs.world import TEAM, routes_of, sent_for
from worker.core.model import Lane, S3Object
from worker.core.routes import Route
from worker.core.rules import Rule
from worker.core.templates import read_template
from worker.route_values import Bytes, Duration, FieldsModel
from worker.routes_fields import RoutesFile
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


@pytest.mark.parametrize("row", [row for row in TEMPLATES.rows if "placeholder" in row], ids=lambda row: row["placeholder"])
def test_a_placeholder_has_the_value_that_the_page_says(row: Row) -> None:
    rule = Rule(Route("ct", Lane(TEAM, "ct", "media"), prefix="incoming", regex="(?P<kind>[a-z]+)/.+", item_name="{stem}{ext}"))
    held = S3Object(BUCKET, "incoming/ct/4410/Scan.nii.gz")
    groups = rule.takes(held)
    assert groups is not None
    values = rule.values(held, groups)
    assert read_template(code(row["placeholder"]), set(values)).render(values) == code(row["its value"])


@pytest.mark.parametrize("row", [row for row in TEMPLATES.rows if "written" in row], ids=lambda row: row["written"])
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


def fields_of(model: type[FieldsModel], within: str = "") -> Iterator[tuple[str, object]]:
    """Every field by its dotted name, with its default: ``needed`` and ``none`` in words."""
    for name, field in model.model_fields.items():
        inner = _mapping_in(field.annotation)
        if inner is None or name == "layout" or (within == "" and name == "otherwise"):
            yield within + name, "needed" if field.is_required() else field.get_default(call_default_factory=True)
        elif name == "teams":
            yield from fields_of(inner, "teams.<team>.")
        elif name == "routes":
            yield "routes", "needed"
            yield from fields_of(inner)
        else:
            yield from fields_of(inner, f"{within}{name}.")


def _mapping_in(annotation: object) -> type[FieldsModel] | None:
    ...

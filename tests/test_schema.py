"""The JSON Schema of the routes file, as editors read it."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from tests.routes_files import FULL, ONE, route
from worker import cli
from worker.route_values import FieldsModel
from worker.routes_fields import ChoosingFields, RoutesFile, TargetFields

Schema = Mapping[str, Any]


@pytest.fixture
def schema(capsys: pytest.CaptureFixture[str]) -> Schema:
    """What the command prints, which has no settings."""
    assert cli.main(["schema"]) == 0
    printed: Schema = json.loads(capsys.readouterr().out)
    return printed


def models() -> list[type[FieldsModel]]:
    """All that the routes file is made of."""
    known = [FieldsModel]
    for model in known:
        known += model.__subclasses__()
    shared = (FieldsModel, ChoosingFields)  # of which a file holds none by itself
    return [model for model in dict.fromkeys(known) if model not in shared]


def resolved(schema: Schema, part: Schema) -> Schema:
    """*part*, or what it refers to, with its own words on top."""
    if "$ref" not in part:
        return part
    name = re.fullmatch(r"#/\$defs/(\w+)", part["$ref"])
    assert name is not None
    return {**schema["$defs"][name[1]], **{word: held for word, held in part.items() if word != "$ref"}}


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": type(None),
}
SILENT = {"$schema", "$defs", "title", "description", "default", "format", "propertyNames"}


def fits(schema: Schema, part: Schema, value: Any) -> bool:
    """Whether *value* is what *part* of the schema says; KeyError for a word that no check is known for."""
    part = resolved(schema, part)
    return all(CHECKS[word](schema, part, value) for word in part.keys() - SILENT)


def _type(_: Schema, part: Schema, value: Any) -> bool:
    kind = part["type"]
    return isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")


def _items(schema: Schema, part: Schema, value: Any) -> bool:
    return not isinstance(value, list) or all(fits(schema, part["items"], each) for each in value)


def _properties(schema: Schema, part: Schema, value: Any) -> bool:
    known = part["properties"]
    return not isinstance(value, dict) or all(
        fits(schema, known[name], value[name]) for name in known.keys() & value.keys()
    )


def _others(schema: Schema, part: Schema, value: Any) -> bool:
    allowed = part["additionalProperties"]
    if not isinstance(value, dict) or allowed is True:
        return True
    others = [value[name] for name in value.keys() - part.get("properties", {}).keys()]
    return not others if allowed is False else all(fits(schema, allowed, each) for each in others)


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


CHECKS: Mapping[str, Callable[[Schema, Schema, Any], bool]] = {
    "type": _type,
    "const": lambda _, part, value: bool(value == part["const"]),
    "enum": lambda _, part, value: value in part["enum"],
    "anyOf": lambda schema, part, value: any(fits(schema, each, value) for each in part["anyOf"]),
    "oneOf": lambda schema, part, value: (
        [fits(schema, each, value) for each in part["oneOf"]].count(True) == 1
    ),
    "items": _items,
    "minItems": lambda _, part, value: not isinstance(value, list) or len(value) >= part["minItems"],
    "maxItems": lambda _, part, value: not isinstance(value, list) or len(value) <= part["maxItems"],
    "properties": _properties,
    "additionalProperties": _others,
    "required": lambda _, part, value: not isinstance(value, dict) or set(part["required"]) <= value.keys(),
    "minProperties": lambda _, part, value: (
        not isinstance(value, dict) or len(value) >= part["minProperties"]
    ),
    "maxProperties": lambda _, part, value: (
        not isinstance(value, dict) or len(value) <= part["maxProperties"]
    ),
    "minLength": lambda _, part, value: not isinstance(value, str) or len(value) >= part["minLength"],
    "pattern": lambda _, part, value: not isinstance(value, str) or bool(re.search(part["pattern"], value)),
    "minimum": lambda _, part, value: not _number(value) or value >= part["minimum"],
    "maximum": lambda _, part, value: not _number(value) or value <= part["maximum"],
    "exclusiveMinimum": lambda _, part, value: not _number(value) or value > part["exclusiveMinimum"],
}
"""What each word of JSON Schema asks, of those that this schema uses."""


def test_it_says_which_draft_it_is_of_and_what_it_is(schema: Schema) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "Routes file of darwin-worker"
    assert schema["required"] == ["routes"]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_field_is_in_it_with_a_sentence_and_no_other_is_allowed(
    schema: Schema, model: type[FieldsModel]
) -> None:
    part = schema if model is RoutesFile else schema["$defs"][model.__name__]

    assert part["additionalProperties"] is False
    assert part["properties"].keys() == model.model_fields.keys()
    for field in part["properties"].values():
        assert re.fullmatch(r"[A-Z].*\.", field["description"])


def test_the_same_fields_say_where_records_go_in_a_route_and_after_all_routes(schema: Schema) -> None:
    fields = schema["$defs"]["RouteFields"]["properties"].keys()

    assert TargetFields.model_fields.keys() < fields
    assert ChoosingFields.model_fields.keys() < fields
    assert fields - TargetFields.model_fields.keys() - ChoosingFields.model_fields.keys() == {
        "group",
        "examples",
    }


@pytest.mark.parametrize("text", [FULL, ONE, ONE + "otherwise: ignore\n"])
def test_a_file_that_can_be_used_fits_it(schema: Schema, text: str) -> None:
    assert fits(schema, schema, yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        ONE + "otherwize: ignore\n",
        ONE + "otherwise: drop\n",
        ONE + "otherwise: {dataset: d}\n",
        ONE + "types: {a: img}\n",
        ONE + "teams: {beta: {}}\n",
        ONE + "teams: {beta: {api_key_file: f, api_key_variable: V}}\n",
        "routes: []\n",
        route(datset="x"),
        route(dataset="7"),
        route(dataset="{by: x}"),
        route(prefix="2024"),
        route(fps="fast"),
        route(fps="-1"),
        route(size="{min: -1}"),
        route(events="[Putt]"),
        route(layout="{version: 4}"),
        route(layout="{version: 2, type: grid, slots: [a]}"),
        route(group="{complete: {count: 2, quiet: 60}}"),
        route(group="{complete: {quiet: 5x}}"),
        route(options="{ignore_dicom_layot: true}"),
        route(paused="1"),
    ],
)
def test_a_file_that_cannot_be_used_does_not_fit_it(schema: Schema, text: str) -> None:
    assert not fits(schema, schema, yaml.safe_load(text))

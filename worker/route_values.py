"""What a single value of the routes file must look like. A ValueError says what it should be; the routes file says whose value
it is.

A value with two shapes (a text or a table, say) has a tag for each, in brackets, which no field's name has.
"""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
)

from worker.core.filetypes import normalise_extension
from worker.core.templates import Table, Value
from worker.setting_values import Slug, Text

TEXT, TABLE, LIST, MAPPING, ROUTE, WORD = "(text)", "(table)", "(list)", "(mapping)", "(route)", "(word)"

_DEEPEST = 20
"""Levels of metadata. YAML can write a mapping that holds itself."""

_LONGEST = 365 * 86_400
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SIZE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})? ?[A-Za-z]{0,3}")
_DURATION = re.compile(r"([0-9]{1,9}) ?([smhd])")


class FieldsModel(BaseModel):
    """A mapping in the routes file. Every field's description is a sentence that editors show."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -- numbers ----------------------------------------------------------------------------------------------------------


def _seconds(value: object) -> int:
    if isinstance(value, str) and (written := _DURATION.fullmatch(value.strip())):
        value = int(written[1]) * _UNITS[written[2]]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LONGEST:
        raise ValueError(
            "a duration is a number of seconds, or a text such as 90s, 5m, 6h or 2d; at most 365d"
        )
    return value


def _bytes(value: object) -> object:
    written = isinstance(value, str) and _SIZE.fullmatch(value.strip())
    number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    if not written and not number:
        raise ValueError("a size is a number of bytes, or a text such as 1KiB or 5GB")
    return value


def _fps(value: object) -> float | str:
    if value == "native":
        return "native"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError('it is a number from 0 on, or "native"')
    return value


Duration = Annotated[
    int,
    PlainValidator(
        _seconds,
        json_schema_input_type=Annotated[int, Field(gt=0, le=_LONGEST)]
        | Annotated[str, Field(pattern=f"^{_DURATION.pattern}$")],
    ),
]
Bytes = Annotated[
    ByteSize,
    BeforeValidator(_bytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": f"^{_SIZE.pattern}$"},
            ]
        }
    ),
]
Fps = Annotated[
    float | str,
    PlainValidator(_fps, json_schema_input_type=Annotated[float, Field(ge=0)] | Literal["native"]),
]

# -- texts ------------------------------------------------------------------------------------------------------------


def _extension(value: str) -> str:
    extension = normalise_extension(value)
    if not extension or "/" in extension:
        raise ValueError("an extension is what follows a dot of the name, such as .jpg")
    return extension


def _slug_template(value: str) -> str:
    """What stands between the placeholders is in every slug that the template makes."""
    if re.search(r"[\s/]", re.sub(r"\{[^{}]*\}", "", value)):
        raise ValueError("a slug has no spaces and no slashes, as in the address of its page in Darwin")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(
            "this is no name of an environment variable; the key itself does not belong in the file"
        )
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


Extension = Annotated[Text, AfterValidator(_extension)]
SlugTemplate = Annotated[Text, AfterValidator(_slug_template)]
Variable = Annotated[Text, AfterValidator(_variable)]
OneOrMore = Annotated[list[Text], BeforeValidator(_one_or_more, json_schema_input_type=Text | list[Text])]

# -- tables -----------------------------------------------------------------------------------------------------------


class TableFields(FieldsModel):
    """A choice by a text that the object tells."""

    by: Text = Field(description="A template; what it makes of the object is looked up among the values.")
    values: dict[str, Text] = Field(
        min_length=1,
        description="What is chosen, by what the template made; keys that are numbers need quotes.",
    )
    otherwise: Text | None = Field(
        None,
        description="What is chosen where the values have no line; without it the object is a dead letter.",
    )

    def value(self) -> Table:
        return Table(self.by, self.values, self.otherwise)


class SlugTableFields(TableFields):
    values: dict[str, Slug] = Field(
        min_length=1,
        description="Slugs of datasets, by what the template made; keys that are numbers need quotes.",
    )
    otherwise: Slug | None = Field(
        None,
        description="The dataset where the values have no line; without it the object is a dead letter.",
    )


def _text_or_table(value: object) -> str:
    return TABLE if isinstance(value, Mapping) else TEXT


def _list_or_mapping(value: object) -> str:
    return MAPPING if isinstance(value, Mapping) else LIST


TextOrTable = Annotated[
    Annotated[Text, Tag(TEXT)] | Annotated[TableFields, Tag(TABLE)], Discriminator(_text_or_table)
]
SlugOrTable = Annotated[
    Annotated[SlugTemplate, Tag(TEXT)] | Annotated[SlugTableFields, Tag(TABLE)],
    Discriminator(_text_or_table),
]
Tags = Annotated[
    Annotated[list[Text], Tag(LIST)] | Annotated[dict[Text, Text], Tag(MAPPING)],
    Discriminator(_list_or_mapping),
]


def value_of(written: str | TableFields) -> Value:
    return written if isinstance(written, str) else written.value()


# -- metadata ---------------------------------------------------------------------------------------------------------


def _json(value: object, depth: int = 0) -> object:
    if depth > _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    match value:
        case dict():
            if strange := [key for key in value if not isinstance(key, str)]:
                raise ValueError(f"the key {strange[0]!r} is no text; put it in quotes")
            for held in value.values():
                _json(held, depth + 1)
        case list():
            for held in value:
                _json(held, depth + 1)
        case None | bool() | int() | str():
            pass
        case float() if math.isfinite(value):
            pass
        case _:
            raise ValueError(f"it holds {value}, which JSON does not know; put it in quotes")
    return value


Json = Annotated[object, PlainValidator(_json), WithJsonSchema({})]

# -- layouts (darwin-api.md section 1.9) --------------------------------------------------------------------------------

LayoutType = Literal["grid", "horizontal", "vertical", "simple"]
Slots = Annotated[list[Text], Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]


class LayoutOne(FieldsModel):
    """Slots beside each other."""

    version: Literal[1] = Field(description="The version of the layout's form.")
    type: LayoutType = Field(description="How the slots are laid out.")
    slots: Slots = Field(description="The names of the slots, in their order.")


class LayoutTwo(FieldsModel):
    """Slots in a grid of a given shape."""

    version: Literal[2] = Field(description="The version of the layout's form.")
    type: LayoutType = Field(description="How the slots are laid out.")
    slots: Slots = Field(description="The names of the slots, in their order.")
    layout_shape: Annotated[list[Count], Field(min_length=2, max_length=2)] = Field(
        description="The numbers of columns and rows."
    )


class LayoutThree(FieldsModel):
    """Slots in cells; several slots in one cell are its layers, such as the channels of one picture."""

    version: Literal[3] = Field(description="The version of the layout's form.")
    slots_grid: Annotated[
        list[Annotated[list[Annotated[Slots, Field(max_length=128)]], Field(min_length=1)]],
        Field(min_length=1),
    ] = Field(
        description="The names of slots: a list of columns, each a list of cells, each a list of slots."
    )


LAYOUTS: Mapping[str, type[FieldsModel]] = {
    "(version 1)": LayoutOne,
    "(version 2)": LayoutTwo,
    "(version 3)": LayoutThree,
}


def _version(value: object) -> str | None:
    tag = f"(version {value.get('version')})" if isinstance(value, Mapping) else ""
    return tag if tag in LAYOUTS else None


Layout = Annotated[
    Annotated[LayoutOne, Tag("(version 1)")]
    | Annotated[LayoutTwo, Tag("(version 2)")]
    | Annotated[LayoutThree, Tag("(version 3)")],
    Discriminator(
        _version,
        custom_error_type="layout_version",
        custom_error_message="a layout is a mapping with version: 1, 2 or 3",
    ),
]

TAGS = frozenset({TEXT, TABLE, LIST, MAPPING, ROUTE, WORD, *LAYOUTS})

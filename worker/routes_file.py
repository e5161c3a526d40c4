"""What the operator wrote of routes, in the routes file or in the environment, as values of the core.

All problems are told at once: one line each, with the file, the route and the field. A key that stands twice in a mapping
is refused, because YAML would silently take the last one. What only Darwin can tell (a storage's bucket, prefix and mode)
is not known here: every lane has the mode that is the default, and its storage as it was written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic_core import ErrorDetails

from worker.core.conflicts import problems
from worker.core.filetypes import normalise_extension
from worker.core.model import ItemType, Lane, OnExisting
from worker.core.naming import DEFAULT_PATH, FOLDER
from worker.core.patterns import compile_glob
from worker.core.routes import Fallback, Route
from worker.core.routing import Routes
from worker.setting_values import Slug, Text
from worker.settings import Settings, SettingsError, reason_of

ENVIRONMENT, OTHERWISE = "environment", "otherwise"
"""The names of the two routes that the operator gives no name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The routes in their order, and what becomes of records that none of them takes."""

    routes: tuple[Route, ...]
    otherwise: Route | Fallback


def _template(value: str) -> str:
    if re.search(r"[{}]", value.replace(FOLDER, "")):
        raise ValueError(f"the only placeholder is {FOLDER}, which stands for the folders below the prefix")
    return value


def _glob(value: str) -> str:
    compile_glob(value)
    return value


def _extension(value: str) -> str:
    extension = normalise_extension(value)
    if not extension or "/" in extension:
        raise ValueError("an extension is what follows a dot of the name, such as .jpg")
    return extension


class _Mapping(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Target(_Mapping):
    """Where records go, and how."""

    dataset: Slug
    storage: Text
    path: Annotated[Text, AfterValidator(_template)] = DEFAULT_PATH
    type: ItemType | None = None
    on_existing: OnExisting = OnExisting.BLOCK


class _Rule(_Target):
    name: Text
    bucket: Text | None = None
    prefix: str = ""
    glob: Annotated[Text, AfterValidator(_glob)] | None = None


def _tag(value: object) -> str:
    return "target" if isinstance(value, Mapping) else "word"


class _File(_Mapping):
    routes: list[_Rule] = Field(min_length=1)
    otherwise: Annotated[
        Annotated[_Target, Tag("target")] | Annotated[Fallback, Tag("word")], Discriminator(_tag)
    ] = Fallback.DEAD_LETTER
    types: dict[Annotated[Text, AfterValidator(_extension)], ItemType] = {}


def load_routes(settings: Settings) -> Wanted:
    """The routes of the routes file or, without one, the one route that the environment tells of.

    With that one route, what lies outside its prefix is ignored. Raises :class:`SettingsError`.
    """
    darwin = settings.darwin
    if settings.routes_file is not None:
        return read_routes(settings.routes_file, darwin.team)
    if darwin.dataset is None or darwin.storage is None:
        raise SettingsError(
            ["WORKER_DARWIN__DATASET and WORKER_DARWIN__STORAGE, or WORKER_ROUTES_FILE, must be set"]
        )
    lane = Lane(darwin.team, darwin.dataset, darwin.storage)
    return Wanted((Route(ENVIRONMENT, lane, prefix=darwin.prefix),), Fallback.IGNORE)


def read_routes(path: Path, team: str) -> Wanted:
    """The routes that the file at *path* holds, all of them in *team*. Raises :class:`SettingsError`."""
    document = _parse(path)
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        raise SettingsError([_line(path, document, problem) for problem in error.errors()]) from None
    routes = tuple(_route(rule, file.types, team) for rule in file.routes)
    last = file.otherwise
    otherwise = last if isinstance(last, Fallback) else _last_route(last, file.types, team)
    wrong = problems(Routes(routes, otherwise, {}))
    if wrong:
        raise SettingsError([f"{path}: {sentence}" for sentence in wrong])
    return Wanted(routes, otherwise)


def _route(rule: _Rule, types: Mapping[str, ItemType], team: str) -> Route:
    return replace(
        _last_route(rule, types, team), name=rule.name, bucket=rule.bucket, prefix=rule.prefix, glob=rule.glob
    )


def _last_route(target: _Target, types: Mapping[str, ItemType], team: str) -> Route:
    return Route(
        OTHERWISE,
        Lane(team, target.dataset, target.storage),
        path=target.path,
        type=target.type,
        types=types,
        on_existing=target.on_existing,
    )


class _Loader(yaml.SafeLoader):
    """YAML without tags that make objects, and without a key that stands twice."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, key in enumerate(keys):
            if any(key.value == earlier.value for earlier in keys[:number]):
                what = f"{key.value!r} stands twice in one mapping; keep one of them"
                raise yaml.MarkedYAMLError(problem=what, problem_mark=key.start_mark)
        return node


def _parse(path: Path) -> Mapping[str, object]:
    try:
        document = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader that is stricter
    except (OSError, UnicodeDecodeError) as error:
        line = (
            f"{path} cannot be read: {reason_of(error)}; WORKER_ROUTES_FILE must be the path of a routes file"
        )
        raise SettingsError([line]) from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsError([f"{path}{where}: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise SettingsError([f"{path}: this is no YAML: {' '.join(str(error).split())}"]) from None
    if document is None:
        raise SettingsError([f"{path} is empty; write at least one route under `routes:`"])
    if not isinstance(document, dict):
        raise SettingsError(
            [f"{path}: the file must be a mapping with `routes:`, but is a {type(document).__name__}"]
        )
    return document


def _line(path: Path, document: Mapping[str, object], problem: ErrorDetails) -> str:
    place, model, field = _locate(document, problem["loc"])
    start = f"{path}: {place}"
    match problem["type"]:
        case "missing":
            return f"{start}{field} is missing; write `{field}:` and a value"
        case "extra_forbidden":
            nearest = get_close_matches(field, model.model_fields, n=1)
            advice = (
                f"did you mean {nearest[0]!r}?" if nearest else f"there are: {', '.join(model.model_fields)}"
            )
            return f"{start}there is no field {field!r}; {advice}"
        case "model_type":
            return f"{start}this must be a mapping of fields"
        case "string_type":
            return f"{start}{field} is {problem['input']!r}, which is no text; put it in quotes"
        case _ if field == OTHERWISE:
            return f"{start}{field} is {problem['input']!r}; write ignore, dead_letter, or a dataset and a storage"
        case _:
            what = problem.get("ctx", {}).get("error") or problem["msg"].removeprefix("Input ")
            return f"{start}{field} is {problem['input']!r}: {what}"


def _locate(document: Mapping[str, object], loc: tuple[int | str, ...]) -> tuple[str, type[_Mapping], str]:
    """The words that say where a problem is, the model that it is in, and the field."""
    match loc:
        case ("routes", int(position), *fields):
            return f"route {_name_of(document, position)}: ", _Rule, ".".join(map(str, fields))
        case ("otherwise", "target", *fields):
            return "otherwise: ", _Target, ".".join(map(str, fields))
        case ("otherwise", *_):
            return "", _File, "otherwise"
        case ("types", extension, *_):
            return "types: ", _File, repr(extension)
        case _:
            return "", _File, ".".join(map(str, loc))


def _name_of(document: Mapping[str, object], position: int) -> str:
    """The route's name where it has one, else its number, counted from one."""
    rules = document["routes"]
    rule = rules[position] if isinstance(rules, list) else None
    name = rule.get("name") if isinstance(rule, dict) else None
    return repr(name) if isinstance(name, str) else str(position + 1)

"""What the operator wrote of routes, in the routes file or in the environment, as values of the core.

All problems are told at once: one line each, with the file, the route and the field. A key that stands twice in a mapping
is refused, because YAML would silently take the last one. What only Darwin can tell (a storage's bucket, prefix and mode)
is not known here: every lane has the mode that is the default, and its storage as it was written.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import yaml
from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from worker.core.conflicts import cautions, problems
from worker.core.examples import Example, failures
from worker.core.model import Lane
from worker.core.receipts import Place, place_at
from worker.core.routes import Fallback, Route
from worker.core.routing import Routes
from worker.core.rules import FieldError
from worker.route_values import LAYOUTS, ROUTE, TAGS, FieldsModel
from worker.routes_fields import OTHERWISE, RoutesFile, TargetFields
from worker.setting_values import Key
from worker.settings import Settings, SettingsError, reason_of

ENVIRONMENT = "environment"
"""The name of the route that the environment tells of."""

_LONGEST_QUOTE = 100
_DEEPEST = 100

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""YAML without tags that make objects; in C where PyYAML was built with it, several times as fast."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The routes in their order, and what becomes of records that none of them takes.

    *teams*: the API keys of the teams other than the settings' own, or the files that hold them. *examples*: those that the
    routes were tried with. *cautions*: what the routes may not be meant to do, one sentence each. *archive*: where receipts
    are kept, if they are; no route may watch it.
    """

    routes: tuple[Route, ...]
    otherwise: Route | Fallback
    teams: Mapping[str, SecretStr | Path] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    cautions: tuple[str, ...] = ()
    archive: Place | None = None


def load_routes(settings: Settings) -> Wanted:
    """The routes of the routes file or, without one, the one route that the environment tells of.

    With that one route, what lies outside its prefix is ignored. Raises :class:`SettingsError`.
    """
    darwin, url = settings.darwin, settings.archive.url
    archive = None if url is None else place_at(url)
    if settings.routes_file is not None:
        return replace(read_routes(settings.routes_file, darwin.team, os.environ), archive=archive)
    if darwin.dataset is None or darwin.storage is None:
        raise SettingsError(
            ["WORKER_DARWIN__DATASET and WORKER_DARWIN__STORAGE, or WORKER_ROUTES_FILE, must be set"]
        )
    lane = Lane(darwin.team, darwin.dataset, darwin.storage)
    return Wanted((Route(ENVIRONMENT, lane, prefix=darwin.prefix),), Fallback.IGNORE, archive=archive)


def read_routes(path: Path, team: str, environ: Mapping[str, str] | None) -> Wanted:
    """The routes that the file at *path* holds, in *team* where they name no other; the keys of other teams may be in
    *environ*, and are not looked for where that is None. Raises :class:`SettingsError`, also for an example that does
    not hold.
    """
    document = _parse(path)
    try:
        file = RoutesFile.model_validate(document)
    except ValidationError as error:
        raise SettingsError([f"{path}: {_told(document, problem)}" for problem in error.errors()]) from None
    routes = Routes(
        tuple(route.route(team, file.types) for route in file.routes),
        file.otherwise.route(team, file.types)
        if isinstance(file.otherwise, TargetFields)
        else file.otherwise,
    )
    teams, lines = _keys(file, team, environ)
    lines += [*_without_key(routes, {team, *file.teams}), *problems(routes)]
    examples = tuple(each.example(route.name) for route in file.routes for each in route.examples)
    if not lines:
        lines += failures(routes, examples)
    if lines:
        raise SettingsError([f"{path}: {line}" for line in lines])
    return Wanted(routes.routes, routes.fallback, teams, examples, tuple(cautions(routes)))


# -- teams ------------------------------------------------------------------------------------------------------------


def _keys(
    file: RoutesFile, own: str, environ: Mapping[str, str] | None
) -> tuple[dict[str, SecretStr | Path], list[str]]:
    """The keys of the teams that the file names, or the files that hold them, and what is wrong with them."""
    keys: dict[str, SecretStr | Path] = {}
    lines: list[str] = []
    for slug, told in file.teams.items():
        if slug == own:
            lines.append(f"teams.{slug} is the worker's own team, whose key is DARWIN_API_KEY; leave it out")
        elif told.api_key_file is not None:
            keys[slug] = told.api_key_file
        elif environ is not None:
            try:
                keys[slug] = TypeAdapter(Key).validate_python(
                    environ.get(told.api_key_variable or "", "").strip()
                )
            except ValidationError:
                lines.append(
                    f"teams.{slug}.api_key_variable is {told.api_key_variable!r}, an environment variable that is not set to "
                    "an API key; set it"
                )
    return keys, lines


def _without_key(routes: Routes, known: set[str]) -> Iterator[str]:
    for route in routes.every_route:
        if (team := route.lane.team) not in known:
            yield f"{_place(route.name)}team is {team!r}, which has no key under teams; {_advice(team, sorted(known))}"


# -- YAML -------------------------------------------------------------------------------------------------------------


def _parse(path: Path) -> Mapping[str, object]:
    try:
        document = _read(path, path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        line = (
            f"{path} cannot be read: {reason_of(error)}; WORKER_ROUTES_FILE must be the path of a routes file"
        )
        raise SettingsError([line]) from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsError([f"{path}{where}: {error.problem}"]) from None
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        # The last three are PyYAML's for a value that does not fit its tag, such as 2024-02-31.
        raise SettingsError([f"{path}: this is no YAML: {' '.join(str(error).split())}"]) from None
    if document is None:
        raise SettingsError([f"{path} is empty; write at least one route under `routes:`"])
    if not isinstance(document, dict):
        raise SettingsError(
            [f"{path}: the file must be a mapping with `routes:`, but is a {type(document).__name__}"]
        )
    return document


def _read(path: Path, text: str) -> object:
    _check_depth(path, text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        doubled = sorted(_doubled(node))
        if doubled:
            raise SettingsError(
                [
                    f"{path}, line {line}: {key!r} stands twice in one mapping; keep one of them"
                    for line, key in doubled
                ]
            )
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _check_depth(path: Path, text: str) -> None:
    """The loader goes as deep as the text does, in C until the process dies of it."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise SettingsError(
                [f"{path}: lists and mappings lie in each other more than {_DEEPEST} levels deep"]
            )


def _doubled(root: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """The keys that stand in their mapping for the second time, with their lines."""
    nodes, known = [root], set[int]()
    while nodes:
        node = nodes.pop()
        if id(node) in known or not isinstance(node, yaml.CollectionNode):
            continue
        known.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            nodes += node.value
            continue
        keys = set[str]()
        for key, value in node.value:
            nodes += [key, value]
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    yield key.start_mark.line + 1, key.value
                keys.add(key.value)


# -- what is wrong ------------------------------------------------------------------------------------------------------


def _told(document: Mapping[str, object], problem: ErrorDetails) -> str:
    place, names, model = _locate(document, problem["loc"])
    where, error = _dotted(names), problem.get("ctx", {}).get("error")
    match problem["type"]:
        case "missing":
            return f"{place}{where} is missing; write `{names[-1]}:` and a value"
        case "extra_forbidden" | "invalid_key":
            within = f"{_dotted(names[:-1])}: " if names[:-1] else ""
            return f"{place}{within}there is no field {names[-1]!r}; {_advice(names[-1], model.model_fields)}"
        case "model_type" | "dict_type":
            return f"{place}{where or 'this'} must be a mapping of fields"
        case _ if isinstance(error, FieldError):
            return f"{place}{_NAMED.get(error.field, error.field)}: {error.why}"
        case _:
            return f"{place}{where}{_told_of_value(where, problem)}"


def _told_of_value(where: str, problem: ErrorDetails) -> str:
    value, context = problem["input"], problem.get("ctx", {})
    what = context.get("error") or problem["msg"].removeprefix("Input ")
    no_text = problem["type"] == "string_type" and not isinstance(value, list | dict)
    match problem["type"]:
        case _ if problem["loc"][-1] == "[key]":
            return f": the key {value!r} is no text; put it in quotes" if no_text else f": {value!r}: {what}"
        case _ if problem["loc"][0] == "teams":
            return f": {what}"  # whoever mistakes a field there may have written a key into it
        case _ if no_text and value is None:
            return " has no value; write one, or leave the field out"
        case _ if no_text:
            return f" is {value!r}, which is no text; put it in quotes"
        case "too_short":
            return f" is {value!r}: it must hold at least {context['min_length']}"
        case _ if where == OTHERWISE:
            return f" is {value!r}; write ignore, dead_letter, or a dataset and a storage"
        case _:
            return f" is {_quoted(value)}: {what}"


_NAMED = {"name": "item_name"}
"""What the core calls a template, where the file calls it otherwise."""


def _locate(
    document: Mapping[str, object], loc: tuple[int | str, ...]
) -> tuple[str, list[str], type[FieldsModel]]:
    """The words that say in which route a problem is; the names that lead to its field, numbers counted from one; and the
    model that has the field.
    """
    names: list[str] = []
    held: object = document
    model: type[FieldsModel] = RoutesFile
    inner = model
    for part in loc:
        if part in TAGS and not (isinstance(held, dict) and part in held):
            inner = LAYOUTS.get(str(part), inner)
            continue
        if part == "[key]":
            names.pop()
            continue
        model = inner
        if isinstance(held, list) and isinstance(part, int):
            names.append(str(part + 1))
            held = held[part]
        else:
            names.append(str(part))
            held = held.get(part) if isinstance(held, dict) else None
            known = model.model_fields.get(str(part))
            inner = (known and _model_in(known.annotation)) or model
    match loc:
        case ("routes", int(position), *_):
            return _place(_name_of(document, position)), names[2:], model
        case ("otherwise", tag, *_) if tag == ROUTE:
            return "otherwise: ", names[1:], model
        case _:
            return "", names, model


def _model_in(annotation: object) -> type[FieldsModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, FieldsModel):
        return annotation
    return next((model for each in get_args(annotation) if (model := _model_in(each))), None)


def _name_of(document: Mapping[str, object], position: int) -> str | int:
    """The route's name where it has one, else its number, counted from one."""
    rules = document["routes"]
    rule = rules[position] if isinstance(rules, list) else None
    name = rule.get("name") if isinstance(rule, dict) else None
    return name if isinstance(name, str) else position + 1


def _place(route: str | int) -> str:
    return f"route {route!r}: "


def _dotted(names: Sequence[str]) -> str:
    return ".".join(name if re.fullmatch(r"[\w-]+", name) else repr(name) for name in names)


def _advice(name: str, there: Collection[str]) -> str:
    near = get_close_matches(name, there, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(there)}"


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"

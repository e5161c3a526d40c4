"""The CloudFormation templates as they are written, and what CloudFormation makes of them with some parameters."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "cloudformation"
NAMES = ("data.yaml", "service.yaml")

ABSENT = {"Ref": "AWS::NoValue"}


class _Loader(yaml.SafeLoader):
    """Reads the short form of CloudFormation's functions as the long one; of Fn::GetAtt the argument stays as it is."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            argument: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            argument = loader.construct_sequence(node, deep=True)
        case _:
            raise AssertionError(f"!{name} of {node}")
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": argument}


_Loader.add_multi_constructor("!", _function)


@cache
def template(name: str) -> Any:
    return yaml.load((FOLDER / name).read_text(), _Loader)  # noqa: S506 - a SafeLoader


def made(name: str, **given: str) -> dict[str, Any]:
    """The resources of a template by their names. Conditions, Fn::If and references to parameters are resolved, all else is
    as it is written. *given*: parameters without their defaults, or in place of them.
    """
    written = template(name)
    values = {key: each.get("Default") for key, each in written["Parameters"].items()} | given
    missing = [key for key, value in values.items() if value is None]
    assert missing == [], "parameters without a default must be given"
    solver = _Solver(written["Conditions"], values)
    return {
        key: solver.solve(resource)
        for key, resource in written["Resources"].items()
        if "Condition" not in resource or solver.holds(resource["Condition"])
    }


class _Solver:
    def __init__(self, conditions: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self._conditions = conditions
        self._values = values

    def holds(self, condition: str) -> bool:
        return self._truth(self._conditions[condition])

    def solve(self, node: Any) -> Any:
        match node:
            case {"Ref": str(name)} if name in self._values:
                return self._values[name]
            case {"Fn::If": [condition, yes, no]}:
                return self.solve(yes if self.holds(condition) else no)
            case dict():
                solved = {key: self.solve(value) for key, value in node.items()}
                return {key: value for key, value in solved.items() if value != ABSENT}
            case list():
                return [value for value in map(self.solve, node) if value != ABSENT]
            case _:
                return node

    def _truth(self, node: Any) -> bool:
        match node:
            case {"Condition": condition}:
                return self.holds(condition)
            case {"Fn::Equals": [{"Fn::Join": ["", {"Ref": name}]}, ""]}:
                return not self._values[name]
            case {"Fn::Equals": [one, other]}:
                return str(self.solve(one)) == str(self.solve(other))
            case {"Fn::Not": [one]}:
                return not self._truth(one)
            case _:
                raise AssertionError(f"no condition that is known here: {node}")


def imported(node: Any) -> Iterator[str]:
    """What is taken from the data stack anywhere in *node*, by the names of its exports without the stack's."""
    match node:
        case {"Fn::ImportValue": {"Fn::Sub": str(name)}}:
            yield name.removeprefix("${DataStack}-")
        case dict():
            for value in node.values():
                yield from imported(value)
        case list():
            for value in node:
                yield from imported(value)

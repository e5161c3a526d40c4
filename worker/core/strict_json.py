"""JSON without what could not be written again: no NaN, no infinite number, no nesting deeper than a limit of ours."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

MAX_NESTING = 64


def decoder(of_pairs: Callable[[list[tuple[str, Any]]], object] | None = None) -> json.JSONDecoder:
    """Its ``decode`` raises ValueError for a number that cannot be read, among others, and RecursionError for a nesting that
    cannot. *of_pairs* makes an object of its fields.
    """
    return json.JSONDecoder(parse_constant=_refuse_number, parse_float=_finite, object_pairs_hook=of_pairs)


def nests_too_deep(text: str, document: object) -> bool:
    """Whether the *document* that *text* holds is nested deeper than :data:`MAX_NESTING`. Decided by a limit of ours, not by
    the room on the stack, so that it is the same wherever we are called.
    """
    if text.count("{") + text.count("[") <= MAX_NESTING:
        return False
    level: list[Any] = [document] if type(document) in _NESTING else []
    for _ in range(MAX_NESTING):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in _NESTING
        ]
        if not level:
            return False
    return True


_NESTING = frozenset({dict, list})  # the only types of JSON with something inside; never a subclass


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        _refuse_number(text)
    return number

"""Texts with placeholders, and tables that choose by such a text: how a route makes names of what an object tells.

A placeholder is a name in braces, and may take a part of its value, counted in characters: ``{filename}``,
``{filename[:2]}``, ``{stem[-4:]}``. ``{{`` and ``}}`` stand for braces. What a value holds is text, never syntax.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}\[\]]*)(?:\[(?P<slice>[^{}\[\]]*)\])?\}|[{}]")
_SLICE = re.compile(r"(-?\d{1,4})?:(-?\d{1,4})?", re.ASCII)


class NoValue(Exception):
    """The object does not tell what a template asks for; the text is one sentence that says what."""


@dataclass(frozen=True, slots=True)
class _Placeholder:
    name: str
    part: slice


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders, read. *names*: those that it asks for. *whole*: those that it asks for uncut."""

    text: str
    names: frozenset[str]
    whole: frozenset[str]
    _pieces: tuple[str | _Placeholder, ...] = field(repr=False)

    def render(self, values: Mapping[str, str]) -> str:
        """The text for an object that tells *values*. Raises :class:`NoValue`."""
        text = ""
        for piece in self._pieces:
            text += piece if isinstance(piece, str) else _value(values, piece.name)[piece.part]
        return text

    @property
    def beginning(self) -> str:
        """What every text that it makes begins with."""
        return self._pieces[0] if self._pieces and isinstance(self._pieces[0], str) else ""

    @property
    def ending(self) -> str:
        """What every text that it makes ends with."""
        return self._pieces[-1] if self._pieces and isinstance(self._pieces[-1], str) else ""

    def pattern(self, of_placeholder: Callable[[str], str]) -> str:
        """A regular expression for the texts that it makes, with *of_placeholder*'s for each placeholder's name."""
        return "".join(
            re.escape(piece) if isinstance(piece, str) else of_placeholder(piece.name)
            for piece in self._pieces
        )


def _value(values: Mapping[str, str], name: str) -> str:
    if name not in values:
        kind, _, rest = name.partition(".")
        raise NoValue(f"The object has no {_WHAT.get(kind, 'value')} {rest or kind!r}.")
    return values[name]


_WHAT = {"metadata": "metadata", "tags": "tag"}


def read_template(text: str, allowed: Collection[str]) -> Template:
    """Read *text*, which may ask for the *allowed* names; ``metadata.*`` there allows any name that begins so.

    Raises ValueError, with a sentence for the operator, for a template that is impossible.
    """
    pieces: list[str | _Placeholder] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal += text[end : token.start()]
        end = token.end()
        if token[0] in ("{{", "}}"):
            literal += token[0][0]
            continue
        if token["name"] is None:
            raise ValueError(
                f"a brace {token[0]!r} stands alone; write {token[0] * 2!r} for one that is meant"
            )
        if literal:
            pieces.append(literal)
            literal = ""
        pieces.append(_placeholder(token["name"], token["slice"], allowed))
    if literal + text[end:]:
        pieces.append(literal + text[end:])
    asked = [piece for piece in pieces if isinstance(piece, _Placeholder)]
    names = frozenset(piece.name for piece in asked)
    return Template(text, names, frozenset(p.name for p in asked if p.part == slice(None)), tuple(pieces))


def _placeholder(name: str, part: str | None, allowed: Collection[str]) -> _Placeholder:
    family, _, of_object = name.partition(".")
    if family == "metadata":
        name = name.lower()  # as S3 keeps it
    known = of_object != "*" and f"{family}.*" in allowed if of_object else name in allowed
    if not known:
        offered = sorted(each.replace(".*", ".NAME") for each in allowed)
        near = get_close_matches(name, offered, n=1)
        advice = f"did you mean {{{near[0]}}}?" if near else f"there are: {', '.join(offered)}"
        raise ValueError(f"there is no placeholder {{{name}}} here; {advice}")
    if part is None:
        return _Placeholder(name, slice(None))
    bounds = _SLICE.fullmatch(part)
    if bounds is None:
        raise ValueError(
            f"[{part}] is no part of a text; write [:2] for its first two characters, [-4:] for its last four"
        )
    first, last = (None if bound is None else int(bound) for bound in bounds.groups())
    start = first or 0
    if last is not None and (start < 0) == (last < 0) and start >= last:
        raise ValueError(f"[{part}] is empty, whatever the text is")
    return _Placeholder(name, slice(first, last))


@dataclass(frozen=True, slots=True)
class Table:
    """A choice: the text that *values* has for what the template *by* makes, else *otherwise* (None: there is none)."""

    by: str
    values: Mapping[str, str]
    otherwise: str | None = None


Value = str | Table
"""What an operator writes for a text: a template, or a table."""


@dataclass(frozen=True, slots=True)
class Chooser:
    """A table made ready."""

    table: Table
    by: Template

    @property
    def names(self) -> frozenset[str]:
        return self.by.names

    def render(self, values: Mapping[str, str]) -> str:
        """Raises :class:`NoValue` where the table has no line for it."""
        key = self.by.render(values)
        found = self.table.values.get(key, self.table.otherwise)
        if found is None:
            raise NoValue(f"The table has no line for {key!r}, and no `otherwise`.")
        return found


def read_value(value: Value, allowed: Collection[str]) -> Template | Chooser:
    """Raises ValueError as :func:`read_template` does."""
    if isinstance(value, Table):
        return Chooser(value, read_template(value.by, allowed))
    return read_template(value, allowed)

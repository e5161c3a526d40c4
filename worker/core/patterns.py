"""What an operator writes to choose keys: globs and regular expressions. Both are matched against the key below the route's
prefix, case-sensitive, and in a time that is linear in the length of the key, which whoever uploads may choose.
"""

import re
import warnings
from collections.abc import Callable, Mapping

import re2
from wcmatch import glob as wcmatch
from wcmatch._wcparse import PatternLimitException  # documented as raised, but exported nowhere else

Matcher = Callable[[str], bool]
GroupsOf = Callable[[str], Mapping[str, str] | None]
"""The named groups of a key that matches, those that took no part in it as empty text; None for any other key."""

_GLOB_FLAGS = wcmatch.GLOBSTAR | wcmatch.BRACE | wcmatch.DOTGLOB | wcmatch.FORCEUNIX
_MAX_ALTERNATIVES = 100
_MAX_GLOBSTARS = 2
_GLOBSTAR = r"(?:(?!(?:[/]|^)(?:\.{1,2})(?:$|[/])).)*?"  # what wcmatch makes of ** between slashes
_SLASHES = re.compile("//+")


def compile_glob(glob: str) -> Matcher:
    """A matcher of keys below a route's prefix: ``*`` and ``?`` within a segment, ``**`` across segments,
    ``[a-z]``, ``{jpg,png}``; slashes in a row count as one.

    Raises ValueError, with a sentence for the operator, for a glob that can match nothing or could take long.
    """
    if not glob or glob.startswith("/"):
        raise ValueError(
            f"The glob {glob!r} can match nothing: it is compared with the key below the route's prefix, which is "
            "not empty and starts without a slash."
        )
    if glob.count("**") > _MAX_GLOBSTARS:
        raise ValueError(
            f'The glob {glob!r} holds more than {_MAX_GLOBSTARS} times "**"; use a prefix or two routes.'
        )
    try:
        patterns, _ = wcmatch.translate(glob, flags=_GLOB_FLAGS, limit=_MAX_ALTERNATIVES)
    except PatternLimitException:
        raise ValueError(
            f"The braces of the glob {glob!r} make more than {_MAX_ALTERNATIVES} alternatives."
        ) from None
    try:
        with warnings.catch_warnings(action="error", category=FutureWarning):
            matches = re.compile("|".join(map(_without_way_back, patterns))).fullmatch
    except (re.error, FutureWarning):
        raise ValueError(
            f"The brackets of the glob {glob!r} can be read in two ways; write them simpler."
        ) from None
    return lambda key: matches(_SLASHES.sub("/", key)) is not None


def _without_way_back(pattern: str) -> str:
    """What stands between two ``**`` is looked for once: where it fits first, the second ``**`` takes all the rest. To
    try each later place as well would multiply the time by the length of the key.
    """
    *between, last = pattern.split(_GLOBSTAR)
    if len(between) < _MAX_GLOBSTARS:
        return pattern
    first, *inner = between
    return first + "".join(f"(?>{_GLOBSTAR}{each})" for each in inner) + _GLOBSTAR + last


def compile_regex(pattern: str) -> tuple[frozenset[str], GroupsOf]:
    r"""The names of the pattern's groups, and a matcher of whole keys below a route's prefix.

    The syntax is RE2's (https://github.com/google/re2/wiki/Syntax), which never goes back and so takes linear time; what
    could not be matched without going back (``(?=…)``, ``\1``) it does not have. Raises ValueError, with a sentence
    for the operator.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise ValueError("the regular expression holds half a character (a lone surrogate)") from None
    except re2.error as error:
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(
            f"the regular expression cannot be used: {why}. It is read as RE2 does, which matches in linear time and has "
            "no look-around and no back-references"
        ) from None

    def groups_of(key: str) -> Mapping[str, str] | None:
        try:
            match = compiled.fullmatch(key)
        except UnicodeEncodeError:
            return None  # RE2 reads UTF-8, which such a key is not
        return None if match is None else {name: text or "" for name, text in match.groupdict().items()}

    return frozenset(compiled.groupindex), groups_of

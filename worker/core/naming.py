"""From a key to the item's name and path, and what lies under a prefix.

The rules that hold here: prefixes compare on whole path segments (law 5); what a key holds is text, never syntax;
what Darwin's path looks like is decided in one place, :func:`normalise_path`.

What Darwin takes is little documented (darwin-api.md sections 1.10 and 5): a storage key without a leading slash, a
name that is not empty and holds no slash.
"""

import re
from dataclasses import dataclass

FOLDER = "{folder}"
"""Stands in a path template for the folders between the route's prefix and the name."""

DEFAULT_PATH = "/{folder}"

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item goes in a dataset: *path* starts with a slash and does not end with one, unless it is ``/``."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class InvalidKey:
    """Darwin cannot take this key. *why* is one sentence."""

    why: str


def place(key: str, prefix: str = "", template: str = DEFAULT_PATH) -> Place | InvalidKey:
    """Where the object *key*, found under *prefix*, goes. The folders between them replace ``{folder}``."""
    why = _invalid(key)
    if why is not None:
        return InvalidKey(why)
    folder, _, name = below(prefix, key).rpartition("/")
    return Place(normalise_path(template.replace(FOLDER, folder)), name)


def normalise_path(path: str) -> str:
    """The one form in which paths are compared: a leading slash, no empty segment, no trailing slash."""
    return "/" + "/".join(segment for segment in path.split("/") if segment)


def under(prefix: str, key: str) -> bool:
    """Whether *key* lies below *prefix*, by whole segments. Outer slashes of the prefix do not count; everything
    lies below an empty one.
    """
    prefix = prefix.strip("/")
    return not prefix or key.startswith(prefix + "/")


def below(prefix: str, key: str) -> str:
    """What of *key* lies below *prefix*; the whole key when it does not lie there."""
    prefix = prefix.strip("/")
    return key.removeprefix(prefix + "/") if prefix else key


def _invalid(key: str) -> str | None:
    unprintable = _UNPRINTABLE.search(key)
    if unprintable:
        return f"The key holds the character U+{ord(unprintable[0]):04X}, which no name can hold."
    if key.startswith("/"):
        return "The key starts with a slash, and Darwin's storage keys must not."
    segments = key.split("/")
    if not segments[-1]:
        return "The key has no name behind its last slash."
    if "." in segments or ".." in segments:
        return 'The key has a segment "." or "..", which paths would take for a way up or down.'
    return None

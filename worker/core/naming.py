"""What Darwin takes as a key, a path, a name, and what lies under a prefix.

The rules that hold here: prefixes compare on whole path segments (law 5); what Darwin's path looks like is decided in one
place, :func:`normalise_path`.

What Darwin takes is little documented (darwin-api.md sections 1.10 and 5): a storage key without a leading slash, a
name that is not empty and holds no slash.
"""

import re

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def normalise_path(path: str) -> str:
    """The one form in which paths are compared: a leading slash, no empty segment, no trailing slash."""
    return "/" + "/".join(filter(None, path.split("/")))


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


def why_no_key(key: str) -> str | None:
    """Why Darwin cannot take the storage key *key*, in one sentence; None when it can."""
    if why := _why_no_text("The key", key):
        return why
    if key.startswith("/"):
        return "The key starts with a slash, and Darwin's storage keys must not."
    segments = key.split("/")
    if not segments[-1]:
        return "The key has no name behind its last slash."
    if "." in segments or ".." in segments:
        return 'The key has a segment "." or "..", which paths would take for a way up or down.'
    return None


def why_no_name(name: str) -> str | None:
    """Why no item can have this name, in one sentence; None when one can."""
    if "/" in name:
        return f"The item's name would be {name!r}, and a name holds no slash."
    if name in (".", ".."):
        return f"The item's name would be {name!r}, which paths would take for a way up or down."
    return _why_no_text("The item's name", name) if name else "The item would have no name."


def why_no_path(path: str) -> str | None:
    """Why no item can lie at this path, in one sentence; None when one can."""
    segments = path.split("/")
    if "." in segments or ".." in segments:
        return f'The item\'s path would be {path!r}, and a segment "." or ".." is taken for a way up or down.'
    return _why_no_text("The item's path", path)


def why_no_word(what: str, text: str) -> str | None:
    """Why *text* cannot be *what* (a slot's name, a tag, a dataset's slug), in one sentence; None when it can."""
    return _why_no_text(what, text) if text else f"{what} would be empty."


def _why_no_text(what: str, text: str) -> str | None:
    if text.isprintable():  # most texts are, and this asks quickly
        return None
    unprintable = _UNPRINTABLE.search(text)
    return (
        f"{what} holds the character U+{ord(unprintable[0]):04X}, which no name can hold."
        if unprintable
        else None
    )

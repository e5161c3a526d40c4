"""Which keys Darwin itself wrote: thumbnails, frames, segments. Registering one would make Darwin write more of them,
without end (law 5).

Darwin writes under the prefix of its storage. An empty prefix says nothing, so the shapes of what Darwin writes are
known too (darwin-api.md sections 1.8 and 7.2):

- ``{prefix}/{original key}/uploads/{uuid}/{thumbnails|hq_sections|lq_sections|…}/…``
- ``{prefix}/{uuid}/files/{uuid}/…``
"""

import re

from worker.core.filetypes import Typed, type_of

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UPLOAD = re.compile(f"/uploads/{_UUID}/", re.IGNORECASE)
_FILES = re.compile(f"(?:^|/){_UUID}/files/{_UUID}/", re.IGNORECASE)
_DASHES = 4
_DERIVED = re.compile("(?:thumbnails|[a-z]+_sections)/")


def written_below(prefix: str) -> tuple[str, ...]:
    """What begins the keys that Darwin writes into a storage of this *prefix*: whole segments, and nothing where it is
    empty.
    """
    prefix = prefix.strip("/")
    return (prefix + "/",) if prefix else ()


def is_artefact(key: str, written_below: tuple[str, ...]) -> bool:
    """Whether Darwin wrote *key*, as far as the beginnings that :func:`written_below` tells and the key's shape do."""
    return key.startswith(written_below) or has_artefact_shape(key)


def has_artefact_shape(key: str) -> bool:
    """Whether *key* looks like what Darwin writes, wherever it lies.

    Other programs keep ``uploads/{uuid}/`` folders too. Darwin's either hold a folder with a name we know, or stand
    below the original's key, whose last segment is the name of a file that Darwin takes.
    """
    if key.count("-") < _DASHES:  # no UUID, and so it is with most keys
        return False
    if _FILES.search(key):
        return True
    for match in _UPLOAD.finditer(key):
        original = key[: match.start()].rpartition("/")[2]
        if original and (_DERIVED.match(key, match.end()) or isinstance(type_of(original), Typed)):
            return True
    return False

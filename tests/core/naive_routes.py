"""Which route takes an object, worked out as slowly and as plainly as can be: what the real choice is compared with."""

import fnmatch
import re
from collections.abc import Sequence

from worker.core.model import S3Object
from worker.core.routes import Route


def glob_matches(pattern: list[str], key: list[str]) -> bool:
    """Segment by segment, by trying everything."""
    if not pattern:
        return not key
    head, *rest = pattern
    if head == "**":
        if not rest:
            return bool(key)
        return any(glob_matches(rest, key[skip:]) for skip in range(len(key)))
    return bool(key) and fnmatch.fnmatchcase(key[0], head) and glob_matches(rest, key[1:])


def below_prefix(route: Route, key: str) -> str | None:
    """What of the key lies below the route's prefix; None for a key that lies elsewhere."""
    prefix = [part for part in route.prefix.split("/") if part]
    parts = key.split("/")
    if parts[: len(prefix)] != prefix or len(parts) == len(prefix):
        return None
    return "/".join(parts[len(prefix) :])


def takes(route: Route, held: S3Object, event: str) -> bool:
    """An *event* of "" is any."""
    rest = below_prefix(route, held.key)
    if rest is None or route.bucket not in (None, held.bucket):
        return False
    if route.glob is not None and not glob_matches(route.glob.split("/"), rest.split("/")):
        return False
    if route.regex is not None and not re.fullmatch(route.regex, rest):
        return False
    if any(glob_matches(glob.split("/"), rest.split("/")) for glob in route.exclude):
        return False
    if route.extensions and not any(held.key.endswith("." + extension) for extension in route.extensions):
        return False
    family, _, way = event.partition(":")
    if family in ("", "ObjectCreated"):
        if route.smallest > (held.size or 0):
            return False
        if route.largest is not None and (held.size is None or held.size > route.largest):
            return False
    return not (family == "ObjectCreated" and route.events and way not in route.events)


def marks(route: Route, held: S3Object) -> bool:
    """Only for groups that are folders, and marked by an object in them."""
    rest = below_prefix(route, held.key)
    if rest is None or route.bucket not in (None, held.bucket) or route.group is None:
        return False
    return rest.split("/")[-1] in {route.group.marker, route.group.manifest} - {""}


def first(routes: Sequence[Route], held: S3Object, event: str) -> Route | None:
    return next((route for route in routes if marks(route, held) or takes(route, held, event)), None)

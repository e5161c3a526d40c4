"""A route made ready: which objects it takes, and what its templates are told of each.

The rules that hold here: prefixes compare on whole path segments (law 5); patterns see the decoded key, case-sensitive; an
event that leaves out the size is taken by no route that asks for one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from worker.core import filetypes
from worker.core.model import S3Object
from worker.core.naming import below
from worker.core.patterns import GroupsOf, compile_glob, compile_regex
from worker.core.routes import OnRemoved, Route, Sidecars
from worker.core.templates import Chooser, Template, Value, read_template, read_value

OF_KEYS = frozenset({"bucket", "key", "folder", "filename", "stem", "ext"})
"""Placeholders that every key has a value for; see :meth:`Rule.values`."""

OF_OBJECTS = frozenset({"metadata.*", "tags.*"})
"""Placeholders that S3 must be asked for."""

VERSION = "version"

_CREATED = "ObjectCreated:"

_NO_GROUPS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Condition:
    """*words*: what is so where it does not hold."""

    holds: Callable[[S3Object, str], bool]
    words: str


class Rule:
    """A route made ready. Raises ValueError, naming the field, for a pattern or a template that cannot be used."""

    def __init__(self, route: Route) -> None:
        self.route = route
        prefix = route.prefix.strip("/")
        self.prefix = prefix + "/" if prefix else ""
        self.types = filetypes.with_overrides(route.types)
        self._conditions = list(_conditions(route, self.prefix))
        self._groups_of: GroupsOf | None = None
        named: frozenset[str] = frozenset()
        if route.regex is not None:
            with _field("regex"):
                named, self._groups_of = compile_regex(route.regex)
                if taken := sorted(named & (OF_KEYS | {VERSION})):
                    raise ValueError(
                        f"a group may not be named {taken[0]!r}, which every key has a value for already"
                    )
        of_part = OF_KEYS | named
        of_item = of_part if route.group else of_part | OF_OBJECTS
        self.named = named
        self.path = _template("path", route.path, of_item)
        self.name = _template("name", route.item_name, of_item)
        self.dataset = None if route.dataset is None else _value("dataset", route.dataset, of_item)
        self.slot = _value("slot", route.slot, of_part if route.group else of_item)
        self.by = (
            None
            if not route.group or route.group.by is None
            else _template("group.by", route.group.by, of_part)
        )
        self.versioned = (
            None
            if route.versioned_name is None
            else _template("versioned_name", route.versioned_name, of_item | {VERSION})
        )
        self.tags = [_template("tags", text, of_item) for text in _texts_of_tags(route)]
        self.metadata = {
            name: _template("metadata", text, of_item)
            for name, text in route.metadata.items()
            if isinstance(text, str)
        }
        self.sidecars = None if route.sidecars is None else ReadySidecars(route.sidecars, of_part)
        self._tells_extension = bool({"stem", "ext"} & self._every_name)
        self.marker = (route.group.marker or route.group.manifest) if route.group else ""

    def takes(self, held: S3Object, event: str = "") -> Mapping[str, str] | None:
        """The named groups of a key that the route takes; None when it does not take the object. An *event* of "" is any:
        who lists objects knows no events.
        """
        for condition in self._conditions:
            if not condition.holds(held, event):
                return None
        if self._groups_of is None:
            return _NO_GROUPS
        return self._groups_of(held.key[len(self.prefix) :])

    def marks(self, held: S3Object) -> str | None:
        """What the keys of a group's parts begin with, below the prefix, when the object is the group's marker or manifest;
        None when it is not one.
        """
        if (
            not self.marker
            or self.route.bucket not in (None, held.bucket)
            or not held.key.startswith(self.prefix)
        ):
            return None
        beginning, name = held.key[len(self.prefix) :], self.marker
        if not beginning.endswith(name):
            return None
        beginning = beginning.removesuffix(name)
        ending = "/" if self.by is None else self.by.ending
        in_no_folder = not beginning and (self.by is None or "folder" in self.by.names)
        return beginning if beginning.endswith(ending) or in_no_folder else None

    def beginning(self, values: Mapping[str, str]) -> str:
        """What the keys of a group's parts begin with, below the prefix: a folder that is empty has no slash. Raises
        :class:`NoValue`.
        """
        if self.by is None:
            return values["folder"] + "/" if values["folder"] else ""
        beginning = self.by.render(values)
        return beginning if values["folder"] else beginning.lstrip("/")

    def why_not(self, held: S3Object, event: str = "") -> str | None:
        """Why the route does not take the object, in a few words; None when it does."""
        for condition in self._conditions:
            if not condition.holds(held, event):
                return condition.words
        if self.takes(held, event) is None:
            return f"the key below the prefix does not match the regular expression {self.route.regex}"
        return None

    def values(self, held: S3Object, groups: Mapping[str, str]) -> dict[str, str]:
        """What templates are told of an object: its bucket and key, and of the key below the prefix the folders, the
        filename, and of that the stem and the extension (without its dot: the longest one that is known, or what follows
        the last dot), besides the named groups.
        """
        return {**self.values_of_key(held.bucket, held.key), **groups}

    def values_of_key(self, bucket: str, key: str) -> dict[str, str]:
        folder, _, filename = below(self.prefix, key).rpartition("/")
        if not self._tells_extension:
            return {"bucket": bucket, "key": key, "folder": folder, "filename": filename}
        ext = filetypes.extension_of(filename, self.types)
        stem = filename[: -len(ext) - 1] if ext else filename
        return {
            "bucket": bucket,
            "key": key,
            "folder": folder,
            "filename": filename,
            "stem": stem,
            "ext": ext,
        }

    @cached_property
    def asked_of_item(self) -> frozenset[str]:
        """The placeholders of the templates that say something of an item as a whole."""
        return _names_of((self.path, self.name, self.dataset, self.versioned, *self.tags))

    @property
    def asks_s3(self) -> bool:
        """Whether more must be known of an object than its event tells."""
        route = self.route
        parts = route.group is not None or self.sidecars is not None
        return (
            parts
            or route.head
            or self.asks_metadata
            or self.asks_tags
            or route.on_removed is not OnRemoved.IGNORE
        )

    @cached_property
    def asks_metadata(self) -> bool:
        return any(name.startswith("metadata.") for name in self._asked)

    @cached_property
    def asks_tags(self) -> bool:
        return any(name.startswith("tags.") for name in self._asked)

    @property
    def _asked(self) -> frozenset[str]:
        of_sidecars = () if self.sidecars is None else (self.sidecars.width, self.sidecars.height)
        return self.asked_of_item | _names_of((self.slot, *self.metadata.values(), *of_sidecars))

    @property
    def _every_name(self) -> frozenset[str]:
        of_keys = () if self.sidecars is None else self.sidecars.of_keys
        return self._asked | _names_of((self.by, *of_keys))


def _names_of(templates: Iterable[Template | Chooser | None]) -> frozenset[str]:
    return frozenset().union(*(template.names for template in templates if template is not None))


class ReadySidecars:
    """The templates of sidecars, read. *own*: whether a key can be one of the route's sidecars."""

    def __init__(self, sidecars: Sidecars, allowed: frozenset[str]) -> None:
        self.thumbnail = _template("thumbnail", sidecars.thumbnail, allowed)
        self.width = _optional("width", sidecars.width, allowed | OF_OBJECTS)
        self.height = _optional("height", sidecars.height, allowed | OF_OBJECTS)
        high, low = sidecars.frames_high, sidecars.frames_low
        self.high = None if high is None else ReadyFrames("frames.high", high, allowed)
        self.low = None if low is None else ReadyFrames("frames.low", low, allowed)
        frames = [each for each in (self.high, self.low) if each is not None]
        self.of_keys = (self.thumbnail, *(text for each in frames for text in (each.beginning, each.ending)))
        patterns = [_pattern(self.thumbnail)]
        patterns += [f"{_pattern(each.beginning)}.*{_pattern(each.ending)}" for each in frames]
        _, self._groups_of = compile_regex("|".join(patterns))

    def own(self, key: str) -> bool:
        return self._groups_of(key) is not None


class ReadyFrames:
    """Templates of what the keys of frames begin with and, behind the ``*`` if there is one, end with."""

    def __init__(self, field: str, text: str, allowed: frozenset[str]) -> None:
        beginning, star, ending = text.partition("*")
        if "*" in ending or (star and not beginning):
            raise FieldError(field, "a * may stand in it once, behind what the keys of the frames begin with")
        self.beginning = _template(field, beginning, allowed)
        self.ending = _template(field, ending, allowed)


def _pattern(template: Template) -> str:
    """Of the keys that it makes: a folder may be empty, and then its slash is not there either."""
    pattern = template.pattern(lambda name: ".*" if name == "folder" else ".+")
    return pattern.replace(".*/", "(?:.*/)?")


# -- which objects ----------------------------------------------------------------------------------------------------


def _conditions(route: Route, prefix: str) -> Iterator[_Condition]:
    if route.bucket is not None:
        yield _Condition(
            lambda held, _: held.bucket == route.bucket, f"the object is not in bucket {route.bucket}"
        )
    if prefix:
        yield _Condition(lambda held, _: held.key.startswith(prefix), f"the key is not below prefix {prefix}")
    at = len(prefix)
    if route.glob is not None:
        with _field("glob"):
            matches = compile_glob(route.glob)
        yield _Condition(
            lambda held, _: matches(held.key[at:]),
            f"the key below the prefix does not match the glob {route.glob}",
        )
    for pattern in route.exclude:
        with _field("exclude"):
            excluded = compile_glob(pattern)
        yield _Condition(
            lambda held, _, excluded=excluded: not excluded(held.key[at:]),  # type: ignore[misc]  # a default cannot be typed
            f"the key is excluded by {pattern}",
        )
    if route.extensions:
        endings = tuple("." + filetypes.normalise_extension(extension) for extension in route.extensions)
        yield _Condition(
            lambda held, _: held.key.lower().endswith(endings),
            f"the name ends in none of {', '.join(endings)}",
        )
    if route.smallest:
        yield _Condition(
            lambda held, event: _removed(event) or (held.size or 0) >= route.smallest,
            f"the object is smaller than {route.smallest} bytes, or of unknown size",
        )
    if (largest := route.largest) is not None:
        yield _Condition(
            lambda held, event: _removed(event) or (held.size is not None and held.size <= largest),
            f"the object is larger than {largest} bytes, or of unknown size",
        )
    if route.events:
        wanted = frozenset(route.events)
        yield _Condition(
            lambda _, event: not event.startswith(_CREATED) or event.removeprefix(_CREATED) in wanted,
            f"the event is none of {', '.join(route.events)}",
        )


def _removed(event: str) -> bool:
    """What tells of a removal tells no size."""
    return event != "" and not event.startswith(_CREATED)


@dataclass(frozen=True, slots=True)
class Found:
    """The rule that takes an object, and the named groups of its key; or whose group it marks, which *marks* tells, see
    :meth:`Rule.marks`.
    """

    rule: Rule
    groups: Mapping[str, str]
    marks: str | None = None


class Index:
    """Finds the first rule that takes an object, without asking all of them: by the prefixes that the key has."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_prefix: dict[str, list[int]] = {}
        for position, rule in enumerate(rules):
            self._by_prefix.setdefault(rule.prefix, []).append(position)
        self._deepest = max((rule.prefix.count("/") for rule in rules), default=0)

    def find(self, held: S3Object, event: str = "") -> Found | None:
        """The first rule in the operator's order that takes the object, or whose group it marks."""
        for position in sorted(self._candidates(held.key)):
            rule = self._rules[position]
            marks = rule.marks(held)
            if marks is not None:
                return Found(rule, _NO_GROUPS, marks)
            groups = rule.takes(held, event)
            if groups is not None:
                return Found(rule, groups)
        return None

    def _candidates(self, key: str) -> list[int]:
        found = list(self._by_prefix.get("", ()))
        end = 0
        for _ in range(self._deepest):
            end = key.find("/", end) + 1
            if not end:
                break
            found += self._by_prefix.get(key[:end], ())
        return found


# -- what is wrong with a field -----------------------------------------------------------------------------------------


class _field:  # noqa: N801 - it is read as a statement
    """Says of which field an error within speaks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, ValueError):
            raise FieldError(self._name, str(error)) from None


class FieldError(ValueError):
    """*field* of the route cannot be used; *why* is one sentence."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


def _template(field: str, text: str, allowed: frozenset[str]) -> Template:
    with _field(field):
        return read_template(text, allowed)
    raise AssertionError("an error within is raised again")


def _optional(field: str, text: str | None, allowed: frozenset[str]) -> Template | None:
    return None if text is None else _template(field, text, allowed)


def _value(field: str, value: Value, allowed: frozenset[str]) -> Template | Chooser:
    with _field(field):
        return read_value(value, allowed)
    raise AssertionError("an error within is raised again")


def _texts_of_tags(route: Route) -> list[str]:
    return list(route.tags.values()) if isinstance(route.tags, Mapping) else list(route.tags)

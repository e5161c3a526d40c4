"""Examples that an operator writes beside a route: what must come of a key, tried before anything runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from worker.core.forms import CannotBe, dataset_of, place_of, rejected, slot_name, type_of
from worker.core.grouping import GroupOf, values_of_group
from worker.core.model import Reason, S3Object
from worker.core.naming import normalise_path, why_no_key
from worker.core.objects import Listed
from worker.core.routes import Completeness
from worker.core.routing import Routes
from worker.core.rules import Found, Rule


@dataclass(frozen=True, slots=True)
class Example:
    """*route* takes the object *key*, of *bucket* (None: the route's) and of *size* bytes, for which S3 holds *metadata*
    and *tags*; the item's *dataset*, *path* and *name*, and the file's *slot*, are these, where they are not None.
    """

    route: str
    key: str
    bucket: str | None = None
    dataset: str | None = None
    path: str | None = None
    name: str | None = None
    slot: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    size: int = 1


def failures(routes: Routes, examples: Iterable[Example]) -> list[str]:
    """What does not come as the examples say, one sentence each. The route that an example names must be one of *routes*."""
    rules = {rule.route.name: rule for rule in routes.rules}
    return [
        f"Route {example.route!r}: example {example.key!r}: {why}"
        for example in examples
        for why in _failures(routes, rules[example.route], example)
    ]


def _failures(routes: Routes, rule: Rule, example: Example) -> Iterator[str]:
    held = S3Object(example.bucket or rule.route.bucket or "", example.key, size=example.size)
    found = routes.find(held)
    if found is None or found.rule is not rule:
        yield _not_taken(rule, held, found)
        return
    try:
        of_file, of_item = _values(routes, found, held, example)
    except CannotBe as cannot:
        yield f"no item comes of it: {cannot}"
        return
    if found.marks is not None and example.slot is not None:
        yield "it is the marker of its group, and has no slot."
    path = None if example.path is None else normalise_path(example.path)
    wanted: list[tuple[str, str | None, Callable[[], str]]] = [
        ("dataset", example.dataset, lambda: dataset_of(rule, of_item)),
        ("path", path, lambda: place_of(rule, of_item)[0]),
        ("name", example.name, lambda: place_of(rule, of_item)[1]),
        ("slot", example.slot if found.marks is None else None, lambda: slot_name(rule, of_file)),
    ]
    for what, expected, made in wanted:
        if expected is None:
            continue
        try:
            came = made()
        except CannotBe as cannot:
            yield f"it has no {what}: {cannot}"
        else:
            if came != expected:
                yield f"its {what} is {came!r}, and not {expected!r}."


def _values(
    routes: Routes, found: Found, held: S3Object, example: Example
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What templates are told of the file, and what of its item. Raises :class:`CannotBe`."""
    rule, group = found.rule, found.rule.route.group
    if found.marks is not None:
        return {}, values_of_group(GroupOf(rule, held.bucket, rule.prefix + found.marks), ())
    why = why_no_key(held.key)
    if why is not None:
        raise rejected(rule, Reason.INVALID_KEY, why)
    if group is None or group.complete is not Completeness.MANIFEST:  # which may name the type
        type_of(rule, held.key)
    values = rule.values(held, found.groups)
    if group is None:
        told = {f"metadata.{name.lower()}": text for name, text in example.metadata.items()}
        told |= {f"tags.{name}": text for name, text in example.tags.items()}
        return values | told, values | told
    group_of = GroupOf(rule, held.bucket, rule.prefix + rule.beginning(values))
    seen = routes.seen(group_of, [Listed(held.key, "", example.size)])
    if not seen.parts:
        why = f"It is in no group: that one's keys would begin with {group_of.beginning!r}."
        raise rejected(rule, Reason.INVALID_ITEM, why)
    return values, values_of_group(group_of, seen.parts)


def _not_taken(rule: Rule, held: S3Object, found: Found | None) -> str:
    other = "" if found is None else f"route {found.rule.route.name!r} takes it"
    why = rule.why_not(held)
    if why is None:
        return f"{other}, which stands before."
    return f"the route does not take it, for {why}" + (f"; {other}." if other else ".")

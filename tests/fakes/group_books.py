"""The books of groups that have come to rest: what is wrong in them, in sentences."""

import json
from itertools import pairwise

from tests.fakes.group_fleet import COUNT, QUIET, SLOTS, Fleet, Held, Letter, Moment
from tests.fakes.group_steps import MARKERS, SCENES
from worker.core.routes import Completeness

SLACK = 10.0
"""Seconds between a listing and what is told of it, where nothing fails."""


class LawBroken(AssertionError):
    """A law of the design does not hold."""


def wrong_in_books(fleet: Fleet, *, mended: bool) -> list[str]:
    """*mended*: all dead letters were replayed since the last change, so that what is complete must be an item."""
    counters = fleet.first.counters()
    items, letters = fleet.items(), fleet.letters()
    wrong = [f"{counters[what]} {what}" for what in ("extensions", "collisions") if counters[what]]
    if counters["registered"] != sum(map(len, items.values())):
        wrong.append("an item was registered twice")
    for scene in SCENES:
        of_scene = [letter for letter in letters if letter.scene == scene]
        wrong += [
            f"{scene}: {what}" for what in _of_scene(fleet, scene, items[scene], of_scene, mended=mended)
        ]
    return wrong


def _of_scene(
    fleet: Fleet, scene: str, items: list[tuple[float, list[str]]], letters: list[Letter], *, mended: bool
) -> list[str]:
    rule, moments = fleet.rule, fleet.bucket.moments[scene]
    held = moments[-1].held
    if len(items) > 1:
        return [f"{len(items)} items"]
    wrong = [f"untrue: {letter}" for letter in letters if not _truthful(rule, moments, letter, items)]
    if items:
        at, names = items[0]
        made_of = [moment for moment in moments if _made_of(rule, moment, at, names)]
        if not made_of:
            return [*wrong, f"{names} were never all there was when the group was complete"]
        late = wanted_of(rule, held).intersection(parts_of(held)).difference(names)
        if late and not _torn(moments, made_of[0].since, fleet.known_at(scene)):
            wrong += [
                f"{name} is not in the item {names}, and no dead letter says so"
                for name in late
                if not _told_of(fleet, scene, name, letters)
            ]
    elif is_complete(rule, held) and (mended or not letters):
        wrong.append(f"complete and no item: {dict(held)}, {letters}")
    elif not letters and (parts_of(held) or MARKERS.get(rule) in held):
        wrong.append(f"forgotten: {dict(held)}")
    return wrong


def _told_of(fleet: Fleet, scene: str, name: str, letters: list[Letter]) -> bool:
    """Whether a dead letter says that the item was made without this part."""
    written = fleet.bucket.written[scene, name]
    # What a manifest names that was written later, over the one that the item was made of, is no late part.
    newly_named = fleet.bucket.written.get((scene, MARKERS["manifest"]), 0.0) > written
    said = [letter for letter in [*letters, *fleet.replayed] if letter.scene == scene]
    return newly_named or any(letter.at >= written for letter in said)


def _torn(moments: list[Moment], since: float, until: float) -> bool:
    """Whether something was deleted while the item was on its way: what came then found a group that was not complete, and
    not yet registered, whose witness learns no more than that its own part is in the item.
    """
    return any(
        before.held.keys() - after.held.keys() and since <= after.since <= until
        for before, after in pairwise(moments)
    )


def _made_of(rule: Completeness, moment: Moment, at: float, names: list[str]) -> bool:
    quiet = QUIET - 1 if rule is Completeness.QUIET else 0
    return (
        is_complete(rule, moment.held)
        and wanted_of(rule, moment.held) == set(names)
        and moment.since <= at - quiet
    )


def _truthful(
    rule: Completeness, moments: list[Moment], letter: Letter, items: list[tuple[float, list[str]]]
) -> bool:
    ends = [moment.since for moment in moments[1:]] + [float("inf")]
    seen = [
        moment.held
        for moment, end in zip(moments, ends, strict=True)
        if moment.since <= letter.at and end >= letter.at - SLACK
    ]
    match letter.reason:
        case "missing_parts":
            return any(not is_complete(rule, held) for held in seen) or rule is Completeness.QUIET
        case "late_part":
            # One that a manifest does not name is called late too, once a file is gone that it names.
            return any(
                letter.name not in names or set(names) != wanted_of(rule, held)
                for _, names in items
                for held in seen
            )
        case "too_many_parts":
            return any(len(parts_of(held)) > COUNT for held in seen)
        case "unexpected_part":
            return any("roof.dcm" in held for held in seen)
        case "invalid_manifest":
            return any(held.get(MARKERS["manifest"]) == "" for held in seen)
        case _:
            return False


def parts_of(held: Held) -> set[str]:
    """What is empty is none yet."""
    return {name for name, content in held.items() if content and name not in MARKERS.values()}


def wanted_of(rule: Completeness, held: Held) -> set[str]:
    """The parts of the item: a manifest may leave some out."""
    manifest = held.get(MARKERS["manifest"], "")
    if rule is Completeness.MANIFEST and manifest:
        return {slot["file"] for slot in json.loads(manifest)["slots"]}
    return parts_of(held)


def is_complete(rule: Completeness, held: Held) -> bool:
    parts = parts_of(held)
    match rule:
        case Completeness.SLOTS:
            return parts == {f"{slot}.dcm" for slot in SLOTS}
        case Completeness.COUNT:
            return len(parts) == COUNT
        case Completeness.MARKER:
            return MARKERS["marker"] in held and bool(parts)
        case Completeness.MANIFEST:
            manifest = held.get(MARKERS["manifest"], "")
            return bool(manifest) and wanted_of(rule, held) <= parts
        case Completeness.QUIET:
            return bool(parts)

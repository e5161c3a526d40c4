"""From a listing of a group to what becomes of the records that wait for it: one function, for all kinds of completeness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.core.forms import FileDraft, blocked, dataset_of, item_of_manifest, item_of_parts, place_of
from worker.core.grouping import (
    Lacking,
    Member,
    Part,
    Seen,
    Verdicts,
    carrier,
    complete,
    has_key,
    in_order,
    incomplete,
    not_quiet,
    stand_in,
    values_of_group,
)
from worker.core.manifests import InvalidManifest, Manifest, read_manifest
from worker.core.model import Identity, Item, Reason, S3Object
from worker.core.routes import Completeness
from worker.core.routing import PartOf


@dataclass(frozen=True, slots=True)
class Ready:
    """The group is complete: *one* record goes on with its item, in which the *others* are. *files*: the objects of the item
    in the order of its slots.
    """

    one: Member
    others: Sequence[Member]
    part: PartOf
    parts: tuple[Part, ...]
    stand_in: S3Object
    values: Mapping[str, str]
    manifest: Manifest | None = None

    @property
    def identity(self) -> Identity:
        """Raises :class:`CannotBe`."""
        rule = self.part.group.rule
        path, name = (None, None) if self.manifest is None else (self.manifest.path, self.manifest.name)
        place = place_of(rule, self.values, path, name)
        return Identity(self.part.lane.team, dataset_of(rule, self.values), *place)

    def leaves_out(self, member: Member) -> bool:
        """Whether the manifest does not name the record's object."""
        return self.manifest is not None and not has_key(self.stand_in, member.key)

    def item(self, files: Sequence[FileDraft]) -> Item:
        """*files*: the parts, with what S3 told of each. Raises :class:`CannotBe`."""
        rule = self.part.group.rule
        if self.manifest is not None:
            return item_of_manifest(rule, self.stand_in, self.part.lane, self.values, self.manifest, files)
        return item_of_parts(rule, self.stand_in, self.part.lane, self.values, files)


def judge(
    part: PartOf, seen: Seen, content: bytes | None, members: Sequence[Member], now: float
) -> Verdicts | Ready:
    """What a listing, and with it the *content* of the group's manifest, shows. Raises :class:`CannotBe` for a group that
    cannot become an item as it is.
    """
    group = part.group
    route = group.rule.route
    if seen.first is None:
        return incomplete(group, seen, Lacking("nothing is there"), members, now)
    if route.group is not None and route.group.complete is Completeness.QUIET:
        found = not_quiet(group, seen, members, now)
        return (
            found if isinstance(found, Verdicts) else _ready(part, seen, in_order(seen.parts), found, members)
        )
    found_whole = complete(group, seen)
    if isinstance(found_whole, Lacking):
        return incomplete(group, seen, found_whole, members, now)
    if content is None:
        return _ready(part, seen, found_whole.parts, carrier(group, members), members)
    return _by_manifest(part, seen, content, members, now)


def _ready(
    part: PartOf, seen: Seen, parts: tuple[Part, ...], one: Member, members: Sequence[Member]
) -> Ready:
    """Raises :class:`CannotBe`."""
    others = [member for member in members if member is not one]
    return Ready(
        one, others, part, parts, stand_in(part.group, parts, seen), values_of_group(part.group, parts)
    )


def identity_of(part: PartOf, seen: Seen) -> Identity:
    """Where the item of the group would be, complete or not. Raises :class:`CannotBe`."""
    rule, values = part.group.rule, values_of_group(part.group, seen.parts)
    return Identity(part.lane.team, dataset_of(rule, values), *place_of(rule, values))


def _by_manifest(
    part: PartOf, seen: Seen, content: bytes, members: Sequence[Member], now: float
) -> Verdicts | Ready:
    group = part.group
    try:
        manifest = read_manifest(content)
    except InvalidManifest as error:
        why = f"The manifest {group.marker!r} cannot be used: {error}. Mend it, then replay this."
        raise blocked(group.rule, Reason.INVALID_MANIFEST, why) from None
    told = {each.listed.key: each.values for each in seen.parts}
    named = list[Part]()
    for slot in manifest.slots:
        key = group.beginning + slot.file
        listed = seen.files.get(key)
        if listed is None:
            return incomplete(
                group, seen, Lacking(f"{key}, which its manifest names, is not there"), members, now
            )
        named.append(Part(listed, told.get(key) or group.rule.values_of_key(group.bucket, key)))
    values = values_of_group(group, [each for each in named if each.listed.key in told])
    whole = stand_in(group, named, seen)
    one = carrier(group, [member for member in members if has_key(whole, member.key)] or members)
    others = [member for member in members if member is not one]
    return Ready(one, others, part, tuple(named), whole, values, manifest)

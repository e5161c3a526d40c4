"""What the ledger says of an item's identity, as values. The ledger's own clock decides what has lapsed (law 1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from worker.core.darwin import HeldItem
from worker.core.grouping import has_keys, same_keys
from worker.core.model import (
    Identity,
    Item,
    Kind,
    OnExisting,
    OnOverwrite,
    Outcome,
    Reason,
    Registration,
    S3Object,
)
from worker.core.naming import normalise_path

CLOCK_SKEW = 120.0
"""How far Darwin's clock may be off ours, in seconds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger holds under one identity.

    *registered*: the item is in Darwin, with this object. Otherwise a claim: live until *expires_in* seconds from
    now, lapsed at zero or below. *since* is when the identity was first claimed without having been released: no
    request for it left before. *at* is when the entry was last written; it tells one writing from another.
    """

    object: S3Object
    registered: bool
    token: str
    since: float
    at: float
    expires_in: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish to hold *identity* for *object*.

    *supersedes* names the entry (by its *at*) that this claim may replace: Darwin was asked, and does not hold the item
    that was registered, or that another object's claim may have sent.
    """

    identity: Identity
    object: S3Object
    supersedes: float | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """The identity is ours. *since* as in :class:`Entry`. *lapsed* is the claim of another holder whose time ran out, or
    the registered entry of this object that was superseded: the item may have been sent.
    """

    since: float
    lapsed: Entry | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """The identity is not ours to send: somebody's live claim, or registered already. *entry* says which."""

    entry: Entry


def decide(held: Entry | None, claim: Claim, token: str, now: float) -> Granted | Denied:
    """What a ledger answers to *claim* by *token* at *now* (Unix seconds) when it holds *held* under the identity.

    A claim that was left, lapsed or ours, goes to its own object: what its request made is ours. To another object it
    goes only when Darwin was asked, for the ledger would forget whose item it is.
    """
    if held is None:
        return Granted(since=now)
    live = not held.registered and held.token != token and held.expires_in > 0
    if live:
        return Denied(held)
    if claim.supersedes == held.at:
        # Darwin's list may lag behind: what was registered for this object may be there all the same.
        same = held.object.same_as(claim.object)
        return Granted(since=held.since, lapsed=held) if same else Granted(since=now)
    if held.registered or not held.object.same_as(claim.object):
        return Denied(held)
    return Granted(since=held.since, lapsed=None if held.token == token else held)


def forgettable(held: Entry | None, seen: Entry) -> bool:
    """Whether an operator may remove *held*: it is still the entry that was *seen*, and nobody's live claim."""
    if held is None or (held.at, held.token, held.object) != (seen.at, seen.token, seen.object):
        return False
    return held.registered or held.expires_in <= 0


def known(entry: Entry, item: Item) -> Outcome | Item:
    """What becomes of an item whose place the ledger has as registered; an item where a new version gets a name of its own."""
    wanted, before = item.object, Registration(item.identity, entry.object, entry.at)
    if entry.object.same_as(wanted):
        return Outcome(Kind.DUPLICATE, Reason.IN_LEDGER, before=before)
    if entry.object.same_place(wanted):
        if item.grouped and not same_keys(entry.object, wanted):
            return _of_other_parts(before, wanted)
        return _overwritten(item)
    holder = f"s3://{entry.object.bucket}/{entry.object.key}"
    text = f"Darwin's item of this path and name was registered for another object: {holder}"
    return Outcome(Kind.BLOCKED, Reason.NAME_COLLISION, text)


def _of_other_parts(before: Registration, wanted: S3Object) -> Outcome:
    """A group was registered while this listing of it was on its way. Its record answers for all parts in it."""
    if has_keys(before.object, wanted):
        return Outcome(Kind.DUPLICATE, Reason.IN_LEDGER, before=before)
    text = (
        f"The item of the group was registered with {before.object.size} objects, and some of {wanted.size} that were there soon "
        "after are not in it; Darwin keeps the item it has"
    )
    return Outcome(Kind.BLOCKED, Reason.LATE_PART, text)


def _overwritten(item: Item) -> Outcome | Item:
    text = "The object was overwritten after it was registered; Darwin keeps the item it has"
    match item.on_overwrite:
        case OnOverwrite.IGNORE:
            return Outcome(Kind.IGNORED, Reason.OVERWRITTEN, text)
        case OnOverwrite.DEAD_LETTER:
            return Outcome(Kind.BLOCKED, Reason.OVERWRITTEN, text)
        case OnOverwrite.REGISTER if item.versioned == item.name:
            # The version has been named: another one of its name is no new one.
            return Outcome(Kind.BLOCKED, Reason.NAME_COLLISION, "Two versions of the object get one name")
        case OnOverwrite.REGISTER:
            return replace(item, name=item.versioned)
        case _:
            assert_never(item.on_overwrite)


def exists(item: Item) -> Outcome:
    """What becomes of an item whose path and name Darwin held before us."""
    if item.on_existing is OnExisting.ACCEPT:
        return Outcome(Kind.EXISTING, Reason.ADOPTED)
    text = "Darwin holds an item of this path and name that this worker did not register (on_existing: block)"
    return Outcome(Kind.BLOCKED, Reason.FOREIGN_ITEM, text)


def proven_ours(item: Item, since: float, held: Sequence[HeldItem]) -> bool:
    """Whether Darwin's list shows an item that only our own request can have made: external, of this path and name,
    inserted after the identity was first claimed (*since*).

    While Darwin still processes an item it does not say whether it is external; then the rest must do.
    """
    return any(
        there.external is not False
        and there.inserted_at is not None
        and there.inserted_at >= since - CLOCK_SKEW
        for there in at_place(item, held)
    )


def is_held(item: Item, held: Sequence[HeldItem]) -> bool:
    """Whether Darwin's list shows an item of this path and name at all."""
    return bool(at_place(item, held))


def at_place(item: Item, held: Sequence[HeldItem]) -> list[HeldItem]:
    """Those of Darwin's items that have the item's path and name. Nobody knows in what form Darwin tells a path
    (darwin-api.md, unknown 10).
    """
    place = normalise_path(item.path), item.name
    return [there for there in held if (normalise_path(there.path), there.name) == place]

"""What the ledger says of an item's identity, as values. The ledger's own clock decides what has lapsed (law 1)."""

from dataclasses import dataclass

from worker.core.model import Identity, S3Object


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

    *supersedes* names the registered entry (by its *at*) that this claim may replace: Darwin was asked and does
    not hold the item any more.
    """

    identity: Identity
    object: S3Object
    supersedes: float | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """The identity is ours. *since* as in :class:`Entry`. *lapsed* is the claim of another holder whose time ran out:
    its request may have been sent.
    """

    since: float
    lapsed: Entry | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """The identity is not ours to send: somebody's live claim, or registered already. *entry* says which."""

    entry: Entry

"""What the pipeline needs from outside. Each port has one contract suite in tests/adapters, run on every adapter.

All methods raise :class:`worker.core.errors.Unavailable` or :class:`~worker.core.errors.Refused` and nothing else
that is not a bug, and all of them end: an adapter gives every call a deadline.
"""

import builtins
from collections.abc import Mapping, Sequence
from typing import Protocol

from worker.core.answers import Answer
from worker.core.claims import Claim, Denied, Entry, Granted
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.model import Identity, Lane, Message
from worker.core.objects import Head, Listed
from worker.core.queueing import Failure, Outgoing
from worker.core.turns import Turn


class Queue(Protocol):
    """One SQS queue. The batch calls take any number of entries and answer one result per entry, in order."""

    async def receive(self, limit: int, wait: float, visibility: int) -> list[Message]:
        """At most *limit* (1 to 10) messages, waiting at most *wait* seconds for the first. They are ours for
        *visibility* seconds, whatever the queue's own setting says.
        """
        ...

    async def extend(self, messages: Sequence[Message], seconds: int) -> list[Failure | None]:
        """Set each message's visibility to *seconds* from now; 0 gives it back."""
        ...

    async def delete(self, messages: Sequence[Message]) -> list[Failure | None]: ...

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]: ...


class Objects(Protocol):
    """What S3 holds; reads only. Keys are as S3 knows them, decoded and not empty.

    A bucket that does not exist, or that we may not read, is Refused. Two things S3 does not tell apart: to a HEAD, a
    bucket that is not there is an object that is not there; and without ``s3:ListBucket`` an object that is not there
    is one that we may not read.
    """

    async def list(self, bucket: str, prefix: str, limit: int) -> builtins.list[Listed]:
        """The objects whose keys begin with *prefix*, in the order of their keys' UTF-8 bytes; no more than one above
        *limit*, which tells that there are more.
        """
        ...

    async def head(self, bucket: str, key: str) -> Head | None:
        """What S3 tells of the object without its content; None when it is not there."""
        ...

    async def tags(self, bucket: str, key: str) -> Mapping[str, str] | None:
        """The object's tags; None when it is not there."""
        ...

    async def read(self, bucket: str, key: str, length: int) -> bytes | None:
        """The first *length* (at least 1) bytes, fewer when there are fewer; None when the object is not there. One
        that is archived is Refused.
        """
        ...


class Archive(Protocol):
    """Where receipts are kept: what lies below one prefix of one bucket."""

    async def put(self, name: str, content: bytes) -> None:
        """Store an object of this *name* below the archive's prefix. Once this returns it is there, whole; when this raises
        it may be there all the same, or come to be there later.
        """
        ...


class Ledger(Protocol):
    """The store of claims. One call is one trip, whatever the number of identities; each identity is atomic."""

    async def look_up(self, identities: Sequence[Identity]) -> list[Entry | None]: ...

    async def claim(self, claims: Sequence[Claim], token: str, seconds: float) -> list[Granted | Denied]:
        """Take or renew claims for *seconds*, as :func:`worker.core.claims.decide` says."""
        ...

    async def register(self, claims: Sequence[Claim], token: str) -> None:
        """Write that Darwin holds these objects under these identities; true whoever holds the claim by now."""
        ...

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        """Forget the claims that *token* still holds; no others, and nothing registered."""
        ...

    async def forget(self, identity: Identity, seen: Entry) -> bool:
        """An operator's: remove what stands under *identity*, be it registered, where it is still the entry that was *seen*
        and is no live claim. Whether nothing stands there now.
        """
        ...


class Quota(Protocol):
    """One token bucket. Every request to Darwin takes a token, retries too."""

    async def take(self) -> float:
        """0 when a token was taken; otherwise the seconds until it is worth asking again."""
        ...

    async def refused(self, retry_after: float | None) -> None:
        """Darwin said 429: nothing more until *retry_after* (or a backoff), then slower, climbing again."""
        ...

    async def level(self) -> float:
        """The tokens at hand; for the metric."""
        ...


class Probes(Protocol):
    """Whose turn it is to probe a Darwin that is paused: once a minute for a fleet."""

    async def turn(self, paused_for: float) -> Turn:
        """What to do for a worker that has been paused for so many seconds; :class:`~worker.core.turns.Ask` says so to
        one worker a minute.
        """
        ...

    async def well(self) -> None:
        """Tell the fleet that our probe found all well."""
        ...


class Darwin(Protocol):
    """One team's API, with one key. Who calls :meth:`register` has taken the token for it; the other methods take
    theirs from the general bucket by themselves.
    """

    async def register(self, lane: Lane, body: Mapping[str, object], within: float) -> Answer:
        """POST one batch. Whatever Darwin does becomes an :class:`Answer`, after *within* seconds at the latest;
        no answer is one too.
        """
        ...

    async def team(self) -> str:
        """The slug of the team that the key belongs to, by ``users/token_info``."""
        ...

    async def datasets(self) -> list[Dataset]: ...

    async def storages(self) -> list[Storage]: ...

    async def find_items(self, dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        """The items that Darwin holds at these (path, name) places; others may be among them."""
        ...

    async def archive(self, dataset_id: int, item_ids: Sequence[str]) -> int:
        """Archive these items; the number that Darwin says were affected. ValueError where an id is missing or empty."""
        ...

    def reread_key(self) -> bool:
        """Read the key file again; True when the key changed."""
        ...

"""What the pipeline needs from outside. Each port has one contract suite in tests/adapters, run on every adapter.

All methods raise :class:`worker.core.errors.Unavailable` or :class:`~worker.core.errors.Refused` and nothing else
that is not a bug, and all of them end: an adapter gives every call a deadline.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from worker.core.answers import Answer
from worker.core.claims import Claim, Denied, Entry, Granted
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.model import Identity, Lane, Message
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

    def reread_key(self) -> bool:
        """Read the key file again; True when the key changed."""
        ...

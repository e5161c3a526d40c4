"""The ledger of a fleet in Redis: one key per identity, on Redis' own clock.

What a claim means is decided by :func:`worker.core.claims.decide` from what was read, and written only where that still
stands; what somebody else changed meanwhile is read and decided again. All identities of a call travel together, and
those of one dataset share a hash tag, so that a batch is one script call.

Every writing lives for 30 days: a registered entry is forgotten after that, and so is a lapsed claim. What Redis itself
forgets (a crash without an append-only file, a failover to a replica that lags) may be sent twice; then only Darwin's
unique names tell it apart.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from worker.adapters.redis_store import RedisStore, Swap
from worker.core.claims import Claim, Denied, Entry, Granted, decide, forgettable
from worker.core.errors import Refused, Unavailable
from worker.core.model import Identity, S3Object

KEPT_SECONDS = 30 * 86_400
FORMAT = 1
ROUNDS = 10
"""How often a call decides again before it gives up: each further round needs that somebody else was faster."""

T = TypeVar("T")
Decision = Callable[[int, Entry | None, float], tuple[Entry | None, T]]
"""What shall stand instead of the entry found under the identity of this position at this time, and what the caller is
told. The same entry again means that nothing is written.
"""


class RedisLedger:
    """Implements the Ledger port in *store*."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._written = -math.inf

    async def look_up(self, identities: Sequence[Identity]) -> list[Entry | None]:
        if not identities:
            return []
        now, values = await self._store.read([_key(identity) for identity in identities])
        return [_unpacked(value, now) for value in values]

    async def claim(self, claims: Sequence[Claim], token: str, seconds: float) -> list[Granted | Denied]:
        def decided(n: int, held: Entry | None, now: float) -> tuple[Entry | None, Granted | Denied]:
            answer = decide(held, claims[n], token, now)
            if isinstance(answer, Denied):
                return held, answer
            at = self._stamp(held, now)
            return Entry(claims[n].object, False, token, answer.since, at, expires_in=seconds), answer

        return await self._change([claim.identity for claim in claims], decided)

    async def register(self, claims: Sequence[Claim], token: str) -> None:
        def decided(n: int, held: Entry | None, now: float) -> tuple[Entry, None]:
            since = held.since if held else now
            return Entry(claims[n].object, True, token, since, self._stamp(held, now)), None

        await self._change([claim.identity for claim in claims], decided)

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        def decided(_: int, held: Entry | None, _now: float) -> tuple[Entry | None, None]:
            mine = held is not None and not held.registered and held.token == token
            return None if mine else held, None

        await self._change(identities, decided)

    async def forget(self, identity: Identity, seen: Entry) -> bool:
        def decided(_: int, held: Entry | None, _now: float) -> tuple[Entry | None, bool]:
            left = None if forgettable(held, seen) else held
            return left, left is None

        [gone] = await self._change([identity], decided)
        return gone

    async def _change(self, identities: Sequence[Identity], decided: Decision[T]) -> list[T]:
        """Carry out a decision on each identity, in order; two trips, and two more for each round that somebody else
        was faster in.
        """
        keys = [_key(identity) for identity in identities]
        answers: dict[int, T] = {}
        after: dict[bytes, bytes | None] = {}
        pending = list(range(len(keys)))
        for _ in range(ROUNDS):
            if not pending:
                return [answers[n] for n in range(len(keys))]
            wanted = list(dict.fromkeys(keys[n] for n in pending))
            now, values = await self._store.read(wanted)
            before = dict(zip(wanted, values, strict=True))
            # Where our own writing stands, the swap was done and only its answer was lost on the way (the client sends
            # again after a broken connection). Deciding again would tell of a renewal, and not of the lapsed claim.
            pending = [n for n in pending if keys[n] not in after or before[keys[n]] != after[keys[n]]]
            after = dict(before)
            for n in pending:
                held = _unpacked(after[keys[n]], now)
                entry, answers[n] = decided(n, held, now)
                if entry != held:
                    after[keys[n]] = _packed(entry, now)
            swaps = [Swap(key, before[key], after[key]) for key in wanted if after[key] != before[key]]
            done = await self._store.swap(swaps, KEPT_SECONDS)
            lost = {swap.key for swap, was_done in zip(swaps, done, strict=True) if not was_done}
            pending = [n for n in pending if keys[n] in lost]
        raise Unavailable(f"{len(pending)} entries of the ledger changed faster than they could be read")

    def _stamp(self, held: Entry | None, now: float) -> float:
        """Each writing has its own time, even where the clock stands still or was set back."""
        latest = max(self._written, held.at if held else -math.inf)
        self._written = max(now, math.nextafter(latest, math.inf))
        return self._written


def _key(identity: Identity) -> bytes:
    """``darwin-worker:{team/dataset}/path/name``. The slash before the name is the last one, and slugs hold none, so no
    two identities share a key.
    """
    name = identity.name.replace("%", "%25").replace("/", "%2F")
    text = f"darwin-worker:{{{identity.team}/{identity.dataset}}}{identity.path}/{name}"
    return text.encode(errors="surrogatepass")


def _packed(entry: Entry | None, now: float) -> bytes | None:
    """A JSON array: our format's number, whether registered, the object, the holder, since, at, and when a claim ends.

    Text is not escaped, so that it stays as it is even where it is no valid Unicode.
    """
    if entry is None:
        return None
    thing = entry.object
    values = [
        *(FORMAT, int(entry.registered), thing.bucket, thing.key, thing.version, thing.etag, thing.size),
        *(entry.token, entry.since, entry.at, 0 if entry.registered else now + entry.expires_in),
    ]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


def _unpacked(value: bytes | None, now: float) -> Entry | None:
    if value is None:
        return None
    try:
        mark, *values = json.loads(value.decode(errors="surrogatepass"))
        if mark != FORMAT:
            raise Refused(
                f"The ledger holds entries of another format ({mark}, this worker knows {FORMAT}): run the version that "
                "wrote them, or give this one a database of its own."
            )
        registered, bucket, key, version, etag, size, token, since, at, ends = values
        thing = S3Object(bucket, key, version, etag, size)
        return Entry(thing, bool(registered), token, since, at, 0.0 if registered else ends - now)
    except (TypeError, ValueError) as error:
        raise Refused(
            "The ledger holds values that no worker wrote, under keys that begin with darwin-worker: give it a database "
            "of its own."
        ) from error

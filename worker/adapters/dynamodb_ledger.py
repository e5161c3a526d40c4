"""The ledger of a fleet in DynamoDB: one item per identity, each written under a condition on what stands there.

- A claim is inserted first, for most are new. What stands there already is read, decided on, and overwritten only if it
  is still what was read; so of two that want one identity, one is granted.
- Whether a writing whose answer was lost was done is seen by its time and token, which no other writing has.
- Time is the table's, and so is what a call raises; every call ends within the table's CALL_SECONDS.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from worker.adapters.dynamodb_items import entry, item_key, number, object_value
from worker.adapters.dynamodb_table import DynamodbTable, statement_of
from worker.core.claims import Claim, Denied, Entry, Granted, decide, forgettable
from worker.core.errors import Unavailable
from worker.core.model import Identity, S3Object

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef, BatchStatementRequestTypeDef

SWAPS = 10
"""Tries to write before others, who change the entry each time that we do not."""


# For the table's name. What is the same for all items stands in the statement, for each parameter costs CPU.
CLAIM_NEW = (
    "INSERT INTO \"%s\" VALUE {'id': ?, 'object': ?, 'token': ?, 'at': ?, 'since': ?, "
    "'expires': ?, 'registered': false}"
)
CLAIM_HELD = (
    'UPDATE "%s" SET "object" = ? SET "token" = ? SET "at" = ? SET "since" = ? '
    'SET "expires" = ? SET "registered" = false WHERE "id" = ? AND "at" = ? AND "token" = ?'
)
REGISTER_NEW = (
    "INSERT INTO \"%s\" VALUE {'id': ?, 'object': ?, 'token': ?, 'at': ?, 'since': ?, "
    "'expires': 0, 'registered': true}"
)
REGISTER_HELD = (
    'UPDATE "%s" SET "object" = ? SET "token" = ? SET "at" = ? '
    'SET "expires" = 0 SET "registered" = true WHERE "id" = ?'
)
RELEASE_HELD = 'DELETE FROM "%s" WHERE "id" = ? AND "token" = ? AND "registered" = false'
FORGET_HELD = 'DELETE FROM "%s" WHERE "id" = ? AND "at" = ? AND "token" = ?'


class DynamodbLedger:
    """Implements the Ledger port on *table*, which others may share."""

    def __init__(self, table: DynamodbTable) -> None:
        self._table = table
        self._written = -math.inf
        # What we tried to take over from others, by its key and the time of writing, until we know whether we have it.
        self._takeovers: dict[str, dict[float, Granted]] = {}
        self._claim_new = CLAIM_NEW % table.name
        self._claim_held = CLAIM_HELD % table.name
        self._register_new = REGISTER_NEW % table.name
        self._register_held = REGISTER_HELD % table.name
        self._release_held = RELEASE_HELD % table.name
        self._forget_held = FORGET_HELD % table.name

    async def look_up(self, identities: Sequence[Identity]) -> list[Entry | None]:
        keys = [item_key(identity) for identity in identities]
        async with self._table.whole("look up entries"):
            entries = await self._read(list(dict.fromkeys(keys)))
        return [entries[key] for key in keys]

    async def claim(self, claims: Sequence[Claim], token: str, seconds: float) -> list[Granted | Denied]:
        results: dict[int, Granted | Denied] = {}
        left = list(enumerate(item_key(claim.identity) for claim in claims))
        async with self._table.whole("take claims"):
            while left:
                # One identity twice in a call is handled one after the other.
                turn: dict[str, int] = {}
                for place, key in left:
                    turn.setdefault(key, place)
                taken = await self._claim({key: claims[place] for key, place in turn.items()}, token, seconds)
                results |= {place: taken[key] for key, place in turn.items()}
                left = [(place, key) for place, key in left if place not in results]
        return [results[place] for place in range(len(claims))]

    async def register(self, claims: Sequence[Claim], token: str) -> None:
        since = number(self._table.now())
        left = {item_key(claim.identity): _values(claim.object, token, self._stamp()) for claim in claims}
        async with self._table.whole("register entries"):
            for _ in range(SWAPS):
                for new in (False, True):
                    written = await self._table.write_all(
                        [
                            statement_of(self._register_new, {"S": key}, *values, since)
                            if new
                            else statement_of(self._register_held, *values, {"S": key})
                            for key, values in left.items()
                        ]
                    )
                    left = {key: left[key] for key, done in zip(left, written, strict=True) if not done}
                    if not left:
                        return
        raise _contended(len(left))

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        keys = dict.fromkeys(map(item_key, identities))
        async with self._table.whole("release claims"):
            await self._table.write_all(
                [statement_of(self._release_held, {"S": key}, {"S": token}) for key in keys]
            )

    async def forget(self, identity: Identity, seen: Entry) -> bool:
        key = item_key(identity)
        async with self._table.whole("forget an entry"):
            held = (await self._read([key]))[key]
            if held is None or not forgettable(held, seen):
                return held is None
            statement = statement_of(self._forget_held, {"S": key}, number(held.at), {"S": held.token})
            [done] = await self._table.write_all([statement])
            # Where the SDK asked twice, the second answer knows nothing of the first.
            return done or (await self._read([key]))[key] is None

    # --- one item

    async def _claim(
        self, claims: Mapping[str, Claim], token: str, seconds: float
    ) -> dict[str, Granted | Denied]:
        results: dict[str, Granted | Denied] = {}
        stamps = {key: self._stamp() for key in claims}
        held: Mapping[str, Entry | None] = dict.fromkeys(claims)
        for _ in range(SWAPS):
            writings: dict[str, BatchStatementRequestTypeDef] = {}
            for key, there in held.items():
                granted = results[key] = self._decide(key, there, claims[key], token)
                if isinstance(granted, Denied):
                    if granted.entry.token != token:
                        self._takeovers.pop(key, None)
                    continue
                if there and there.at >= stamps[key]:
                    stamps[key] = self._stamp(there.at)
                if granted.lapsed:
                    self._takeovers.setdefault(key, {})[stamps[key]] = granted
                values = [
                    *_values(claims[key].object, token, stamps[key]),
                    number(granted.since),
                    number(self._table.now() + seconds),
                ]
                if there is None:
                    writings[key] = statement_of(self._claim_new, {"S": key}, *values)
                else:
                    values += [{"S": key}, number(there.at), {"S": there.token}]
                    writings[key] = statement_of(self._claim_held, *values)
            written = await self._table.write_all(list(writings.values()))
            lost = [key for key, done in zip(writings, written, strict=True) if not done]
            for key in writings.keys() - lost:
                self._takeovers.pop(key, None)
            if not lost:
                return results
            held = await self._read(lost)
        raise _contended(len(held))

    def _decide(self, key: str, there: Entry | None, claim: Claim, token: str) -> Granted | Denied:
        answer = decide(there, claim, token, self._table.now())
        if isinstance(answer, Granted) and there and there.token == token:
            # A takeover of which only the answer was lost is still one.
            return self._takeovers.get(key, {}).get(there.at, answer)
        return answer

    def _stamp(self, after: float = -math.inf) -> float:
        """The time of a writing: each of ours has its own, even where the clock stands still or was set back."""
        self._written = max(self._table.now(), math.nextafter(max(self._written, after), math.inf))
        return self._written

    async def _read(self, keys: Sequence[str]) -> dict[str, Entry | None]:
        items = await self._table.read_all(keys)
        now = self._table.now()
        return {key: entry(items[key], now) if key in items else None for key in keys}


def _values(thing: S3Object, token: str, at: float) -> "list[AttributeValueTypeDef]":
    return [object_value(thing), {"S": token}, number(at)]


def _contended(count: int) -> Unavailable:
    return Unavailable(
        f"{count} entries of the ledger changed under our hands {SWAPS} times: too many workers want them"
    )

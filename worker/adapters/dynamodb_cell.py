"""A cell of a fleet in DynamoDB: one item of the ledger's table, with the table's clock."""

import uuid

from worker.adapters.cells import Seen
from worker.adapters.dynamodb_table import DynamodbTable, statement_of

FIRST = "INSERT INTO \"%s\" VALUE {'id': ?, 'value': ?, 'writing': ?}"
NEXT = 'UPDATE "%s" SET "value" = ? SET "writing" = ? WHERE "id" = ? AND "value" = ?'


class DynamodbCell:
    """Implements Cell on the item ``cell|NAME`` of *table*; no identity of the ledger has such a key."""

    def __init__(self, table: DynamodbTable, name: str) -> None:
        self._table = table
        self._key = f"cell|{name}"
        self._first = FIRST % table.name
        self._next = NEXT % table.name

    async def read(self) -> Seen:
        async with self._table.whole("read a cell"):
            items = await self._table.read_all([self._key])
        held = items.get(self._key)
        return Seen(held["value"]["S"] if held else None, self._table.now())

    async def swap(self, before: str | None, after: str) -> bool:
        writing = uuid.uuid4().hex
        if before is None:
            statement = statement_of(self._first, {"S": self._key}, {"S": after}, {"S": writing})
        else:
            statement = statement_of(
                self._next, {"S": after}, {"S": writing}, {"S": self._key}, {"S": before}
            )
        async with self._table.whole("swap a cell"):
            [done] = await self._table.write_all([statement])
            if done:
                return True
            # The SDK may have asked twice: then our own first writing is what stood in the way of the second.
            items = await self._table.read_all([self._key])
        held = items.get(self._key)
        return held is not None and held["writing"]["S"] == writing

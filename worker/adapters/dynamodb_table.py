"""The DynamoDB table that a fleet's ledger and cells share: made, checked, read and written in batches.

Its key is one string, ``id``; it has no index, and must have no time to live, for a ledger forgets nothing by itself.
All of a worker's calls are cheap in CPU: many items a call, a condition for each (PartiQL), nothing validated twice.

What IAM must allow on the table: dynamodb:DescribeTable, dynamodb:BatchGetItem, dynamodb:PartiQLInsert,
dynamodb:PartiQLUpdate, dynamodb:PartiQLDelete; and dynamodb:CreateTable to make it from here.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypedDict, TypeVar

import aioboto3
from aiobotocore.config import AioConfig
from botocore import exceptions

from worker.adapters.aws_errors import TRY_LATER, aws_call
from worker.adapters.aws_session import opened
from worker.core.backoff import backoff
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.store_clock import corrected

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import (
        AttributeValueTypeDef,
        BatchStatementRequestTypeDef,
        ResponseMetadataTypeDef,
        TableDescriptionTypeDef,
    )

    Item = Mapping[str, AttributeValueTypeDef]
    """The attributes by name, as in DynamoDB's API: ``{"id": {"S": "…"}}``."""

    class _Response(TypedDict):
        ResponseMetadata: ResponseMetadataTypeDef


KEY = "id"
KEYS_A_CALL = 100  # the most that BatchGetItem takes
STATEMENTS_A_CALL = 25  # the most that BatchExecuteStatement takes
CALLS_AT_ONCE = 8
CONNECT_SECONDS, READ_SECONDS = 2, 5
CALL_SECONDS = 20.0

TRIES, FIRST_WAIT, LONGEST_WAIT = 8, 0.05, 2.0
"""How often, and after what seconds, DynamoDB is given again what it left undone of a batch."""

POLL_SECONDS, CREATE_SECONDS = 0.5, 120.0

WRITING = "PartiQLInsert, dynamodb:PartiQLUpdate and dynamodb:PartiQLDelete"
NOT_MET = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
COMING = "CREATING"
READY = frozenset({"ACTIVE", "UPDATING"})

T = TypeVar("T")
R = TypeVar("R", bound="_Response")


@asynccontextmanager
async def open_table_client(session: aioboto3.Session) -> "AsyncIterator[DynamoDBClient]":
    """A client for any number of tables of the session's region; Refused when none can be made."""
    config = AioConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=2 * CALLS_AT_ONCE,
        retries={"max_attempts": 2, "mode": "standard"},
        parameter_validation=False,
    )
    async with opened("DynamoDB", lambda: session.client("dynamodb", config=config)) as client:
        yield client


def statement_of(text: str, *parameters: "AttributeValueTypeDef") -> "BatchStatementRequestTypeDef":
    """The PartiQL statement *text* with what stands for its question marks, in order."""
    return {"Statement": text, "Parameters": parameters}


class DynamodbTable:
    """The table *name*. *now* gives Unix seconds; it is put right by what DynamoDB's answers say (see :meth:`now`)."""

    def __init__(self, client: "DynamoDBClient", name: str, now: Callable[[], float]) -> None:
        self.name = name
        self.client = client
        self._local_now = now
        self._offset = 0.0
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)

    def now(self) -> float:
        """The store's time in Unix seconds, as well as it is known: :meth:`check` first, for it asks."""
        return self._local_now() + self._offset

    # --- the table itself

    async def check(self) -> None:
        """Raises :class:`Refused` for a table that is missing or cannot be the ledger's, :class:`Unavailable` for one that
        is being made.
        """
        table = await self._describe()
        if table is None:
            raise Refused(
                f"There is no DynamoDB table {self.name} in this account and region: check the name, or make it with "
                "`darwin-worker check --create`."
            )
        self._judge(table)

    async def create(self) -> None:
        """Make the table if there is none, and wait until it can be used. Raises as :meth:`check` does."""
        async with self._call("CreateTable"):
            with suppress(self.client.exceptions.ResourceInUseException):  # it is there
                await self.client.create_table(
                    TableName=self.name,
                    AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
                    BillingMode="PAY_PER_REQUEST",
                    DeletionProtectionEnabled=True,  # without its ledger a fleet would send everything again
                )
        deadline = asyncio.get_running_loop().time() + CREATE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            # A new table may be unknown for a moment, says API_DescribeTable.
            if (table := await self._describe()) and table.get("TableStatus") != COMING:
                return self._judge(table)
            await asyncio.sleep(POLL_SECONDS)
        raise Unavailable(
            f"The DynamoDB table {self.name} was not ready {CREATE_SECONDS:g} s after it was made"
        )

    async def _describe(self) -> "TableDescriptionTypeDef | None":
        async with self._call("DescribeTable"):
            try:
                response = await self._answer(self.client.describe_table(TableName=self.name))
            except self.client.exceptions.ResourceNotFoundException:
                return None
        return response["Table"]

    def _judge(self, table: "TableDescriptionTypeDef") -> None:
        status = table.get("TableStatus", "unknown")
        if status == COMING:
            raise Unavailable(f"The DynamoDB table {self.name} is being made: its status is {status}")
        if status not in READY:
            raise Refused(f"The DynamoDB table {self.name} cannot be used: its status is {status}.")
        types = {
            column["AttributeName"]: column["AttributeType"]
            for column in table.get("AttributeDefinitions", [])
        }
        keys = [
            (key["AttributeName"], types.get(key["AttributeName"]), key["KeyType"])
            for key in table.get("KeySchema", [])
        ]
        if keys != [(KEY, "S", "HASH")]:
            found = ", ".join(f"{name} ({type_}, {kind})" for name, type_, kind in keys)
            raise Refused(
                f"The DynamoDB table {self.name} cannot be a ledger: its key is {found}, where {KEY} (S, HASH) is "
                "needed. Give the ledger a table of its own; `darwin-worker check --create` makes it."
            )

    # --- its items, by their keys

    async def read_all(self, keys: Sequence[str]) -> "dict[str, Item]":
        """The items under these keys, each named once, where there is one; with all that was written before."""
        found: dict[str, Item] = {}

        async def step(left: Sequence[str]) -> Sequence[str]:
            keys = [{KEY: {"S": key}} for key in left]
            response = await self._answer(
                self.client.batch_get_item(RequestItems={self.name: {"Keys": keys, "ConsistentRead": True}})
            )
            for item in response["Responses"].get(self.name, []):
                found[item[KEY]["S"]] = item
            unread = response.get("UnprocessedKeys", {}).get(self.name)
            return [key[KEY]["S"] for key in unread["Keys"]] if unread else []

        await self._in_calls("BatchGetItem", "BatchGetItem", KEYS_A_CALL, keys, step)
        return found

    async def write_all(self, statements: "Sequence[BatchStatementRequestTypeDef]") -> list[bool]:
        """Carry out PartiQL statements, of which no two are about one item. False where what the statement asks of the
        item was not so; an INSERT asks that there is none, an UPDATE that there is one.
        """
        done = [True] * len(statements)

        async def step(left: Sequence[int]) -> Sequence[int]:
            response = await self._answer(
                self.client.batch_execute_statement(Statements=[statements[place] for place in left])
            )
            again: list[int] = []
            for place, answer in zip(left, response["Responses"], strict=True):
                error = answer.get("Error")
                if not error:
                    continue
                code = error.get("Code", "unknown")
                if code in NOT_MET:
                    done[place] = False
                elif code in TRY_LATER:
                    again.append(place)
                else:
                    raise exceptions.ClientError(
                        {"Error": {"Code": code, "Message": error.get("Message", "")}},
                        "BatchExecuteStatement",
                    )
            return again

        places = range(len(statements))
        await self._in_calls("BatchExecuteStatement", WRITING, STATEMENTS_A_CALL, places, step)
        return done

    # --- calls

    @asynccontextmanager
    async def whole(self, doing: str) -> AsyncIterator[None]:
        """Around what takes several calls: together they end within CALL_SECONDS."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                yield
        except TimeoutError as error:
            raise Unavailable(
                f"The DynamoDB table {self.name} did not {doing} within {CALL_SECONDS:g} s"
            ) from error

    def _call(self, name: str, action: str = "") -> AbstractAsyncContextManager[None]:
        return aws_call(f"DynamoDB {name}", f"table {self.name}", f"dynamodb:{action or name}", CALL_SECONDS)

    async def _answer(self, call: Awaitable[R]) -> R:
        """What DynamoDB answers; the Date of the answer puts our clock right."""
        asked = self._local_now()
        response = await call
        answered = self._local_now()
        with suppress(KeyError, ValueError):  # whatever stands between us and AWS may drop it
            date = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
            self._offset = corrected(self._offset, date.timestamp(), asked, answered)
        return response

    async def _in_calls(
        self,
        name: str,
        action: str,
        size: int,
        things: Sequence[T],
        step: Callable[[Sequence[T]], Awaitable[Sequence[T]]],
    ) -> None:
        """Give *things* to *step*, at most *size* a call, a few calls at a time; what *step* answers was left undone by
        DynamoDB and is given to it again, after a while.
        """
        errors: list[OutsideError] = []

        async def run(left: Sequence[T]) -> None:
            try:
                async with self._slots, self._call(name, action):
                    for failures in range(1, TRIES + 1):
                        if not (left := await step(left)):
                            return
                        await asyncio.sleep(backoff(failures, random.random(), FIRST_WAIT, LONGEST_WAIT))  # noqa: S311 - jitter
                raise Unavailable(
                    f"DynamoDB {name} on table {self.name}: throttled, {len(left)} items were left undone {TRIES} times"
                )
            except OutsideError as error:
                errors.append(error)

        async with asyncio.TaskGroup() as tasks:
            for start in range(0, len(things), size):
                tasks.create_task(run(things[start : start + size]))
        if errors:
            raise errors[0]

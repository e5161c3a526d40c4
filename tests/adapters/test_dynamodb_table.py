"""The table that a fleet shares, against MiniStack and against answers of DynamoDB that no emulator gives."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import aioboto3
import pytest

from tests.adapters.dynamodb_parts import SESSION, StandIn, standing_in
from worker.adapters import dynamodb_table
from worker.adapters.dynamodb_table import DynamodbTable, open_table_client, statement_of
from worker.core.errors import Refused, Unavailable

READY = {
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}


@pytest.fixture
def name() -> str:
    return f"ledger-{uuid.uuid4().hex}"


@pytest.fixture
async def stand_in(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    monkeypatch.setattr(dynamodb_table, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(dynamodb_table, "LONGEST_WAIT", 0.001)
    monkeypatch.setattr(dynamodb_table, "POLL_SECONDS", 0.001)
    async with standing_in() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        yield server


@pytest.fixture
async def table(stand_in: StandIn) -> AsyncIterator[DynamodbTable]:  # noqa: ARG001 - it answers
    async with open_table_client(SESSION) as client:
        yield DynamodbTable(client, "ledger", lambda: 1000.0)


# --- the table itself, on MiniStack


@pytest.mark.usefixtures("aws")
async def test_a_table_that_is_not_there_is_refused_and_says_how_to_make_it(name: str) -> None:
    async with open_table_client(SESSION) as client:
        with pytest.raises(Refused, match=f"no DynamoDB table {name} .*`darwin-worker check --create`"):
            await DynamodbTable(client, name, lambda: 0.0).check()


@pytest.mark.usefixtures("aws")
async def test_a_table_is_made_once_on_demand_and_protected(name: str) -> None:
    async with open_table_client(SESSION) as client:
        table = DynamodbTable(client, name, lambda: 0.0)
        await table.create()
        await table.create()
        await table.check()
        made = (await client.describe_table(TableName=name))["Table"]
    assert made["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert made["DeletionProtectionEnabled"] is True


@pytest.mark.usefixtures("aws")
async def test_a_table_with_another_key_is_refused_by_name(name: str) -> None:
    async with open_table_client(SESSION) as client:
        await client.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        table = DynamodbTable(client, name, lambda: 0.0)
        for call in (table.check, table.create):
            with pytest.raises(Refused, match=rf"{name} cannot be a ledger: its key is pk \(S, HASH\), sk"):
                await call()


async def test_without_a_region_the_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(Refused, match="The DynamoDB client has no region: set AWS_REGION"):
        async with open_table_client(aioboto3.Session()):
            pass


# --- answers that no emulator gives


async def test_a_table_that_is_being_made_may_be_asked_for_later(
    stand_in: StandIn, table: DynamodbTable
) -> None:
    stand_in.answers["DescribeTable"] = lambda _: (200, {"Table": READY | {"TableStatus": "CREATING"}})
    with pytest.raises(Unavailable, match="ledger is being made"):
        await table.check()


async def test_a_table_that_is_going_away_is_refused(stand_in: StandIn, table: DynamodbTable) -> None:
    stand_in.answers["DescribeTable"] = lambda _: (200, {"Table": READY | {"TableStatus": "DELETING"}})
    with pytest.raises(Refused, match="its status is DELETING"):
        await table.check()


async def test_making_a_table_waits_until_it_can_be_used(stand_in: StandIn, table: DynamodbTable) -> None:
    """A new table may be unknown at first, then it is being made."""
    unknown: dict[str, Any] = {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}
    seen = [(400, unknown), (200, {"Table": READY | {"TableStatus": "CREATING"}}), (200, {"Table": READY})]
    stand_in.answers["CreateTable"] = lambda _: (200, {"TableDescription": {}})
    stand_in.answers["DescribeTable"] = lambda _: seen.pop(0)
    await table.create()
    assert seen == []


async def test_a_table_that_is_never_ready_is_waited_for_with_a_deadline(
    stand_in: StandIn, table: DynamodbTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb_table, "CREATE_SECONDS", 0.05)
    stand_in.answers["CreateTable"] = lambda _: (200, {"TableDescription": {}})
    stand_in.answers["DescribeTable"] = lambda _: (200, {"Table": READY | {"TableStatus": "CREATING"}})
    with pytest.raises(Unavailable, match=r"not ready 0\.05 s after it was made"):
        await table.create()


async def test_keys_that_were_not_read_are_asked_for_again(stand_in: StandIn, table: DynamodbTable) -> None:
    def one_at_a_time(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        first, *rest = body["RequestItems"]["ledger"]["Keys"]
        unread = {"ledger": {"Keys": rest, "ConsistentRead": True}} if rest else {}
        return 200, {"Responses": {"ledger": [first]}, "UnprocessedKeys": unread}

    stand_in.answers["BatchGetItem"] = one_at_a_time
    assert await table.read_all(["a", "b", "c"]) == {key: {"id": {"S": key}} for key in "abc"}
    assert [len(body["RequestItems"]["ledger"]["Keys"]) for _, body in stand_in.asked] == [3, 2, 1]
    assert all(body["RequestItems"]["ledger"]["ConsistentRead"] for _, body in stand_in.asked)


async def test_reads_have_a_hundred_keys_a_call_and_writes_twenty_five(
    stand_in: StandIn, table: DynamodbTable
) -> None:
    stand_in.answers["BatchGetItem"] = lambda _: (200, {"Responses": {}, "UnprocessedKeys": {}})
    stand_in.answers["BatchExecuteStatement"] = lambda body: (
        200,
        {"Responses": [{}] * len(body["Statements"])},
    )
    await table.read_all([str(n) for n in range(250)])
    assert await table.write_all([statement_of("…", {"S": str(n)}) for n in range(60)]) == [True] * 60
    assert sorted(len(body["RequestItems"]["ledger"]["Keys"]) for _, body in stand_in.asked[:3]) == [
        50,
        100,
        100,
    ]
    assert sorted(len(body["Statements"]) for _, body in stand_in.asked[3:]) == [10, 25, 25]


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionConflict",
    ],
)
async def test_a_statement_that_was_put_off_is_tried_again_alone(
    stand_in: StandIn, table: DynamodbTable, code: str
) -> None:
    answers = [[{}, {"Error": {"Code": code, "Message": "later"}}, {}], [{"TableName": "ledger"}]]
    stand_in.answers["BatchExecuteStatement"] = lambda _: (200, {"Responses": answers.pop(0)})
    assert await table.write_all([statement_of(text) for text in "abc"]) == [True, True, True]
    assert [[one["Statement"] for one in body["Statements"]] for _, body in stand_in.asked] == [
        ["a", "b", "c"],
        ["b"],
    ]


async def test_a_statement_that_is_put_off_again_and_again_is_given_up_for_now(
    stand_in: StandIn, table: DynamodbTable
) -> None:
    put_off = {"Error": {"Code": "ThrottlingError"}}
    stand_in.answers["BatchExecuteStatement"] = lambda body: (
        200,
        {"Responses": [put_off] * len(body["Statements"])},
    )
    with pytest.raises(Unavailable, match="table ledger: throttled, 2 items were left undone 8 times"):
        await table.write_all([statement_of("a"), statement_of("b")])
    assert len(stand_in.asked) == 8


@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "DuplicateItem"])
async def test_a_condition_that_was_not_met_is_told_of_its_statement(
    stand_in: StandIn, table: DynamodbTable, code: str
) -> None:
    stand_in.answers["BatchExecuteStatement"] = lambda _: (
        200,
        {"Responses": [{}, {"Error": {"Code": code}}]},
    )
    assert await table.write_all([statement_of("a"), statement_of("b")]) == [True, False]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (
            "AccessDenied",
            "Allow dynamodb:PartiQLInsert, dynamodb:PartiQLUpdate and dynamodb:PartiQLDelete to the",
        ),
        ("ResourceNotFound", "make it with `darwin-worker check --create`"),
        ("ValidationError", "ValidationError: words of AWS"),
    ],
)
async def test_a_statement_that_will_never_do_is_refused_with_advice(
    stand_in: StandIn, table: DynamodbTable, code: str, advice: str
) -> None:
    stand_in.answers["BatchExecuteStatement"] = lambda _: (
        200,
        {"Responses": [{"Error": {"Code": code, "Message": "words of AWS"}}]},
    )
    with pytest.raises(Refused, match=f"DynamoDB BatchExecuteStatement on table ledger: .*{advice}"):
        await table.write_all([statement_of("a")])


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ExpiredTokenException", "The AWS credentials have expired: renew them"),
        ("UnrecognizedClientException", "AWS does not accept the credentials"),
        ("AccessDeniedException", "Allow dynamodb:BatchGetItem to the worker's role"),
        ("ResourceNotFoundException", "`darwin-worker check --create`"),
    ],
)
async def test_a_call_that_is_refused_says_what_to_do(
    stand_in: StandIn, table: DynamodbTable, code: str, text: str
) -> None:
    stand_in.answers["BatchGetItem"] = lambda _: (400, {"__type": f"com.amazon.coral.service#{code}"})
    with pytest.raises(Refused, match=f"DynamoDB BatchGetItem on table ledger: .*{text}"):
        await table.read_all(["a"])


async def test_of_several_calls_one_that_fails_fails_the_whole(
    stand_in: StandIn, table: DynamodbTable
) -> None:
    def one_fails(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if len(body["Statements"]) < 25:
            return 400, {"__type": "com.amazon.coral.service#AccessDeniedException"}
        return 200, {"Responses": [{}] * 25}

    stand_in.answers["BatchExecuteStatement"] = one_fails
    with pytest.raises(Refused):
        await table.write_all([statement_of(str(n)) for n in range(60)])
    assert len(stand_in.asked) == 3


async def test_every_call_ends_in_time(
    stand_in: StandIn, table: DynamodbTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb_table, "CALL_SECONDS", 0.1)
    stand_in.answers["BatchGetItem"] = lambda _: None
    with pytest.raises(Unavailable, match=r"(no answer|did not look up) within 0\.1 s"):
        async with table.whole("look up"):
            await table.read_all(["a"])


async def test_the_date_of_an_answer_puts_the_clock_right(stand_in: StandIn) -> None:
    """The stand-in's Date is of now; our clock stands in 1970."""
    stand_in.answers["DescribeTable"] = lambda _: (200, {"Table": READY})
    async with open_table_client(SESSION) as client:
        table = DynamodbTable(client, "ledger", lambda: 1000.0)
        assert table.now() == 1000.0
        await table.check()
    assert table.now() > 1_700_000_000.0

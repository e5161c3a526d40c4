"""What the ledger in DynamoDB does beyond the port: answers that are lost, clocks that differ, what people see."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.adapters.dynamodb_parts import table_on
from tests.adapters.stores import Clock
from worker.adapters.dynamodb_cell import DynamodbCell
from worker.adapters.dynamodb_ledger import DynamodbLedger
from worker.adapters.dynamodb_table import DynamodbTable
from worker.core.claims import Claim, Denied, Entry, Granted
from worker.core.errors import Unavailable
from worker.core.model import Identity, S3Object

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("aws")

CAT = Identity("acme", "intake", "/animals", "cat.jpg")
CAT_OBJECT = S3Object("media", "animals/cat.jpg", version="v1", etag="e1", size=7)
CAT_CLAIM = Claim(CAT, CAT_OBJECT)
SIXTY = [Claim(Identity("acme", "intake", "/", f"{n}.jpg"), S3Object("media", f"{n}.jpg")) for n in range(60)]


@pytest.fixture
def name() -> str:
    return f"ledger-{uuid.uuid4().hex}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def table(name: str, clock: Clock) -> AsyncIterator[DynamodbTable]:
    async with table_on(name, clock) as table:
        yield table


@pytest.fixture
def ledger(table: DynamodbTable) -> DynamodbLedger:
    return DynamodbLedger(table)


@contextmanager
def lost_answers(client: "DynamoDBClient") -> Iterator[None]:
    """What DynamoDB has written, nobody hears of."""

    def lose(parsed: dict[str, Any], **_: object) -> None:
        if any("Error" not in answer for answer in parsed["Responses"]):
            raise ConnectionClosedError(endpoint_url="the store")

    client.meta.events.register("after-call.dynamodb.BatchExecuteStatement", lose)
    try:
        yield
    finally:
        client.meta.events.unregister("after-call.dynamodb.BatchExecuteStatement", lose)


@contextmanager
def second_answers(client: "DynamoDBClient") -> Iterator[None]:
    """The answer to the first write is lost and the SDK asks again: by then the condition is not met any more."""
    left = [None]

    def second(parsed: dict[str, Any], **_: object) -> None:
        if left:
            left.pop()
            written = [answer for answer in parsed["Responses"] if "Error" not in answer]
            for answer in written:
                answer["Error"] = {"Code": "ConditionalCheckFailed"}

    client.meta.events.register("after-call.dynamodb.BatchExecuteStatement", second)
    try:
        yield
    finally:
        client.meta.events.unregister("after-call.dynamodb.BatchExecuteStatement", second)


# --- answers that are lost


async def test_a_claim_whose_answer_was_lost_is_ours(ledger: DynamodbLedger, table: DynamodbTable) -> None:
    """Law 1."""
    with lost_answers(table.client), pytest.raises(Unavailable):
        await ledger.claim([CAT_CLAIM], "us", 50)
    assert await ledger.claim([CAT_CLAIM], "us", 50) == [Granted(since=1000.0)]


async def test_a_takeover_whose_answer_was_lost_is_still_told_of(
    ledger: DynamodbLedger, table: DynamodbTable, clock: Clock
) -> None:
    """Law 1: whoever takes a lapsed claim over must know that its request may have been sent."""
    await ledger.claim([CAT_CLAIM], "they", 50)
    clock.time = 1050.0
    lapsed = Entry(CAT_OBJECT, registered=False, token="they", since=1000, at=1000, expires_in=0)
    with lost_answers(table.client), pytest.raises(Unavailable):
        await ledger.claim([CAT_CLAIM], "us", 50)
    clock.time = 1060.0
    assert await ledger.claim([CAT_CLAIM], "us", 50) == [Granted(since=1000.0, lapsed=lapsed)]
    [held] = await ledger.look_up([CAT])
    assert held == Entry(CAT_OBJECT, registered=False, token="us", since=1000, at=1060, expires_in=50)
    assert await ledger.claim([CAT_CLAIM], "us", 50) == [Granted(since=1000.0, lapsed=None)]


async def test_a_takeover_whose_answer_was_lost_is_told_of_after_an_outage_too(
    ledger: DynamodbLedger, table: DynamodbTable, clock: Clock
) -> None:
    """Law 1."""

    def cut(model: Any, **_: object) -> None:
        if model.name == "BatchExecuteStatement" and len(heard) > 1:
            raise ConnectionClosedError(endpoint_url="the store")
        heard.append(model.name)

    await ledger.claim([CAT_CLAIM], "they", 50)
    clock.time = 1050.0
    with lost_answers(table.client), pytest.raises(Unavailable):
        await ledger.claim([CAT_CLAIM], "us", 50)
    heard: list[str] = []
    table.client.meta.events.register("before-call.dynamodb", cut)
    with pytest.raises(Unavailable):
        await ledger.claim([CAT_CLAIM], "us", 50)
    assert heard == ["BatchExecuteStatement", "BatchGetItem"]
    table.client.meta.events.unregister("before-call.dynamodb", cut)
    [granted] = await ledger.claim([CAT_CLAIM], "us", 50)
    assert isinstance(granted, Granted)
    assert granted.lapsed
    assert granted.lapsed.token == "they"


async def test_a_takeover_that_the_sdk_asked_for_twice_is_told_of(
    ledger: DynamodbLedger, table: DynamodbTable, clock: Clock
) -> None:
    """Law 1."""
    await ledger.claim([CAT_CLAIM], "they", 50)
    clock.time = 1050.0
    with second_answers(table.client):
        [granted] = await ledger.claim([CAT_CLAIM], "us", 50)
    assert isinstance(granted, Granted)
    assert granted.lapsed
    assert granted.lapsed.token == "they"


async def test_a_registration_that_the_sdk_asked_for_twice_is_one(
    ledger: DynamodbLedger, table: DynamodbTable
) -> None:
    with second_answers(table.client):
        await ledger.register([CAT_CLAIM], "us")
    [held] = await ledger.look_up([CAT])
    assert held
    assert (held.registered, held.since) == (True, 1000.0)


async def test_a_forgetting_that_the_sdk_asked_for_twice_is_done(
    ledger: DynamodbLedger, table: DynamodbTable
) -> None:
    await ledger.register([CAT_CLAIM], "us")
    [seen] = await ledger.look_up([CAT])
    assert seen is not None
    with second_answers(table.client):
        assert await ledger.forget(CAT, seen)
    assert await ledger.look_up([CAT]) == [None]


async def test_a_swap_that_the_sdk_asked_for_twice_is_done(table: DynamodbTable) -> None:
    cell = DynamodbCell(table, "quota")
    with second_answers(table.client):
        assert await cell.swap(None, "first")
    with second_answers(table.client):
        assert await cell.swap("first", "second")
    assert not await cell.swap("first", "second")


# --- clocks that differ


async def test_replicas_with_clocks_minutes_apart_agree_on_what_has_lapsed(name: str, clock: Clock) -> None:
    """Law 1: the ledger's own clock decides what has lapsed."""
    async with (
        table_on(name, lambda: clock() + 300, store=clock) as ahead,
        table_on(name, lambda: clock() - 200, store=clock) as behind,
    ):
        us, they = DynamodbLedger(ahead), DynamodbLedger(behind)
        [granted] = await us.claim([CAT_CLAIM], "us", 50)
        assert isinstance(granted, Granted)
        assert granted.since == pytest.approx(1000, abs=1)
        [held] = await they.look_up([CAT])
        assert held
        assert held.expires_in == pytest.approx(50, abs=1)
        clock.time += 48
        assert isinstance((await they.claim([CAT_CLAIM], "they", 50))[0], Denied)
        clock.time += 4
        [taken] = await they.claim([CAT_CLAIM], "they", 50)
        assert isinstance(taken, Granted)
        assert taken.lapsed


async def test_a_clock_that_jumps_is_put_right_by_the_next_answer(name: str, clock: Clock) -> None:
    skew = 0.0
    async with table_on(name, lambda: clock() + skew, store=clock) as table:
        ledger = DynamodbLedger(table)
        skew = 3600.0
        await ledger.look_up([CAT])
        [granted] = await ledger.claim([CAT_CLAIM], "us", 50)
    assert isinstance(granted, Granted)
    assert granted.since == pytest.approx(1000, abs=1)


# --- what is asked of DynamoDB, and what people see in it


async def test_an_item_is_readable_in_the_console(ledger: DynamodbLedger, table: DynamodbTable) -> None:
    await ledger.claim([CAT_CLAIM], "us", 50)
    [item] = (await table.client.scan(TableName=table.name))["Items"]
    assert item["id"] == {"S": "item|acme|intake|/animals|cat.jpg"}
    assert item["object"] == {
        "S": '{"bucket":"media","key":"animals/cat.jpg","version":"v1","etag":"e1","size":7}'
    }
    assert item["registered"] == {"BOOL": False}
    assert item["token"] == {"S": "us"}
    assert [float(item[name]["N"]) for name in ("since", "at", "expires")] == [1000, 1000, 1050]
    assert len(item) == 7


async def test_no_call_has_two_statements_about_one_item(
    ledger: DynamodbLedger, table: DynamodbTable
) -> None:
    batches: list[list[str]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        statements = params["Statements"]
        batches.append(
            [next(v["S"] for v in s["Parameters"] if v.get("S", "").startswith("item|")) for s in statements]
        )

    table.client.meta.events.register("provide-client-params.dynamodb.BatchExecuteStatement", note)
    twice = [*SIXTY, *SIXTY]
    assert len(await ledger.claim(twice, "us", 50)) == 120
    await ledger.register(twice, "us")
    await ledger.release([claim.identity for claim in twice], "us")
    assert all(len(set(batch)) == len(batch) <= 25 for batch in batches)


async def test_sixty_fresh_claims_cost_three_calls(ledger: DynamodbLedger, table: DynamodbTable) -> None:
    calls: list[str] = []
    table.client.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    await ledger.claim(SIXTY, "us", 50)
    assert calls == ["BatchExecuteStatement"] * 3
    calls.clear()
    await ledger.register(SIXTY, "us")
    assert calls == ["BatchExecuteStatement"] * 3
    calls.clear()
    await ledger.look_up([claim.identity for claim in SIXTY])
    assert calls == ["BatchGetItem"]


async def test_two_processes_that_race_for_sixty_identities_share_them_out(name: str, clock: Clock) -> None:
    """Law 1: each identity has exactly one winner."""
    async with table_on(name, clock) as ours, table_on(name, clock) as theirs:
        us, they = await asyncio.gather(
            DynamodbLedger(ours).claim(SIXTY, "us", 50), DynamodbLedger(theirs).claim(SIXTY, "they", 50)
        )
        held = await DynamodbLedger(ours).look_up([claim.identity for claim in SIXTY])
    for mine, yours, entry in zip(us, they, held, strict=True):
        assert {type(mine), type(yours)} == {Granted, Denied}
        assert entry
        assert entry.token == ("us" if isinstance(mine, Granted) else "they")


async def test_an_identity_that_others_change_without_end_is_given_up_for_now(
    ledger: DynamodbLedger, table: DynamodbTable
) -> None:
    def never(parsed: dict[str, Any], **_: object) -> None:
        parsed["Responses"] = [{"Error": {"Code": "ConditionalCheckFailed"}} for _ in parsed["Responses"]]

    table.client.meta.events.register("after-call.dynamodb.BatchExecuteStatement", never)
    with pytest.raises(Unavailable, match="1 entries of the ledger changed under our hands 10 times"):
        await ledger.claim([CAT_CLAIM], "us", 50)


async def test_cells_and_identities_do_not_meet(ledger: DynamodbLedger, table: DynamodbTable) -> None:
    cell = DynamodbCell(table, "quota/acme/registration")
    assert await cell.swap(None, "level")
    assert await ledger.look_up([Identity("quota", "acme", "registration", "")]) == [None]
    assert (await cell.read()).value == "level"

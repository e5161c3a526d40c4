"""DynamoDB on the emulator, with a clock that tests move, and a stand-in that answers what no emulator does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import aioboto3
from aiohttp import web

from worker.adapters.dynamodb_table import DynamodbTable, open_table_client

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

SESSION = aioboto3.Session(
    aws_access_key_id="000000000001", aws_secret_access_key="secret", region_name="eu-west-1"
)
"""One for all tests, because each reads all that there is to know of DynamoDB anew."""


@asynccontextmanager
async def table_on(
    name: str, now: Callable[[], float], store: Callable[[], float] | None = None
) -> AsyncIterator[DynamodbTable]:
    """The table *name*, made if there is none, in a process whose clock is *now*; what DynamoDB tells as its Date is
    *store*'s time (None: *now*'s).
    """
    async with open_table_client(SESSION) as client:
        tell_time(client, store or now)
        table = DynamodbTable(client, name, now)
        await table.create()
        yield table


def tell_time(client: "DynamoDBClient", store: Callable[[], float]) -> None:
    def date(parsed: dict[str, Any], **_: object) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = formatdate(store(), usegmt=True)

    client.meta.events.register("after-call.dynamodb", date)


Answers = Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None]
"""What a stand-in answers to the body of one request: status and body. None: nothing, as long as the test runs."""


@dataclass
class StandIn:
    """Answers as DynamoDB may. *asked* holds the requests: the call's name and its body."""

    endpoint: str
    answers: dict[str, Answers] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        call = request.headers["X-Amz-Target"].removeprefix("DynamoDB_20120810.")
        body = json.loads(await request.read())
        self.asked.append((call, body))
        if (answer := self.answers[call](body)) is None:
            await self.ended.wait()
            return web.Response(status=503)
        status, said = answer
        return web.json_response(said, status=status, content_type="application/x-amz-json-1.0")


@asynccontextmanager
async def standing_in() -> AsyncIterator[StandIn]:
    server = StandIn("")
    application = web.Application()
    application.router.add_post("/", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        server.ended.set()
        await runner.cleanup()

"""What the contract suites share: the servers of the session, and AWS settings that point at the emulator."""

from collections.abc import AsyncIterator, Iterator

import aioboto3
import aiohttp
import pytest

from tests.adapters.darwin_parts import Tokens
from tests.adapters.stores import CELLS, Clock, Opening
from tests.servers import RedisServer, running_redis
from worker.adapters.cells import Cell
from worker.adapters.darwin import open_session


@pytest.fixture(scope="session")
def _redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_server(_redis: RedisServer) -> RedisServer:
    """The Redis of this test session, emptied. A test that stops or freezes its server starts one of its own."""
    with _redis.client() as client:
        client.flushall()
    return _redis


@pytest.fixture
def aws(ministack: str, monkeypatch: pytest.MonkeyPatch) -> aioboto3.Session:
    """A session on the emulator, configured as users configure the worker: by the SDK's own variables."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    return aioboto3.Session(
        aws_access_key_id="000000000001", aws_secret_access_key="secret", region_name="eu-west-1"
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=CELLS)
def cell_opening(request: pytest.FixtureRequest) -> Opening[Cell]:
    """Each kind of cell that there is."""
    return CELLS[request.param](request)


@pytest.fixture
async def cell(cell_opening: Opening[Cell], clock: Clock) -> AsyncIterator[Cell]:
    async with cell_opening.open(clock) as cell:
        yield cell


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()

"""What the Redis ledger promises beyond the port: its keys, its clock, how long it remembers, and how it travels."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from tests.adapters.stores import Clock, redis_store
from tests.servers import RedisServer, running_redis
from worker.adapters.redis_ledger import RedisLedger
from worker.adapters.redis_store import RedisStore, Swap
from worker.core.claims import Claim, Denied, Granted
from worker.core.errors import Refused, Unavailable
from worker.core.model import Identity, S3Object

CAT = Identity("acme", "intake", "/animals", "cat.jpg")
CLAIM = Claim(CAT, S3Object("media", "animals/cat.jpg", etag="e1", size=7))
CAT_KEY = "darwin-worker:{acme/intake}/animals/cat.jpg"
MONTH = 30 * 86_400


def batch(count: int, dataset: str = "intake") -> list[Claim]:
    names = [f"{n}.jpg" for n in range(count)]
    return [Claim(Identity("acme", dataset, "/", name), S3Object("media", name)) for name in names]


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    async with RedisStore.open(redis_server.url) as store:
        yield store


@pytest.fixture
def ledger(store: RedisStore) -> RedisLedger:
    return RedisLedger(store)


# --- keys, values and their life


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (CAT, CAT_KEY),
        (Identity("acme", "intake", "/", "cat.jpg"), "darwin-worker:{acme/intake}//cat.jpg"),
        (Identity("acme", "intake", "/50%", "50%/a"), "darwin-worker:{acme/intake}/50%/50%25%2Fa"),
    ],
)
async def test_a_key_can_be_read(
    ledger: RedisLedger, redis_server: RedisServer, identity: Identity, key: str
) -> None:
    await ledger.claim([Claim(identity, CLAIM.object)], "us", 50)
    with redis_server.client() as client:
        assert client.keys() == [key.encode()]


async def test_a_value_names_its_format_first(redis_server: RedisServer) -> None:
    async with redis_store(redis_server.url, Clock()) as store:
        await RedisLedger(store).claim([CLAIM], "us", 50)
        with redis_server.client() as client:
            held = client.get(CAT_KEY)
    assert held == b'[1,0,"media","animals/cat.jpg",null,"e1",7,"us",1000.0,1000.0,1050.0]'


async def test_an_entry_is_forgotten_thirty_days_after_it_was_written(
    ledger: RedisLedger, redis_server: RedisServer
) -> None:
    """Law 1. A lapsed claim is remembered as long, for its request may have been sent."""
    dog = Claim(CAT._replace(name="dog.jpg"), S3Object("media", "dog.jpg"))
    await ledger.claim([CLAIM], "us", 50)
    await ledger.register([dog], "us")
    with redis_server.client() as client:
        for key in (CAT_KEY, "darwin-worker:{acme/intake}/animals/dog.jpg"):
            assert MONTH - 60 <= int(str(client.ttl(key))) <= MONTH


async def test_looking_up_does_not_renew(ledger: RedisLedger, redis_server: RedisServer) -> None:
    await ledger.register([CLAIM], "us")
    with redis_server.client() as client:
        client.expire(CAT_KEY, 1000)
        await ledger.look_up([CAT])
        await ledger.claim([CLAIM], "us", 50)
        assert int(str(client.ttl(CAT_KEY))) <= 1000


async def test_a_released_claim_leaves_nothing_behind(ledger: RedisLedger, redis_server: RedisServer) -> None:
    await ledger.claim([CLAIM], "us", 50)
    await ledger.release([CAT], "us")
    with redis_server.client() as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            b'[2,{"another":"shape"}]',
            r"another format \(2, this worker knows 1\): run the version that wrote",
        ),
        (b"not ours", "values that no worker wrote"),
        (b"\xff", "values that no worker wrote"),
        (b"[1,0]", "values that no worker wrote"),
        (b"{}", "values that no worker wrote"),
    ],
)
async def test_a_value_that_cannot_be_understood_is_refused_and_left_alone(
    ledger: RedisLedger, redis_server: RedisServer, value: bytes, said: str
) -> None:
    with redis_server.client() as client:
        client.set(CAT_KEY, value)
        with pytest.raises(Refused, match=said):
            await ledger.look_up([CAT])
        with pytest.raises(Refused, match=said):
            await ledger.register([CLAIM], "us")
        assert client.get(CAT_KEY) == value


# --- the clock


async def test_the_time_is_that_of_redis(ledger: RedisLedger, redis_server: RedisServer) -> None:
    """Law 1: whatever the clocks of the processes say."""
    with redis_server.client() as client:
        before = client.time()
        [granted] = await ledger.claim([CLAIM], "us", 0.05)
        after = client.time()
        assert isinstance(granted, Granted)
        assert before[0] + before[1] / 1e6 <= granted.since <= after[0] + after[1] / 1e6
    deadline = time.monotonic() + 10
    while isinstance(result := (await ledger.claim([CLAIM], "they", 50))[0], Denied):
        assert time.monotonic() < deadline
    assert (result.since, result.lapsed and result.lapsed.token) == (granted.since, "us")


# --- trips


async def test_a_call_takes_the_same_commands_however_many_identities_it_names(
    ledger: RedisLedger, redis_server: RedisServer
) -> None:
    claims = batch(250)
    identities = [claim.identity for claim in claims]
    await ledger.claim(batch(1, "other"), "us", 50)  # connects, and makes the script known
    calls = [
        (ledger.look_up(identities), {"time": 1, "mget": 1}),
        (ledger.claim(claims, "us", 50), {"time": 1, "mget": 1, "evalsha": 1}),
        (ledger.claim(claims, "they", 50), {"time": 1, "mget": 1}),
        (ledger.register(claims, "us"), {"time": 1, "mget": 1, "evalsha": 1}),
        (ledger.release(identities, "us"), {"time": 1, "mget": 1}),
        (ledger.look_up([]), {}),
        (ledger.claim([], "us", 50), {}),
    ]
    for call, expected in calls:
        with redis_server.client() as client:
            client.config_resetstat()
            await call
            counts = client.info("commandstats")
        seen = {name.removeprefix("cmdstat_"): told["calls"] for name, told in counts.items()}
        assert {
            name: n for name, n in seen.items() if name in ("time", "mget", "evalsha", "eval")
        } == expected


async def test_the_connections_are_opened_anew_after_a_restart_and_what_was_kept_is_there() -> None:
    with running_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        async with RedisStore.open(server.url) as store:
            ledger = RedisLedger(store)
            await ledger.claim([CLAIM], "us", 3600)
            server.stop()
            with pytest.raises(Unavailable):
                await ledger.look_up([CAT])
            with pytest.raises(Unavailable):
                await ledger.register([CLAIM], "us")
            server.start()
            [denied] = await ledger.claim([CLAIM], "they", 50)
            assert isinstance(denied, Denied)
            await ledger.register([CLAIM], "us")


class Interfered(RedisStore):
    """The same Redis as *store*, where another registers CLAIM between reading and swapping, the first *times* times."""

    def __init__(self, store: RedisStore, times: int) -> None:
        super().__init__(store.client, "the test's Redis")
        self.other = RedisLedger(store)
        self.times = times
        self.reads = 0

    async def read(self, keys: Sequence[bytes]) -> tuple[float, list[bytes | None]]:
        self.reads += 1
        return await super().read(keys)

    async def swap(self, swaps: Sequence[Swap], seconds_to_live: int) -> list[bool]:
        if self.times:
            self.times -= 1
            await self.other.register([CLAIM], "they")
        return await super().swap(swaps, seconds_to_live)


async def test_what_somebody_else_changed_meanwhile_is_decided_again(store: RedisStore) -> None:
    claims = [*batch(3), CLAIM]
    results = await RedisLedger(Interfered(store, times=1)).claim(claims, "us", 50)
    assert [isinstance(result, Granted) for result in results] == [True, True, True, False]


async def test_what_others_change_without_end_is_given_up(store: RedisStore) -> None:
    busy = Interfered(store, times=1000)
    with pytest.raises(Unavailable, match="1 entries of the ledger changed faster than they could be read"):
        await RedisLedger(busy).register([*batch(3), CLAIM], "us")
    assert busy.reads == 10


class SentTwice(RedisStore):
    """A store whose connection broke after the server had swapped: the client sent the swap again."""

    async def swap(self, swaps: Sequence[Swap], seconds_to_live: int) -> list[bool]:
        await super().swap(swaps, seconds_to_live)
        return await super().swap(swaps, seconds_to_live)


async def test_a_swap_whose_answer_was_lost_still_tells_of_the_lapsed_claim(
    redis_server: RedisServer,
) -> None:
    """Law 1: a lapsed claim means that its request may have been sent; a renewal would not say so."""
    clock = Clock()
    async with redis_store(redis_server.url, clock) as store:
        await RedisLedger(store).claim([CLAIM], "dead", 50)
        clock.time = 1050.0
        [granted] = await RedisLedger(SentTwice(store.client, "")).claim([CLAIM], "us", 50)
        assert isinstance(granted, Granted)
        assert granted.lapsed is not None
        assert granted.lapsed.token == "dead"


# --- a cluster


@pytest.fixture
def cluster() -> Iterator[RedisServer]:
    with running_redis("--cluster-enabled", "yes") as server:
        yield server


async def test_on_a_cluster_a_call_of_many_datasets_names_one_slot_at_a_time(cluster: RedisServer) -> None:
    claims = [claim for n in range(20) for claim in batch(20, f"set-{n}")]
    identities = [claim.identity for claim in claims]
    with cluster.client() as client:
        client.execute_command("CLUSTER ADDSLOTS", *range(16384))  # type: ignore[no-untyped-call]  # redis-py has no types here
    cluster.until_said("Cluster state changed: ok")
    async with RedisStore.open(cluster.url) as store:
        ledger = RedisLedger(store)
        assert all(isinstance(result, Granted) for result in await ledger.claim(claims, "us", 50))
        await ledger.register(claims[::2], "us")
        await ledger.release(identities, "us")
        assert [held is not None for held in await ledger.look_up(identities)] == [True, False] * 200


async def test_a_cluster_that_is_down_is_unavailable(cluster: RedisServer) -> None:
    async with RedisStore.open(cluster.url) as store:
        with pytest.raises(Unavailable, match="Hash slot not served"):
            await RedisLedger(store).claim([CLAIM], "us", 50)

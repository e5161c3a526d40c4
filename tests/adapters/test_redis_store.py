"""What the Redis store promises beside the ports: addresses, failures in words, and that every call ends."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.servers import RedisServer, running_redis
from worker.adapters import redis_store
from worker.adapters.redis_store import RedisStore, Swap, without_password
from worker.core.errors import OutsideError, Refused, Unavailable

KEY = b"darwin-worker:{test}"
FIRST = Swap(KEY, None, b"first")


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A server that the test may stop and freeze."""
    with running_redis() as server:
        yield server


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "CALL_SECONDS", 0.2)


async def failure(url: str) -> OutsideError:
    """What a swap on the Redis at *url* fails with."""
    async with RedisStore.open(url) as store:
        with pytest.raises(OutsideError) as caught:
            await store.swap([FIRST], 60)
    return caught.value


@asynccontextmanager
async def answering(reply: str) -> AsyncIterator[str]:
    """The URL of a server that says *reply* to every command."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write((reply.encode() + b"\r\n") * len(re.findall(rb"(?m)^\*\d+\r$", data)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


# --- reading and swapping


async def test_a_new_value_is_swapped_in_and_read_with_the_servers_time(redis_server: RedisServer) -> None:
    async with RedisStore.open(redis_server.url) as store:
        assert await store.swap([FIRST], 60) == [True]
        with redis_server.client() as client:
            before, after = client.time(), client.time()
        now, values = await store.read([KEY, b"darwin-worker:{other}"])
        assert values == [b"first", None]
        assert before[0] - 60 < now < after[0] + 60


async def test_each_swap_of_a_call_is_done_or_not_by_itself(redis_server: RedisServer) -> None:
    swaps = [Swap(b"{%d}%d" % (n % 3, n), None, b"%d" % n) for n in range(20)]
    async with RedisStore.open(redis_server.url) as store:
        await store.swap(swaps[5:9], 60)
        assert await store.swap(swaps, 60) == [not 5 <= n < 9 for n in range(20)]
        assert (await store.read([swap.key for swap in swaps]))[1] == [b"%d" % n for n in range(20)]


async def test_what_is_swapped_for_nothing_is_gone(redis_server: RedisServer) -> None:
    async with RedisStore.open(redis_server.url) as store:
        await store.swap([FIRST], 60)
        assert await store.swap([Swap(KEY, b"first", None)], 60) == [True]
        with redis_server.client() as client:
            assert client.exists(KEY) == 0


async def test_a_value_lives_as_long_as_was_asked_from_its_last_swap(redis_server: RedisServer) -> None:
    async with RedisStore.open(redis_server.url) as store:
        await store.swap([FIRST], 60)
        await store.swap([Swap(KEY, b"first", b"second")], 600)
    with redis_server.client() as client:
        assert 590 <= int(str(client.ttl(KEY))) <= 600


async def test_a_server_that_forgot_the_script_is_told_again(redis_server: RedisServer) -> None:
    async with RedisStore.open(redis_server.url) as store:
        await store.swap([FIRST], 60)
        with redis_server.client() as client:
            client.script_flush()
        swaps = [Swap(KEY, b"first", b"second"), Swap(b"{other}", None, b"x")]
        assert await store.swap(swaps, 60) == [True, True]


async def test_the_database_of_the_url_is_used(redis_server: RedisServer) -> None:
    async with RedisStore.open(f"{redis_server.url}/3") as three, RedisStore.open(redis_server.url) as zero:
        await three.swap([FIRST], 60)
        assert (await zero.read([KEY]))[1] == [None]


async def test_more_calls_at_once_than_connections_wait_for_each_other(redis_server: RedisServer) -> None:
    async with RedisStore.open(redis_server.url) as store:
        await asyncio.gather(*(store.swap([Swap(b"{%d}" % n, None, b"x")], 60) for n in range(100)))
        with redis_server.client() as client:
            assert len(client.client_list()) <= 17


async def test_info_tells_of_version_memory_persistence_and_role(redis_server: RedisServer) -> None:
    async with RedisStore.open(redis_server.url) as store:
        told = await store.info()
    assert (told["role"], told["maxmemory_policy"], told["aof_enabled"], told["save"]) == (
        "master",
        "noeviction",
        0,
        "",
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(told["redis_version"]))


# --- addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://cache:6379/1", "redis://cache:6379/1"),
        ("rediss://user:s3cret@cache", "rediss://cache"),
        ("redis://:s3cret%40x@cache:1/0?ssl_ca_certs=/ca.pem", "redis://cache:1/0"),
        ("redis://user:s3@cret@cache:1", "redis://cache:1"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """Law 9."""
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://:s3cret@cache", "it must be redis://host:port"),
        ("redis://", "it must be redis://host:port"),
        ("unix:///run/redis.sock", "it must be redis://host:port"),
        ("redis://:s3cret@cache?protocol=3", "unknown options protocol"),
        ("redis://cache?password=s3cret", "unknown options password"),
        ("redis://:s3cret@cache:port", "is not understood"),
        ("redis://:s3cret@cache/one", "is not understood"),
        ("redis://:s3cret@cache?ssl_ca_certs=/ca.pem", "unknown options ssl_ca_certs"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_without_showing_its_password(url: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        async with RedisStore.open(url):
            pass
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


# --- failures


async def test_a_server_that_is_not_there_is_unavailable(own: RedisServer) -> None:
    own.stop()
    error = await failure(own.url)
    assert isinstance(error, Unavailable)
    assert str(error).startswith(f"Redis swap on {own.url}: Error ")


async def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    error = await failure("redis://nowhere.invalid")
    assert isinstance(error, Unavailable)


async def test_after_a_restart_the_same_store_works_again(own: RedisServer) -> None:
    async with RedisStore.open(own.url) as store:
        await asyncio.gather(*(store.read([KEY]) for _ in range(5)))
        own.stop()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await store.read([KEY])
        own.start()
        assert await store.swap([FIRST], 60) == [True]
        assert (await store.read([KEY]))[1] == [b"first"]


async def test_a_restart_between_two_calls_is_not_noticed(own: RedisServer) -> None:
    """The pool's connections are all broken; each is made anew once, at once."""
    async with RedisStore.open(own.url) as store:
        await asyncio.gather(*(store.read([KEY]) for _ in range(5)))
        own.stop()
        own.start()
        for n in range(5):
            assert await store.swap([Swap(b"{%d}" % n, None, b"x")], 60) == [True]


@pytest.mark.usefixtures("short")
async def test_a_server_that_hangs_is_unavailable_in_time_and_answers_later_calls_rightly(
    own: RedisServer,
) -> None:
    keys = [b"{%d}" % n for n in range(40)]
    async with RedisStore.open(own.url) as store:
        await store.swap([Swap(key, None, key) for key in keys], 60)
        with own.frozen():
            calls = (store.read([key]) for key in keys)  # more than there are connections
            failures = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(error) for error in failures] == [Unavailable] * 40
            assert str(failures[0]) == f"Redis read on {own.url}: no answer within 0.2 s"
        answers = await asyncio.gather(*(store.read([key]) for key in keys))
        assert [values for _, values in answers] == [[key] for key in keys]


@pytest.mark.usefixtures("short")
async def test_a_server_that_hangs_from_the_first_connection_on_is_unavailable_in_time(
    own: RedisServer,
) -> None:
    with own.frozen():
        assert "no answer within 0.2 s" in str(await failure(own.url))


async def test_a_call_that_is_given_up_spoils_no_later_one(own: RedisServer) -> None:
    async with RedisStore.open(own.url) as store:
        await store.swap([FIRST], 60)
        for _ in range(20):
            with own.frozen(), pytest.raises(TimeoutError):
                async with asyncio.timeout(0.002):
                    await store.read([b"{other}"])
            assert (await store.read([KEY]))[1] == [b"first"]


async def test_a_password_is_wanted_and_given_by_the_url() -> None:
    with running_redis("--requirepass", "p@ss/word") as server:
        none = await failure(server.url)
        wrong = await failure(server.url.replace("//", "//:s3cret@"))
        async with RedisStore.open(server.url.replace("//", "//:p%40ss%2Fword@")) as store:
            assert await store.swap([FIRST], 60) == [True]
    for error in (none, wrong):
        assert isinstance(error, Refused)
        assert server.url in str(error)
        assert "Give the right user and password in the URL" in str(error)
        assert "s3cret" not in str(error)


async def test_a_user_without_permissions_is_refused_and_the_needed_ones_are_named_and_suffice() -> None:
    needed = "+@connection +time +mget +get +set +del +evalsha +eval +info"
    with running_redis() as server:
        with server.client() as client:
            client.execute_command("ACL SETUSER weak on >pw ~darwin-worker:* +@connection +time")  # type: ignore[no-untyped-call]  # redis-py has no types here
            client.execute_command(f"ACL SETUSER strong on >pw ~darwin-worker:* {needed}")  # type: ignore[no-untyped-call]  # redis-py has no types here
        error = await failure(server.url.replace("//", "//weak:pw@"))
        async with RedisStore.open(server.url.replace("//", "//strong:pw@")) as store:
            assert await store.swap([FIRST], 60) == [True]
            assert (await store.read([KEY]))[1] == [b"first"]
            assert await store.swap([Swap(KEY, b"first", None)], 60) == [True]
            assert "save" not in await store.info()
    assert isinstance(error, Refused)
    assert f"Allow the user {needed} and ~darwin-worker:*" in str(error)


async def test_a_replica_is_unavailable_for_it_may_become_the_primary(own: RedisServer) -> None:
    with running_redis("--replicaof", "127.0.0.1", str(own.port)) as replica:
        error = await failure(replica.url)
    assert isinstance(error, Unavailable)
    assert "It is a replica: after a failover this passes; if not, give the primary's address." in str(error)


async def test_a_full_memory_is_unavailable_and_what_is_there_can_be_taken_away(own: RedisServer) -> None:
    async with RedisStore.open(own.url) as store:
        await store.swap([FIRST], 60)
        with own.client() as client:
            client.config_set("maxmemory", 1)
        with pytest.raises(Unavailable, match=r"Its memory is full: raise maxmemory"):
            await store.swap([Swap(b"{other}", None, b"x")], 60)
        assert await store.swap([Swap(KEY, b"first", None)], 60) == [True]


async def test_a_key_that_something_else_uses_is_refused_and_left_alone(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.rpush(KEY, "theirs")
        error = await failure(redis_server.url)
        assert client.llen(KEY) == 1
    assert isinstance(error, Refused)
    assert "WRONGTYPE" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        "-LOADING Redis is loading the dataset in memory",
        "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "-CLUSTERDOWN The cluster is down",
        "-TRYAGAIN Multiple keys request during rehashing of slot",
        "-BUSY Redis is busy running a script.",
        "-NOREPLICAS Not enough good replicas to write.",
        "-ERR max number of clients reached",
    ],
)
async def test_what_passes_by_itself_is_unavailable(reply: str) -> None:
    async with answering(reply) as url:
        error = await failure(url)
    assert isinstance(error, Unavailable)
    assert reply.rsplit(maxsplit=1)[-1].rstrip(".") in str(error)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("HTTP/1.1 400 Bad Request", "Is it a Redis at all"),
        ("-MOVED 5798 10.0.0.2:6379", "a cluster of several shards"),
        ("-ERR unknown command 'EVALSHA'", "unknown command"),
    ],
)
async def test_what_only_somebody_can_mend_is_refused(reply: str, said: str) -> None:
    async with answering(reply) as url:
        error = await failure(url)
    assert isinstance(error, Refused)
    assert said in str(error)


# --- TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(  # noqa: S603 - our own command, no shell
        [*command.split(), "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
        check=True,
        capture_output=True,
    )
    return tmp_path / "cert.pem"


async def test_tls_checks_the_servers_certificate(certificate: Path) -> None:
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(certificate.with_name("key.pem")))
    with running_redis(*files, "--tls-auth-clients", "no") as server:
        url = server.url.replace("redis:", "rediss:")
        async with RedisStore.open(f"{url}?ssl_ca_certs={certificate}") as store:
            assert await store.swap([FIRST], 60) == [True]
        error = await failure(url)
        assert isinstance(error, Refused)
        assert "Trust the server's certificate authority: ?ssl_ca_certs=file" in str(error)
        assert isinstance(await failure(server.url), Unavailable)


@pytest.mark.parametrize("option", ["ssl_ca_certs=/no/such/file", "ssl_certfile=/no/such/file"])
async def test_a_certificate_file_that_is_not_there_is_refused(own: RedisServer, option: str) -> None:
    error = await failure(f"{own.url.replace('redis:', 'rediss:')}?{option}")
    assert isinstance(error, Refused)
    assert "A file that the URL's options name is not there" in str(error)

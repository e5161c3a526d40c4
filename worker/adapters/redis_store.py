"""A Redis that a fleet shares: small values that are read with the server's clock, and swapped where they still stand.

Rules of this file:

- Decisions are not taken here and not in Lua. The one script compares and sets, many keys at a time.
- Keys of one hash tag lie in one slot of a cluster (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags);
  no command names keys of two tags. One call is one trip, or two where the server forgot the script.
- Only commands of Redis 6.2 and earlier; RESP2, because RESP3 answers some commands in other shapes.
- The URL's password is never shown.
"""

import asyncio
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from worker.core.errors import OutsideError, Refused, Unavailable

CALL_SECONDS = 5.0
"""The most that one call takes: waiting for a connection, connecting and all trips."""

CONNECTIONS = 16

TLS_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)
"""What may stand after the question mark of a URL: redis-py's options for TLS, and no others, because others change
what this file relies on.
"""

SCRIPT = """
local function failed(reply)
  return redis.error_reply((string.gsub(reply.err, '^@user_script: %d+: %-', '')))
end
local swapped = {}
for i, key in ipairs(KEYS) do
  local before, after = ARGV[2 * i], ARGV[2 * i + 1]
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then return failed(held) end
  swapped[i] = 0
  if (held or '') == before then
    local done
    if after == '' then done = redis.pcall('DEL', key)
    else done = redis.pcall('SET', key, after, 'EX', ARGV[1]) end
    if type(done) == 'table' and done.err then return failed(done) end
    swapped[i] = 1
  end
end
return swapped
"""
"""KEYS of one slot; ARGV: seconds to live, then for each key what must stand there and what shall ('' is nothing). Errors
are returned in their own words, because Redis 6 wraps what a script raises, and some of what it catches.
"""
DIGEST = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

PASSING = (
    exceptions.ConnectionError,  # BusyLoadingError (LOADING) and a full server (maxclients) are such
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.ClusterDownError,  # and MASTERDOWN
    exceptions.TryAgainError,
    exceptions.OutOfMemoryError,
)
CREDENTIALS = (exceptions.AuthenticationError, exceptions.AuthenticationWrongNumberOfArgsError)
PASSING_CODES = ("BUSY", "LOADING", "MISCONF", "NOREPLICAS")
"""Error replies that redis-py has no class for, by the first word."""

ADVICE: Mapping[type[Exception], str] = {
    exceptions.BusyLoadingError: "It reads its data from disk after a start; wait.",
    exceptions.ReadOnlyError: "It is a replica: after a failover this passes; if not, give the primary's address.",
    exceptions.OutOfMemoryError: "Its memory is full: raise maxmemory, or find what fills it.",
    exceptions.NoPermissionError: (
        "Allow the user +@connection +time +mget +get +set +del +evalsha +eval +info and ~darwin-worker:* (ACL SETUSER)."
    ),
    exceptions.AskError: "It is a cluster of several shards: give one that has a single shard.",
    exceptions.InvalidResponse: "Is it a Redis at all, and is its port meant for clients?",
}


class Swap(NamedTuple):
    """Put *after* under *key* where *before* stands; None is nothing. No value is empty."""

    key: bytes
    before: bytes | None
    after: bytes | None


class RedisStore:
    """Made by :meth:`open`. Its calls raise :class:`Unavailable` or :class:`Refused`, and end within CALL_SECONDS.

    A server that goes and comes back is reached again by the next call.
    """

    def __init__(self, client: Redis, place: str) -> None:
        self.client = client
        self._place = place

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Connections to ``redis[s]://[user:password@]host[:port][/database]``, made when they are needed.

        Raises :class:`Refused` for a URL that says something else.
        """
        client = Redis.from_pool(_pool(url))
        try:
            yield cls(client, without_password(url))
        finally:
            await client.aclose()

    async def read(self, keys: Sequence[bytes]) -> tuple[float, list[bytes | None]]:
        """The server's time in Unix seconds, and what stands under each key."""
        groups = _by_tag(keys)
        async with self._calling("read"):
            commands = [("MGET", *(keys[n] for n in group)) for group in groups]
            (seconds, micros), *values = _all_done(await self._trip([("TIME",), *commands]))
        return seconds + micros / 1_000_000, _in_order(groups, values)

    async def swap(self, swaps: Sequence[Swap], seconds_to_live: int) -> list[bool]:
        """Which were done. A key is named once; what is done lives for *seconds_to_live*, or until it is swapped."""
        groups = _by_tag([swap.key for swap in swaps])
        calls = []
        for group in groups:
            wanted = [swaps[n] for n in group]
            values = (value or b"" for swap in wanted for value in (swap.before, swap.after))
            calls.append((len(group), *(swap.key for swap in wanted), seconds_to_live, *values))
        async with self._calling("swap"):
            answers = await self._trip([("EVALSHA", DIGEST, *call) for call in calls])
            forgot = [n for n, answer in enumerate(answers) if isinstance(answer, exceptions.NoScriptError)]
            again = await self._trip([("EVAL", SCRIPT, *calls[n]) for n in forgot])
            for n, answer in zip(forgot, again, strict=True):
                answers[n] = answer
            return [done == 1 for done in _in_order(groups, _all_done(answers))]

    async def info(self) -> dict[str, object]:
        """What INFO tells, for people; and ``save``, the schedule of snapshots, where the server tells its settings."""
        async with self._calling("info"):
            info, saves = await self._trip([("INFO",), ("CONFIG GET", "save")])
            [told] = _all_done([info])
        return {**told, **({} if isinstance(saves, Exception) else saves)}

    async def _trip(self, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        """What is answered to each command, be it an error; none take no trip."""
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute(raise_on_error=False)

    @asynccontextmanager
    async def _calling(self, call: str) -> AsyncIterator[None]:
        doing = f"Redis {call} on {self._place}"
        try:
            async with asyncio.timeout(CALL_SECONDS):
                yield
        except TimeoutError as error:
            raise Unavailable(f"{doing}: no answer within {CALL_SECONDS:g} s") from error
        except exceptions.RedisError as error:
            raise _translated(doing, error) from error


def without_password(url: str) -> str:
    """*url* as it may be shown: without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _pool(url: str) -> BlockingConnectionPool:
    shown = without_password(url)
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise Refused(
            f"{shown} is no address of a Redis: it must be redis://host:port or rediss://host:port."
        )
    allowed = TLS_OPTIONS if parts.scheme == "rediss" else frozenset()
    if unknown := sorted({name for name, _ in parse_qsl(parts.query)} - allowed):
        raise Refused(
            f"{shown}: unknown options {', '.join(unknown)}. With rediss:// there may be: {', '.join(sorted(TLS_OPTIONS))}."
        )
    if not re.fullmatch(r"(/\d*)?", parts.path):
        raise Refused(f"{shown}: the database is not understood; it must be a number.")
    try:
        return BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=None,  # CALL_SECONDS bounds this wait and the two below
            socket_timeout=None,
            socket_connect_timeout=None,
            socket_keepalive=True,
            protocol=2,
            # A connection that broke while it lay in the pool; whether to try again later is the pipeline's decision.
            retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,)),
        )
    except ValueError:
        raise Refused(f"{shown}: the port or an option is not understood.") from None


def _all_done(answers: list[Any]) -> list[Any]:
    """*answers*, unless one is an error: that is raised."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _by_tag(keys: Sequence[bytes]) -> list[list[int]]:
    """The positions of *keys*, grouped by hash tag."""
    groups: dict[bytes, list[int]] = {}
    for n, key in enumerate(keys):
        groups.setdefault(key.partition(b"}")[0], []).append(n)
    return list(groups.values())


def _in_order(groups: Sequence[Sequence[int]], answers: Sequence[Sequence[Any]]) -> list[Any]:
    """The answers to each group's members, in the order of the call."""
    flat = {
        n: one
        for group, answer in zip(groups, answers, strict=True)
        for n, one in zip(group, answer, strict=True)
    }
    return [flat[n] for n in range(len(flat))]


def _translated(doing: str, error: exceptions.RedisError) -> OutsideError:
    text = f"{doing}: {_words(error)}"
    if isinstance(error, CREDENTIALS):
        return Refused(f"{text} Give the right user and password in the URL.")
    match (
        error.__cause__ or error.__context__
    ):  # what the system said; redis-py does not always name it as the cause
        case ssl.SSLCertVerificationError():
            return Refused(f"{text} Trust the server's certificate authority: ?ssl_ca_certs=file in the URL.")
        case FileNotFoundError():
            return Refused(f"{text} A file that the URL's options name is not there.")
    advice = next((f" {words}" for kind, words in ADVICE.items() if isinstance(error, kind)), "")
    if isinstance(error, PASSING):
        return Unavailable(f"{text}{advice or ' Check the address, the network and the server.'}")
    if str(error).startswith(PASSING_CODES):
        return Unavailable(f"{text} Look at the server's log.")
    return Refused(f"{text}{advice}")


def _words(error: exceptions.RedisError) -> str:
    """What the server or redis-py said, in one line with a full stop; the class where it said nothing."""
    words = " ".join(str(error).split())[:300] or type(error).__name__
    return words if words.endswith(".") else f"{words}."

"""Darwin's API over HTTP: one team, one key. Answers are translated here and judged in the core."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import aiohttp
from pydantic import SecretStr
from yarl import URL

from worker.core import asking
from worker.core.answers import Answer
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.model import Lane
from worker.core.registration import ENDPOINTS
from worker.metrics import Metrics

CONNECT_SECONDS = 5.0
GENERAL_SECONDS = 20.0
PAGE_SIZE = 500
LONGEST_LIST = 10  # pages
LONGEST_TEXT = 500
READ_FOR_TEXT = 4 * LONGEST_TEXT
"""Bytes of an answer in which secrets are looked for, for the few of them that are told."""

USER_AGENT = f"darwin-worker/{version('darwin-worker')}"
CONNECTIONS = 50

KEY_SHAPE = re.compile(r"\b[A-Za-z0-9]{7}\.[A-Za-z0-9_-]{32}")  # darwin-api.md section 8

T = TypeVar("T")


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """The pooled session for any number of :class:`DarwinApi`. It keeps no cookies.

    It does not trust the environment: aiohttp would look for a netrc entry, which contradicts the key.
    """
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
        yield session


class DarwinApi:
    """Implements the Darwin port.

    Tokens (law 4): who calls :meth:`register` has taken the token of the registration bucket. All other requests take
    theirs here, one by one, by awaiting *before_request*; a 429 among them is told to *on_429* with its Retry-After.
    *key* is the key itself or the file that holds it; Refused when there is none to be had there. Every request is
    counted in *metrics* under the last word of its address.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        team: str,
        key: SecretStr | Path,
        before_request: Callable[[], Awaitable[None]],
        on_429: Callable[[float | None], Awaitable[None]],
        metrics: Metrics,
    ) -> None:
        self._session = session
        self._root = URL(base_url.rstrip("/")) / "api"
        self._team_root = self._root / "v2" / "teams" / team
        self._storages_url = self._root / "teams" / team / "storage"
        self._key_file = key if isinstance(key, Path) else None
        self._key = (
            _read(key) if isinstance(key, Path) else _valid(key.get_secret_value(), "The Darwin API key")
        )
        self._before_request = before_request
        self._on_429 = on_429
        self._metrics = metrics

    async def register(self, lane: Lane, body: Mapping[str, object], within: float) -> Answer:
        url = self._team_root / "items" / ENDPOINTS[lane.mode]
        return await self._exchange("POST", url, within, json.dumps(body).encode())

    async def team(self) -> str:
        return await self._ask(self._root / "users" / "token_info", asking.team_of)

    async def datasets(self) -> list[Dataset]:
        return await self._ask(self._root / "datasets", asking.datasets_of)

    async def storages(self) -> list[Storage]:
        return await self._ask(self._storages_url, asking.storages_of)

    async def find_items(self, dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        """In as many requests as keep their URLs short, ten pages each at most. Paths are as Darwin writes them."""
        found: list[HeldItem] = []
        for chunk in asking.chunks_of_places(places):
            query = [("dataset_ids[]", str(dataset_id)), ("page[size]", str(PAGE_SIZE))]
            query += asking.query_of_places(chunk)
            found += await self._all_pages((self._team_root / "items").with_query(query))
        return found

    async def items(self, dataset_id: int) -> AsyncIterator[list[HeldItem]]:
        """Every item of the dataset, a page at a time; the list may be any length."""
        query = [("dataset_ids[]", str(dataset_id)), ("page[size]", str(PAGE_SIZE))]
        url = (self._team_root / "items").with_query(query)
        page_url = url
        while True:
            page = await self._ask(page_url, asking.page_of)
            yield page.items
            if page.next is None:
                return
            page_url = url.extend_query([("page[from]", page.next)])

    async def archive(self, dataset_id: int, item_ids: Sequence[str]) -> int:
        body = asking.archiving_of(dataset_id, item_ids)
        return await self._ask(self._team_root / "items" / "archive", asking.affected_of, body)

    def reread_key(self) -> bool:
        """False, and the old key stays, when the key came without a file or the file has no usable key now."""
        if self._key_file is None:
            return False
        try:
            key = _read(self._key_file)
        except Refused:
            return False
        changed = key.get_secret_value() != self._key.get_secret_value()
        self._key = key
        return changed

    async def _all_pages(self, url: URL) -> list[HeldItem]:
        found: list[HeldItem] = []
        page_url = url
        for _ in range(LONGEST_LIST):
            page = await self._ask(page_url, asking.page_of)
            found += page.items
            if page.next is None:
                return found
            page_url = url.extend_query([("page[from]", page.next)])
        # Half a list would make an item of ours look like nobody's.
        raise Unavailable(f"Darwin's item list did not end after {LONGEST_LIST} pages of {PAGE_SIZE}")

    async def _ask(
        self, url: URL, read: Callable[[object], T | None], body: Mapping[str, object] | None = None
    ) -> T:
        """GET, or POST where there is a *body*."""
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        await self._before_request()
        answer = await self._exchange(method, url, GENERAL_SECONDS, content)
        if answer.status == 429:  # noqa: PLR2004 - HTTP's own number
            await self._on_429(answer.retry_after)
        doing = f"Darwin, {method} {url.path}"
        if answer.status is None or not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            raise _error(doing, answer)
        if answer.payload is None:
            raise Unavailable(f"{doing}: the answer is no JSON: {answer.text}")
        result = read(answer.payload)
        if result is None:
            raise Refused(
                f"{doing}: the answer has an unexpected shape: {answer.text} Is the base URL Darwin's?"
            )
        return result

    async def _exchange(self, method: str, url: URL, within: float, body: bytes | None) -> Answer:
        started = time.monotonic()
        key = self._key.get_secret_value()
        headers = {
            "Authorization": f"ApiKey {key}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        if body is not None:
            headers["Content-Type"] = "application/json"

        def answer(
            status: int | None, said: str, payload: object = None, retry_after: float | None = None
        ) -> Answer:
            seconds = time.monotonic() - started
            told = "none" if status is None else str(status)
            self._metrics.darwin_requests.labels(endpoint=url.name, status=told).inc()
            self._metrics.darwin_request_seconds.labels(endpoint=url.name).observe(seconds)
            return Answer(status, payload, _struck(said, key)[:LONGEST_TEXT], retry_after, seconds)

        try:
            async with (
                asyncio.timeout(within),
                self._session.request(
                    method,
                    url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                ) as response,
            ):
                content = await response.read()
        except aiohttp.ServerTimeoutError:
            return answer(None, f"no connection within {CONNECT_SECONDS:g} s")
        except TimeoutError:
            return answer(None, f"no answer within {within:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return answer(None, f"no whole answer: {type(error).__name__}: {error}")
        seconds = asking.retry_after(
            response.headers.get("Retry-After"), response.headers.get("Date"), time.time()
        )
        text = content.decode(errors="replace") if len(content) <= READ_FOR_TEXT else _beginning(content, key)
        return answer(response.status, text, _parsed(content), seconds)


def _struck(text: str, key: str) -> str:
    return KEY_SHAPE.sub("[key]", text.replace(key, "[key]"))


def _beginning(content: bytes, key: str) -> str:
    """Of an answer that is too long to be told, without what may be the beginning of the key at its end."""
    return _struck(content[:READ_FOR_TEXT].decode(errors="replace"), key)[: -len(key)]


def _error(doing: str, answer: Answer) -> OutsideError:
    text = f"{doing}: {answer.text}" if answer.status is None else f"{doing}: {answer.status}: {answer.text}"
    match answer.status:
        case None | 408 | 429:
            return Unavailable(text, answer.retry_after)
        case status if status >= 500:  # noqa: PLR2004 - HTTP's own number
            return Unavailable(text, answer.retry_after)
        case 401 | 403:
            return Refused(f"{text} Check the API key and its permissions.")
        case 404:
            return Refused(f"{text} Check the team's slug and the base URL.")
        case _:
            return Refused(text)


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _read(file: Path) -> SecretStr:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Refused(f"The Darwin API key file {file} cannot be read: {reason}.") from None
    return _valid(text, f"The Darwin API key in {file}")


def _valid(key: str, whose: str) -> SecretStr:
    key = key.strip()
    if not key:
        raise Refused(f"{whose} is empty.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise Refused(
            f"{whose} has characters that no key has: one line of letters, digits and a dot is wanted."
        )
    return SecretStr(key)

"""The Darwin port on its adapter: against a server that does what networks and strangers do."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from tests.adapters.darwin_parts import KEY, LANE, Tokens, api_at
from worker.core.errors import Refused, Unavailable
from worker.core.model import Lane, Mode
from worker.pipeline.ports import Darwin

READ_ONLY_LANE = Lane("acme", "intake", "media", Mode.READ_ONLY)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Stub:
    """A server that answers everything with *handler* and keeps the requests."""

    url: str = ""
    handler: Handler | None = None
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        assert self.handler
        return await self.handler(request)

    def answers(self, body: object, status: int = 200, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)

        async def handler(_: web.Request) -> web.Response:
            return web.Response(text=text, status=status, headers=headers)

        self.handler = handler


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    stub = Stub()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", stub.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stub
    await runner.cleanup()


@pytest.fixture
def api(session: aiohttp.ClientSession, stub: Stub, tokens: Tokens) -> Darwin:
    return api_at(session, stub.url + "/", tokens)


# --- registering


async def test_a_registration_is_posted_as_documented(api: Darwin, stub: Stub, tokens: Tokens) -> None:
    stub.answers({"items": [], "blocked_items": []})
    answer = await api.register(LANE, {"dataset_slug": "intake", "items": []}, within=5)
    [request] = stub.requests
    assert (request.method, request.path) == ("POST", "/api/v2/teams/acme/items/register_existing")
    assert request.headers["Authorization"] == f"ApiKey {KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == "darwin-worker/0.1.0"
    assert json.loads(stub.bodies[0]) == {"dataset_slug": "intake", "items": []}
    assert (answer.status, answer.payload) == (200, {"items": [], "blocked_items": []})
    assert 0 < answer.seconds < 5
    assert tokens.taken == 0  # who calls has taken it


async def test_a_read_only_lane_goes_to_its_own_endpoint(api: Darwin, stub: Stub) -> None:
    stub.answers({})
    await api.register(READ_ONLY_LANE, {}, within=5)
    assert stub.requests[0].path == "/api/v2/teams/acme/items/register_existing_readonly"


async def test_a_netrc_file_does_not_contradict_the_key(
    api: Darwin, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    stub.answers({})
    assert (await api.register(LANE, {}, within=5)).status == 200
    assert stub.requests[0].headers["Authorization"] == f"ApiKey {KEY}"


async def test_an_answer_that_is_no_json_has_no_payload(api: Darwin, stub: Stub) -> None:
    """Row: HTML, truncated JSON."""
    for body in ("<html>We are down for maintenance</html>", '{"items":[{"na', "", "[" * 100_000):
        stub.answers(body)
        answer = await api.register(LANE, {}, within=5)
        assert (answer.status, answer.payload, answer.text) == (200, None, body[:500])


async def test_every_status_is_an_answer(api: Darwin, stub: Stub) -> None:
    for status in (201, 400, 401, 403, 404, 413, 414, 422, 429, 500, 502, 503):
        stub.answers({"errors": {"code": "X"}}, status)
        answer = await api.register(LANE, {}, within=5)
        assert (answer.status, answer.payload) == (status, {"errors": {"code": "X"}})


async def test_retry_after_is_read_in_either_form(api: Darwin, stub: Stub) -> None:
    """Row: 429."""
    stub.answers("", 429, **{"Retry-After": "17"})
    assert (await api.register(LANE, {}, within=5)).retry_after == 17
    stub.answers(
        "", 429, **{"Retry-After": "Sat, 01 Feb 2031 09:00:30 GMT", "Date": "Sat, 01 Feb 2031 09:00:00 GMT"}
    )
    assert (await api.register(LANE, {}, within=5)).retry_after == 30
    stub.answers("", 429, **{"Retry-After": "rubbish"})
    assert (await api.register(LANE, {}, within=5)).retry_after is None


async def test_redirects_are_not_followed(api: Darwin, stub: Stub) -> None:
    stub.answers("", 302, Location="/elsewhere")
    assert (await api.register(LANE, {}, within=5)).status == 302
    assert len(stub.requests) == 1


async def test_an_answer_that_does_not_come_in_time_is_none(api: Darwin, stub: Stub) -> None:
    """Row: timeout."""
    never = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await never.wait()
        raise AssertionError

    stub.handler = hang
    answer = await api.register(LANE, {}, within=0.2)
    assert (answer.status, answer.payload, answer.text) == (None, None, "no answer within 0.2 s")
    assert answer.seconds == pytest.approx(0.2, abs=0.3)


async def test_an_answer_that_trickles_is_cut_off_in_time(api: Darwin, stub: Stub) -> None:
    """Row: timeout."""
    never = asyncio.Event()

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"items":')
        await never.wait()
        raise AssertionError

    stub.handler = trickle
    assert (await api.register(LANE, {}, within=0.2)).status is None


async def test_a_connection_that_breaks_is_no_answer(api: Darwin, stub: Stub) -> None:
    """Row: broken connection."""

    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    stub.handler = hang_up
    answer = await api.register(LANE, {}, within=5)
    assert (answer.status, answer.payload) == (None, None)
    assert answer.text.startswith("no whole answer: ")


async def test_a_body_that_ends_too_early_is_no_answer(api: Darwin, stub: Stub) -> None:
    """Row: broken connection."""

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"items":[]}')
        assert request.transport
        request.transport.close()
        return response

    stub.handler = half
    assert (await api.register(LANE, {}, within=5)).status is None


async def test_a_port_where_nobody_listens_is_no_answer(
    session: aiohttp.ClientSession, tokens: Tokens
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but not listening
        api = api_at(session, f"http://127.0.0.1:{bound.getsockname()[1]}", tokens)
        answer = await api.register(LANE, {}, within=5)
        assert answer.status is None
        assert "Cannot connect to host 127.0.0.1" in answer.text
        with pytest.raises(Unavailable, match=r"GET /api/users/token_info: .*Cannot connect"):
            await api.team()


async def test_a_host_that_does_not_exist_is_no_answer(
    session: aiohttp.ClientSession, tokens: Tokens
) -> None:
    answer = await api_at(session, "http://darwin.invalid", tokens).register(LANE, {}, within=5)
    assert answer.status is None


async def test_the_text_is_short_and_never_holds_the_key(api: Darwin, stub: Stub) -> None:
    """Law 9."""
    stub.answers(
        f"Invalid key {KEY}, was {KEY[::-1]} or zyxwvut.ABCDEFabcdef0123456789ABCDEFabcd " + "x" * 5000, 401
    )
    answer = await api.register(LANE, {}, within=5)
    assert len(answer.text) == 500
    assert KEY not in answer.text
    assert "zyxwvut." not in answer.text
    with pytest.raises(Refused) as refused:
        await api.team()
    assert KEY not in str(refused.value)


async def test_a_cancelled_registration_is_cancelled(api: Darwin, stub: Stub) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        arrived.set()
        await never.wait()
        raise AssertionError

    stub.handler = hang
    task = asyncio.create_task(api.register(LANE, {}, within=30))
    await asyncio.wait_for(arrived.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- general requests


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (401, Refused, "Check the API key"),
        (403, Refused, "Check the API key"),
        (404, Refused, "Check the team's slug"),
        (302, Refused, "302"),
        (422, Refused, "422"),
        (408, Unavailable, "408"),
        (429, Unavailable, "429"),
        (500, Unavailable, "500"),
        (503, Unavailable, "503"),
    ],
)
async def test_a_general_request_raises_what_the_status_means(
    api: Darwin, stub: Stub, status: int, error: type[Exception], text: str
) -> None:
    stub.answers({"errors": {}}, status)
    for call in (api.team, api.datasets, api.storages):
        with pytest.raises(error, match=re.escape(text)):
            await call()
    with pytest.raises(error, match=r"GET /api/v2/teams/acme/items: .*" + re.escape(text)):
        await api.find_items(1, [("/", "a")])
    with pytest.raises(error, match=r"POST /api/v2/teams/acme/items/archive: .*" + re.escape(text)):
        await api.archive(1, ["018f"])


async def test_a_429_is_told_to_the_quota_and_to_who_asked(api: Darwin, stub: Stub, tokens: Tokens) -> None:
    """Row: 429. Law 4."""
    stub.answers("", 429, **{"Retry-After": "9"})
    with pytest.raises(Unavailable) as unavailable:
        await api.team()
    assert unavailable.value.retry_after == 9
    assert tokens.refused == [9]


async def test_an_answer_of_another_shape_is_refused(api: Darwin, stub: Stub) -> None:
    stub.answers({"unexpected": True})
    for call in (api.team, api.datasets, api.storages):
        with pytest.raises(Refused, match="unexpected shape"):
            await call()
    with pytest.raises(Refused, match="unexpected shape"):
        await api.find_items(1, [("/", "a")])
    with pytest.raises(Refused, match="unexpected shape"):
        await api.archive(1, ["018f"])


async def test_an_answer_that_is_no_json_may_be_better_next_time(api: Darwin, stub: Stub) -> None:
    stub.answers("<html>maintenance</html>")
    with pytest.raises(Unavailable, match="no JSON: <html>maintenance"):
        await api.team()


async def test_every_general_request_takes_one_token(api: Darwin, stub: Stub, tokens: Tokens) -> None:
    """Law 4: the pages of a list too."""
    stub.answers([])
    await api.datasets()
    await api.storages()
    assert tokens.taken == 2
    cursors = iter(["one", "two", None])

    async def page(_: web.Request) -> web.Response:
        return web.json_response({"items": [{"name": "a", "path": "/"}], "page": {"next": next(cursors)}})

    stub.handler = page
    assert len(await api.find_items(7, [("/", "a")])) == 3
    assert tokens.taken == 5
    assert [request.query.get("page[from]") for request in stub.requests[2:]] == [None, "one", "two"]
    assert all(request.query["dataset_ids[]"] == "7" for request in stub.requests[2:])


async def test_a_list_without_end_is_given_up(api: Darwin, stub: Stub, tokens: Tokens) -> None:
    stub.answers({"items": [], "page": {"next": "again"}})
    with pytest.raises(Unavailable, match="did not end after 10 pages"):
        await api.find_items(7, [("/", "a")])
    assert tokens.taken == 10


async def test_the_urls_of_a_long_question_stay_short(api: Darwin, stub: Stub, tokens: Tokens) -> None:
    stub.answers({"items": [], "page": None})
    places = [(f"/folder {n}/ünïcode", f"a name with, commas & signs {n}.jpg") for n in range(50)]
    await api.find_items(123456, places)
    assert tokens.taken == len(stub.requests) > 1
    assert all(len(request.raw_path) < 2000 for request in stub.requests)
    asked = [
        (path, name)
        for request in stub.requests
        for path, name in zip(
            request.query.getall("item_paths[]"), request.query.getall("item_names[]"), strict=True
        )
    ]
    assert asked == places


# --- archiving


async def test_items_are_archived_by_their_ids_as_documented(api: Darwin, stub: Stub, tokens: Tokens) -> None:
    """Law 4: it takes one token of the general bucket."""
    stub.answers({"affected_item_count": 2})
    assert await api.archive(123, ["018f", "0190"]) == 2
    [request] = stub.requests
    assert (request.method, request.path) == ("POST", "/api/v2/teams/acme/items/archive")
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(stub.bodies[0]) == {"filters": {"item_ids": ["018f", "0190"], "dataset_ids": [123]}}
    assert tokens.taken == 1


async def test_nothing_is_asked_without_ids_for_that_might_archive_everything(
    api: Darwin, stub: Stub, tokens: Tokens
) -> None:
    with pytest.raises(ValueError, match="missing or empty"):
        await api.archive(123, [])
    assert (stub.requests, tokens.taken) == ([], 0)


# --- the key


async def test_a_changed_key_file_is_used_after_it_was_read_again(
    session: aiohttp.ClientSession, stub: Stub, tokens: Tokens, tmp_path: Path
) -> None:
    """Row: 401, 403."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    api = api_at(session, stub.url, tokens, file)
    stub.answers({"selected_team": {"slug": "acme"}})
    assert not api.reread_key()
    file.write_text("second.key\n")
    assert api.reread_key()
    await api.team()
    assert stub.requests[0].headers["Authorization"] == "ApiKey second.key"


async def test_a_key_file_that_has_gone_or_is_broken_leaves_the_old_key(
    session: aiohttp.ClientSession, stub: Stub, tokens: Tokens, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    api = api_at(session, stub.url, tokens, file)
    for content in (b"", b"two\nlines", "schlüssel".encode(), b"\xff\xfe"):
        file.write_bytes(content)
        assert not api.reread_key()
    file.unlink()
    assert not api.reread_key()
    stub.answers({"selected_team": {"slug": "acme"}})
    await api.team()
    assert stub.requests[0].headers["Authorization"] == f"ApiKey {KEY}"


async def test_a_key_without_a_file_does_not_change(api: Darwin) -> None:
    assert not api.reread_key()


@pytest.mark.parametrize("content", [b"", b" \n", b"two\nlines", b"two words", b"\xff\xfe", None])
async def test_a_key_file_without_a_usable_key_is_refused_by_its_path(
    session: aiohttp.ClientSession, tokens: Tokens, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Refused, match=str(file)):
        api_at(session, "http://127.0.0.1:1", tokens, file)


async def test_a_key_with_odd_characters_is_refused_without_being_told(
    session: aiohttp.ClientSession, tokens: Tokens
) -> None:
    """Law 9."""
    with pytest.raises(Refused) as refused:
        api_at(session, "http://127.0.0.1:1", tokens, SecretStr("abc\r\nX-Evil: 1"))
    assert "Evil" not in str(refused.value)

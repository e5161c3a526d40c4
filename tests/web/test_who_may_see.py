"""What users' data is shown to whom: whoever knows the token; without one, whoever is on this machine. Metrics and health are
for everybody.
"""

from base64 import b64encode
from collections.abc import Iterable

import pytest

from tests.web.viewed import GUARDED, OPEN, TOKEN, Worker, served

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what a container listens on


def basic(password: str, user: str = "anybody") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


async def answers(
    paths: Iterable[str], *, host: str = EVERYWHERE, token: str | None = TOKEN, **headers: str
) -> set[int]:
    """The different statuses of these paths."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = set[int]()
    async with served(Worker(), host=host, token=token) as client:
        for path in paths:
            async with client.get(path, headers=named) as answer:
                found.add(answer.status)
    return found


async def test_metrics_and_health_are_open_to_everybody() -> None:
    assert await answers(OPEN) == {200}
    assert await answers(OPEN, token=None) == {200}
    assert await answers(OPEN, host="127.0.0.1", token=None, Host="evil.example") == {200}


async def test_without_a_token_nothing_else_is_there_for_other_machines_and_the_answer_says_how_to_have_it() -> (
    None
):
    async with served(Worker(), host=EVERYWHERE) as client:
        for path in GUARDED:
            async with client.get(path) as answer:
                assert answer.status == 404
                assert await answer.text() == (
                    "The page is off: set WORKER_WEB__TOKEN, or WORKER_WEB__HOST=127.0.0.1 to show it on this machine "
                    "alone.\n"
                )


async def test_without_the_token_the_browser_is_asked_for_it() -> None:
    async with served(Worker(), host=EVERYWHERE, token=TOKEN) as client:
        for path in GUARDED:
            async with client.get(path) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
                assert "Set-Cookie" not in answer.headers
                assert TOKEN not in await answer.text()


@pytest.mark.parametrize(
    "authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(TOKEN), basic(TOKEN, "")]
)
async def test_the_token_opens_as_a_bearers_or_as_the_password_of_anybody(authorization: str) -> None:
    assert await answers(GUARDED, Authorization=authorization) == {200}


async def test_anything_but_the_token_is_refused() -> None:
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Token {TOKEN}",
        TOKEN,
        "Basic",
        "Basic !!!",
        f"Basic {TOKEN}",
        basic(""),
        basic("wrong"),
        "Basic " + b64encode(TOKEN.encode()).decode(),
        "Basic /w==",
        "Bearer schl\u00fcssel",
        "Bearer " + "x" * 8000,
    ]
    async with served(Worker(), token=TOKEN) as client:
        for authorization in wrong:
            async with client.get("/status", headers={"Authorization": authorization}) as answer:
                assert answer.status == 401, authorization


async def test_a_token_that_is_set_is_wanted_on_loopback_too() -> None:
    assert await answers(GUARDED, host="127.0.0.1") == {401}
    assert await answers(GUARDED, host="127.0.0.1", Authorization=basic(TOKEN)) == {200}


async def test_with_the_token_the_name_that_was_asked_for_does_not_matter() -> None:
    assert await answers(GUARDED, Authorization=basic(TOKEN), Host="worker.internal") == {200}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_on_loopback_no_token_is_needed(host: str) -> None:
    assert await answers(GUARDED, host=host, token=None) == {200}


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.2:80", "[::1]:8080"])
async def test_a_name_of_this_machine_is_let_in(name: str) -> None:
    assert await answers(["/status"], host="127.0.0.1", token=None, Host=name) == {200}


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "[::1",
        "a@localhost@b",
    ],
)
async def test_another_name_that_points_here_is_not(name: str) -> None:
    """DNS rebinding: a page elsewhere lets its own name point to this machine."""
    assert await answers(GUARDED, host="127.0.0.1", token=None, Host=name) == {403}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("token", [TOKEN, None])
async def test_a_page_of_another_site_may_link_to_the_page_and_ask_for_nothing(
    token: str | None, site: str
) -> None:
    headers = {"Authorization": basic(TOKEN), "Sec_Fetch_Site": site}

    assert await answers(["/"], host="127.0.0.1", token=token, **headers) == {200}
    assert await answers(GUARDED[1:], host="127.0.0.1", token=token, **headers) == {403}


async def test_the_page_itself_may_ask() -> None:
    assert await answers(GUARDED, Authorization=basic(TOKEN), Sec_Fetch_Site="same-origin") == {200}

"""What the pages answer, to whom they let in: also to the hostile."""

import asyncio
import json
import logging
from urllib.parse import quote

import pytest
from yarl import URL

from tests.web.viewed import GUARDED, OPEN, TOKEN, Worker, port_of, served
from worker.core.errors import Refused, Unavailable
from worker.web import pages

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_every_answer_forbids_what_is_not_ours_and_is_kept_by_nobody(token: str | None) -> None:
    wanted = {
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Set-Cookie": None,
        "Server": "darwin-worker",
    }
    async with served(Worker(), token=token) as client:
        for path in (*OPEN, *GUARDED, "/elsewhere", "/why", "/why?object=nonsense"):
            async with client.get(path) as answer:
                assert {name: answer.headers.get(name) for name in wanted} == wanted


async def test_nothing_can_be_changed() -> None:
    async with served(Worker()) as client:
        for path in (*OPEN, *GUARDED):
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
                async with client.request(method, path, data=b"{}") as answer:
                    assert answer.status == 405


async def test_the_page_has_no_script_and_no_style_of_its_own_but_in_files() -> None:
    async with served(Worker()) as client:
        async with client.get("/") as answer:
            text = await answer.text()
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert text.count("<script") == 1
        assert '<script src="/page.js" defer></script>' in text
        assert "<style" not in text
        assert " style=" not in text
        assert "http" not in text.replace("http-equiv", "")
        for path, kind in {
            "/page.css": "text/css",
            "/page.js": "text/javascript",
            "/page.svg": "image/svg+xml",
        }.items():
            async with client.get(path) as answer:
                assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"


async def test_the_script_never_makes_markup_of_data() -> None:
    async with served(Worker()) as client, client.get("/page.js") as answer:
        text = await answer.text()
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "srcdoc",
    ):
        assert word not in text


async def test_the_status_is_json_without_a_secret() -> None:
    key = "abcdefg.0123456789abcdef0123456789abcdef"
    worker = Worker(told={"state": "running", "last_error": {"why": f"401: ApiKey {key} is not known"}})
    async with served(worker) as client, client.get("/status") as answer:
        assert answer.content_type == "application/json"
        assert await answer.json() == {
            "state": "running",
            "last_error": {"why": "401: ApiKey *** is not known"},
        }


async def test_any_key_that_s3_may_hold_is_asked_about_as_it_is() -> None:
    keys = [
        "a.jpg",
        "weld 07+a.jpg",
        "<script>alert(1)</script>.jpg",
        "Ünïcödé/\U0001f600.png",
        "line\nend\t\x00\x7f",
        "../../etc/passwd",
        "a" * 1024,
        "%2e%2e%00",
        "?object=s3://other/b#c",
        "//double//slashes",
    ]
    worker = Worker()
    async with served(worker) as client:
        for key in keys:
            url = URL(f"/why?object={quote(f's3://media/{key}', safe='')}", encoded=True)
            async with client.get(url) as answer:
                assert answer.status == 200
                assert (await answer.json())["object"] == f"s3://media/{key}"
    assert worker.asked == [("media", key) for key in keys]


async def test_what_names_no_object_is_told_and_nobody_is_asked() -> None:
    worker = Worker()
    async with served(worker) as client:
        for asked in (
            "",
            "?object=",
            "?object=a.jpg",
            "?object=s3://media",
            "?object=s3://media/",
            "?object=s3:///a.jpg",
            "?object=s3://m%20x/a.jpg",
            "?object=https://media/a.jpg",
            "?other=s3://media/a.jpg",
            "?object=s3://media/" + "a" * 1025,
            "?object=s3://media/" + "%C3%9F" * 600,
        ):
            async with client.get(URL(f"/why{asked}", encoded=True)) as answer:
                assert answer.status == 400
                assert await answer.json() == {
                    "error": "Ask with ?object=s3://bucket/key; a key has at most 1024 bytes of UTF-8."
                }
    assert worker.asked == []


async def test_a_broken_encoding_is_read_as_far_as_it_can_be() -> None:
    worker = Worker()
    async with (
        served(worker) as client,
        client.get(URL("/why?object=s3://media/%ff%zz%", encoded=True)) as answer,
    ):
        assert answer.status == 200
    assert worker.asked == [("media", "\ufffd%zz%")]


@pytest.mark.parametrize("path", ["/why?object=s3://media/a.jpg", "/dead-letters"])
@pytest.mark.parametrize("error", [Unavailable("SQS is away"), Refused("SQS is away")])
async def test_what_cannot_be_told_now_is_said_why(path: str, error: Unavailable | Refused) -> None:
    async with served(Worker(trouble=error)) as client, client.get(path) as answer:
        assert (answer.status, await answer.json()) == (503, {"error": "SQS is away"})


async def test_four_questions_are_answered_side_by_side_and_the_fifth_is_refused() -> None:
    worker, answered = Worker(), asyncio.Event()
    worker.answering = answered.wait  # type: ignore[assignment]  # returns True, which nobody reads
    async with served(worker) as client:

        async def ask() -> int:
            async with client.get("/why?object=s3://media/a.jpg") as answer:
                return answer.status

        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(ask()) for _ in range(5)]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            answered.set()
        assert sorted(task.result() for task in asking) == [200, 200, 200, 200, 503]


async def test_a_question_without_an_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "TRACE_DEADLINE", 0.0)
    worker = Worker(answering=asyncio.Event().wait)  # type: ignore[arg-type]  # as above
    async with served(worker) as client, client.get("/why?object=s3://media/a.jpg") as answer:
        assert answer.status == 504


@pytest.mark.parametrize(
    "sent",
    [
        b"<script>alert(1)</script>\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        + TOKEN.encode()
        + b"x" * 9000
        + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_leaves_no_line_in_the_log(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(Worker(), token=TOKEN) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(client))
        writer.write(sent)
        head = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    assert head.startswith("HTTP/1.0 400 ")
    assert "text/plain" in head
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert json.dumps(TOKEN) not in head

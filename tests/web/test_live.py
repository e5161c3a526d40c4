"""The status each second, to whoever listens: bounded, and at its end with the server."""

import asyncio
import json

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from tests.web.viewed import Worker, port_of, served
from worker.web import live, server


async def event(answer: aiohttp.ClientResponse) -> object:
    """The next event's data."""
    assert await answer.content.readline() == b"event: status\n"
    data = await answer.content.readline()
    assert await answer.content.readline() == b"\n"
    return json.loads(data.removeprefix(b"data: "))


async def test_a_listener_hears_the_status_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.02)
    worker = Worker(told={"state": "running", "last": "s3://media/<script>\u2028\n.jpg"})
    async with served(worker) as client, client.get("/live") as answer:
        assert answer.content_type == "text/event-stream"
        assert await event(answer) == {"state": "running", "last": "s3://media/<script>\u2028\n.jpg"}
        worker.told = {"state": "idle"}
        while await event(answer) != {"state": "idle"}:
            pass


async def test_twenty_may_listen_and_one_more_when_one_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.02)
    async with served(Worker()) as client:
        listeners = [await client.get("/live") for _ in range(live.LISTENERS)]
        async with client.get("/live") as answer:
            assert (answer.status, await answer.json()) == (
                503,
                {"error": "20 pages are open already; close one of them."},
            )
        listeners[0].close()
        while True:
            async with client.get("/live") as answer:
                if answer.status == 200:
                    break
        for listener in listeners:
            listener.close()


async def test_a_listener_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.0001)
    monkeypatch.setattr(live, "WRITE_DEADLINE", 0.05)
    monkeypatch.setattr(live, "LISTENERS", 1)
    worker = Worker(told={"long": "x" * 1_000_000})
    async with served(worker) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(client))
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readline()  # and nothing more is read
        while True:
            async with client.get("/live") as answer:
                if answer.status == 200:
                    break
        writer.close()


async def test_listening_ends_when_the_server_does() -> None:
    async with aiohttp.ClientSession() as client:
        async with server.serving(Worker(), CollectorRegistry(), "127.0.0.1", 0, None) as port:
            answer = await client.get(f"http://127.0.0.1:{port}/live")
            await event(answer)
        assert await answer.read() == b""

"""One port: metrics, liveness that knows only the process, readiness that says what is in the way."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from tests.web.viewed import Worker, served
from worker.core.conditions import Condition, Name
from worker.core.errors import Refused
from worker.metrics import Metrics
from worker.web import server


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
async def client(worker: Worker) -> AsyncIterator[aiohttp.ClientSession]:
    registry = CollectorRegistry()
    gauge = Metrics(registry).records_open

    async def refresh() -> None:
        gauge.set(7)

    worker.refreshing = refresh
    async with served(worker, registry=registry) as session:
        yield session


async def test_metrics_are_served_as_prometheus_text(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert (
            "# HELP darwin_worker_records_open Records received that have no outcome yet.\n"
            in await answer.text()
        )


async def test_gauges_are_brought_up_to_date_before_each_scrape(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics") as answer:
        assert "\ndarwin_worker_records_open 7.0\n" in await answer.text()


async def test_a_scraper_that_wants_openmetrics_gets_it(client: aiohttp.ClientSession) -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    async with client.get("/metrics", headers=accept) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert (await answer.text()).endswith("# EOF\n")


async def test_metrics_are_served_even_when_refreshing_hangs(
    client: aiohttp.ClientSession, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REFRESH_DEADLINE", 0.0)
    worker.refreshing = asyncio.Event().wait  # type: ignore[assignment]  # returns True, which nobody reads

    async with client.get("/metrics") as answer:
        assert answer.status == 200


async def test_an_idle_or_paused_worker_is_healthy(client: aiohttp.ClientSession, worker: Worker) -> None:
    """Law 11: liveness knows nothing of what is outside."""
    worker.ages = {"intake": 59.9, "leasing": 0.0}
    worker.raised = [Condition(name, "x", 0.0, "why") for name in Name]

    async with client.get("/healthz") as answer:
        assert answer.status == 200
        assert await answer.json() == {"healthy": True, "silent_seconds": {}}


async def test_a_part_that_is_silent_for_sixty_seconds_is_named(
    client: aiohttp.ClientSession, worker: Worker
) -> None:
    """Law 11."""
    worker.ages = {"intake": 60.0, "leasing": 1.0}

    async with client.get("/healthz") as answer:
        assert answer.status == 503
        assert await answer.json() == {"healthy": False, "silent_seconds": {"intake": 60.0}}


async def test_a_worker_without_conditions_is_ready(client: aiohttp.ClientSession) -> None:
    async with client.get("/readyz") as answer:
        assert answer.status == 200
        assert await answer.json() == {"ready": True, "conditions": []}


async def test_readiness_says_which_condition_fails_since_when_and_why(
    client: aiohttp.ClientSession, worker: Worker
) -> None:
    """Law 11."""
    worker.raised = [Condition(Name.PLAN_FULL, "acme", 1_700_000_000.0, "INSUFFICIENT_REMAINING_STORAGE")]

    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert await answer.json() == {
            "ready": False,
            "conditions": [
                {
                    "condition": "plan_full",
                    "subject": "acme",
                    "since": "2023-11-14T22:13:20+00:00",
                    "why": "INSUFFICIENT_REMAINING_STORAGE",
                    "advice": "Free items or storage in the team's Darwin plan, or extend the plan.",
                }
            ],
        }


async def test_a_paused_lane_is_shown_by_a_ready_worker(
    client: aiohttp.ClientSession, worker: Worker
) -> None:
    worker.raised = [Condition(Name.LANE_PAUSED, "acme/line from prod", 0.0, "status 404")]

    async with client.get("/readyz") as answer:
        body = await answer.json()
        assert (answer.status, body["ready"], body["conditions"][0]["condition"]) == (
            200,
            True,
            "lane_paused",
        )


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
async def test_probes_may_ask_for_the_head_only(client: aiohttp.ClientSession, path: str) -> None:
    async with client.head(path) as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_nothing_else_is_served(client: aiohttp.ClientSession) -> None:
    async with client.get("/elsewhere") as answer:
        assert (answer.status, answer.content_type) == (404, "text/plain")
    async with client.post("/metrics") as answer:
        assert answer.status == 405


async def test_a_port_that_is_taken_is_told_in_one_line(worker: Worker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=rf"on 127\.0\.0\.1:{port} .*WORKER_WEB__PORT"):
            async with server.serving(worker, CollectorRegistry(), "127.0.0.1", port, None):
                pass


async def test_a_host_that_is_not_ours_is_told_in_one_line(worker: Worker) -> None:
    with pytest.raises(Refused, match="WORKER_WEB__HOST"):
        async with server.serving(worker, CollectorRegistry(), "192.0.2.1", 0, None):
            pass


async def test_the_port_is_free_again_once_the_context_is_left(worker: Worker) -> None:
    async with server.serving(worker, CollectorRegistry(), "127.0.0.1", 0, None) as port:
        pass
    async with server.serving(worker, CollectorRegistry(), "127.0.0.1", port, None) as again:
        assert again == port

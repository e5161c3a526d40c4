"""Credentials that end are renewed by the SDK under a client that stays open: every way that containers get them.

The service they are asked of, and the SQS they are for, are one small server on loopback. Lifetimes are the trick: the
SDK renews what lasts for less than 15 minutes, and must for less than 10.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from botocore.credentials import RefreshableCredentials
from prometheus_client import CollectorRegistry

from worker.adapters.aws_session import aws_session
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.metrics import Metrics

CLOCK = "_seconds_remaining"
"""The SDK lets nobody set its clock."""

SOON, LATER = timedelta(minutes=5), timedelta(hours=6)
STS_ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{AccessKeyId}</AccessKeyId>
<SecretAccessKey>{SecretAccessKey}</SecretAccessKey><SessionToken>{Token}</SessionToken>
<Expiration>{Expiration}</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/worker/s</Arn><AssumedRoleId>A:s</AssumedRoleId>
</AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


@dataclass
class Outside:
    """Everything outside: whoever gives credentials, and SQS.

    *gives*: the key given to who asks, and for how long it lasts; None: an error. *shown*: what askers showed.
    *signed*: the keys of the requests to SQS, in their order. *ended*: keys that SQS takes for expired.
    """

    url: str = ""
    gives: tuple[str, timedelta] | None = ("first", SOON)
    shown: list[str] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)

    def credentials(self) -> dict[str, str] | None:
        if self.gives is None:
            return None
        key, lasting = self.gives
        expiration = (datetime.now(UTC) + lasting).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "Code": "Success",
            "AccessKeyId": key,
            "SecretAccessKey": f"secret of {key}",
            "Token": f"token of {key}",
            "Expiration": expiration,
        }

    async def container(self, request: web.Request) -> web.Response:
        """ECS's endpoint, and EKS's Pod Identity agent."""
        self.shown.append(request.headers.get("Authorization", ""))
        told = self.credentials()
        return web.json_response(told, status=500 if told is None else 200)

    async def instance(self, request: web.Request) -> web.Response:
        """The instance metadata service, version 2."""
        if request.method == "PUT":
            return web.Response(
                text="metadata session" if self.gives else "", status=200 if self.gives else 500
            )
        self.shown.append(request.headers.get("X-aws-ec2-metadata-token", ""))
        told = self.credentials()
        if told is None:
            return web.Response(status=500)
        if request.path.endswith("/security-credentials/"):
            return web.Response(text="worker")
        return web.json_response(told)

    async def rest(self, request: web.Request) -> web.Response:
        """STS, whose requests are unsigned forms, and SQS."""
        body = await request.text()
        if "Action=AssumeRoleWithWebIdentity" in body:
            self.shown.append(parse_qs(body)["WebIdentityToken"][0])
            told = self.credentials()
            if told is None:
                return web.Response(status=503)
            return web.Response(text=STS_ANSWER.format_map(told), content_type="text/xml")
        key = request.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        assert request.headers["X-Amz-Security-Token"] == f"token of {key}"
        self.signed.append(key)
        if key in self.ended:
            error = {"__type": "com.amazonaws.sqs#ExpiredToken", "message": "it is expired"}
            return web.json_response(error, status=403)
        return web.json_response({"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q"}})


@pytest.fixture
async def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Outside]:
    made = Outside()
    app = web.Application()
    app.router.add_get("/container", made.container)
    app.router.add_route("*", "/latest/{tail:.*}", made.instance)
    app.router.add_post("/{tail:.*}", made.rest)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield made
    await runner.cleanup()


@asynccontextmanager
async def queue() -> AsyncIterator[SqsQueue]:
    """A queue by a client that is opened once."""
    async with open_queue_client(aws_session()) as client:
        url = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
        yield SqsQueue(client, url, Metrics(CollectorRegistry()))


def container(monkeypatch: pytest.MonkeyPatch, outside: Outside, _: Path) -> str:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{outside.url}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the container's token")
    return "the container's token"


def pod_identity(monkeypatch: pytest.MonkeyPatch, outside: Outside, folder: Path) -> str:
    (folder / "token").write_text("the pod's token")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{outside.url}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(folder / "token"))
    return "the pod's token"


def web_identity(monkeypatch: pytest.MonkeyPatch, outside: Outside, folder: Path) -> str:
    (folder / "token").write_text("the pod's web identity")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(folder / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/worker")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", outside.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # STS is asked with the SDK's own patience
    return "the pod's web identity"


def instance(monkeypatch: pytest.MonkeyPatch, outside: Outside, _: Path) -> str:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", outside.url)
    return "metadata session"


Way = Callable[[pytest.MonkeyPatch, Outside, Path], str]


@pytest.mark.parametrize("way", [container, pod_identity, web_identity])
async def test_credentials_that_are_about_to_end_are_renewed_under_the_open_client(
    way: Way, monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    shows = way(monkeypatch, outside, tmp_path)
    async with queue() as opened:
        await opened.attributes()
        outside.gives = ("second", LATER)
        await opened.attributes()
        await opened.attributes()
    assert outside.signed == ["first", "second", "second"]
    assert set(outside.shown) == {shows}


async def test_credentials_of_the_instance_are_renewed_under_the_open_client(
    monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    """IMDSv2. The SDK prolongs what that service gives for a short time, so hours must pass here."""
    shows = instance(monkeypatch, outside, tmp_path)
    outside.gives = ("first", LATER)
    async with queue() as opened:
        await opened.attributes()
        pass_time(monkeypatch, LATER - SOON)
        outside.gives = ("second", 2 * LATER)
        await opened.attributes()
        await opened.attributes()
    assert outside.signed == ["first", "second", "second"]
    assert set(outside.shown) == {shows}


def pass_time(monkeypatch: pytest.MonkeyPatch, how_much: timedelta) -> None:
    """For whoever asks how long credentials last."""
    remaining = getattr(RefreshableCredentials, CLOCK)

    def later(credentials: RefreshableCredentials) -> float:
        return float(remaining(credentials)) - how_much.total_seconds()

    monkeypatch.setattr(RefreshableCredentials, CLOCK, later)


@pytest.mark.parametrize("way", [pod_identity, web_identity])
async def test_a_token_file_is_read_again_for_every_renewal(
    way: Way, monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    """The platform writes a new one every hour."""
    first = way(monkeypatch, outside, tmp_path)
    async with queue() as opened:
        await opened.attributes()
        (tmp_path / "token").write_text("the next token")
        await opened.attributes()
    assert (outside.shown[0], outside.shown[-1]) == (first, "the next token")


@pytest.mark.parametrize("way", [container, web_identity])
async def test_a_provider_that_is_away_is_told_when_credentials_end_and_its_return_is_enough(
    way: Way, monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    """An error of ours, so a condition and no crash; the next call works by itself."""
    way(monkeypatch, outside, tmp_path)
    async with queue() as opened:
        await opened.attributes()
        outside.gives = None
        with pytest.raises(OutsideError, match="SQS GetQueueAttributes on https://sqs"):
            await opened.attributes()
        outside.gives = ("second", LATER)
        await opened.attributes()
    assert outside.signed == ["first", "second"]


@pytest.mark.parametrize("way", [container, web_identity])
async def test_a_provider_that_is_away_for_a_while_before_they_end_is_not_noticed(
    way: Way, monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    """Between 15 and 10 minutes before their end the old credentials still do."""
    way(monkeypatch, outside, tmp_path)
    outside.gives = ("first", timedelta(minutes=12))
    async with queue() as opened:
        await opened.attributes()
        outside.gives = None
        await opened.attributes()
        outside.gives = ("second", LATER)
        await opened.attributes()
    assert outside.signed == ["first", "first", "second"]


async def test_an_instance_whose_metadata_service_is_away_says_so_and_goes_on_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    instance(monkeypatch, outside, tmp_path)
    outside.gives = ("first", LATER)
    async with queue() as opened:
        await opened.attributes()
        pass_time(monkeypatch, LATER - SOON)
        outside.gives = None
        with pytest.raises(Unavailable, match="Credential refresh failed"):
            await opened.attributes()
        outside.gives = ("second", 2 * LATER)
        await opened.attributes()
    assert outside.signed == ["first", "second"]


async def test_a_renewal_does_not_hold_up_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    """The provider is away, and the SDK asks three times with a second between: everything else goes on."""
    container(monkeypatch, outside, tmp_path)
    loop = asyncio.get_running_loop()
    async with queue() as opened:
        await opened.attributes()
        outside.gives = None
        shown = len(outside.shown)
        asking = asyncio.create_task(opened.attributes())
        longest = 0.0
        while not asking.done():
            began = loop.time()
            await asyncio.wait([asking], timeout=0.02)
            longest = max(longest, loop.time() - began)
        with pytest.raises(OutsideError):
            await asking
    assert len(outside.shown) - shown == 3
    assert longest < 0.5


async def test_credentials_that_sqs_calls_expired_are_told_as_such(
    monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    container(monkeypatch, outside, tmp_path)
    outside.gives = ("first", LATER)
    outside.ended = {"first"}
    async with queue() as opened:
        with pytest.raises(Refused, match=r"ExpiredToken. The AWS credentials have expired: renew them.$"):
            await opened.attributes()


@pytest.mark.parametrize("way", [container, web_identity])
async def test_a_renewal_that_brings_ended_credentials_is_an_error_of_ours(
    way: Way, monkeypatch: pytest.MonkeyPatch, outside: Outside, tmp_path: Path
) -> None:
    """The SDK has no class of its own for it."""
    way(monkeypatch, outside, tmp_path)
    async with queue() as opened:
        await opened.attributes()
        outside.gives = ("second", timedelta(minutes=-1))
        with pytest.raises(Refused, match="expired"):
            await opened.attributes()
        outside.gives = ("third", LATER)
        await opened.attributes()
    assert outside.signed == ["first", "third"]


async def test_credentials_of_the_environment_that_have_ended_are_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, outside: Outside
) -> None:
    """``aws configure export-credentials --format env`` tells their end too; nobody can renew them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token of first")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2026-01-01T00:00:00Z")
    async with queue() as opened:
        with pytest.raises(Refused, match="expired"):
            await opened.attributes()
    assert not outside.signed

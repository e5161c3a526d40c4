"""Who may see the pages that show users' data: whoever knows the token; without a token, whoever is on this machine.

The browser asks for the token by itself (HTTP Basic), so there is no cookie and no form. Without a token the name that
was asked for must be one of this machine: a page elsewhere may let its own name point here (DNS rebinding).
"""

import hmac
from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ASKS = 'Basic realm="darwin-worker: any name, the token as password", charset="UTF-8"'
OFF = "The page is off: set WORKER_WEB__TOKEN, or WORKER_WEB__HOST=127.0.0.1 to show it on this machine alone.\n"
WRONG = "The token is wrong or missing: send `Authorization: Bearer`, or HTTP Basic with it as password.\n"
REBOUND = "Without a token the page is shown under a name of this machine only, such as localhost.\n"
ELSEWHERE = "Another site's page may not ask for this.\n"


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is this machine and nobody else can reach it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Gate:
    """*host*: what the server listens on."""

    def __init__(self, token: SecretStr | None, host: str) -> None:
        self._token = None if token is None else token.get_secret_value().encode()
        self.open = token is not None or is_loopback(host)

    def guarded(self, handler: Handler) -> Handler:
        """*handler*, for whoever may see what it answers."""

        async def answer(request: web.Request) -> web.StreamResponse:
            self._check(request)
            return await handler(request)

        return answer

    def _check(self, request: web.Request) -> None:
        if not self.open:
            raise web.HTTPNotFound(text=OFF)
        if self._token is None:
            if not is_loopback(_name(request.headers.get("Host", ""))):
                raise web.HTTPForbidden(text=REBOUND)
        elif not hmac.compare_digest(_given(request.headers.get("Authorization", "")), self._token):
            raise web.HTTPUnauthorized(text=WRONG, headers={"WWW-Authenticate": ASKS})
        if _is_from_elsewhere(request):
            raise web.HTTPForbidden(text=ELSEWHERE)


def _name(host: str) -> str:
    """Of the Host header, without the port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _given(authorization: str) -> bytes:
    """The token in the header; empty where there is none."""
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip().encode("utf-8", "surrogateescape")
        case "basic":
            try:
                return b64decode(value.strip(), validate=True).partition(b":")[2]
            except (Error, ValueError):
                return b""
        case _:
            return b""


def _is_from_elsewhere(request: web.Request) -> bool:
    """Whether a page of another site asks: the browser would send the token along. It may only link to the page."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    return site in ("cross-site", "same-site") and request.path != "/"

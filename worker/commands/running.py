"""Asking the running worker over its port, as the page does."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address

import aiohttp
from pydantic import SecretStr
from yarl import URL

from worker.core.errors import Refused, Unavailable
from worker.settings import Web

_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "set WORKER_WEB__TOKEN to the token that the worker was started with",
    HTTPStatus.FORBIDDEN: "without a token it must be asked as localhost",
    HTTPStatus.NOT_FOUND: "start the worker with WORKER_WEB__TOKEN, or with WORKER_WEB__HOST=127.0.0.1",
}


def url_of(web: Web) -> str:
    """Where a worker with these settings answers on this machine."""
    host = web.host
    try:
        address = ip_address(host)
    except ValueError:
        return f"http://{host}:{web.port}"
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004 - IP's own number
    return f"http://{address}:{web.port}" if address.version == 4 else f"http://[{address}]:{web.port}"  # noqa: PLR2004 - as above


async def asked(
    url: str, token: SecretStr | None, path: str, query: Mapping[str, str], within: float
) -> Mapping[str, object]:
    """The JSON that the worker at *url* answers for *path*, within so many seconds.

    Raises :class:`Unavailable` when it does not answer, or cannot now, and :class:`Refused` when it does not let us in or
    is no worker.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(within), headers=headers) as session,
            session.get(URL(url).with_path(path).with_query(query), allow_redirects=False) as response,
        ):
            status, text = response.status, await response.text()
    except TimeoutError as error:
        raise Unavailable(f"The worker at {url} did not answer within {within:g} s.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unavailable(
            f"No worker answers at {url} ({error}): is it running, and is this its port?"
        ) from error
    told = _parsed(text)
    if status == HTTPStatus.OK and told is not None:
        return told
    if status in _ADVICE:
        raise Refused(f"The worker at {url} does not tell us ({status}): {_ADVICE[HTTPStatus(status)]}.")
    if told is not None and "error" in told:
        raise Unavailable(f"The worker at {url} cannot tell now: {told['error']}")
    raise Refused(f"What answers at {url} is no darwin-worker (status {status}).")


def _parsed(text: str) -> Mapping[str, object] | None:
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None

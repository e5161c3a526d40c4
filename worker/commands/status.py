"""``darwin-worker status``: how the running worker does, as it tells at /status."""

import argparse
import asyncio
import json
import os

from pydantic import SecretStr

from worker.commands import status_shown
from worker.commands.running import asked, url_of
from worker.settings import SettingsError, load_settings

READY, NOT_READY = 0, 1
WITHIN = 15.0
"""Seconds; a worker answers within three, whatever is in its way."""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url",
        metavar="URL",
        help="the worker to ask, as http://host:port (default: the one of these settings, on this machine)",
    )
    parser.add_argument("--json", action="store_true", help="all that the worker tells, for machines")
    parser.epilog = (
        "Where the worker listens on more than this machine, it wants its token: WORKER_WEB__TOKEN.\n\n"
        "  darwin-worker status\n"
        "  kubectl port-forward deploy/darwin-worker 8080 & darwin-worker status --url http://localhost:8080\n"
        "  darwin-worker status --json | jq .queue.waiting\n\n"
        "Ends with 0 when the worker is ready, with 1 when it is not or does not answer."
    )


def main(arguments: argparse.Namespace) -> int:
    url, token = _whom(arguments.url)
    told = asyncio.run(asked(url, token, "/status", {}, WITHIN))
    if arguments.json:
        print(json.dumps(told))
    else:
        status_shown.show(told)
    return READY if told.get("ready") is True else NOT_READY


def _whom(url: str | None) -> tuple[str, SecretStr | None]:
    """Where to ask, and with which token. With *url*, nothing else needs to be set."""
    if url is None:
        web = load_settings(os.environ).web
        return url_of(web), web.token
    if not url.startswith(("http://", "https://")):
        raise SettingsError([f"--url {url!r} names no worker; write http://host:port"])
    token = os.environ.get("WORKER_WEB__TOKEN", "").strip()
    return url, SecretStr(token) if token else None

"""``python -m worker.demo.twin``: a twin with one team, as a process of its own, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from worker.demo.twin.server import running_twin
from worker.demo.twin.state import Storage, Team
from worker.demo.twin.switches import Switches

_FIELDS = ("name", "bucket", "prefix")


def _storage(text: str) -> Storage:
    words = text.split(":")
    readonly = len(words) == len(_FIELDS) + 1 and words[-1] == "ro"
    if len(words) != len(_FIELDS) + readonly or not words[0] or not words[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is not name:bucket:prefix or name:bucket:prefix:ro")
    return Storage(words[0], words[1], words[2], readonly=readonly)


def _arguments() -> argparse.Namespace:
    defaults = Switches()
    parser = argparse.ArgumentParser(
        prog="python -m worker.demo.twin", description="A stand-in for V7 Darwin's API."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--team", default="acme")
    parser.add_argument("--key", default="twinkey.0123456789abcdef0123456789abcdef")
    parser.add_argument("--dataset", action="append", metavar="SLUG", help="may be given several times")
    parser.add_argument("--storage", action="append", type=_storage, metavar="NAME:BUCKET:PREFIX[:ro]")
    parser.add_argument("--tag", action="append", default=[], metavar="CLASS", help="a tag class of the team")
    parser.add_argument("--requests-per-minute", type=int, default=defaults.requests_per_minute)
    parser.add_argument("--limiter", choices=("bucket", "fixed", "sliding"), default=defaults.limiter)
    parser.add_argument("--max-items", type=int, default=defaults.max_items)
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="write a line for each registration there"
    )
    return parser.parse_args()


async def _run(arguments: argparse.Namespace, journal: TextIO | None) -> None:
    team = Team(
        arguments.team,
        arguments.key,
        arguments.dataset or ["intake"],
        arguments.storage or [Storage("acme-media", "acme-media", "darwin")],
        arguments.tag,
    )
    switches = Switches(
        requests_per_minute=arguments.requests_per_minute,
        limiter=arguments.limiter,
        max_items=arguments.max_items,
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_twin(
        [team], switches, host=arguments.host, port=arguments.port, journal=journal
    ) as running:
        print(f"twin listening on {running.url}", flush=True)
        await stop.wait()


def _main() -> None:
    arguments = _arguments()
    with ExitStack() as stack:
        journal = stack.enter_context(arguments.journal.open("w")) if arguments.journal else None
        asyncio.run(_run(arguments, journal))


if __name__ == "__main__":
    _main()

"""``python -m worker.demo.twin``: a twin with one team or several, as a process of its own, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(slots=True)
class _Wanted:
    """A team as the command line tells it; what is left empty has a default."""

    team: str = "acme"
    key: str = "twinkey.0123456789abcdef0123456789abcdef"
    dataset: list[str] = field(default_factory=list)
    storage: list[Storage] = field(default_factory=list)
    tag: list[str] = field(default_factory=list)

    def made(self) -> Team:
        storages = self.storage or [Storage("acme-media", "acme-media", "darwin")]
        return Team(self.team, self.key, self.dataset or ["intake"], storages, self.tag)


class _OfTeam(argparse.Action):
    """A word about the team that was named last; ``--team`` names the next one."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: Any,
        _option: object = None,
    ) -> None:
        teams: list[_Wanted] = namespace.teams
        if self.dest == "team" or not teams:
            teams.append(_Wanted())
        held = getattr(teams[-1], self.dest)
        setattr(teams[-1], self.dest, [*held, value] if isinstance(held, list) else value)


def _arguments() -> argparse.Namespace:
    defaults = Switches()
    parser = argparse.ArgumentParser(
        prog="python -m worker.demo.twin", description="A stand-in for V7 Darwin's API."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    of_team = parser.add_argument_group(
        "teams", "each --team begins one, and these words after it are about it"
    )
    of_team.add_argument("--team", action=_OfTeam, metavar="SLUG")
    of_team.add_argument("--key", action=_OfTeam)
    of_team.add_argument("--dataset", action=_OfTeam, metavar="SLUG", help="may be given several times")
    of_team.add_argument("--storage", action=_OfTeam, type=_storage, metavar="NAME:BUCKET:PREFIX[:ro]")
    of_team.add_argument("--tag", action=_OfTeam, metavar="CLASS", help="a tag class of the team")
    parser.add_argument("--requests-per-minute", type=int, default=defaults.requests_per_minute)
    parser.add_argument("--limiter", choices=("bucket", "fixed", "sliding"), default=defaults.limiter)
    parser.add_argument("--max-items", type=int, default=defaults.max_items)
    parser.set_defaults(teams=[])
    arguments = parser.parse_args()
    arguments.teams = arguments.teams or [_Wanted()]
    for what in ("team", "key"):
        if len({getattr(team, what) for team in arguments.teams}) < len(arguments.teams):
            parser.error(
                f"two teams share one --{what}: give each its own, and --team before all else about it"
            )
    return arguments


async def _run(arguments: argparse.Namespace) -> None:
    teams = [team.made() for team in arguments.teams]
    switches = Switches(
        requests_per_minute=arguments.requests_per_minute,
        limiter=arguments.limiter,
        max_items=arguments.max_items,
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_twin(teams, switches, host=arguments.host, port=arguments.port) as running:
        print(f"twin listening on {running.url}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))

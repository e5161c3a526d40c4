"""``darwin-worker explain``: what the routes make of objects, and the request that would be sent. Nothing is sent.

S3 is asked what `run` would ask it, and Darwin which storages there are. With ``--offline`` neither is asked: the objects
that are named are all that is there, and storages are as the routes say.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import time

from prometheus_client import CollectorRegistry

from worker.adapters.aws_session import aws_session
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_objects import S3Objects
from worker.commands import explain_shown
from worker.core.claims import Entry
from worker.core.darwin import Storage
from worker.core.errors import OutsideError
from worker.core.explaining import Explanation, passed_over
from worker.core.grouping import Member
from worker.core.model import Identity, Item, Later, Mode, Outcome, Record, RecordId, S3Object
from worker.core.objects import Head, Listed
from worker.core.routes import Route
from worker.core.routing import Draft, PartOf, Routes
from worker.metrics import Metrics
from worker.opening import every_route, keys_of, memory_cell, open_darwin, with_storages
from worker.pipeline.assembly import Assembly
from worker.pipeline.ports import Objects
from worker.routes_file import Wanted, load_routes, read_routes
from worker.settings import Settings, SettingsError, load_settings, reason_of

MOST_LISTED = 10_000
AT_ONCE = 16
NOBODYS = RecordId(0, 0)


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "objects",
        nargs="*",
        metavar="s3://bucket/key",
        help="objects; - reads them from standard input, one a line",
    )
    parser.add_argument("--from", dest="file", metavar="FILE", help="a file with one s3://bucket/key a line")
    parser.add_argument("--list", action="store_true", help="explain every object below s3://bucket/prefix")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="ask neither S3 nor Darwin: the objects that are named are all that is there",
    )
    parser.add_argument(
        "--routes",
        metavar="FILE",
        type=Path,
        help="with --offline: the routes file (default: WORKER_ROUTES_FILE)",
    )
    parser.add_argument(
        "--event",
        default="Put",
        metavar="TYPE",
        help="what S3 told of: Put (default), Post, Copy, CompleteMultipartUpload",
    )
    parser.add_argument(
        "--full", action="store_true", help="why, and the request, for each of several objects"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for machines")


def main(arguments: argparse.Namespace) -> int:
    if arguments.offline:
        wanted, settings = _wanted_offline(arguments.routes), None
    else:
        settings = load_settings(os.environ)
        wanted = load_routes(settings)
    places = list(_places(arguments))
    explained = asyncio.run(_explained(arguments, settings, wanted, places))
    explain_shown.show(explained, as_json=arguments.json, full=arguments.full or len(explained) == 1)
    return 1 if any(each.unknown for each in explained) else 0


def _wanted_offline(file: Path | None) -> Wanted:
    path = file or (Path(os.environ["WORKER_ROUTES_FILE"]) if os.environ.get("WORKER_ROUTES_FILE") else None)
    if path is None:
        raise SettingsError(
            ["explain --offline needs a routes file: name it with --routes, or set WORKER_ROUTES_FILE"]
        )
    return read_routes(path, os.environ.get("DARWIN_TEAM") or "your-team", None)


def _places(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Bucket and key, or prefix, of what is to be explained."""
    words: list[str] = []
    for word in arguments.objects:
        words += sys.stdin.read().splitlines() if word == "-" else [word]
    if arguments.file:
        try:
            words += Path(arguments.file).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError([f"{arguments.file} cannot be read: {reason_of(error)}"]) from None
    words = [word for word in words if word.strip()]
    if not words:
        raise SettingsError(
            ["explain needs an object, as s3://bucket/key; see `darwin-worker explain --help`"]
        )
    for word in words:
        bucket, _, key = word.removeprefix("s3://").partition("/")
        if not word.startswith("s3://") or not bucket or not (key or arguments.list):
            raise SettingsError([f"{word!r} names no object; write s3://bucket/key"])
        yield bucket, key


async def _explained(
    arguments: argparse.Namespace,
    settings: Settings | None,
    wanted: Wanted,
    places: Sequence[tuple[str, str]],
) -> list[Explanation]:
    async with _outside(settings, wanted, places) as (routes, objects):
        if arguments.list:
            held = [each for bucket, prefix in places for each in await _listed(objects, bucket, prefix)]
        else:
            held = [await _looked_at(objects, bucket, key) for bucket, key in places]
        return await _Explaining(routes, objects, arguments.event).explain(held)


@asynccontextmanager
async def _outside(
    settings: Settings | None, wanted: Wanted, places: Sequence[tuple[str, str]]
) -> AsyncIterator[tuple[Routes, Objects]]:
    if settings is None:
        yield (
            Routes(wanted.routes, wanted.otherwise, as_written(every_route(wanted), places)),
            _Given(places),
        )
        return
    metrics = Metrics(CollectorRegistry())  # what adapters count by; nobody looks at it here
    async with open_darwin(settings, keys_of(settings, wanted), metrics, memory_cell) as teams:
        storages = {slug: await team.darwin.storages() for slug, team in teams.items()}
    async with open_bucket_client(aws_session()) as client:
        yield with_storages(wanted, storages), S3Objects(client, metrics)


async def _listed(objects: Objects, bucket: str, prefix: str) -> list[S3Object]:
    listed = await objects.list(bucket, prefix, MOST_LISTED)
    if len(listed) > MOST_LISTED:
        print(
            f"Only the first {MOST_LISTED} objects below s3://{bucket}/{prefix} are explained.",
            file=sys.stderr,
        )
    return [S3Object(bucket, each.key, None, each.etag, each.size) for each in listed[:MOST_LISTED]]


async def _looked_at(objects: Objects, bucket: str, key: str) -> S3Object:
    """As S3 would tell of it; an object that is not there has no size and no etag."""
    head = await objects.head(bucket, key)
    return (
        S3Object(bucket, key) if head is None else S3Object(bucket, key, head.version, head.etag, head.size)
    )


class _Explaining:
    """Explains objects, the group of several of them but once."""

    def __init__(self, routes: Routes, objects: Objects, event: str) -> None:
        self._routes = routes
        self._event = f"ObjectCreated:{event}"
        self._assembly = Assembly(routes, objects, _nothing, time)
        self._groups: dict[str, asyncio.Task[Item | Outcome | Later]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def explain(self, held: Iterable[S3Object]) -> list[Explanation]:
        async with asyncio.TaskGroup() as tasks:
            explaining = [tasks.create_task(self._explained(tasks, each), name=each.key) for each in held]
        return [task.result() for task in explaining]

    async def _explained(self, tasks: asyncio.TaskGroup, held: S3Object) -> Explanation:
        found = self._routes.find(held, self._event)
        others, elsewhere = passed_over(self._routes, held, self._event, found)
        route = found.rule.route.name if found is not None else ""
        decided = self._routes.decide(Record(held, self._event))
        try:
            match decided:
                case PartOf(group=group):
                    member = Member(NOBODYS, held.key)
                    place = f"{route} {group.bucket} {group.beginning}"
                    if place not in self._groups:
                        self._groups[place] = tasks.create_task(self._of_group(decided, member), name=place)
                    whole = await asyncio.shield(self._groups[place])
                    return Explanation(held, route, others, elsewhere, whole, group.beginning)
                case Draft():
                    async with self._places:
                        return Explanation(
                            held, route, others, elsewhere, await self._assembly.draft(decided, None)
                        )
                case Item() | Outcome() | Later():
                    return Explanation(held, route, others, elsewhere, decided)
                case _:
                    raise AssertionError(decided)  # nothing was removed
        except OutsideError as error:
            return Explanation(held, route, others, elsewhere, unknown=str(error))

    async def _of_group(self, part: PartOf, member: Member) -> Item | Outcome | Later:
        """What the record that goes on for the group comes to."""
        async with self._places:
            [(_, decided)] = await self._assembly.group(part, [member])
        return decided


async def _nothing(_: Identity) -> Entry | None:
    """A ledger that holds nothing: what is explained is what a first event would bring about."""
    return None


# Offline


def as_written(
    routes: Sequence[Route], places: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Storage]:
    """Storages as the routes take them to be, on the bucket that they name or that is asked about."""
    buckets = list(dict.fromkeys(bucket for bucket, _ in places))
    storages: dict[tuple[str, str], Storage] = {}
    for route in routes:
        lane = route.lane
        mode = Mode.READ_ONLY if route.sidecars is not None else Mode.READ_WRITE
        bucket = route.bucket or buckets[0]
        storages.setdefault(
            (lane.team, lane.storage), Storage(lane.storage, lane.storage, mode, "aws", bucket, "")
        )
    return storages


class _Given:
    """The objects that were named, as if they were there: of one byte each, without metadata."""

    def __init__(self, places: Sequence[tuple[str, str]]) -> None:
        self._places = sorted(set(places))

    async def list(self, bucket: str, prefix: str, limit: int) -> "list[Listed]":
        found = [
            Listed(key, "given", 1) for held, key in self._places if held == bucket and key.startswith(prefix)
        ]
        return found[: limit + 1]

    async def head(self, bucket: str, key: str) -> Head | None:
        return Head("given", 1, None, "STANDARD", False, {}) if (bucket, key) in self._places else None

    async def tags(self, bucket: str, key: str) -> Mapping[str, str] | None:
        return {} if (bucket, key) in self._places else None

    async def read(self, bucket: str, key: str, length: int) -> bytes | None:
        return b"?"[:length] if (bucket, key) in self._places else None

"""``darwin-worker reconcile``: the bucket against Darwin's datasets, by the routes.

The bucket is listed first and Darwin's items are read then, so that what was listed had its time to be registered. Both go
through a temporary file. Nothing is changed, but that ``--enqueue`` sends what is missing into the queue.
"""

import argparse
import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from worker.adapters.aws_session import aws_session
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_objects import S3Objects
from worker.commands.reconcile_enqueue import enqueue, refuse_to_ask
from worker.commands.reconcile_shown import Bars, Shown, check_writable, show
from worker.commands.reconcile_store import Store, open_store_of_both
from worker.commands.reconcile_walk import Clocks, Walk, steadily
from worker.core.differences import Kind
from worker.core.model import Reason
from worker.core.reconciling import Place, Source, apart, for_listings, sources, wholly_listed
from worker.core.routing import Routes
from worker.metrics import Metrics
from worker.opening import Team, keys_of, open_darwin, operators_cells, with_storages
from worker.routes_file import Wanted, load_routes
from worker.settings import Settings, SettingsError, load_settings

DIFFERENT = 3
MINUTE = 60.0

EPILOG = f"""\
kinds of difference:
  missing     a route makes an item of the object, and Darwin does not hold it
  incomplete  other objects of the item are not there yet: parts of its group, or its sidecars
  collision   several objects make an item of one path and name
  failed      registered, and Darwin could not process it
  stuck       registered, and not processed after --stuck minutes
  foreign     the path and name are held by an item that somebody uploaded
  archived    the object is there, and its item was archived in Darwin
  stray       an item of external storage that no object in the bucket accounts for

exit codes:
  0  nothing differs          {DIFFERENT}  differences were found, also where --enqueue sent them
  1  S3, Darwin or SQS is in the way          2  wrong arguments or settings          130  Ctrl-C

examples:
  darwin-worker reconcile
  darwin-worker reconcile s3://acme-media/incoming/line/ --json -
  darwin-worker reconcile --kind missing --kind failed --csv /var/log/differences.csv
  darwin-worker reconcile --kind missing --enqueue --yes

Nothing is changed without --enqueue; it may be broken off and run again at any time. Darwin is asked at most a fifth of what
the key may ask, 100,000 items a minute of the usual 1,000 requests.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "places",
        nargs="*",
        metavar="s3://bucket/prefix",
        help="look only there (default: wherever the routes look); strays are told of datasets whose sources all lie there",
    )
    parser.add_argument(
        "--kind", action="append", choices=[kind.value for kind in Kind], help="only these; may be repeated"
    )
    parser.add_argument(
        "--young",
        type=_minutes,
        default=10.0,
        metavar="MINUTES",
        help="objects that changed since are on their way, and not missing (default: 10)",
    )
    parser.add_argument(
        "--stuck",
        type=_minutes,
        default=60.0,
        metavar="MINUTES",
        help="what Darwin processes for longer is stuck (default: 60)",
    )
    parser.add_argument("--csv", metavar="FILE", help="write every difference as CSV; - is standard output")
    parser.add_argument(
        "--json", metavar="FILE", help="write every difference as JSON, one a line; - is standard output"
    )
    parser.add_argument("--enqueue", action="store_true", help="send what is missing through the queue")
    parser.add_argument("--yes", action="store_true", help="with --enqueue: do not ask first")


def main(arguments: argparse.Namespace) -> int:
    settings = load_settings(os.environ)
    wanted = load_routes(settings)
    places = [_place(word) for word in arguments.places]
    kinds = [kind for kind in Kind if arguments.kind is None or kind.value in arguments.kind]
    if arguments.csv == arguments.json == "-":
        raise SettingsError(
            ["--csv - and --json - cannot both have standard output; give one of them a file"]
        )
    check_writable(arguments.csv)
    check_writable(arguments.json)
    if arguments.enqueue and Kind.MISSING not in kinds:
        raise SettingsError(
            ["--enqueue sends what is missing, and that was not asked for: add --kind missing"]
        )
    if arguments.enqueue and not arguments.yes:
        refuse_to_ask()
    with open_store_of_both() as store:
        clocks = Clocks(
            now := time.time(), now - MINUTE * arguments.young, stuck_after=MINUTE * arguments.stuck
        )
        looked = asyncio.run(_Reconciling(settings, wanted, store, clocks, kinds).run(places))
        different = show(store, kinds, looked, csv_file=arguments.csv, json_file=arguments.json)
        if arguments.enqueue:
            asyncio.run(enqueue(store, settings, wanted, sure=arguments.yes))
    return DIFFERENT if different else 0


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 <= minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of minutes")
    return minutes


def _place(word: str) -> Place:
    bucket, _, prefix = word.removeprefix("s3://").partition("/")
    if not word.startswith("s3://") or not bucket:
        raise SettingsError([f"{word!r} names no place in a bucket; write s3://bucket/prefix"])
    return Place(bucket, prefix)


@dataclass(frozen=True, slots=True)
class _Outside:
    """What is asked: *datasets* are Darwin's, their ids by team and slug."""

    teams: Mapping[str, Team]
    routes: Routes
    datasets: Mapping[tuple[str, str], int]
    objects: S3Objects


class _Reconciling:
    def __init__(
        self, settings: Settings, wanted: Wanted, store: Store, clocks: Clocks, kinds: Sequence[Kind]
    ) -> None:
        self._settings = settings
        self._wanted = wanted
        self._store = store
        self._clocks = clocks
        self._kinds = kinds

    async def run(self, places: Sequence[Place]) -> Shown:
        """Both sides are read, compared, and what is found is told to the store."""
        async with self._outside() as outside:
            with Bars() as bars:
                return await self._looked(outside, places, bars)

    @asynccontextmanager
    async def _outside(self) -> AsyncIterator[_Outside]:
        settings, wanted = self._settings, self._wanted
        metrics = Metrics(CollectorRegistry())  # what adapters count by; nobody looks at it here
        async with (
            operators_cells(settings) as cell,
            open_darwin(settings, keys_of(settings, wanted), metrics, cell, operators=True) as teams,
            open_bucket_client(aws_session()) as client,
        ):
            storages = {slug: await steadily(team.darwin.storages) for slug, team in teams.items()}
            datasets = {
                (slug, dataset.slug): dataset.id
                for slug, team in teams.items()
                for dataset in await steadily(team.darwin.datasets)
            }
            yield _Outside(teams, with_storages(wanted, storages), datasets, S3Objects(client, metrics))

    async def _looked(self, outside: _Outside, places: Sequence[Place], bars: Bars) -> Shown:
        known = sources(outside.routes)
        listed = apart(places or [source.place for source in known])
        paused = {route.name for route in outside.routes.every_route if route.paused}
        walk = Walk(
            for_listings(outside.routes),
            outside.objects,
            self._store,
            self._clocks,
            outside.datasets,
            paused,
        )
        for place in listed:
            await walk.list(place, bars.bar(f"listing s3://{place.bucket}/{place.prefix}"))
        await walk.find_places(bars.bar("asking S3 where items go"))
        held = await self._read_datasets(outside, walk, known, listed, bars)
        spared = self._store.compare(self._clocks.young, paused, outside.datasets)
        if {Kind.MISSING, Kind.INCOMPLETE} & set(self._kinds):
            await walk.settle_doubts(bars.bar("asking S3 about what is missing"))
        outcomes = walk.outcomes + Counter({Reason.ROUTE_PAUSED: spared.paused})
        return Shown(walk.listed, walk.on_their_way + spared.on_their_way, outcomes, held)

    async def _read_datasets(
        self, outside: _Outside, walk: Walk, known: Sequence[Source], listed: Sequence[Place], bars: Bars
    ) -> dict[tuple[str, str], bool]:
        """Those that items go to, and those whose every object was listed: what Darwin holds of them may have none any
        more. The answer tells for each whether it is such a one.
        """
        whole = {dataset: wholly_listed(known, listed, *dataset) for dataset in outside.datasets}
        named = {dataset for dataset in outside.datasets if _is_named(known, *dataset)}
        read = sorted(walk.seen | {dataset for dataset in named if whole[dataset]})
        for dataset in read:
            await _read(outside, walk, dataset, bars, whole=whole[dataset])
        return {dataset: whole[dataset] for dataset in read}


async def _read(outside: _Outside, walk: Walk, dataset: tuple[str, str], bars: Bars, *, whole: bool) -> None:
    team, slug = dataset
    darwin, counted = outside.teams[team].darwin, bars.bar(f"reading the items of {team}/{slug}")
    await steadily(
        lambda: walk.hold(team, slug, darwin.items(outside.datasets[dataset]), counted, whole=whole)
    )


def _is_named(known: Sequence[Source], team: str, dataset: str) -> bool:
    return any(
        source.team == team and source.datasets is not None and dataset in source.datasets for source in known
    )

"""``darwin-worker backfill``: what a bucket held before its notifications, sent through the queue that the fleet serves.

Nothing is registered here: the worker does that, with its routes, its ledger and its quota. Darwin is asked once which
storages there are.
"""

import argparse
import os
from difflib import get_close_matches
from pathlib import Path
from time import monotonic

import uvloop
from pydantic import TypeAdapter, ValidationError

from worker.commands.backfill_progress import ProgressFile
from worker.commands.backfill_run import Plan, counted, room_of, sent
from worker.commands.backfill_shown import show
from worker.core.backfill import Filters, name_of
from worker.core.events import unix_time
from worker.core.patterns import compile_glob
from worker.opening import every_route
from worker.route_values import Bytes
from worker.routes_file import Wanted, load_routes
from worker.settings import Settings, SettingsError, load_settings, state_folder

_EXAMPLES = """\
examples:
  darwin-worker backfill s3://acme-media/incoming/ --dry-run
      what would be sent, by route, and what would not, by reason
  darwin-worker backfill s3://acme-media/incoming/
      send it; broken off, the same command goes on where it was
  darwin-worker backfill s3://acme-media/ --route scans --since 2024-01-01 --until 2024-07-01
      what one route takes, of half a year
  darwin-worker backfill s3://acme-media/ --match 'incoming/**/*.jpg' --exclude '**/tmp/**' --min-size 10KB
  darwin-worker backfill s3://acme-media/ \\
      --inventory s3://acme-inventory/acme-media/daily/2024-07-01T01-00Z/manifest.json
      from an S3 Inventory in place of a listing

It sends while the queue holds less than five minutes of the quota, and its records give way to live ones. What is
registered already is a duplicate: to send again costs nothing but time.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "place",
        metavar="s3://bucket/prefix",
        type=_place,
        help="the objects whose keys begin with the prefix",
    )
    parser.add_argument("--route", metavar="NAME", default="", help="only what this route takes")
    parser.add_argument(
        "--since",
        metavar="TIME",
        type=_time,
        help="last modified then or later: 2024-07-01 or 2024-07-01T09:00Z",
    )
    parser.add_argument("--until", metavar="TIME", type=_time, help="last modified before")
    parser.add_argument(
        "--min-size",
        metavar="SIZE",
        type=_size,
        default=0,
        help="at least so large: bytes, or a text such as 10KB",
    )
    parser.add_argument("--max-size", metavar="SIZE", type=_size, help="at most so large")
    parser.add_argument(
        "--match",
        metavar="GLOB",
        type=_glob,
        action="append",
        default=[],
        help="only keys that match, as a whole; may be given several times",
    )
    parser.add_argument(
        "--exclude",
        metavar="GLOB",
        type=_glob,
        action="append",
        default=[],
        help="no keys that match; may be given several times",
    )
    parser.add_argument(
        "--event",
        default="Put",
        choices=("Put", "Post", "Copy", "CompleteMultipartUpload"),
        help="what the records tell of, for routes that choose by it (default: Put)",
    )
    parser.add_argument(
        "--inventory",
        metavar="s3://bucket/manifest.json",
        type=_place,
        help="read an S3 Inventory (CSV) in place of listing",
    )
    parser.add_argument(
        "--progress",
        metavar="FILE",
        type=Path,
        help="where to keep how far it has come (default: a file of its own beside the ledger)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="count by route what would be sent, and by reason what would not; send nothing",
    )
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object, for machines")


def main(arguments: argparse.Namespace) -> int:
    settings = load_settings(os.environ)
    wanted = load_routes(settings)
    plan = _plan(arguments, wanted)
    began = monotonic()
    if arguments.dry_run:
        tally = uvloop.run(counted(settings, wanted, plan))
    else:
        named = _named(arguments, settings)
        path = arguments.progress or state_folder(os.environ) / name_of(named, plan.bucket)
        tally = uvloop.run(sent(settings, wanted, plan, ProgressFile(path, named)))
    show(
        f"s3://{plan.bucket}/{plan.prefix}",
        tally,
        dry_run=arguments.dry_run,
        as_json=arguments.json,
        by_quota=room_of(settings).seconds(tally.chosen),
        took=monotonic() - began,
    )
    return 0


# What is asked for


def _place(text: str) -> tuple[str, str]:
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket:
        raise argparse.ArgumentTypeError(f"{text!r} is no place in S3; write s3://bucket/prefix")
    return bucket, prefix


def _time(text: str) -> float:
    moment = unix_time(text)
    if moment is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2024-07-01 or 2024-07-01T09:00Z (without a zone it is UTC)"
        )
    return moment


def _size(text: str) -> int:
    try:
        return TypeAdapter[int](Bytes).validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size; write bytes, or a text such as 10KB"
        ) from None


def _glob(text: str) -> str:
    try:
        compile_glob(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _plan(arguments: argparse.Namespace, wanted: Wanted) -> Plan:
    names = [route.name for route in every_route(wanted)]
    if arguments.route and arguments.route not in names:
        nearest = get_close_matches(arguments.route, names, n=1) or names
        raise SettingsError([f"--route {arguments.route!r} is no route; did you mean {nearest[0]!r}?"])
    bucket, prefix = arguments.place
    filters = Filters(
        arguments.route,
        arguments.since,
        arguments.until,
        arguments.min_size,
        arguments.max_size,
        [compile_glob(glob) for glob in arguments.match],
        [compile_glob(glob) for glob in arguments.exclude],
    )
    return Plan(bucket, prefix, filters, f"ObjectCreated:{arguments.event}", arguments.inventory)


def _named(arguments: argparse.Namespace, settings: Settings) -> dict[str, object]:
    """What tells this backfill from every other."""
    bucket, prefix = arguments.place
    options = ("route", "since", "until", "min_size", "max_size", "match", "exclude", "event")
    return {
        "bucket": bucket,
        "prefix": prefix,
        "queue": settings.queue.url,
        "inventory": "/".join(arguments.inventory or ()),
        **{name: getattr(arguments, name) for name in options},
    }

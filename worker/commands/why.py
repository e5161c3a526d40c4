"""``darwin-worker why``: what became of an object. Everybody who may know is asked, and nothing is changed.

A SQLite ledger is the running worker's own while it runs, so that worker is asked then, at its port.
"""

import argparse
import asyncio
import os
from collections.abc import Mapping, Sequence

from worker.commands import why_shown
from worker.commands.running import asked, url_of
from worker.commands.why_opening import held_by_another, opened
from worker.core.errors import OutsideError
from worker.routes_file import Wanted, load_routes
from worker.settings import Settings, SettingsError, load_settings

WITHIN = 120.0
"""Seconds that a running worker has for one answer: it asks as many as we would."""

EPILOG = """\
S3 is asked whether the object is there, the routes file which route takes it, the ledger and Darwin what they hold of its
item, and the dead-letter queue is looked through, which hides the letters from others meanwhile. Whether a message about it
is in the source queue SQS tells nobody. The last line says where the object stands and what to do.

  darwin-worker why "s3://acme-media/incoming/line/3/weld 07.jpg"
  darwin-worker why --json s3://acme-media/a.jpg s3://acme-media/b.jpg | jq -r '[.object, .standing] | @tsv'

A SQLite ledger belongs to the running worker, so that worker is asked then, at WORKER_WEB__PORT and with WORKER_WEB__TOKEN.
Ends with 0, or with 1 where somebody could not be asked. docs/why.md tells what each answer means.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "objects", nargs="+", metavar="s3://bucket/key", help="the key as S3 has it, not encoded"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for machines")


def main(arguments: argparse.Namespace) -> int:
    settings = load_settings(os.environ)
    wanted = load_routes(settings)
    places = [place_of(word) for word in arguments.objects]
    answers = asyncio.run(_answers(settings, wanted, places))
    why_shown.show(answers, as_json=arguments.json)
    return 1 if any(answer["unknown"] for answer in answers) else 0


def place_of(word: str) -> tuple[str, str]:
    """Bucket and key. Raises :class:`SettingsError`."""
    bucket, _, key = word.removeprefix("s3://").partition("/")
    if not word.startswith("s3://") or not bucket or not key:
        raise SettingsError([f"{word!r} names no object; write s3://bucket/key"])
    return bucket, key


async def _answers(
    settings: Settings, wanted: Wanted, places: Sequence[tuple[str, str]]
) -> list[Mapping[str, object]]:
    in_the_way = await held_by_another(settings.ledger)
    if in_the_way:
        try:
            return await _of_worker(settings, places)
        except OutsideError as error:
            in_the_way = f"{in_the_way} {error}"
    with why_shown.looking() as seen:
        async with opened(settings, wanted, in_the_way, seen) as tracing_of:
            return [(await tracing_of(bucket).trace(bucket, key)).as_json() for bucket, key in places]


async def _of_worker(settings: Settings, places: Sequence[tuple[str, str]]) -> list[Mapping[str, object]]:
    """What the running worker says of them. Raises :class:`OutsideError`."""
    url, token = url_of(settings.web), settings.web.token
    answers = []
    for bucket, key in places:
        answer = await asked(url, token, "/why", {"object": f"s3://{bucket}/{key}"}, WITHIN)
        answers.append(why_shown.checked(answer, url))
    return answers

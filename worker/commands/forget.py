"""``darwin-worker forget``: remove an object's entry from the ledger, so that it can be registered anew.

Nothing but that entry is changed, and it is the one that was shown: what was written there meanwhile stays. A SQLite ledger is
not held while a person thinks.
"""

import argparse
import asyncio
import io
import os
import sys
import time
from typing import NamedTuple

from worker import logs
from worker.commands.terminal import agreed
from worker.commands.why import place_of
from worker.commands.why_opening import held_by_another, open_ledger, opened
from worker.core.claims import Entry
from worker.core.darwin import HeldItem
from worker.core.errors import Refused
from worker.core.model import Identity
from worker.core.naming import normalise_path
from worker.core.printing import printable
from worker.core.standing import place_words
from worker.core.traced import NoDataset, Unknown, is_of
from worker.core.tracing import entry_json, entry_words
from worker.routes_file import Wanted, load_routes
from worker.settings import Settings, SettingsError, load_settings

MEANING = """\
The item in Darwin is not touched. The object is registered anew by its next event or by `darwin-worker backfill`, as the routes
say then. If Darwin still holds an item of the path and name that it gets then, Darwin answers ALREADY_EXISTS and the record is
blocked as foreign_item (or taken for ours, where its route says `on_existing: accept`): delete or rename that item first."""

EPILOG = f"""\
For the day when the wrong dataset was registered. The routes are asked for the item's place now; where they were corrected
meanwhile, say where it was: what is given takes the place of what they say.

  darwin-worker forget s3://acme-media/incoming/a.jpg
  darwin-worker forget s3://acme-media/incoming/a.jpg --dataset wrong-one

{MEANING}

A claim that a worker holds just now is not forgotten. A SQLite ledger belongs to the running worker: stop it first.
Ends with 0 when nothing stands there any more, with 1 when something still does. It may be repeated.
"""


class _Found(NamedTuple):
    """*identity*: whose entry is meant. *now*: what the routes make of the object; None where they make no item. *held*: what
    Darwin has where the entry is.
    """

    identity: Identity
    now: Identity | None
    entry: Entry | None
    held: HeldItem | NoDataset | Unknown | None


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("object", metavar="s3://bucket/key", help="the object whose claim it is")
    parser.add_argument("--team", help="the team that it was registered in, if not the one of the routes")
    parser.add_argument(
        "--dataset", help="the dataset that it was registered in, if not the one of the routes"
    )
    parser.add_argument("--path", help="the item's path there, if not the one of the routes")
    parser.add_argument("--name", help="the item's name there, if not the one of the routes")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")


def main(arguments: argparse.Namespace) -> int:
    settings = load_settings(os.environ)
    wanted = load_routes(settings)
    bucket, key = place_of(arguments.object)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A key may hold what the terminal's encoding does not know.
        sys.stdout.reconfigure(errors="backslashreplace")
    found = asyncio.run(_found(settings, wanted, bucket, key, arguments))
    if not arguments.json:
        _show(arguments.object, found)
    forgotten, text = _decided(settings, found, bucket, key, sure=arguments.yes)
    if arguments.json:
        print(logs.to_json(_plain(arguments.object, found, text, forgotten=forgotten)))
    else:
        _say(text)
    return 0 if forgotten else 1


async def _found(
    settings: Settings, wanted: Wanted, bucket: str, key: str, arguments: argparse.Namespace
) -> _Found:
    if in_the_way := await held_by_another(settings.ledger):
        raise Refused(
            f"{in_the_way} Stop it with SIGTERM (docker stop, systemctl stop, kubectl scale --replicas=0), run this again, and "
            "start it."
        )
    given = {
        name: getattr(arguments, name) for name in Identity._fields if getattr(arguments, name) is not None
    }
    if "path" in given:
        given["path"] = normalise_path(given["path"])
    async with opened(settings, wanted, "", lambda _: None) as tracing_of:
        tracing = tracing_of(bucket)
        routed = await tracing.routed(bucket, key)
        identity = _meant(routed.identity, given, settings.darwin.team)
        async with open_ledger(settings) as ledger:
            [entry] = await ledger.look_up([identity])
        return _Found(identity, routed.identity, entry, await tracing.held(identity))


def _meant(now: Identity | None, given: dict[str, str], team: str) -> Identity:
    if now is not None:
        return now._replace(**given)
    missing = [f"--{name}" for name in ("dataset", "path", "name") if name not in given]
    if missing:
        why = (
            f"The routes make no item of the object now, so say where it was registered: {', '.join(missing)}; "
            "`darwin-worker why` tells why they do not"
        )
        raise SettingsError([why])
    return Identity(given.get("team", team), given["dataset"], given["path"], given["name"])


def _decided(settings: Settings, found: _Found, bucket: str, key: str, *, sure: bool) -> tuple[bool, str]:
    """Whether nothing stands there any more, and what is to be said."""
    entry = found.entry
    if entry is None:
        return True, "The ledger holds nothing there: there is nothing to forget."
    if not is_of(entry, bucket, key):
        return False, (
            f"Nothing was forgotten: the entry is that of s3://{entry.object.bucket}/{entry.object.key}. Name that object if "
            "it is meant, or say where this one was registered: --dataset, --path, --name."
        )
    if not entry.registered and entry.expires_in > 0:
        return False, (
            f"Nothing was forgotten: a worker holds the claim just now, for {entry.expires_in + 1:.0f} s more, and may be "
            "sending the item. Ask again after that."
        )
    if not sure and not agreed(f"Forget {printable(place_words(found.identity))}?"):
        return False, "Nothing was forgotten. With --yes nobody is asked."
    if not asyncio.run(_forget(settings, found.identity, entry)):
        return False, "Nothing was forgotten: the entry was written anew meanwhile. Look again."
    return True, "Forgotten. `darwin-worker backfill` sends the object again."


async def _forget(settings: Settings, identity: Identity, seen: Entry) -> bool:
    async with open_ledger(settings) as ledger:
        return await ledger.forget(identity, seen)


# What is said


def _show(word: str, found: _Found) -> None:
    _say(word)
    if found.now != found.identity:
        now = "no item" if found.now is None else f"{place_words(found.now)} of team {found.now.team}"
        _say(f"  routes now  {now}")
    _say(f"  item        {place_words(found.identity)} of team {found.identity.team}")
    _say(f"  ledger      {'nothing' if found.entry is None else entry_words(found.entry, time.time())}")
    _say(f"  Darwin      {_of_darwin(found)}")
    print(f"\n{MEANING}\n" if found.entry else "")


def _of_darwin(found: _Found) -> str:
    match found.held:
        case None:
            return "no item of this path and name"
        case NoDataset():
            return "no such dataset"
        case Unknown(why=why):
            return f"not told: {why}"
        case HeldItem():
            return "still holds an item of this path and name" + (", archived" if found.held.archived else "")


def _plain(word: str, found: _Found, text: str, *, forgotten: bool) -> dict[str, object]:
    return {
        "object": word,
        "item": found.identity._asdict(),
        "item_now": None if found.now is None else found.now._asdict(),
        "ledger": found.entry and entry_json(found.entry, time.time()),
        "in_darwin": None if isinstance(found.held, Unknown) else isinstance(found.held, HeldItem),
        "forgotten": forgotten,
        "text": text,
    }


def _say(text: str) -> None:
    print(printable(logs.redact(text)))

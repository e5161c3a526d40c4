"""``darwin-worker dead-letters``: look at what could not be registered, put it back into the queue, keep a copy, delete it.

Looking hides the letters from others for as long as it takes. Nothing is held while somebody is asked: what is sent or
deleted then is what was shown, and nothing that came meanwhile.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from prometheus_client import CollectorRegistry

from worker.commands import dead_letters_shown as shown
from worker.commands.terminal import agreed
from worker.core.letters import Letter, Parcel, Wanted, folded, parcels, with_all, with_any
from worker.core.patterns import compile_glob
from worker.dead_letters import Choose, DeadLetters, Done, Look
from worker.metrics import Metrics
from worker.opening import Queues, open_queues
from worker.settings import Settings, SettingsError, load_settings

SHARE = 5
"""Of what the quota of registration lets through, a replay sends one part in so many: live uploads keep the rest."""

EPILOG = """\
At three in the morning:
  darwin-worker dead-letters list                               what is there, and why
  darwin-worker dead-letters show --reason upload_failed        what Darwin said of each
  darwin-worker dead-letters replay --reason upload_failed      once the cause is mended: asks, then sends them again
  darwin-worker dead-letters purge --key 'test/**' --export test.ndjson

Each of them takes --reason, --dataset, --day (or --since, --until) and --key; a letter must fit them all.
Everything may be broken off and repeated: a letter is deleted only after it was sent, and one that was sent twice is
registered once. docs/dead-letters.md tells more.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    verbs = parser.add_subparsers(dest="verb", metavar="verb", required=True)

    def verb(name: str, sentence: str, epilog: str = "") -> argparse.ArgumentParser:
        declared = verbs.add_parser(
            name,
            help=sentence,
            description=sentence,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _declare_filters(declared)
        return declared

    list_ = verb("list", "count the letters by reason, dataset and day", _LIST)
    show = verb("show", "show each letter, what was said of it, and its history", _SHOW)
    show.add_argument("--full", action="store_true", help="the message's body and attributes too")
    replay = verb("replay", "send letters back into the source queue, then delete them here", _REPLAY)
    replay.add_argument(
        "--per-minute",
        type=_positive,
        metavar="RECORDS",
        help="at most so many records a minute (default: a fifth of what the registration quota lets through)",
    )
    replay.add_argument("--yes", action="store_true", help="send without asking")
    export = verb("export", "write letters whole, one JSON object a line; they stay in the queue", _EXPORT)
    export.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="a new file; - (default) is standard output"
    )
    purge = verb("purge", "delete letters for good", _PURGE)
    purge.add_argument(
        "--export", metavar="FILE", type=Path, help="write what is deleted to a new file first"
    )
    purge.add_argument("--yes", action="store_true", help="delete without asking")
    for answering in (list_, show, replay, purge):
        answering.add_argument("--json", action="store_true", help="for machines")


_LIST = """\
Doubles, which a crash may leave, count once; "copies" counts them too. With --json one object for all.
Reasons without a worker behind them: received_too_often (SQS's own redrive moved a notification), unknown (no notification).
"""
_SHOW = """\
One letter is shown whole; of several there is a table, and --full shows each of them whole. With --json one object a line.
"""
_REPLAY = """\
Without --yes it shows what it would send, and asks; where nobody can be asked, it sends nothing and ends with 1.
The worker does the rest: the same routes, ledger and quota. What is sent carries `again`: a claim that says "registered"
is not trusted, Darwin is asked. A record that fails again keeps its first-seen time and its attempts.
A message that SQS moved here may tell of several records: it is sent whole.
"""
_EXPORT = """\
A line is a message: {"message": id, "letters": [...], "body": "...", "attributes": {...}}. Doubles are written, too.
Send one again by hand: aws sqs send-message --queue-url URL --message-body "$(jq -r .body <<<"$line")"
"""
_PURGE = """\
Nothing brings them back: give --export FILE, which is written to disk before the first is deleted.
Without --yes it shows what it would delete, and asks; where nobody can be asked, it deletes nothing and ends with 1.
A message that tells of other records too, which are not meant, is left alone.
"""


def _declare_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason", action="append", default=[], help="with this reason; may be given several times"
    )
    parser.add_argument(
        "--dataset", action="append", default=[], help="meant for this dataset; may be given several times"
    )
    parser.add_argument(
        "--day",
        type=_day,
        metavar="YYYY-MM-DD",
        help="first seen, or else created, on this day (UTC)",
    )
    parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="on this day or later")
    parser.add_argument("--until", type=_day, metavar="YYYY-MM-DD", help="on this day or earlier")
    parser.add_argument(
        "--key",
        metavar="GLOB",
        help="whose key matches, without the bucket: * within a folder, ** across folders, {jpg,png}",
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2031-02-01") from None


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    wanted = _wanted(arguments)
    settings = load_settings(os.environ)
    match arguments.verb:
        case "list" | "show":
            return _show(arguments, settings, wanted)
        case "export":
            return _export(arguments, settings, wanted)
        case "replay":
            return _replay(arguments, settings, wanted)
        case "purge":
            return _purge(arguments, settings, wanted)
        case other:
            raise AssertionError(other)  # argparse lets nothing else through


def _wanted(arguments: argparse.Namespace) -> Wanted:
    if arguments.day and (arguments.since or arguments.until):
        raise SettingsError(["--day is given beside --since or --until; give one or the other"])
    if arguments.key and arguments.key.startswith("s3://"):
        raise SettingsError(
            [f"--key is {arguments.key!r}: it is matched against the key; leave the bucket out"]
        )
    try:
        key = compile_glob(arguments.key) if arguments.key else None
    except ValueError as error:
        raise SettingsError([f"--key: {error}"]) from None
    return Wanted(
        frozenset(arguments.reason),
        frozenset(arguments.dataset),
        arguments.day or arguments.since,
        arguments.day or arguments.until,
        key,
    )


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[DeadLetters, Queues]]:
    metrics = Metrics(CollectorRegistry())  # what adapters count by; nobody looks at it here
    async with open_queues(settings, metrics) as queues:
        yield DeadLetters(queues.dead_letters, queues.dead_letters.attributes), queues


async def _look(settings: Settings) -> tuple[Look, Queues]:
    async with _opened(settings) as (dead_letters, queues):
        with shown.bars(Done()) as bars:
            return await dead_letters.look(seen=bars.seen), queues


def _show(arguments: argparse.Namespace, settings: Settings, wanted: Wanted) -> int:
    look, queues = asyncio.run(_look(settings))
    letters = [letter for letter in folded(look.letters) if wanted.takes(letter)]
    if arguments.verb == "list":
        shown.listed(letters, look, as_json=arguments.json)
    else:
        shown.letters(letters, as_json=arguments.json, full=arguments.full)
    shown.notes(look, len(letters), queues.dead_letters.url)
    return 0


def _export(arguments: argparse.Namespace, settings: Settings, wanted: Wanted) -> int:
    file = None if arguments.file == "-" else Path(arguments.file)
    shown.check_new(file)
    look, queues = asyncio.run(_look(settings))
    chosen = with_any(wanted, parcels(look.letters))
    shown.export(chosen, file)
    shown.notes(look, sum(len(parcel.letters) for parcel in chosen), queues.dead_letters.url)
    if file is not None:
        written = shown.several(sum(len(parcel.messages) for parcel in chosen), "message")
        shown.note(f"{written} written to {file}.")
    return 0


def _replay(arguments: argparse.Namespace, settings: Settings, wanted: Wanted) -> int:
    let_through = settings.quota.requests_per_minute * settings.batch.max_items
    rate = arguments.per_minute or max(1, let_through // SHARE)

    def select(letters: Sequence[Letter]) -> list[Parcel]:
        return with_any(wanted, parcels(letters))

    def plan(chosen: int, queues: Queues) -> str:
        return (
            f"{shown.several(chosen, 'letter')} would be sent to {queues.source.url}, {rate:,} a minute at most, which takes "
            f"{shown.minutes(chosen / rate)}, and then be deleted here."
        )

    async def send(opened: DeadLetters, queues: Queues, choose: Choose, done: Done, bars: shown.Bars) -> None:
        await opened.replay(queues.source, choose, rate, done, seen=bars.seen, step=bars.step)

    return _carried_out(arguments, settings, _Errand("Send", select, plan, send))


def _purge(arguments: argparse.Namespace, settings: Settings, wanted: Wanted) -> int:
    shown.check_new(arguments.export)

    def select(letters: Sequence[Letter]) -> list[Parcel]:
        found = parcels(letters)
        chosen = with_all(wanted, found)
        if spared := len(with_any(wanted, found)) - len(chosen):
            shown.note(
                f"{shown.several(spared, 'message')} left alone: other records stand there too, which are not meant."
            )
        return chosen

    def plan(chosen: int, queues: Queues) -> str:
        kept = (
            f"and written to {arguments.export} first"
            if arguments.export
            else "and nothing brings them back: export them first, with --export FILE"
        )
        return f"{shown.several(chosen, 'letter')} would be deleted from {queues.dead_letters.url}, {kept}."

    async def delete(opened: DeadLetters, _: Queues, choose: Choose, done: Done, bars: shown.Bars) -> None:
        def kept(look: Look) -> Sequence[Parcel]:
            chosen = choose(look)
            if arguments.export:
                shown.export(chosen, arguments.export)
            return chosen

        await opened.purge(kept, done, seen=bars.seen, step=bars.step)

    return _carried_out(arguments, settings, _Errand("Delete", select, plan, delete))


@dataclass(frozen=True)
class _Errand:
    """What replay and purge differ in. *select*: what is meant of the letters; *plan*: the sentence that says what would be
    done to so many letters; *act* does it.
    """

    verb: str
    select: Callable[[Sequence[Letter]], list[Parcel]]
    plan: Callable[[int, Queues], str]
    act: Callable[[DeadLetters, Queues, Choose, Done, shown.Bars], Awaitable[None]]


def _carried_out(arguments: argparse.Namespace, settings: Settings, errand: _Errand) -> int:
    """Look, show and ask, unless that is spared; then look again and do it."""
    approved: frozenset[str] | None = None
    if not arguments.yes:
        look, queues = asyncio.run(_look(settings))
        chosen = errand.select(look.letters)
        letters = [letter for parcel in chosen for letter in parcel.letters]
        shown.listed(letters, look, as_json=arguments.json)
        shown.notes(look, len(letters), queues.dead_letters.url)
        if not chosen:
            return 0
        shown.note(errand.plan(len(letters), queues))
        if not agreed(f"{errand.verb} them?"):
            shown.note("Nothing was done. With --yes nobody is asked.")
            return 1
        approved = frozenset(message.id for parcel in chosen for message in parcel.messages)
    done = Done()
    try:
        asyncio.run(_act(settings, errand, approved, done))
    finally:
        # Whoever broke it off wants to know, too, how far it came.
        shown.done(done, errand.verb, as_json=arguments.json)
    return 0 if done.whole else 1


async def _act(settings: Settings, errand: _Errand, approved: frozenset[str] | None, done: Done) -> None:
    async with _opened(settings) as (dead_letters, queues):
        with shown.bars(done) as bars:

            def choose(look: Look) -> Sequence[Parcel]:
                """What was agreed to, if anybody was asked, and nothing that came meanwhile."""
                letters = [each for each in look.letters if approved is None or each.message.id in approved]
                chosen = errand.select(letters)
                found = sum(len(parcel.letters) for parcel in chosen)
                if approved is None:
                    shown.notes(look, found, queues.dead_letters.url)
                elif missing := len(approved.difference(each.message.id for each in letters)):
                    shown.note(
                        f"{missing} of the {len(approved)} messages that were shown are not to be had now: somebody else "
                        "has them in hand, or did something to them."
                    )
                bars.expect(found)
                return chosen

            await errand.act(dead_letters, queues, choose, done, bars)

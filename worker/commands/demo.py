"""``darwin-worker demo``: the whole job on this machine, for people to watch.

S3 and SQS are an emulator, Darwin is the twin, the worker is the real one, as a process of its own. The samples come in two
acts; then the books are compared with what had to become of them. With ``--once`` that is all, and the exit code tells
whether they balance; otherwise the demo goes on until Ctrl-C.
"""

import argparse
import asyncio
import io
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from worker.core.errors import Refused
from worker.demo import samples, showing
from worker.demo.books import Books, Held, Told, all_settled, differences, read_letter, told_in
from worker.demo.engines import EngineError, nice_port, running_ministack
from worker.demo.samples import Place, Sample, Way
from worker.demo.stage import (
    Cloud,
    LogLine,
    TooLate,
    Worker,
    cloud,
    until,
    worker_process,
    worker_settings,
)
from worker.demo.twin.server import running_twin
from worker.demo.twin.state import Team

DONE, FAILED, BROKEN_OFF = 0, 1, 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AWS_PORT, TWIN_PORT, WORKER_PORT = 4566, 8081, 8080
ACT_SECONDS = 60.0
RECEIVE_SECONDS = 2
"""How long one receive waits: shorter than in production, because a stop waits for it too."""

WITHOUT_A_TERMINAL = 150
"""Columns."""

_CURTAINS = (
    f"\nUploading {len(samples.FIRST_ACT)} samples. What the worker's log says of each:\n",
    "\nAnd what comes later: an equal name, an overwritten object, an event sent twice, a message by hand.\n",
)


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="end by itself when the samples are done")


def main(arguments: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for number in SIGNALS:
        # What was started must be ended, also when the terminal is closed or before the show is on.
        signal.signal(number, signal.default_int_handler)
    try:
        with running_ministack(AWS_PORT) as endpoint:
            return asyncio.run(_demo(endpoint, once=arguments.once))
    except EngineError as error:
        raise Refused(str(error)) from error


class _Audience:
    """Hears the worker's log, shows it, and remembers what it told."""

    def __init__(self) -> None:
        self.console = Console(width=None if sys.stdout.isatty() else WITHOUT_A_TERMINAL, emoji=False)
        self.settled: list[Told] = []
        self.shows_troubles = True

    def hear(self, line: LogLine) -> None:
        for told in told_in(line):
            self.settled.append(told)
            self.say(showing.record_line(told, self.console.width))
        if self.shows_troubles and (trouble := showing.trouble_line(line)):
            self.say(trouble)

    def say(self, text: RenderableType = "") -> None:
        # A line that the console breaks could not be copied.
        self.console.print(text, soft_wrap=isinstance(text, str | Text), highlight=False)


@dataclass(slots=True)
class _Show:
    """Everything on the stage. *balanced* is None until the samples are done."""

    cloud: Cloud
    team: Team
    twin_url: str
    worker: Worker
    port: int
    audience: _Audience
    balanced: bool | None = None

    async def play(self, *, once: bool) -> None:
        """The samples in two acts, and the comparison; unless *once*, it does not end by itself."""
        say = self.audience.say
        say(showing.introduction(self.cloud, self.twin_url, self.port))
        for number, act in enumerate((samples.FIRST_ACT, samples.SECOND_ACT)):
            say(_CURTAINS[number])
            await self._perform(act)
        self.balanced = await self._compare(samples.SAMPLES)
        if not once:
            say(showing.invitation(self.cloud, self.twin_url))
            await asyncio.Event().wait()

    async def end(self) -> int:
        """Stop the worker as a platform does; the demo's exit code."""
        self.audience.shows_troubles = False
        self.audience.say("\nStopping: the worker finishes what it has, and hands back the rest.")
        code = await self.worker.stop()
        self.audience.say(f"The worker ended with exit code {code}.")
        if self.balanced is None:
            return BROKEN_OFF
        return DONE if self.balanced and code == 0 else FAILED

    async def _perform(self, act: Sequence[Sample]) -> None:
        settled_before = len(self.audience.settled)
        for sample in act:
            match sample.way:
                case Way.UPLOAD:
                    await self.cloud.upload(sample.key, samples.content(sample.file))
                case Way.EVENT_AGAIN:
                    await self.cloud.tell_again(sample.key)
                case Way.MESSAGE:
                    await self.cloud.send(samples.MESSAGE_BY_HAND)

        async def done() -> bool:
            told = self.audience.settled[settled_before:]
            return all_settled(act, told) and await self.cloud.messages() == 0

        # Whatever is missing when time is up, the comparison names.
        with suppress(TooLate):
            await until("the samples are settled", done, ACT_SECONDS)

    async def _compare(self, expected: Sequence[Sample]) -> bool:
        """Show the tables and the last word."""
        letters = await self.cloud.dead_letters()
        now = Books(
            await self.cloud.keys(),
            self.audience.settled,
            [
                Held(Place(dataset.slug, item.path, item.name), file.storage_key)
                for dataset in self.team.datasets.values()
                for item in dataset.items.values()
                for file in item.files
            ],
            [read_letter(letter.body, letter.attributes) for letter in letters],
        )
        wrong = differences(expected, now)
        for part in ("", showing.outcomes_table(now), "", showing.letters_table(now), ""):
            self.audience.say(part)
        self.audience.say(showing.verdict(now, wrong))
        return not wrong


async def _demo(endpoint: str, *, once: bool) -> int:
    async with _stage(endpoint) as show, asyncio.TaskGroup() as tasks:
        tasks.create_task(show.worker.guard(), name="the worker's guard")
        playing = tasks.create_task(show.play(once=once), name="the show")
        with _on_signal(playing.cancel):
            await asyncio.wait([playing])
        return await show.end()


@asynccontextmanager
async def _stage(endpoint: str) -> AsyncIterator[_Show]:
    audience = _Audience()
    team = samples.team()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="darwin-demo-")))
        routes = stack.enter_context(as_file(files("worker.demo") / "samples" / "routes.yaml"))
        twin = await stack.enter_async_context(running_twin([team], port=nice_port(TWIN_PORT)))
        bucket = await stack.enter_async_context(cloud(endpoint, samples.BUCKET))
        settings = worker_settings(
            bucket,
            darwin_url=twin.url,
            team=team.slug,
            key=team.key,
            ledger=folder / "ledger.sqlite3",
            port=nice_port(WORKER_PORT),
        )
        settings |= {"WORKER_ROUTES_FILE": str(routes), "WORKER_QUEUE__WAIT_SECONDS": str(RECEIVE_SECONDS)}
        worker = await stack.enter_async_context(worker_process(settings, audience.hear))
        yield _Show(bucket, team, twin.url, worker, await worker.port(), audience)


@contextmanager
def _on_signal(stop: Callable[[], object]) -> Iterator[None]:
    """A signal that asks for the end calls *stop* instead. One that comes after the block does not wait for anything."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.default_int_handler)

"""What the port shows of the worker, read-only: docs/page.md describes the JSON.

Nothing is asked of anybody while nobody looks. While somebody does, SQS is asked for the depth of its queues every ten
seconds and the quota's store for its tokens every two, by tasks of their own, so that a status waits for neither for long.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from worker.adapters.cell_quota import CellQuota
from worker.adapters.sqs import SqsQueue
from worker.core.conditions import Condition
from worker.core.errors import OutsideError, Unavailable
from worker.core.letters import Letter, folded
from worker.core.settlement import Book
from worker.dead_letters import DeadLetters
from worker.opening import Queues, Team, memory_cell
from worker.pipeline.accounts import Account
from worker.pipeline.channel import Bell
from worker.pipeline.context import Context
from worker.pipeline.ports import Quota
from worker.pipeline.recent import STEP
from worker.pipeline.status import Json, moment, place, status_of
from worker.settings import Settings
from worker.tracing import Tracing

LOOKS_FOR = 10.0
"""Seconds after a look in which somebody is taken to look still."""

QUEUES_EVERY = 10.0
TOKENS_EVERY = 2.0

FIRST_WAIT = 3.0
"""Seconds that the first look waits for what must be asked."""

LETTERS = 1_000
"""Dead letters that one look takes in hand: they are hidden from others meanwhile."""

LETTERS_EVERY = 60.0
LETTERS_DEADLINE = 45.0
EXAMPLES = 3

REQUESTS_OF_A_QUESTION = 3
"""To Darwin, for one object. All questions together take at most a fifth of the general quota."""

QUESTIONS_AT_ONCE = 10
LONGEST_QUESTION_WAIT = 10.0

NOTHING_OPEN = "The worker is starting, or about to end; ask again when it has tried its connections."


@dataclass(frozen=True, slots=True)
class Opened:
    """What there is to see once everything is open."""

    book: Book
    accounts: Mapping[str, Account]
    queues: Queues
    tracing: Tracing


class View:
    """Implements :class:`worker.web.view.View`. Before *opened* is set the worker is starting."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self.teams: Mapping[str, Team] = {}
        self.opened: Opened | None = None
        self._context = context
        self._settings = settings
        self._started = context.now()
        self._looked = float("-inf")
        self._looking = Bell()
        self._told: dict[str, Json] = {}
        self._asked = Bell()
        self._look: tuple[float, Json] | None = None
        self._at_the_letters = asyncio.Lock()
        questions = max(3, settings.quota.general_requests_per_minute // REQUESTS_OF_A_QUESTION // 5)
        self._questions = CellQuota(
            memory_cell("questions"), questions, min(QUESTIONS_AT_ONCE, questions - 1)
        )

    # What probes and scrapes want

    def conditions(self) -> Sequence[Condition]:
        return self._context.situation.conditions.now()

    def heartbeats(self) -> Mapping[str, float]:
        return self._context.heartbeats.ages()

    async def refresh(self) -> None:
        await self._show("registration", [team.registration for team in self.teams.values()])
        await self._show("general", [team.general for team in self.teams.values()])

    async def _show(self, bucket: str, quotas: Sequence[Quota]) -> None:
        """Of several keys the one that may send the least: it is the one that makes somebody wait."""
        if not quotas:
            return
        try:
            level = min([await quota.level() for quota in quotas])
        except OutsideError:
            return  # the gauge keeps what it last knew; a condition tells the rest
        self._context.metrics.tokens.labels(bucket=bucket).set(level)

    # What people want

    async def status(self) -> Json:
        now = asyncio.get_running_loop().time()
        first = now - self._looked > LOOKS_FOR
        self._looked = now
        if first and self.opened is not None:
            self._looking.ring()
            await self._asked.wait(FIRST_WAIT)
        book, accounts = (Book(), {}) if self.opened is None else (self.opened.book, self.opened.accounts)
        return {
            "version": version("darwin-worker"),
            "worker": self._context.token,
            "started": moment(self._started),
            "uptime_seconds": round(self._context.now() - self._started, 1),
            **status_of(self._context, book, accounts.values()),
            "queue": self._told.get("queue"),
            "dead_letters": self._told.get("dead_letters"),
            "quota": [self._quota(team) for team in accounts],
        }

    def _quota(self, team: str) -> Json:
        limits = self._settings.quota
        told = self._told.get(f"quota {team}", {})
        return {
            "team": team,
            "registration": {
                "a_minute": limits.requests_per_minute,
                "sent_in_a_minute": self._context.recent.sent_in_a_minute(team, self._context.now()),
                "tokens": told.get("registration"),
                "burst": limits.burst,
            },
            "general": {
                "a_minute": limits.general_requests_per_minute,
                "tokens": told.get("general"),
                "burst": limits.burst,
            },
        }

    async def why(self, bucket: str, key: str) -> Json:
        opened = self._all_opened()
        waited = 0.0
        while (wait := await self._questions.take()) > 0:
            waited += wait
            if waited > LONGEST_QUESTION_WAIT:
                raise Unavailable("More is asked than the quota has room for; ask again in a minute.")
            await asyncio.sleep(wait)
        return (await opened.tracing.trace(bucket, key)).as_json()

    async def dead_letters(self) -> Json:
        opened = self._all_opened()
        async with self._at_the_letters:
            now = self._context.now()
            if self._look is None or now - self._look[0] >= LETTERS_EVERY:
                self._look = now, await self._looked_at(opened.queues.dead_letters)
            return self._look[1]

    def _all_opened(self) -> Opened:
        if self.opened is None:
            raise Unavailable(NOTHING_OPEN)
        return self.opened

    async def _looked_at(self, queue: SqsQueue) -> Json:
        at = self._context.now()
        try:
            async with asyncio.timeout(LETTERS_DEADLINE):
                look = await DeadLetters(queue, queue.attributes).look(LETTERS)
        except TimeoutError:
            raise Unavailable(
                f"SQS took longer than {LETTERS_DEADLINE:.0f} s for the dead letters."
            ) from None
        by_reason: dict[str, list[Letter]] = {}
        for letter in folded(look.letters):
            by_reason.setdefault(letter.reason, []).append(letter)
        return {
            "looked": moment(at),
            "sampled": look.sampled,
            "letters": sum(map(len, by_reason.values())),
            "reasons": [
                _reason(reason, letters)
                for reason, letters in sorted(by_reason.items(), key=lambda known: -len(known[1]))
            ],
        }

    # What goes on beside the flow

    @asynccontextmanager
    async def watching(self, opened: Opened) -> AsyncIterator[None]:
        """Show what is opened, and remember the last minutes, while the context is open."""
        self.opened = opened
        await self._questions.level()  # lets the bucket begin to fill
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._remember(opened.book), name="history"),
                tasks.create_task(self._ask(QUEUES_EVERY, self._ask_queues), name="depth of the queues"),
                tasks.create_task(self._ask(TOKENS_EVERY, self._ask_quotas), name="tokens"),
            ]
            try:
                yield
            finally:
                self.opened = None
                for task in beside:
                    task.cancel()

    async def _remember(self, book: Book) -> None:
        while True:
            self._context.recent.sample(book, self._context.now())
            await asyncio.sleep(STEP)

    async def _ask(self, every: float, ask: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled; each *every* seconds while somebody looks."""
        while True:
            if asyncio.get_running_loop().time() - self._looked > LOOKS_FOR:
                await self._looking.wait(LOOKS_FOR)
                continue
            await ask()
            await asyncio.sleep(every)

    async def _ask_queues(self) -> None:
        if self.opened is not None:
            source, letters, _ = self.opened.queues
            self._told["queue"] = await self._depth(source)
            self._told["dead_letters"] = await self._depth(letters)
            self._asked.ring()

    async def _depth(self, queue: SqsQueue) -> Json:
        told: dict[str, object] = {"url": queue.url, "asked": moment(self._context.now())}
        try:
            attributes = await queue.attributes()
        except OutsideError as error:
            return told | {"unknown": str(error)}
        names = {"waiting": "", "in_flight": "NotVisible", "delayed": "Delayed"}
        return told | {
            name: int(attributes.get(f"ApproximateNumberOfMessages{kind}", 0)) for name, kind in names.items()
        }

    async def _ask_quotas(self) -> None:
        for slug, team in self.teams.items():
            try:
                levels = {
                    "registration": round(await team.registration.level(), 2),
                    "general": round(await team.general.level(), 2),
                }
            except OutsideError:
                levels = {}
            self._told[f"quota {slug}"] = levels


def _reason(reason: str, letters: Sequence[Letter]) -> Json:
    return {
        "reason": reason,
        "outcome": letters[0].outcome,
        "count": len(letters),
        "examples": [
            {
                "at": None if letter.first_seen is None else moment(letter.first_seen),
                "object": place(letter.bucket, letter.key),
                "dataset": letter.dataset,
                "detail": letter.detail,
            }
            for letter in letters[:EXAMPLES]
        ],
    }

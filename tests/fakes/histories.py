"""Random histories of a fleet in little: uploads, faults everywhere, stops, kills; then all heals, and the books are read."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.history_books import CURSED, OMITTED, REFUSED, wrong_at_rest, wrong_in_books
from tests.fakes.rig import Rig, event, lane, notification
from worker.core.errors import Unavailable
from worker.core.model import Lane
from worker.core.queueing import Failure
from worker.core.routes import Route

AWAY = Unavailable("away")
DATASETS = ("red", "green", "blue")
LANES: dict[str, Lane] = {**{each: lane(each) for each in DATASETS}, "other": lane("other", "umbrella")}
ROUTES = [
    Route("flat", LANES["red"], prefix="flat", path="/flat"),
    *(Route(each, found, prefix=each) for each, found in LANES.items()),
]
DRAIN = 25.0
HALF = 0.5
CALLS_PER_SECOND = 400
BUNCHED = 2
"""Requests that a slow claim held up for less than a token lasts may leave beside those of the next tokens."""


@dataclass
class History:
    """One history. *now* on the loop's clock; *wrong* is what must stay empty."""

    seed: int
    minutes: int = 30
    workers: list[tuple[Rig, "asyncio.Task[None]"]] = field(default_factory=list)
    uploads: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    born: int = 0
    bunched: bool = False
    fresh: bool = True
    sent_at: dict[str, list[float]] = field(default_factory=dict)
    _calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - a seeded run repeats itself
        self.fleet = self.chance.random() < 0.3
        self.limit = self.chance.choice([20, 60, 200, 5000])
        self.rate = self.chance.choice([30, 100])
        self.first = self._rig()
        self._bodies = 0

    # The fleet

    def _rig(self) -> Rig:
        self.born += 1
        shared = {}
        if self.born > 1:
            first = self.first
            shared = {
                "queue": first.queue,
                "ledger": first.ledger,
                "twin": first.twin,
                "dead_letters": first.dead_letters,
            }
        return Rig(
            ROUTES,
            limit=self.limit,
            requests_per_minute=self.rate,
            drain=DRAIN,
            max_receive_count=50,
            token=f"worker-{self.born}",
            **shared,  # type: ignore[arg-type]  # what the first one has
        )

    def start(self) -> None:
        rig = self.first if self.fresh else self._rig()
        self.fresh = False
        self.say(f"start {self.born}")
        self.workers.append((rig, asyncio.create_task(rig.flow.run())))

    async def stop(self) -> None:
        rig, task = self.workers.pop(self.chance.randrange(len(self.workers)))
        began = asyncio.get_running_loop().time()
        self.say("stop")
        rig.stop.ask()
        try:
            async with asyncio.timeout(120):
                await task
        except TimeoutError:
            self.wrong.append("the stop did not end")
        took = asyncio.get_running_loop().time() - began
        if took > DRAIN + 0.5:
            self.wrong.append(f"the stop took {took:.1f} s")
        if not rig.conserved():
            self.wrong.append("not conserved after a stop")
        if rig.flow.settling.book.open_records:
            self.say("open after the stop")
        self._note_sent(rig)

    async def kill(self) -> None:
        rig, task = self.workers.pop(self.chance.randrange(len(self.workers)))
        self.say("kill")
        task.cancel()
        await asyncio.wait([task])
        if not self.workers:
            self.first.ledger.lapse_all()
        self._note_sent(rig)

    def _note_sent(self, rig: Rig) -> None:
        for team, darwin in rig.darwin.items():
            self.sent_at.setdefault(team if not self.fleet else f"{team} {id(rig)}", []).extend(
                darwin.sent_at
            )

    def say(self, what: str) -> None:
        self.told.append(f"{asyncio.get_running_loop().time():8.1f} {what}")

    # What happens

    def upload(self) -> None:
        chance = self.chance
        many = chance.choice([1, 1, 1, 5, 40, 150])
        self.say(f"upload {many}")
        for _ in range(many):
            kind = chance.random()
            if kind < 0.02:
                self._bodies += 1
                self.first.queue.put("{ not json " + str(self._bodies))
            elif kind < 0.04:
                self.first.queue.put(notification(f"red/folder{chance.randrange(9)}/"))
            elif kind < 0.06:
                self._put([f"green/{chance.randrange(999)}.xyz"])
            elif kind < 0.12:
                self._put([f"flat/{chance.randrange(4)}/{chance.randrange(30)}.jpg"])
            elif kind < 0.16:
                self._put([self._key() for _ in range(chance.randrange(2, 6))])
            elif kind < 0.18:
                self._put([f"{chance.choice(DATASETS)}/{CURSED}{chance.randrange(2)}.jpg"])
            elif kind < 0.20:
                self._put([f"{chance.choice(DATASETS)}/{REFUSED}{chance.randrange(2)}.jpg"])
            elif kind < 0.22:
                self._put([f"{chance.choice(DATASETS)}/{OMITTED}{chance.randrange(9)}.jpg"])
            else:
                self._put([self._key()])

    def _key(self) -> str:
        return f"{self.chance.choice(list(LANES))}/{self.chance.randrange(3000)}.jpg"

    def _put(self, keys: list[str]) -> None:
        self.uploads.update(keys)
        etag = self.chance.choice(["e1"] * 9 + ["e2"])
        body = json.dumps({"Records": [event(key, etag=etag) for key in keys]})
        attributes = {"again": "true"} if self.chance.random() < 0.03 else {}
        ident = self.first.queue.put(body, attributes)
        if self.chance.random() < 0.03:
            self.first.queue.put(body, attributes, double_of=ident)

    def trouble(self) -> Callable[[], None]:
        """Something goes wrong; what ends it."""
        kind = self.chance.choice([self._answers_badly, self._answers_badly, self._refuses, self._calls_fail])
        end, what = kind()
        self.say(f"trouble: {what}")
        return end

    def _answers_badly(self) -> tuple[Callable[[], None], str]:
        """Darwin, for some requests or until it is ended."""
        chance = self.chance
        register, any_of_it = "register", chance.choice(["register", None])
        times = chance.randrange(1, 6)
        dataset = chance.choice([*DATASETS, None])
        work = chance.choice(["none", "half", "all"])
        lists = chance.choice(["items", "token_info", "datasets"])
        values: dict[str, object] = chance.choice(
            [
                {"kind": "status", "status": 502, "work": work, "endpoint": any_of_it, "times": times},
                {"kind": "status", "status": 503, "work": work},
                {"kind": "status", "status": 503, "endpoint": lists},
                {"kind": "drop-answer-after-work", "endpoint": register, "times": times},
                {"kind": "truncated-json", "endpoint": register, "times": times},
                {"kind": "html", "endpoint": register, "times": times},
                {
                    "kind": "429",
                    "endpoint": any_of_it,
                    "times": times,
                    "retry_after": chance.choice([None, 3, 40]),
                },
                {"kind": "slow", "seconds": chance.choice([3, 15, 40]), "times": times * 3},
                {"kind": "slow-answer", "seconds": chance.choice([3, 15, 40]), "times": times * 3},
                {"kind": "omit-items", "item": chance.choice([OMITTED, "7"]), "times": times},
                {
                    "kind": "status",
                    "status": chance.choice([400, 413, 422]),
                    "body": "json",
                    "endpoint": register,
                }
                | {"dataset": dataset, "times": times},
                {
                    "kind": "status",
                    "status": 422,
                    "body": "json",
                    "endpoint": register,
                    "dataset": DATASETS[0],
                },
            ]
        )
        number = self.first.fault(**values)
        return lambda: self.first.twin.world.faults.clear(number), str(values)

    def _refuses(self) -> tuple[Callable[[], None], str]:
        """Darwin, for as long as somebody has not mended it: a dataset, a plan, a key."""
        team = self.first.twin.world.teams[self.chance.choice(["acme", "acme", "umbrella"])]
        dataset = self.chance.choice(list(team.datasets.values()))
        thing, name = self.chance.choice(
            [(dataset, "removed"), (team, "plan_full"), (team, "paused"), (team, "key_revoked")]
        )
        setattr(thing, name, True)
        return lambda: setattr(thing, name, False), f"{team.slug} {name}"

    def _calls_fail(self) -> tuple[Callable[[], None], str]:
        """SQS or the ledger: some calls or all, as a whole or entry by entry, or slowly."""
        chance, first = self.chance, self.first
        faults, call = chance.choice(
            [
                *((first.queue.faults, call) for call in ("receive", "extend", "delete", "send")),
                *((first.ledger.faults, call) for call in ("look_up", "claim", "register", "release")),
                (first.dead_letters.faults, "send"),
            ]
        )
        how = chance.choice(["some", "all", "slow", "entries"])
        if how == "some":
            faults.fail_next(call, AWAY, chance.randrange(1, 8), done=chance.random() < HALF)
        elif how == "all":
            faults.fail(call, AWAY)
            return faults.heal, f"all {call}"
        elif how == "slow":
            faults.seconds[call] = chance.choice([0.5, 5, 15])
            self.bunched = self.bunched or call == "claim"
            return faults.heal, f"slow {call}"
        else:
            entry = chance.choice(["extend", "delete", "send"])
            lost = entry != "send" and chance.random() < HALF
            first.queue.fail_entries(entry, Failure(lost=lost, text="no"), chance.randrange(1, 20))
            first.dead_letters.fail_entries("send", Failure(lost=False, text="no"), chance.randrange(1, 5))
        return (lambda: None), f"{how} {call}"

    async def _end_later(self, end: Callable[[], None]) -> None:
        await asyncio.sleep(self.chance.choice([5, 60, 300, 1200]))
        end()

    def heal(self) -> None:
        self.say("heal")
        first = self.first
        world = first.twin.world
        world.faults.clear()
        for team in world.teams.values():
            team.plan_full = team.paused = team.key_revoked = False
            for dataset in team.datasets.values():
                dataset.removed = False
        for faults in (first.queue.faults, first.ledger.faults, first.dead_letters.faults):
            faults.heal()

    # The whole

    async def run(self) -> list[str]:
        random.seed(self.seed)  # the worker's own jitter
        loop = asyncio.get_running_loop()
        self.first.fault(kind="item-always-fails", item=CURSED)
        self.first.fault(kind="status", status=422, body="json", item=REFUSED, endpoint="register")
        self.start()
        if self.fleet:
            self.start()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch())
            ends = []
            while loop.time() < self.minutes * 60:
                await asyncio.sleep(self.chance.choice([0.1, 1, 5, 20, 90]))
                what = self.chance.random()
                if what < 0.5:
                    self.upload()
                elif what < 0.9:
                    ends.append(tasks.create_task(self._end_later(self.trouble())))
                elif what < 0.95:
                    await self.stop()
                    await asyncio.sleep(self.chance.choice([0, 3, 100]))
                    self.start()
                else:
                    await self.kill()
                    await asyncio.sleep(self.chance.choice([0, 3, 100]))
                    self.start()
            for end in ends:
                end.cancel()
            self.heal()
            await self._until_empty()
            await asyncio.sleep(45)
            self.wrong += wrong_in_books(self.first, self.uploads, self._bodies)
            self.wrong += [problem for rig, _ in self.workers for problem in wrong_at_rest(rig)]
            self.first.upload(*self.uploads)  # whatever still holds an identity would hold up its next record
            await self._until_empty()
            watching.cancel()
            while self.workers:
                await self.stop()
        self._read_quota()
        return self.wrong

    async def _until_empty(self) -> None:
        try:
            await self.first.queue.until_empty(within=6 * 3600)
        except TimeoutError:
            self.wrong.append(f"{len(self.first.queue.stored)} messages left after six hours")
        self.say("empty")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            for rig, task in self.workers:
                if task.done():
                    self.wrong.append(f"a worker ended by itself: {task.exception()!r}")
                    raise AssertionError(self.wrong)
                silent = {part: age for part, age in rig.heartbeats.ages().items() if age >= 60}
                if silent and not rig.stop.asked:
                    self.wrong.append(f"{asyncio.get_running_loop().time():.0f}: silent {silent}")
                if not rig.conserved():
                    self.wrong.append("not conserved")
            calls: Counter[str] = Counter()
            for name, faults in (("queue", self.first.queue.faults), ("ledger", self.first.ledger.faults)):
                for call, count in faults.calls.items():
                    calls[f"{name} {call}"] = count
            for call, count in calls.items():
                if count - self._calls[call] > CALLS_PER_SECOND:
                    self.wrong.append(f"{count - self._calls[call]} calls of {call} in a second")
            self._calls = calls

    def _read_quota(self) -> None:
        for team, times in self.sent_at.items():
            ordered = sorted(times)
            worst = max(
                (sum(1 for at in ordered if begin <= at < begin + 60) for begin in ordered), default=0
            )
            if worst > self.rate + (BUNCHED if self.bunched else 0):
                self.wrong.append(f"{team}: {worst} requests in a minute of {self.rate}")

"""Worker processes on one queue and one store, to which happens what happens to containers: killed at any moment, or
frozen for so long that everybody takes them for dead, and then alive again.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.system.outside import until
from tests.system.processes import Worker

KILL_EVERY = (2.0, 5.0)
FREEZE_EVERY = (6.0, 14.0)
"""Seconds from one kill to the next, and from the end of one freeze to the next: from, to."""

START_SECONDS = 120.0
"""A worker takes a second to start where it has a core to itself."""

FREEZES_PAST_CLAIMS = 0.25
"""The share of freezes that outlast even the claims of the frozen one."""


@dataclass(slots=True)
class Absence:
    """A process, by its name, did nothing *since* then; *until* is infinite when it was killed. Unix seconds."""

    name: str
    since: float
    until: float


class Fleet:
    """*size* workers; a name tells a place and a life in it, such as ``2.5`` for the fifth life of the second worker.

    *lease*, *claim*: how long these last, in seconds. To be used from one thread, with :meth:`look` every so often.
    """

    def __init__(
        self, size: int, start: Callable[[str], Worker], chance: random.Random, *, lease: float, claim: float
    ) -> None:
        self.absences: list[Absence] = []
        self.kills = 0
        self.freezes = 0
        self.gave_up = 0
        self._start = start
        self._chance = chance
        self._lease = lease
        self._claim = claim
        self._lives = [0] * size
        self._workers = [self._born(place) for place in range(size)]
        self._frozen: dict[int, Absence] = {}
        self._healed = False
        self._next_kill = self._next_freeze = float("inf")

    def _born(self, place: int) -> Worker:
        self._lives[place] += 1
        return self._start(self._name(place))

    def _name(self, place: int) -> str:
        return f"{place + 1}.{self._lives[place]}"

    def begin(self) -> None:
        """Once all have started, the storm is on."""
        until("all workers have started", self._started, START_SECONDS)
        now = time.time()
        self._next_kill = now + self._chance.uniform(*KILL_EVERY)
        self._next_freeze = now + self._chance.uniform(*KILL_EVERY)

    def look(self) -> None:
        """Kill, freeze and thaw what it is time for. AssertionError when a worker ended by itself."""
        self._check()
        now = time.time()
        for place, absence in list(self._frozen.items()):
            if now >= absence.until:
                self._thaw(place)
        awake = [place for place in range(len(self._workers)) if place not in self._frozen]
        if self._healed or not awake:
            return
        if now >= self._next_kill:
            # On a machine that is slow to start them, hardly any would ever work otherwise.
            started = [place for place in awake if self._workers[place].lines("worker started")]
            if started:
                self._kill(self._chance.choice(started))
            self._next_kill = now + self._chance.uniform(*KILL_EVERY)
        elif now >= self._next_freeze and not self._frozen:
            self._freeze(self._chance.choice(awake))

    def heal(self) -> None:
        """Nothing more happens to anybody but that the frozen ones thaw when their time has come."""
        self._healed = True

    @property
    def whole(self) -> bool:
        """Whether nobody is frozen."""
        return not self._frozen

    def stop(self) -> list[str]:
        """Ask all to stop once they have started; what was wrong with their ends."""
        until("all workers have started", self._started, START_SECONDS)
        for worker in self._workers:
            worker.ask_to_stop()
        ends = [(self._name(place), worker.ended(30)) for place, worker in enumerate(self._workers)]
        return [f"worker {name} ended with code {code}" for name, code in ends if code != 0]

    def _started(self) -> bool:
        self.look()
        return all(worker.lines("worker started") for worker in self._workers)

    def end(self) -> None:
        for worker in self._workers:
            with suppress(ProcessLookupError):
                worker.kill()

    def _check(self) -> None:
        """Start anew, as a platform does, what gave up while it was starting, because it was frozen and so thinks that
        nobody answers. AssertionError when any other worker ended by itself.
        """
        for place, worker in enumerate(self._workers):
            code = worker.process.poll()
            if code is None:
                continue
            frozen = any(absence.name == self._name(place) for absence in self.absences)
            assert code == 1 and frozen and not worker.lines("worker started"), (  # noqa: PT018 - one condition
                f"worker {self._name(place)} ended by itself with {code}: {worker.output()[-2000:]}"
            )
            self.gave_up += 1
            self._workers[place] = self._born(place)

    def _kill(self, place: int) -> None:
        self.absences.append(Absence(self._name(place), time.time(), float("inf")))
        self._workers[place].kill()
        self.kills += 1
        self._workers[place] = self._born(place)

    def _freeze(self, place: int) -> None:
        longest = self._claim if self._chance.random() < FREEZES_PAST_CLAIMS else self._lease
        now = time.time()
        absence = Absence(self._name(place), now, now + longest + self._chance.uniform(2, 5))
        self._frozen[place] = absence
        self.absences.append(absence)
        self._workers[place].freeze()
        self.freezes += 1

    def _thaw(self, place: int) -> None:
        self._frozen.pop(place).until = time.time()
        self._workers[place].thaw()
        self._next_freeze = time.time() + self._chance.uniform(*FREEZE_EVERY)

"""Looks at a pipeline for so long: what stood in the way, how long any part was silent, how often each port was called."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.fakes.darwin import FakeDarwin
from tests.fakes.rig import Rig
from worker.core.answers import Answer
from worker.core.conditions import Name
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.model import Lane


class CountedDarwin:
    """Implements the Darwin port by another, and counts the calls in *calls*."""

    def __init__(self, darwin: FakeDarwin) -> None:
        self.calls = Counter[str]()
        self._darwin = darwin

    async def register(self, lane: Lane, body: Mapping[str, object], within: float) -> Answer:
        self.calls["register"] += 1
        return await self._darwin.register(lane, body, within)

    async def team(self) -> str:
        self.calls["token_info"] += 1
        return await self._darwin.team()

    async def datasets(self) -> list[Dataset]:
        self.calls["datasets"] += 1
        return await self._darwin.datasets()

    async def storages(self) -> list[Storage]:
        self.calls["storages"] += 1
        return await self._darwin.storages()

    async def find_items(self, dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        self.calls["find_items"] += 1
        return await self._darwin.find_items(dataset_id, places)

    async def archive(self, dataset_id: int, item_ids: Sequence[str]) -> int:
        self.calls["archive"] += 1
        return await self._darwin.archive(dataset_id, item_ids)

    def reread_key(self) -> bool:
        return self._darwin.reread_key()


@dataclass
class Seen:
    """What was seen in so many minutes.

    *conditions*: the sets that were raised, one after the other. *silence*: the
    longest of any part, in seconds. *minutes*: the calls of each minute, as ``queue.receive`` or ``darwin.register``.
    """

    conditions: list[set[str]] = field(default_factory=list)
    silence: float = 0.0
    minutes: list[Counter[str]] = field(default_factory=list)

    def busiest(self, call: str) -> int:
        """The most calls in one minute."""
        return max(minute[call] for minute in self.minutes)

    def total(self, call: str) -> int:
        return sum(minute[call] for minute in self.minutes)

    def called(self) -> set[str]:
        return {call for minute in self.minutes for call in minute}


class Watch:
    """The eyes on one rig, to be made before its flow runs."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._darwin = {team: CountedDarwin(darwin) for team, darwin in rig.darwin.items()}
        for team, counted in self._darwin.items():
            rig.accounts[team].darwin = counted

    async def look(self, minutes: float) -> Seen:
        """Look on for so many minutes."""
        seen = Seen()
        counted = [self._calls()]
        loop = asyncio.get_running_loop()
        began = loop.time()
        for second in range(1, int(minutes * 60) + 1):
            while (left := began + second - loop.time()) > 0:
                await self._rig.situation.changed.wait(left)
                raised = {condition.name.value for condition in self._rig.situation.conditions.now()}
                if not seen.conditions or seen.conditions[-1] != raised:
                    seen.conditions.append(raised)
            seen.silence = max(seen.silence, *self._rig.heartbeats.ages().values())
            if second % 60 == 0:
                counted.append(self._calls())
        seen.minutes = [after - before for before, after in pairwise(counted)]
        return seen

    def _calls(self) -> Counter[str]:
        calls = Counter[str]()
        rig = self._rig
        ports = {
            "queue": rig.queue.faults,
            "dead_letters": rig.dead_letters.faults,
            "ledger": rig.ledger.faults,
        }
        for port, faults in ports.items():
            calls.update({f"{port}.{call}": count for call, count in faults.calls.items()})
        for darwin in self._darwin.values():
            calls.update({f"darwin.{call}": count for call, count in darwin.calls.items()})
        return calls


def shown(rig: Rig, name: Name) -> float:
    """What the metric tells of a condition."""
    (family,) = rig.registry_metrics.condition.collect()
    return next(sample.value for sample in family.samples if sample.labels["condition"] == name.value)


def receive_counts(rig: Rig) -> Counter[int]:
    """How many messages of the queue were received so often."""
    return Counter(stored.receive_count for stored in rig.queue.stored)


async def until(rig: Rig, name: Name, *, within: float = 300) -> None:
    """Until a condition is raised."""
    async with asyncio.timeout(within):
        while not rig.situation.has(name):
            await rig.situation.changed.wait(within)


async def until_not(rig: Rig, name: Name, *, within: float = 300) -> None:
    """Until a condition is cleared."""
    async with asyncio.timeout(within):
        while rig.situation.has(name):
            await rig.situation.changed.wait(within)

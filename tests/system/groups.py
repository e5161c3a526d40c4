"""Groups of objects over the wire: routes with every rule of completeness side by side, groups to upload, and a fleet."""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.system.outside import Cloud, until
from tests.system.processes import DATASET, STORAGE, TEAM, Twin, Worker

CAMERAS = ("front", "back", "left", "right")
COUNT = 3
QUIET_SECONDS = 10
SHORT_SECONDS = 10
SLICES = 1000


def _route(name: str, complete: str, *more: str, within: str = "1d") -> str:
    fields = [
        f"name: {name}",
        f"prefix: {name}/",
        f"dataset: {DATASET}",
        f"storage: {STORAGE}",
        f"path: /{name}",
        *more,
        f"group: {{complete: {{{complete}}}, within: {within}}}",
    ]
    return "  - " + "\n    ".join(fields) + "\n"


_SLOTS = f"slots: [{', '.join(CAMERAS)}]"
_BY_STEM = 'slot: "{stem}"'
ROUTES = "routes:\n" + "".join(
    [
        _route("scenes", _SLOTS, _BY_STEM),
        _route("short", _SLOTS, _BY_STEM, within=f"{SHORT_SECONDS}s"),
        _route("counted", f"count: {COUNT}", _BY_STEM),
        _route("marked", "marker: _SUCCESS", _BY_STEM),
        _route("told", "manifest: manifest.json", _BY_STEM),
        _route("quiet", f"quiet: {QUIET_SECONDS}s", _BY_STEM),
        _route("slices", "count: 5"),
        _route("series", f"count: {SLICES}"),
    ]
)
"""A folder is a group; a file's stem is its slot, but for the slices of a series, which share one."""

Files = Sequence[tuple[str, str]]
"""Slot and key of each file."""

Items = Mapping[tuple[str, str], Files]
"""What Darwin holds, by path and name; the files in the order of their keys."""


@dataclass(frozen=True)
class Sample:
    """One group: its *parts*, in any order, what says that all of them are there, and the item that it is to become."""

    route: str
    name: str
    parts: tuple[str, ...]
    marker: str = ""
    content: bytes = b""

    @property
    def folder(self) -> str:
        return f"{self.route}/{self.name}/"

    @property
    def item(self) -> Items:
        files = [
            ("0" if part.endswith(".dcm") else part.removesuffix(".mp4"), self.folder + part)
            for part in sorted(self.parts)
        ]
        return {(f"/{self.route}", self.name): files}


def samples(of_each: int, chance: random.Random) -> list[Sample]:
    """*of_each* groups of each kind, of 3 to 6 parts; but of the quiet ones."""
    made = list[Sample]()
    for number in range(of_each):
        name = f"g{number}"
        some = tuple(f"p{part}.mp4" for part in range(chance.randint(3, 6)))
        slots = [{"slot": part.removesuffix(".mp4"), "file": part} for part in some]
        told = json.dumps({"slots": slots}).encode()
        made += [
            Sample("scenes", name, tuple(f"{camera}.mp4" for camera in CAMERAS)),
            Sample("counted", name, tuple(f"p{part}.mp4" for part in range(COUNT))),
            Sample("slices", name, tuple(f"{part}.dcm" for part in range(5))),
            Sample("marked", name, some, "_SUCCESS"),
            Sample("told", name, some, "manifest.json", told),
        ]
    return made


def quiet_samples(count: int, chance: random.Random) -> list[Sample]:
    parts = [tuple(f"p{part}.mp4" for part in range(chance.randint(3, 6))) for _ in range(count)]
    return [Sample("quiet", f"g{number}", some) for number, some in enumerate(parts)]


def items_in(twin: Twin, *routes: str) -> dict[tuple[str, str], Files]:
    """What Darwin holds of these routes."""
    held = twin.state()["teams"][TEAM]["datasets"][DATASET]["items"]
    return {
        (item["path"], item["name"]): sorted(
            zip(item["slots"], item["storage_keys"], strict=True), key=lambda file: file[1]
        )
        for item in held
        if item["path"].strip("/") in routes
    }


def depth(cloud: Cloud) -> int:
    """How many messages can be had or are in somebody's hands: all but those that are delayed."""
    asked = cloud.sqs.get_queue_attributes(QueueUrl=cloud.queue_url, AttributeNames=["All"])["Attributes"]
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return sum(int(asked[name]) for name in names)


@dataclass
class Fleet:
    """Workers on one queue and one ledger. *start* starts one more."""

    start: Callable[[], Worker]
    size: int
    alive: list[Worker] = field(default_factory=list)
    ever: list[Worker] = field(default_factory=list)

    def fill(self) -> None:
        while len(self.alive) < self.size:
            worker = self.start()
            self.alive.append(worker)
            self.ever.append(worker)

    def wait_until_ready(self) -> None:
        for worker in self.alive:
            worker.wait_until_ready(60)

    def kill(self, chance: random.Random) -> None:
        """One that has begun to work is gone, and another one starts in its place."""
        begun = [worker for worker in self.alive if worker.lines("worker started")]
        if begun:
            worker = chance.choice(begun)
            worker.kill()
            self.alive.remove(worker)
        self.fill()

    def records(self, folder: str) -> list[tuple[Worker, Mapping[str, Any]]]:
        """What became of each record below *folder*, and who said so."""
        return [
            (worker, record)
            for worker in self.ever
            for line in worker.lines("message settled")
            for record in line["records"]
            if record.get("key", "").startswith(folder)
        ]

    def outcomes(self, folder: str) -> Counter[str]:
        return Counter(record["outcome"] for _, record in self.records(folder))

    def settled(self, folder: str) -> int:
        return len(self.records(folder))

    def wait_for(self, folder: str, **outcomes: int) -> None:
        """Until the records below *folder* have had these outcomes, at least."""
        until(f"{folder} has {outcomes}", lambda: self.outcomes(folder) >= Counter(outcomes), 60)

    def listings(self) -> int:
        """How often those who are alive have listed objects."""
        wanted = 'darwin_worker_s3_calls_total{call="list"'
        lines = [line for worker in self.alive for line in worker.page("metrics")[1].splitlines()]
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(wanted))

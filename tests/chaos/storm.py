"""One storm: a load is fed to a fleet while processes are killed and frozen and Darwin fails; then all is healed, and
from outside it is counted what became of everything.

All that is random comes from the seed: the load, the times of kills and freezes and whom they hit, and Darwin's faults
by the order of requests. What the machine adds, by how quick it is, is not in the seed's hands.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import balance
from tests.chaos.fleet import Fleet
from tests.chaos.load import BAN, BAN_REASON, Load, load
from tests.chaos.stores import store
from tests.system.outside import AWS_SECRET, Cloud, TooLate, Waiting, until
from tests.system.processes import KEY, OURS, Twin, Worker, running_twin, settings_for

MAX_RECEIVE_COUNT = 100
DEEPEST = 1000
"""Messages in the queue at most, in somebody's hands or not: MiniStack slows beyond."""

REQUEST_SECONDS = 5
CLAIM_SECONDS = REQUEST_SECONDS + 30
"""A claim lasts so much longer than a request (law 1)."""

SENT_AT_ONCE = 100
SHOWN = 5
TELL_EVERY, LONGEST_FEEDING = 10.0, 3600.0
REQUESTS_PER_MINUTE = 6000
"""Two refusals for being too fast in a hundred requests slow the fleet to about a twentieth of this."""

FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "status", "status": 500, "probability": 0.02},
    {"kind": "status", "status": 503, "work": "all", "probability": 0.015},
    {"kind": "status", "status": 502, "work": "half", "probability": 0.015, "body": "empty"},
    {"kind": "drop-answer-after-work", "probability": 0.02},
    {"kind": "429", "retry_after": 1, "probability": 0.02},
    {"kind": "slow-answer", "seconds": 8, "probability": 0.01},
    {"kind": "slow", "seconds": 3, "probability": 0.02},
    {"kind": "slow-answer", "seconds": 1, "probability": 0.05},
)
"""5 % 5xx, 2 % dropped after the work, 2 % 429, and a slow tail that ends past the request's time-out."""


@dataclass(frozen=True)
class Plan:
    """What a storm is like. *lease*: seconds of visibility. *batch*: items in a request at most, for many
    small requests meet more faults than a few large ones. *feeding_seconds*: how long the feeding takes at least, and
    the storm lasts as long. *calm_seconds*: how long after the healing the queue may take to be empty.
    """

    store: str
    seed: int
    records: int
    workers: int = 3
    lease: int = 10
    batch: int = 25
    feeding_seconds: float = 30.0
    calm_seconds: float = 240.0


@dataclass(slots=True)
class Report:
    """What was seen; *wrong* is empty when nothing was lost and nothing was done twice."""

    plan: Plan
    wrong: list[str] = field(default_factory=list)
    table: dict[str, object] = field(default_factory=dict)


def ride_out(plan: Plan, engine: str, folder: Path, tell: Callable[[str], None]) -> Report:
    """Let one storm pass over a fleet. *engine*: the endpoint of S3, SQS and DynamoDB; *folder*, empty, takes all logs;
    *tell* is told how it goes.
    """
    chance = random.Random(plan.seed)  # noqa: S311 - to be replayed, no secret
    report = Report(plan)
    with ExitStack() as stack:
        cloud = stack.enter_context(closing(Cloud(engine, MAX_RECEIVE_COUNT)))
        cloud.notify_queue()
        twin = stack.enter_context(running_twin(cloud.bucket, journal=folder / "journal"))
        settings = _settings(plan, cloud, stack.enter_context(store(plan.store, folder)), folder)
        if plan.store == "dynamodb":
            _make_table(settings | {"DARWIN_BASE_URL": twin.url})

        def start(name: str) -> Worker:
            own = folder / f"worker-{name}"
            own.mkdir()
            return Worker(settings | {"DARWIN_BASE_URL": f"{twin.url}/as/{name}"}, own)

        fed = load(plan.records, cloud.bucket, chance)
        _prepare(twin, chance)
        fleet = stack.enter_context(
            _running(Fleet(plan.workers, start, chance, lease=plan.lease, claim=CLAIM_SECONDS))
        )
        fleet.begin()
        began = time.monotonic()
        _feed(cloud, fed, fleet, plan.feeding_seconds, tell)
        fed_after = time.monotonic() - began
        tell(f"fed after {fed_after:.0f} s; healing")
        fleet.heal()
        twin.control("faults", {}, "DELETE")
        _wait_for_calm(cloud, fleet, plan.calm_seconds, report, tell)
        seconds = time.monotonic() - began
        report.wrong += fleet.stop()
        _count(report, fed, fleet, cloud, twin, folder)
        report.table |= {
            "seconds": f"{seconds:.0f} ({fed_after:.0f} of them fed)",
            "records/s": f"{plan.records / seconds:.0f}",
        }
    return report


def _settings(plan: Plan, cloud: Cloud, ledger: str, folder: Path) -> dict[str, str]:
    return settings_for(cloud, "", folder) | {
        "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": str(REQUEST_SECONDS),
        "WORKER_QUEUE__VISIBILITY_SECONDS": str(plan.lease),
        "WORKER_QUOTA__REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
        "WORKER_BATCH__MAX_ITEMS": str(plan.batch),
        "WORKER_LEDGER__URL": ledger,
        "WORKER_REPLICAS": str(plan.workers),
        "WORKER_WEB__PORT": "0",
    }


def _make_table(settings: dict[str, str]) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    made = subprocess.run(
        [sys.executable, "-m", "worker", "check", "--create"],
        env=own | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr


def _prepare(twin: Twin, chance: random.Random) -> None:
    # The same limit as the workers keep, so that one request too many shows.
    twin.control("switch", {"requests_per_minute": REQUESTS_PER_MINUTE, "general_per_minute": 12_000})
    twin.control("blocks", {"item": BAN, "reason": BAN_REASON})
    for fault in FAULTS:
        twin.control("faults", fault | {"endpoint": "register", "seed": chance.randrange(2**31)})


@contextmanager
def _running(fleet: Fleet) -> Iterator[Fleet]:
    try:
        yield fleet
    finally:
        fleet.end()


def _feed(cloud: Cloud, fed: Load, fleet: Fleet, seconds: float, tell: Callable[[str], None]) -> None:
    """At an even pace, and never more than the queue is to hold, nor so much that most of it meets no fault."""
    began = told_at = time.monotonic()
    deepest = min(DEEPEST, max(len(fed.letters) // 4, SENT_AT_ONCE // 2))
    sent = 0

    def all_sent() -> bool:
        nonlocal sent, told_at
        fleet.look()
        now = time.monotonic()
        due = min(len(fed.letters), 1 + int(len(fed.letters) * (now - began) / seconds))
        room = deepest - sum(cloud.waiting())
        count = max(0, min(due - sent, room, SENT_AT_ONCE))
        cloud.send(fed.letters[sent : sent + count])
        sent += count
        if now > told_at + TELL_EVERY:
            told_at = now
            tell(
                f"{sent} of {len(fed.letters)} messages sent, {deepest - room} in the queue, "
                f"{fleet.kills} kills, {fleet.freezes} freezes"
            )
        return sent == len(fed.letters)

    until("all messages are sent", all_sent, LONGEST_FEEDING)


def _wait_for_calm(
    cloud: Cloud, fleet: Fleet, seconds: float, report: Report, tell: Callable[[str], None]
) -> None:
    last = Waiting(-1, -1)

    def emptied() -> bool:
        nonlocal last
        fleet.look()
        now = cloud.waiting()
        if now != last and now.visible + now.hidden < 20:
            tell(f"{now.visible} visible and {now.hidden} hidden messages left")
        last = now
        return now == (0, 0) and fleet.whole

    try:
        until("the queue is empty", emptied, seconds)
    except TooLate as late:
        report.wrong.append(f"{late}: {last}")


def _count(report: Report, fed: Load, fleet: Fleet, cloud: Cloud, twin: Twin, folder: Path) -> None:
    state = twin.state()
    items = [key for dataset in _datasets(state) for item in dataset["items"] for key in item["storage_keys"]]
    letters = cloud.drain(cloud.dead_letter_url)
    requests = balance.requests_of(folder / "journal")
    resent = balance.resent(requests, fed.good, fleet.absences, balance.settled_in(folder))
    counters = state["counters"]
    answers = Counter(request.answer for request in requests)
    too_many = counters["requests"]["register_existing"].get("429", 0) - answers["429"]
    report.wrong += balance.wrong_items(fed, items) + balance.wrong_letters(fed, letters)
    report.wrong += balance.wrong_words(folder, (KEY, AWS_SECRET))
    for what, count in (
        ("items were extended", counters["extensions"]),
        ("items collided", counters["collisions"]),
        ("requests were sent over the limit", too_many),
        ("items were sent again beyond those in spoilt requests", max(0, resent.items - resent.spoilt)),
        (f"items were sent again for no reason: {resent.needless[:SHOWN]}", len(resent.needless)),
    ):
        if count:
            report.wrong.append(f"{count} {what}")
    reasons = balance.reasons_of(letters)
    folded = Counter(reason for said in reasons.values() for reason in said)
    report.table |= {
        "records": f"{fed.records} in {len(fed.letters)} messages",
        "keys": len(fed.good) + len(fed.dead),
        "items": len(items),
        "dead letters, distinct": dict(folded.most_common()),
        "dead letters, in all": len(letters),
        "killed, frozen": f"{fleet.kills}, {fleet.freezes} ({fleet.gave_up} gave up at their start)",
        "requests by answer": dict(answers.most_common()),
        "items in requests": counters["items_received"],
        "good items sent again": f"{resent.items}, of at most {resent.spoilt} in spoilt requests",
        "extended, collided": f"{counters['extensions']}, {counters['collisions']}",
    }


def _datasets(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [dataset for team in state["teams"].values() for dataset in team["datasets"].values()]

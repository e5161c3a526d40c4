"""Whatever happens: nothing is lost and nothing comes twice. A state machine drives a fleet of whole pipelines.

Each history is a short list of what happens to the fleet: uploads, faults at any call of any port, kills, freezes, stops,
bad days of Darwin. At its end all heals, and the books are read. ``MODEL_HISTORIES=5000`` runs so many new ones, with
a seed of its own each time (hypothesis prints how to run a failure again); without it the same ones run each time.
"""

import asyncio
import os
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.fakes.model_books import BROKEN, CURSED, OMITTED, REFUSED, TAGGED, wrong_at_rest, wrong_in_books
from tests.fakes.model_fleet import Fleet, LawBroken, Worker
from tests.fakes.model_mutants import (
    DeletesBeforeTheDeadLetter,
    LeasesWithoutEnd,
    ReleasesBeforeTheAnswer,
    SettlesWithoutFence,
)
from tests.fakes.model_processes import SERVERS, new_loop
from tests.fakes.model_records import Upload
from tests.fakes.model_wires import CALLS, Kind, Mishap
from tests.fakes.rig import event
from worker.core.queueing import Failure
from worker.demo.twin.state import Block
from worker.pipeline import flow

T = TypeVar("T")

HISTORIES = int(os.environ.get("MODEL_HISTORIES", "0"))

KEYS = st.one_of(
    st.builds("{}/{}.jpg".format, st.sampled_from(["red", "blue", "adopt"]), st.integers(0, 5)),
    st.builds("flat/{}/{}.jpg".format, st.integers(0, 1), st.integers(0, 2)),
    st.builds("red/byhand/{}.jpg".format, st.integers(0, 2)),
    st.builds(
        "{}/{}.jpg".format,
        st.sampled_from(["red", "blue"]),
        st.sampled_from([CURSED, REFUSED, OMITTED, TAGGED, BROKEN]),
    ),
    st.sampled_from(["red/no.xyz", "blue/no.xyz", "red/folder/"]),
)

RECORDS = st.builds(
    event,
    KEYS,
    etag=st.sampled_from(["e1", "e1", "e2"]),
    size=st.sampled_from([10, 10, 10, 0]),
    name=st.sampled_from(["ObjectCreated:Put"] * 4 + ["ObjectRemoved:Delete"]),
)

MESSAGES = st.one_of(
    st.builds(Upload, st.tuples(RECORDS)),
    st.builds(
        Upload,
        st.lists(RECORDS, max_size=4).map(tuple),
        again=st.booleans(),
        doubled=st.booleans(),
        seen=st.sampled_from([0, 0, 0, 35]),
        readable=st.sampled_from([True] * 5 + [False]),
    ),
)

ANSWERS: list[tuple[str, dict[str, object]]] = [
    ("no clear answer", {"kind": "status", "status": 502, "work": "none"}),
    ("no clear answer", {"kind": "status", "status": 500, "work": "half", "endpoint": "register"}),
    ("no clear answer", {"kind": "status", "status": 503, "work": "all", "endpoint": "register"}),
    ("no clear answer", {"kind": "drop-answer-after-work", "endpoint": "register"}),
    ("no clear answer", {"kind": "truncated-json", "endpoint": "register"}),
    ("no clear answer", {"kind": "html", "endpoint": "register"}),
    ("no clear answer", {"kind": "slow", "seconds": 15}),
    ("no clear answer", {"kind": "slow", "seconds": 40}),
    ("no clear answer", {"kind": "slow-answer", "seconds": 40}),
    ("too fast", {"kind": "429", "endpoint": "register"}),
    ("too fast", {"kind": "429", "retry_after": 40}),
    ("refusal", {"kind": "status", "status": 422, "body": "json", "endpoint": "register"}),
    ("refusal", {"kind": "status", "status": 413, "body": "json", "endpoint": "register"}),
    ("refusal", {"kind": "status", "status": 400, "body": "json", "endpoint": "register"}),
    ("refusal", {"kind": "status", "status": 422, "body": "json", "endpoint": "register", "dataset": "red"}),
    ("key refused", {"kind": "status", "status": 401, "body": "json"}),
    ("not found", {"kind": "status", "status": 404, "body": "json", "endpoint": "register"}),
    ("lists fail", {"kind": "status", "status": 503, "endpoint": "items"}),
    ("lists fail", {"kind": "status", "status": 403, "body": "json", "endpoint": "items"}),
    ("lists fail", {"kind": "status", "status": 503, "endpoint": "token_info"}),
    ("omission", {"kind": "omit-items", "item": "[024]", "endpoint": "register"}),
]

ON_THE_WAY = [call for call in CALLS if call.startswith(("queue", "letters", "ledger"))]
ON_THE_WAY += ["darwin.register", "darwin.register", "darwin.find_items"]

STALLS = st.sampled_from([55.0, 150.0])
"""Seconds: longer than a claim, or longer than a lease too."""

MISHAPS = st.one_of(
    st.builds(
        Mishap,
        st.sampled_from(
            [Kind.NOT_ARRIVED, Kind.REFUSED, Kind.ANSWER_LOST, Kind.KILLED_BEFORE, Kind.KILLED_AFTER]
        ),
    ),
    st.builds(Mishap, st.sampled_from([Kind.SLOW_THERE, Kind.SLOW_BACK]), st.sampled_from([0.5, 8.0, 22.0])),
    st.builds(Mishap, st.sampled_from([Kind.FROZEN_BEFORE, Kind.FROZEN_AFTER]), STALLS),
)

LONGEST_POLL = 11.0
"""Seconds after which nobody's poll is under way who does not run."""

TO_REST, AT_REST = 4 * 3600.0, 90.0
"""Seconds in which a healed fleet must empty its queue, and then let go of all: a paused lane is looked at once a minute."""


class Pipelines(RuleBasedStateMachine):
    """What may happen, and what must hold after each thing that happened."""

    fleet: Fleet

    def __init__(self) -> None:
        super().__init__()
        self.loop = new_loop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(self.loop.create_task(coroutine, context=SERVERS))

    def now(self, act: Callable[[], object]) -> None:
        """Do something in the loop, in which no time passes."""

        async def acted() -> None:
            act()

        self.run(acted())

    def worker(self, number: int) -> Worker:
        return self.fleet.workers[number % len(self.fleet.workers)]

    # What happens. No rule has a precondition: which rules there are must not hang on the order of a worker's tasks.

    @initialize(
        visibility=st.sampled_from([120, 120, 60]), limit=st.sampled_from([4, 200]), workers=st.integers(1, 2)
    )
    def begin(self, visibility: int, limit: int, workers: int) -> None:
        async def begun() -> None:
            self.fleet = Fleet(visibility, limit)
            for _ in range(workers):
                self.fleet.start()

        self.run(begun())
        self.fleet.team.blocks += [
            Block(re.compile(TAGGED), "UNKNOWN_TAGS"),
            Block(re.compile(BROKEN), "UNEXPECTED_ERROR"),
        ]
        self.fleet.strike(kind="item-always-fails", item=CURSED)
        self.fleet.strike(kind="status", status=422, body="json", item=REFUSED, endpoint="register")
        self.fleet.strike(kind="omit-items", item=OMITTED, endpoint="register", times=3)

    @rule(uploads=st.lists(MESSAGES, min_size=1, max_size=4))
    def objects_are_uploaded(self, uploads: list[Upload]) -> None:
        for upload in uploads:
            self.now(partial(self.fleet.put, upload))

    @rule(key=KEYS, times=st.integers(2, 3))
    def one_object_is_told_of_again_and_again(self, key: str, times: int) -> None:
        for _ in range(times):
            self.now(lambda: self.fleet.put(Upload((event(key),))))

    @rule(number=st.integers(0, 2))
    def somebody_was_here_before(self, number: int) -> None:
        self.now(lambda: self.fleet.hold_by_hand("red", "/byhand", f"{number}.jpg"))
        self.now(lambda: self.fleet.hold_by_hand("blue", "/adopted", f"{number}.jpg"))

    @rule(seconds=st.sampled_from([0.003, 0.05, 0.5, 3.0]))
    def a_moment_passes(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([12.0, 12.0, 35.0, 35.0, 52.0, 65.0, 65.0, 130.0, 130.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(call=st.sampled_from(CALLS), mishap=MISHAPS, times=st.sampled_from([1, 1, 1, 2, 6]))
    def a_call_will_suffer(self, call: str, mishap: Mishap, times: int) -> None:
        self.fleet.plan(call, mishap, times)

    @rule(call=st.sampled_from(["darwin.register", "ledger.claim"]), mishap=MISHAPS)
    def a_request_will_suffer(self, call: str, mishap: Mishap) -> None:
        self.fleet.plan(call, mishap, 1)

    @rule(
        queue=st.booleans(),
        entries=st.sampled_from(["extend", "delete", "send", None]),
        times=st.integers(1, 4),
    )
    def sqs_will_refuse_entries_or_shows_what_is_in_flight(
        self, queue: bool, entries: str | None, times: int
    ) -> None:
        if entries is None:
            self.now(self.fleet.show_early)
        else:
            far = self.fleet.queue if queue else self.fleet.dead_letters
            far.fail_entries(entries, Failure(lost=queue and entries != "send", text="no"), times)

    @rule(answer=st.sampled_from(ANSWERS), times=st.sampled_from([1, 2, 5, None]))
    def darwin_will_answer(self, answer: tuple[str, dict[str, object]], times: int | None) -> None:
        what, values = answer
        self.fleet.happened.add(what)
        self.fleet.strike(**values, times=times)

    @rule(what=st.sampled_from(["plan_full", "paused", "key_revoked", "red", "blue"]))
    def darwin_changes(self, what: str) -> None:
        if what in self.fleet.team.datasets:
            self.fleet.happened.add("removal")
            self.fleet.team.datasets[what].removed = True
        else:
            setattr(self.fleet.team, what, True)

    @rule()
    def a_worker_starts(self) -> None:
        if len(self.fleet.workers) < 2:
            self.now(self.fleet.start)

    @rule(number=st.integers(0, 1), how=st.sampled_from(["stop", "kill", "kill"]))
    def a_worker_ends(self, number: int, how: str) -> None:
        end = self.fleet.stop if how == "stop" else self.fleet.kill
        if self.fleet.workers:
            self.now(lambda: end(self.worker(number)))

    @rule(number=st.integers(0, 1), seconds=STALLS)
    def a_worker_is_frozen(self, number: int, seconds: float) -> None:
        if self.fleet.workers:
            self.now(lambda: self.worker(number).freeze(seconds))

    @rule(
        uploads=st.lists(MESSAGES, min_size=1, max_size=3),
        call=st.sampled_from(ON_THE_WAY),
        mishap=MISHAPS,
        told_again=st.booleans(),
        later=st.sampled_from([0.0, 35.0, 65.0, 130.0]),
    )
    def whoever_takes_it_is_struck_at_work(
        self, uploads: list[Upload], call: str, mishap: Mishap, told_again: bool, later: float
    ) -> None:
        """And perhaps another worker hears of the same objects meanwhile."""
        self.fleet.plan(call, mishap, 1)
        self.objects_are_uploaded(uploads)
        if told_again:
            self.run(asyncio.sleep(LONGEST_POLL))
            self.a_worker_starts()
            self.objects_are_uploaded(uploads)
        self.run(asyncio.sleep(later))

    @rule()
    def all_heals(self) -> None:
        self.now(self.fleet.heal)

    # What must hold

    @invariant()
    def the_laws_hold(self) -> None:
        self.now(self.fleet.look)

    def teardown(self) -> None:
        try:
            if hasattr(self, "fleet") and not self.fleet.wrong:
                self.run(self._rest())
        finally:
            if hasattr(self, "fleet"):
                self.run(self.fleet.end())
            self.loop.close()

    async def _rest(self) -> None:
        fleet = self.fleet
        await fleet.come_to_rest(TO_REST)
        await asyncio.sleep(AT_REST)
        fleet.look()
        wrong = wrong_in_books(fleet) + wrong_at_rest(fleet)
        if wrong:
            raise LawBroken("; ".join(wrong[:5]))


SETTINGS = settings(
    max_examples=HISTORIES or 60,
    derandomize=not HISTORIES,
    stateful_step_count=20,
    report_multiple_bugs=False,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(0)
def test_after_any_history_nothing_is_lost_and_nothing_is_twice() -> None:
    """Laws 1, 2, 3, 6 and 8, and conservation."""
    run_state_machine_as_test(Pipelines, settings=SETTINGS)


FIND = settings(SETTINGS, max_examples=400, phases=[Phase.generate], verbosity=Verbosity.quiet)
"""Enough to find each planted bug; nobody needs its shortest history."""


@seed(3)
class LuckyPipelines(Pipelines):
    """Begins with other histories, among which each planted bug is found soon."""


@pytest.mark.parametrize(
    "planted",
    [
        {"Settling": DeletesBeforeTheDeadLetter},
        {"Registering": ReleasesBeforeTheAnswer},
        {"Leases": LeasesWithoutEnd, "Settling": SettlesWithoutFence},
    ],
    ids=["deleted before the dead letter", "claim released before the answer", "no fence"],
)
def test_a_planted_bug_is_found(planted: dict[str, type], monkeypatch: pytest.MonkeyPatch) -> None:
    """The histories are worth something: each bug breaks a law in one of them, and stops no worker by itself."""
    for name, bug in planted.items():
        monkeypatch.setattr(flow, name, bug)
    with pytest.raises(LawBroken):
        run_state_machine_as_test(LuckyPipelines, settings=FIND)

"""Whatever happens to the objects of a group and to the workers: it is one item with all its parts, or a dead letter says why.

Each history is a list of steps that two groups and up to three workers take on virtual time. At its end all heals and comes
to rest, and the books are read; then all dead letters are replayed, and they are read again. ``GROUP_HISTORIES=2000``
runs so many new ones of each rule (hypothesis prints how to run a failure again); without it the same ones run each time.
"""

import asyncio
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.fakes import group_mutants
from tests.fakes.group_books import LawBroken, wrong_in_books
from tests.fakes.group_fleet import Fleet
from tests.fakes.group_steps import (
    MARKERS,
    PARTS,
    SCENES,
    Away,
    DarwinAnswers,
    Delete,
    History,
    Kill,
    LedgerFails,
    Mark,
    Put,
    Replay,
    S3Fails,
    Start,
    Step,
    Stop,
    Tell,
    What,
)
from tests.fakes.model_processes import new_loop
from worker.core import judging
from worker.core.routes import Completeness

HISTORIES = int(os.environ.get("GROUP_HISTORIES", "0"))

ANSWERS: list[dict[str, object]] = [
    {"kind": "status", "status": 502, "endpoint": "register"},
    {"kind": "status", "status": 503, "work": "all", "endpoint": "register"},
    {"kind": "drop-answer-after-work", "endpoint": "register"},
    {"kind": "truncated-json", "endpoint": "register"},
    {"kind": "slow", "seconds": 15},
    {"kind": "slow-answer", "seconds": 40},
    {"kind": "429", "retry_after": 40, "endpoint": "register"},
    {"kind": "status", "status": 503, "endpoint": "items"},
    {"kind": "omit-items", "item": ".", "endpoint": "register"},
]

ALL_PARTS = PARTS[:-1]
"""Those that a group by slots or by count has."""

PAUSES = [0.0, 0.0, 0.1, 0.22, 0.3, 0.5, 2.0, 15.0, 65.0]
"""A group is listed 0.2 seconds after its first record; the listing takes 0.05, and a registration 0.1. What takes longer
passes while nobody works: of an idle worker each hour costs a second.
"""


def steps(rule: Completeness, *, calm: bool) -> st.SearchStrategy[Step]:
    """*calm*: nobody fails and nobody dies."""
    scenes = st.sampled_from([*SCENES, SCENES[0], SCENES[0]])
    parts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3, unique=True).map(tuple)
    named = st.lists(st.sampled_from(ALL_PARTS), min_size=1, max_size=3, unique=True).map(tuple)
    any_name = st.sampled_from([*PARTS, *([""] if rule in MARKERS else [])])
    number = st.integers(0, 2)
    calls = st.sampled_from(["look_up", "claim", "register", "release"])
    marking: list[st.SearchStrategy[What]] = [st.builds(Mark, scenes, named)] * 6 if rule in MARKERS else []
    writing: list[st.SearchStrategy[What]] = [
        *[st.builds(Put, scenes, st.permutations(ALL_PARTS).map(tuple), st.just("1"))] * 6,
        *[st.builds(Put, scenes, parts, st.sampled_from(["1", "1", "1", "2", ""]))] * 4,
        *marking,
        *[st.builds(Delete, scenes, any_name)] * 3,
        *[st.builds(Tell, scenes, any_name)] * 2,
        st.builds(Replay, st.booleans()),
        st.builds(Away, st.sampled_from([10.0, 130.0, 1000.0, 7200.0])),
    ]
    troubles: list[st.SearchStrategy[What]] = [
        st.builds(S3Fails, st.sampled_from([1.0, 20.0, 200.0])),
        st.builds(LedgerFails, calls, st.sampled_from([1.0, 20.0, 100.0])),
        *[st.builds(DarwinAnswers, st.sampled_from(ANSWERS), st.sampled_from([1, 1, 3, 8, None]))] * 3,
        st.builds(Start),
        st.builds(Stop, number),
        *[st.builds(Kill, number)] * 3,
    ]
    return st.builds(Step, st.one_of(writing + ([] if calm else troubles)), st.sampled_from(PAUSES))


def histories(rule: Completeness, *, calm: bool = False) -> st.SearchStrategy[History]:
    return st.builds(
        History,
        limit=st.sampled_from([4, 200, 200]),
        workers=st.integers(1, 3),
        steps=st.lists(steps(rule, calm=calm), min_size=6, max_size=24),
        again=st.booleans(),
    )


async def play(rule: Completeness, history: History) -> None:
    """Raises :class:`LawBroken`."""
    fleet = Fleet(rule, history.limit)
    for _ in range(history.workers):
        fleet.start()
    await fleet.take(history.steps)
    await fleet.rest()
    _nothing_wrong([*fleet.wrong, *wrong_in_books(fleet, mended=False)])
    fleet.replay(again=history.again)
    await fleet.rest()
    _nothing_wrong([*fleet.wrong, *wrong_in_books(fleet, mended=True)])


def _nothing_wrong(wrong: list[str]) -> None:
    if wrong:
        raise LawBroken("; ".join(wrong[:5]))


def check(rule: Completeness, how: settings, *, calm: bool = False, lucky: int | None = None) -> None:
    """*lucky*: the seed, where it is not to be hypothesis' own."""

    @how
    @given(histories(rule, calm=calm))
    def the_laws_hold(history: History) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(play(rule, history))

    (the_laws_hold if lucky is None else seed(lucky)(the_laws_hold))()


SETTINGS = settings(
    max_examples=HISTORIES or 25,
    derandomize=not HISTORIES,
    report_multiple_bugs=False,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("rule", Completeness)
def test_after_any_history_a_group_is_one_item_with_all_its_parts_or_a_dead_letter_says_why(
    rule: Completeness,
) -> None:
    """Laws 1, 3 and 8, "S3 is the state of a group", and conservation."""
    check(rule, SETTINGS)


FIND = settings(SETTINGS, max_examples=400, phases=[Phase.generate], verbosity=Verbosity.quiet)
"""Enough to find each planted bug; nobody needs its shortest history."""


@pytest.mark.parametrize(
    ("rule", "name", "planted", "lucky"),
    [
        (Completeness.SLOTS, "incomplete", group_mutants.nobody_is_a_witness, 1),
        (Completeness.MARKER, "stand_in", group_mutants.stand_in_without_keys, 4),
        (Completeness.QUIET, "not_quiet", group_mutants.quiet_since_the_first_look, 1),
    ],
)
def test_a_planted_bug_is_found(
    rule: Completeness,
    name: str,
    planted: Callable[..., object],
    lucky: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The histories are worth something: each bug breaks a law in one of them. With the *lucky* seed it is found soon."""
    monkeypatch.setattr(judging, name, planted)
    with pytest.raises(LawBroken):
        check(rule, FIND, calm=True, lucky=lucky)

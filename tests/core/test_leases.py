"""Our hold on messages: law 3."""

import tracemalloc
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.core.leases import Leases

SECONDS = 120.0
HOURS = 3600.0


@dataclass
class Held:
    received: float
    deadline: float
    extending: bool = False


class NaiveModel(RuleBasedStateMachine):
    """The leases against a plain list of them, with every answer that SQS may give to an extension."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.leases = Leases(SECONDS)
        self.model: dict[int, Held] = {}
        self.last = 0

    @rule(seconds=st.one_of(st.floats(0, 100), st.floats(0, 3 * HOURS)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(ago=st.floats(0, 10))
    def a_message_is_received(self, ago: float) -> None:
        self.last += 1
        self.leases.hold(self.last, self.now - ago)
        self.model[self.last] = Held(self.now - ago, self.now - ago + SECONDS)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def a_message_is_done_with(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model)))
        self.leases.drop(number)
        del self.model[number]

    @rule(limit=st.integers(1, 5))
    def the_due_ones_are_asked_for(self, limit: int) -> None:
        found = self.leases.due(self.now, limit)
        due = sorted(
            (held.deadline, number)
            for number, held in self.model.items()
            if held.deadline - SECONDS / 2 <= self.now
            and not held.extending
            and held.deadline <= held.received + 12 * HOURS - 60
        )
        assert found == [number for _, number in due][:limit]
        for number in found:
            self.model[number].extending = True

    @precondition(lambda self: any(held.extending for held in self.model.values()))
    @rule(data=st.data(), agreed=st.booleans(), took=st.floats(0, 20))
    def sqs_answers(self, data: st.DataObject, agreed: bool, took: float) -> None:
        extending = sorted(number for number, held in self.model.items() if held.extending)
        numbers = data.draw(st.lists(st.sampled_from(extending), min_size=1, unique=True))
        sent = self.now
        seconds = self.leases.extension(numbers, sent)
        assert 1 <= seconds <= SECONDS
        assert all(sent + seconds <= self.model[n].received + 12 * HOURS for n in numbers) or seconds == 1
        self.now += took
        for number in numbers:
            held = self.model[number]
            held.extending = False
            if agreed:
                self.leases.extended(number, sent, seconds)
                held.deadline = sent + seconds
            else:
                self.leases.not_extended(number)

    @invariant()
    def the_lost_ones_are_those_that_do_not_outlast_now(self) -> None:
        lost = {number for number, held in self.model.items() if held.deadline <= self.now}
        assert set(self.leases.lost(self.now)) == lost
        assert {n for n in self.model if not self.leases.outlasts(n, self.now)} == lost

    @invariant()
    def every_lease_outlasts_what_comes_before_its_deadline_and_nothing_else(self) -> None:
        assert len(self.leases) == len(self.model)
        for number, held in self.model.items():
            assert self.leases.outlasts(number, held.deadline - 0.001)
            assert not self.leases.outlasts(number, held.deadline)

    @invariant()
    def a_hold_ends_a_minute_before_twelve_hours(self) -> None:
        long_held = {n for n, held in self.model.items() if self.now >= held.received + 12 * HOURS - 60}
        # Floats: both sides compare the same moment, computed in another order.
        edge = {n for n in self.model if abs(self.now - self.model[n].received - 12 * HOURS + 60) < 1e-6}
        assert set(self.leases.held_too_long(self.now)) - edge == long_held - edge


TestNaiveModel = NaiveModel.TestCase


def test_a_lease_is_due_from_its_half_on() -> None:
    leases = Leases(120)
    leases.hold(1, since=1000)
    assert leases.due(1059.9, 10) == []
    assert leases.due(1060, 10) == [1]


def test_leases_are_due_in_the_order_of_their_deadlines() -> None:
    """Law 3."""
    leases = Leases(120)
    for number, since in ((1, 1030), (2, 1010), (3, 1020)):
        leases.hold(number, since)
    assert leases.due(1200, 2) == [2, 3]
    assert leases.due(1200, 2) == [1]


def test_a_lease_is_not_extended_twice_at_once() -> None:
    leases = Leases(120)
    leases.hold(1, since=1000)
    assert leases.due(1100, 10) == [1]
    assert leases.due(1100, 10) == []
    leases.not_extended(1)
    assert leases.due(1100, 10) == [1]


def test_a_lease_counts_from_the_moment_at_which_its_request_left() -> None:
    leases = Leases(120)
    leases.hold(1, since=1000)
    leases.due(1060, 10)
    leases.extended(1, since=1060, seconds=120)
    assert leases.outlasts(1, 1179.9)
    assert not leases.outlasts(1, 1180)


def test_a_dropped_lease_is_neither_due_nor_lost() -> None:
    leases = Leases(120)
    leases.hold(1, since=1000)
    leases.drop(1)
    leases.drop(1)
    assert (leases.due(5000, 10), leases.lost(5000), leases.outlasts(1, 0)) == ([], [], False)


def test_an_answer_for_a_dropped_lease_changes_nothing() -> None:
    leases = Leases(120)
    leases.hold(1, since=1000)
    leases.due(1060, 10)
    leases.drop(1)
    leases.extended(1, since=1060, seconds=120)
    leases.not_extended(1)
    assert (len(leases), leases.due(5000, 10)) == (0, [])


def test_no_extension_outlasts_the_twelve_hours_of_sqs() -> None:
    leases = Leases(600)
    leases.hold(1, since=0)
    assert leases.extension([1], 20_000) == 600
    assert leases.extension([1], 43_000) == 200
    assert leases.extension([1], 43_200) == 1


def test_a_lease_that_cannot_become_longer_is_not_due_again() -> None:
    """Otherwise it would be extended without a pause from its last half on."""
    leases = Leases(600)
    leases.hold(1, since=0)
    now = 300.0
    calls = 0
    while not leases.held_too_long(now):
        if leases.due(now, 10):
            leases.extended(1, now, leases.extension([1], now))
            calls += 1
        else:
            now += 1
    assert leases.outlasts(1, now)
    assert calls == 43_200 // 300 - 1 - 1


def test_what_was_dropped_takes_no_room() -> None:
    """Memory is bounded by what is held at once, not by what was held within a lease's time."""
    leases = Leases(120)
    for number in range(100):
        leases.hold(number, 0.0)
    tracemalloc.start()
    try:
        for number in range(100, 100_000):
            leases.hold(number, 1.0)
            leases.drop(number)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000
    assert leases.due(61.0, 1_000) == list(range(100))

"""What is in the way: raised once, with the time it began; readiness follows from it alone."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from worker.core.conditions import Condition, Conditions, Name


def test_raising_tells_only_the_first_time_that_something_changed() -> None:
    conditions = Conditions()

    assert conditions.raise_(Name.SQS_UNREACHABLE, "queue", "refused", 100.0) is True
    assert conditions.raise_(Name.SQS_UNREACHABLE, "queue", "timed out", 160.0) is False


def test_a_condition_keeps_its_beginning_and_takes_the_newest_reason() -> None:
    conditions = Conditions()
    conditions.raise_(Name.DARWIN_DOWN, "acme", "status 502", 100.0)
    conditions.raise_(Name.DARWIN_DOWN, "acme", "timed out", 160.0)

    assert conditions.now() == (Condition(Name.DARWIN_DOWN, "acme", 100.0, "timed out"),)


def test_clearing_hands_back_what_was_raised_and_only_once() -> None:
    conditions = Conditions()
    conditions.raise_(Name.KEY_REFUSED, "acme", "status 401", 100.0)

    assert conditions.clear(Name.KEY_REFUSED, "acme") == Condition(
        Name.KEY_REFUSED, "acme", 100.0, "status 401"
    )
    assert conditions.clear(Name.KEY_REFUSED, "acme") is None
    assert conditions.now() == ()


def test_a_condition_that_comes_back_begins_anew() -> None:
    conditions = Conditions()
    conditions.raise_(Name.PLAN_FULL, "acme", "full", 100.0)
    conditions.clear(Name.PLAN_FULL, "acme")

    assert conditions.raise_(Name.PLAN_FULL, "acme", "full", 500.0) is True
    assert conditions.now()[0].since == 500.0


def test_one_condition_may_hold_for_several_subjects() -> None:
    conditions = Conditions()
    conditions.raise_(Name.PLAN_FULL, "acme", "full", 100.0)
    conditions.raise_(Name.PLAN_FULL, "globex", "full", 90.0)

    assert [condition.subject for condition in conditions.now()] == ["globex", "acme"]
    conditions.clear(Name.PLAN_FULL, "acme")
    assert [condition.subject for condition in conditions.now()] == ["globex"]


def test_paused_lanes_are_shown_and_leave_the_worker_ready() -> None:
    conditions = Conditions()
    conditions.raise_(Name.LANE_PAUSED, "acme/line from prod", "status 404", 100.0)

    assert conditions.ready is True


def test_every_other_condition_makes_the_worker_not_ready() -> None:
    unready = {name.value for name in Name if name.bars_readiness}

    assert unready == {
        "starting",
        "stopping",
        "sqs_unreachable",
        "dead_letters_unreachable",
        "ledger_unreachable",
        "s3_unreachable",
        "archive_unreachable",
        "darwin_down",
        "key_refused",
        "plan_full",
        "all_lanes_paused",
    }


def test_a_condition_as_json_says_since_when_why_and_what_to_do() -> None:
    condition = Condition(Name.DARWIN_DOWN, "acme", 1_700_000_000.0, "timed out")

    assert condition.as_json() == {
        "condition": "darwin_down",
        "subject": "acme",
        "since": "2023-11-14T22:13:20+00:00",
        "why": "timed out",
        "advice": "Wait, or see V7's status page; messages are held and nothing is lost.",
    }


@given(st.sampled_from(Name))
def test_every_condition_says_what_to_do(name: Name) -> None:
    assert name.advice.endswith(".")


class ConditionsAgainstAModel(RuleBasedStateMachine):
    """Whatever the order of events, what is raised equals a plain dictionary of beginnings."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions = Conditions()
        self.model: dict[tuple[Name, str], float] = {}
        self.clock = 0.0

    @rule(name=st.sampled_from(Name), subject=st.sampled_from(["a", "b"]), why=st.text(max_size=3))
    def raises(self, name: Name, subject: str, why: str) -> None:
        self.clock += 1
        changed = self.conditions.raise_(name, subject, why, self.clock)
        assert changed == ((name, subject) not in self.model)
        self.model.setdefault((name, subject), self.clock)

    @rule(name=st.sampled_from(Name), subject=st.sampled_from(["a", "b"]))
    def clears(self, name: Name, subject: str) -> None:
        cleared = self.conditions.clear(name, subject)
        assert (None if cleared is None else cleared.since) == self.model.pop((name, subject), None)

    @invariant()
    def holds_what_was_raised(self) -> None:
        held = {(condition.name, condition.subject): condition.since for condition in self.conditions.now()}
        assert held == self.model

    @invariant()
    def is_ready_unless_something_bars_it(self) -> None:
        assert self.conditions.ready == all(name is Name.LANE_PAUSED for name, _ in self.model)


TestConditionsAgainstAModel = ConditionsAgainstAModel.TestCase

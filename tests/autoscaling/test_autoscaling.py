"""The rules that ``deploy/`` ships, on a recorded day: they neither flap nor scale past the quota. And rules that do."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from tests.autoscaling.day import FLEET, MOST, PLATFORMS, moments, shipped_day, under
from tests.autoscaling.picture import PICTURE, picture
from tests.autoscaling.recording import OPEN, QUOTA, WORKERS, recorded
from tests.autoscaling.rules import Behaviour, Fixed, PodAutoscaler, PodScaling, Policy, Seen
from tests.autoscaling.shipped import kubernetes_object, pod_scaling, tracking
from tests.autoscaling.simulation import Fleet, Step, changes, emptied, lives, simulate, turns
from tests.docs.test_scale_page import FIGURES

MINUTE = 60.0
GRACE = 40.0
"""Seconds after which the platform kills a worker that has not ended."""

SETTLED = 10 * MINUTE
BURST_ENDS, OUTAGE_ENDS = 90 * MINUTE, 415 * MINUTE


@pytest.fixture(params=PLATFORMS)
def day(request: pytest.FixtureRequest) -> Sequence[Step]:
    return shipped_day(request.param)


@cache
def best_day() -> Sequence[Step]:
    """With all workers from the first moment on."""
    return under(Fixed(MOST), MOST)


# What is shipped


def test_the_model_of_the_workers_tells_what_was_recorded() -> None:
    """Two workers, as they were: what waits at each second, within a fiftieth of the most that did."""
    samples = recorded()
    steps = simulate(moments(samples, 1, 1), 1.0, Fleet(QUOTA, QUOTA, OPEN), Fixed(WORKERS), WORKERS)
    waited = [sample.visible + sample.in_flight for sample in samples]
    apart = [abs(step.visible + step.in_flight - was) for step, was in zip(steps, waited, strict=True)]
    assert max(waited) > 1000
    assert max(apart) < max(waited) / 50


def test_what_is_shipped_is_what_the_scale_page_says() -> None:
    assert pod_scaling().target == tracking().target == int(FIGURES["a_minute"])
    # One key, as shipped: it can use one worker, and two are the fewest.
    assert FIGURES["most_of_one"] == 1
    assert (pod_scaling().least, pod_scaling().most) == (2, 2)
    assert (tracking().least, tracking().most) == (2, 2)


def test_there_are_as_many_workers_as_the_quota_can_use_and_never_more(day: Sequence[Step]) -> None:
    assert max(step.workers for step in day) == MOST
    assert (MOST - 1) * FLEET.one < FLEET.quota <= MOST * FLEET.one


def test_two_workers_are_the_fewest(day: Sequence[Step]) -> None:
    assert min(step.workers for step in day) == 2


def test_no_worker_is_stopped_that_was_only_just_started(day: Sequence[Step]) -> None:
    assert min(lives(day)) >= SETTLED


def test_workers_leave_more_slowly_than_they_drain(day: Sequence[Step]) -> None:
    """The next one is stopped when the one before has long given back what it had."""
    leaving = [at for at, by in changes(day) if by < 0]
    assert min(after - before for before, after in pairwise(leaving)) > GRACE
    assert (
        kubernetes_object("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == GRACE
    )


@pytest.mark.parametrize("since", [BURST_ENDS, OUTAGE_ENDS])
def test_a_backlog_goes_as_fast_as_the_quota_lets_it(since: float, day: Sequence[Step]) -> None:
    """But for the minutes in which workers are started."""
    a_minute = FLEET.quota * MINUTE
    assert emptied(day, since, a_minute) - emptied(best_day(), since, a_minute) <= 10 * MINUTE


def test_the_plot_is_what_the_rules_make_of_the_day() -> None:
    assert PICTURE.read_text() == picture(), "`make autoscaling` draws it anew"


# What is not


def test_without_a_ceiling_there_are_workers_that_the_quota_cannot_feed() -> None:
    day = under(PodAutoscaler(replace(pod_scaling(), most=1000)))
    assert max(step.workers for step in day) > 2 * MOST


def test_without_a_window_workers_come_and_go_within_minutes() -> None:
    at_once = Behaviour(0, (Policy("Percent", 100, 15),))
    hasty = under(PodAutoscaler(replace(pod_scaling(), most=MOST, down=at_once)))
    assert min(lives(hasty)) < 2 * MINUTE
    assert len(turns(hasty)) > 2 * len(turns(shipped_day("KEDA")))


def test_a_rule_on_cpu_takes_workers_away_behind_a_backlog() -> None:
    """While Darwin is down nobody uses any CPU, and they are missing when it is back."""

    def cores(seen: Seen) -> float:
        return seen.rate * FIGURES["cpu_dynamodb_us"] / 1e6

    day = under(PodAutoscaler(PodScaling(FIGURES["busy"], 2, MOST, cores)))
    [back] = [step for step in day if step.at == OUTAGE_ENDS]
    assert back.workers == 2
    assert back.visible > 10 * MOST * FIGURES["a_minute"]

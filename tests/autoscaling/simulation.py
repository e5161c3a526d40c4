"""A fleet behind one queue, moved by a rule: what waits, what is held, what is done. Times in seconds."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tests.autoscaling.rules import Rule, Seen

START = 60.0
"""From the order of a worker until it works: a machine for it, its image, its first look at Darwin."""


class Fleet(NamedTuple):
    """Records a second: *one* worker's, and the *quota* of all. *open*: records that a worker holds at most."""

    one: float
    quota: float
    open: int


class Moment(NamedTuple):
    """*told*: records that the queue is told of in a step. *available*: whether Darwin registers meanwhile."""

    told: float
    available: bool


class Step(NamedTuple):
    """How it was at the end of a step. *done* in it, and *given_back* in it by workers that were stopped, in records."""

    at: float
    workers: int
    visible: float
    in_flight: float
    done: float
    given_back: float


def simulate(load: Sequence[Moment], every: float, fleet: Fleet, rule: Rule, first: int) -> list[Step]:
    """*every*: the length of a step, at the end of which the rule is asked. It begins with *first* workers that run.

    A worker does what it can of what the quota lets through, and holds a part of the rest under lease. While Darwin is
    down, what is held stays held, and nothing is received. Who is stopped gives back what it holds.
    """
    ready = [0.0] * first
    seen: list[Seen] = []
    steps: list[Step] = []
    visible = in_flight = 0.0
    for number, moment in enumerate(load):
        now = (number + 1) * every
        running = sum(at < now for at in ready)
        done = 0.0
        if moment.available:
            waiting = visible + in_flight + moment.told
            done = min(waiting, running * fleet.one * every, fleet.quota * every)
            in_flight = min(waiting - done, float(running * fleet.open))
            visible = waiting - done - in_flight
        else:
            visible += moment.told
        seen.append(Seen(running, visible, in_flight, done / every))
        told = seen[max(0, number - round(rule.lag / every))]
        wanted = rule.wanted(now, len(ready), told)
        # The youngest go first, as Kubernetes has it.
        ready = ready[:wanted] + [now + START] * (wanted - len(ready))
        held = min(in_flight, float(sum(at < now for at in ready) * fleet.open))
        steps.append(Step(now, wanted, visible + in_flight - held, held, done, in_flight - held))
        visible, in_flight = visible + in_flight - held, held
    return steps


class Change(NamedTuple):
    at: float
    by: int


def changes(steps: Sequence[Step]) -> list[Change]:
    """Each moment at which the number of workers changed."""
    pairs = pairwise(steps)
    return [Change(after.at, by) for before, after in pairs if (by := after.workers - before.workers)]


def lives(steps: Sequence[Step]) -> Iterator[float]:
    """How long each worker lived that was stopped, but for those that were there at the beginning."""
    born: list[float] = []
    for at, by in changes(steps):
        if by > 0:
            born += [at] * by
        for _ in range(min(-by, len(born))):
            yield at - born.pop()


def turns(steps: Sequence[Step]) -> list[float]:
    """The times between two changes in opposite directions."""
    found = changes(steps)
    return [after.at - before.at for before, after in pairwise(found) if before.by * after.by < 0]


def emptied(steps: Sequence[Step], since: float, rest: float) -> float:
    """When no more than *rest* waited, for the first time after *since*."""
    return next(step.at for step in steps if step.at >= since and step.visible + step.in_flight <= rest)

"""Whose turn it is to probe what is paused, so that a fleet asks Darwin once a minute and all of it hears the answer."""

from dataclasses import dataclass, replace

EVERY = 60.0
LOOK_AGAIN = 5.0
"""Seconds at most until the next look at what another worker's probe found."""

SOONEST = 0.1

SKEW = 2.0
"""Seconds by which the clocks of a fleet may differ, where the store has none to ask."""


@dataclass(frozen=True, slots=True)
class Probed:
    """When somebody probed last and when a probe last found all well, in Unix seconds on the store's clock."""

    at: float | None = None
    well_at: float | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """It is our turn: probe now."""


@dataclass(frozen=True, slots=True)
class Well:
    """Another worker probed since we paused, and all is well."""


@dataclass(frozen=True, slots=True)
class Later:
    """Another worker probed less than a minute ago: look again in *seconds*."""

    seconds: float


Turn = Ask | Well | Later


def turn(probed: Probed, paused_for: float, now: float) -> tuple[Probed, Turn]:
    """What a worker that has been paused for so many seconds is to do at *now*."""
    if probed.well_at is not None and probed.well_at > now - paused_for:
        return probed, Well()
    # A probe far ahead of us was noted by a clock that was set back since.
    if probed.at is None or not -SKEW <= now - probed.at < EVERY:
        return replace(probed, at=now), Ask()
    return probed, Later(max(SOONEST, min(LOOK_AGAIN, EVERY - (now - probed.at))))


def well(probed: Probed, now: float) -> Probed:
    """A probe found all well."""
    return replace(probed, well_at=now)

"""When a record comes again whose sidecars are not there yet."""

import pytest

from tests.core.sample_routes import LANE
from worker.core.model import Kind, Later, Notes, Outcome, Reason
from worker.core.routes import Route, Sidecars
from worker.core.rules import Rule
from worker.core.sidecars import Absent, later

NOW = 1_000_000.0
VIDEOS = Rule(
    Route(
        "seen",
        LANE,
        sidecars=Sidecars("t/{stem}.jpg", frames_high="f/{stem}/", frames_quiet=60, within=3_600),
    )
)


def again(waited: float | None, missing: Absent | None = None) -> Later | Outcome:
    notes = None if waited is None else Notes(NOW - waited)
    return later(VIDEOS, missing or Absent("the thumbnail t.jpg"), notes, NOW)


@pytest.mark.parametrize(
    ("waited", "delay"),
    [(None, 5), (3, 5), (5, 5), (10.9, 10), (640, 640), (2_000, 900), (3_590, 11), (3_599.9, 5)],
)
def test_a_record_without_its_sidecars_comes_again_more_and_more_seldom(
    waited: float | None, delay: int
) -> None:
    """And no later than a few seconds after its limit."""
    assert again(waited) == Later(
        Outcome(Kind.POSTPONED, Reason.SIDECAR_ABSENT, "There is not yet the thumbnail t.jpg.", "seen"),
        delay,
        Notes(NOW - (waited or 0)),
    )


def test_after_the_routes_limit_a_record_without_its_sidecars_is_a_dead_letter() -> None:
    assert again(3_600) == Outcome(
        Kind.BLOCKED,
        Reason.SIDECARS_MISSING,
        "Within 3600 seconds there was not the thumbnail t.jpg.",
        "seen",
    )


def test_frames_are_looked_at_again_when_they_may_have_been_unchanged_for_long_enough() -> None:
    ready, missing = VIDEOS, Absent("the last of the frames below f/", "mark")
    outcome = Outcome(
        Kind.POSTPONED, Reason.SIDECAR_ABSENT, "There is not yet the last of the frames below f/.", "seen"
    )
    assert later(ready, missing, None, NOW) == Later(outcome, 61, Notes(NOW, "mark", NOW))
    changed = Notes(NOW - 500, "other", NOW - 40)
    assert later(ready, missing, changed, NOW) == Later(outcome, 61, Notes(NOW - 500, "mark", NOW))
    same = Notes(NOW - 500, "mark", NOW - 40)
    assert later(ready, missing, same, NOW) == Later(outcome, 21, Notes(NOW - 500, "mark", NOW - 40))

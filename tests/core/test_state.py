"""What the worker does, in one word."""

import pytest

from worker.core.conditions import Condition, Name, State, state


def raised(*names: Name) -> list[Condition]:
    return [Condition(name, "x", 0.0, "why") for name in names]


@pytest.mark.parametrize(
    ("names", "open_records", "word"),
    [
        ((), 0, State.IDLE),
        ((), 1, State.RUNNING),
        ((Name.LANE_PAUSED,), 1, State.RUNNING),
        ((Name.LANE_PAUSED,), 0, State.IDLE),
        ((Name.DARWIN_DOWN,), 0, State.WAITING),
        ((Name.LANE_PAUSED, Name.PLAN_FULL), 7, State.WAITING),
        ((Name.STARTING,), 0, State.STARTING),
        ((Name.STARTING, Name.KEY_REFUSED), 0, State.STARTING),
        ((Name.STOPPING, Name.STARTING, Name.KEY_REFUSED), 7, State.STOPPING),
        ((Name.STOPPING,), 0, State.STOPPING),
    ],
)
def test_the_state_follows_from_the_conditions_and_what_is_in_hand(
    names: tuple[Name, ...], open_records: int, word: State
) -> None:
    assert state(raised(*names), open_records) is word

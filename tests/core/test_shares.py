"""What one lane may hold, and when the rest comes again (design section 2: no lane stops another)."""

from hypothesis import given
from hypothesis import strategies as st

from worker.core.shares import Postponement, over_share

counts = st.integers(0, 10_000)


def test_a_lane_holds_at_most_half_while_others_have_records() -> None:
    assert not over_share(2499, 1, 5000, paused=False)
    assert over_share(2500, 1, 5000, paused=False)


def test_a_lane_alone_may_hold_everything() -> None:
    assert not over_share(4999, 0, 5000, paused=False)


def test_a_paused_lane_holds_at_most_a_quarter() -> None:
    assert not over_share(1249, 0, 5000, paused=True)
    assert over_share(1250, 0, 5000, paused=True)


@given(counts, counts, st.integers(1, 10_000))
def test_a_paused_lane_is_never_allowed_more_than_one_that_is_not(held: int, others: int, limit: int) -> None:
    assert over_share(held, others, limit, paused=True) or not over_share(held, others, limit, paused=False)


@given(counts, st.integers(1, 10_000), st.booleans())
def test_every_lane_may_hold_one_item(others: int, limit: int, paused: bool) -> None:
    assert not over_share(0, others, limit, paused=paused)


@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(4, 10_000))
def test_one_paused_lane_leaves_room_for_the_others(held: int, others: int, limit: int) -> None:
    """What a paused lane and another one are allowed stays below the limit together."""
    if not over_share(held, others, limit, paused=True):
        assert held < limit // 4 + 1
        assert not over_share(0, held, limit, paused=False)


def test_postponed_records_come_one_behind_the_other_at_the_rate_the_lane_sends() -> None:
    schedule = Postponement(items_per_second=2.0)
    assert [schedule.delay(1000.0, 40, paused=False) for _ in range(6)] == [20, 21, 22, 22, 22, 23]


def test_records_of_a_paused_lane_come_again_after_five_minutes() -> None:
    schedule = Postponement(2.0)
    assert schedule.delay(1000.0, 40, paused=True) == 300
    assert schedule.delay(1000.0, 0, paused=False) == 1


@given(
    st.floats(0.01, 1000),
    st.lists(st.tuples(st.floats(0, 1000), counts, st.booleans()), max_size=50),
)
def test_every_delay_is_one_that_sqs_takes(rate: float, steps: list[tuple[float, int, bool]]) -> None:
    """SQS's DelaySeconds: 0 to 900."""
    schedule, now = Postponement(rate), 0.0
    for pause, held, paused in steps:
        now += pause
        assert 1 <= schedule.delay(now, held, paused=paused) <= 900


def test_a_backlog_of_hours_is_forgotten_once_it_is_gone() -> None:
    """Records beyond the longest delay take no turn, or else a lane would idle when it has caught up."""
    schedule = Postponement(items_per_second=1.0)
    for _ in range(100_000):
        schedule.delay(0.0, 2500, paused=False)
    assert schedule.delay(900.0, 10, paused=False) == 11

"""How much of the open records one lane may hold, and when what comes above that shall come again."""

LONGEST_DELAY = 900
"""SQS's longest DelaySeconds."""

PAUSED_DELAY = 300
"""For a paused lane nobody knows when there will be room."""


def paused_share(limit: int) -> int:
    """How many items a paused lane may hold: a quarter of *limit*."""
    return max(1, limit // 4)


def over_share(held: int, held_by_others: int, limit: int, *, paused: bool) -> bool:
    """Whether a lane that holds *held* items must not take another.

    Half of *limit* while others have records, a quarter when it is paused.
    """
    if paused:
        return held >= paused_share(limit)
    return held_by_others > 0 and held >= max(1, limit // 2)


class Postponement:
    """The times at which a lane's postponed records come again: one behind the other, at the rate the lane can send.

    Were all to come after the longest delay, a quota would go unused; were they to come at once, they would only be
    postponed again. What comes after the longest delay takes nobody's turn: it will be postponed again.
    """

    def __init__(self, items_per_second: float) -> None:
        self._step = 1.0 / items_per_second
        self._next = 0.0

    def delay(self, now: float, held: int, *, paused: bool) -> int:
        """DelaySeconds for one more record of a lane that holds *held* items."""
        if paused:
            return PAUSED_DELAY
        after_the_last = max(self._next, now + held * self._step) + self._step
        self._next = min(after_the_last, now + LONGEST_DELAY)
        return max(1, round(self._next - now))

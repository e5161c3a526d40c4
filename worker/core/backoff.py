"""How long to wait before another try."""


def backoff(failures: int, jitter: float, first: float = 1.0, longest: float = 60.0) -> float:
    """Seconds to wait after so many failures in a row: doubling, with half of it left to chance.

    *jitter* is a random number in [0, 1), drawn by the caller.
    """
    whole = min(longest, first * 2.0 ** min(max(failures, 1) - 1, 30))
    return whole * (0.5 + jitter / 2)

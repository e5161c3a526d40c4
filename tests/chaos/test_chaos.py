"""A short storm over a fleet on each store. `make chaos` is the long one.

The seed is a new one each time, and in the message when something is wrong; ``CHAOS_SEED`` replays it.
"""

import os
import random
from pathlib import Path

import pytest

from tests.chaos.storm import Plan, ride_out

RECORDS = 600
FEEDING_SECONDS = 6.0
BATCH = 5


@pytest.mark.timeout(240)
@pytest.mark.parametrize("store", ["redis", "dynamodb"])
def test_a_fleet_loses_nothing_and_does_nothing_twice(store: str, ministack: str, tmp_path: Path) -> None:
    """Laws 1, 2 and 3; rows 5xx, "broken connection", 429, ALREADY_EXISTS."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    plan = Plan(store, seed, RECORDS, batch=BATCH, feeding_seconds=FEEDING_SECONDS, calm_seconds=120)
    told: list[str] = []
    print(f"chaos: store {store}, CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the storm breaks off
    report = ride_out(plan, ministack, tmp_path, told.append)
    assert report.wrong == [], f"CHAOS_SEED={seed}; the logs are in {tmp_path}; {report.table}"

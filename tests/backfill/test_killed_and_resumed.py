"""The command as a process: killed while it sends, and resumed. The same with 200,000 objects is `make soak`'s."""

import json
from pathlib import Path

from tests.soak.backfill import killed_and_resumed

OBJECTS = 2_000


def test_killed_three_times_and_resumed_everything_is_registered_once(tmp_path: Path) -> None:
    """Of 2,000 numbers 16 are no objects, 12 are empty and 20 of a type that Darwin does not take."""
    told = killed_and_resumed(OBJECTS, tmp_path)
    assert told.code == 0, told.said
    assert told.books["wrong"] == 0, told.books["named"]
    of_fates = ("registered", "blocked", "refused")
    once = sum(told.books.get(fate, 0) for fate in of_fates)
    # What was under way at each death, and what was sent in the second before it.
    assert once <= told.state["sent"] <= once + 3 * 700
    assert json.loads(told.said.splitlines()[-1])["chosen"] <= once
    assert not [each.name for each in tmp_path.rglob("backfill-media-*")]

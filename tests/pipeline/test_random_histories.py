"""Whatever happens, the books balance in the end: seeded random histories of the whole pipeline, on virtual time."""

import pytest

from tests.fakes.histories import History

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("seed", range(6))
async def test_after_any_history_nothing_is_lost_doubled_or_untrue(seed: int) -> None:
    """Laws 1 to 4 and 6, conservation, law 11: `histories.py` says what must hold."""
    history = History(seed, minutes=8)
    wrong = await history.run()
    assert not wrong, "\n".join([*wrong[:20], *history.told])

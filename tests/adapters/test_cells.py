"""What lies in a cell while a fleet is upgraded."""

from worker.adapters.cells import packed, unpacked
from worker.core.quota import Bucket
from worker.core.turns import Probed

BUCKET = Bucket(limit=100, burst=2, tokens=1.5, rate=98.0, at=1_800_000_000.25)


def test_what_is_packed_is_read_back_as_it_was() -> None:
    assert unpacked(Bucket, packed(BUCKET)) == BUCKET
    assert unpacked(Probed, packed(Probed(at=1.0))) == Probed(at=1.0)


def test_what_a_newer_worker_adds_does_not_stop_an_older_one() -> None:
    assert unpacked(Probed, '{"at": 1.0, "well_at": null, "by": "worker-2"}') == Probed(at=1.0)


def test_what_an_older_worker_leaves_out_has_its_default() -> None:
    assert unpacked(Probed, '{"at": 1.0}') == Probed(at=1.0, well_at=None)

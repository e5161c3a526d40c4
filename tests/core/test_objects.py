"""Which objects nobody can read before they are restored."""

import pytest

from worker.core.objects import Head


def head(storage_class: str, *, restored: bool = False, archive_status: str | None = None) -> Head:
    return Head("e", 1, None, storage_class, restored, {}, archive_status)


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_object_in_an_archive_class_is_archived_until_it_is_restored(storage_class: str) -> None:
    assert head(storage_class).archived
    assert not head(storage_class, restored=True).archived


@pytest.mark.parametrize("status", ["ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"])
def test_intelligent_tiering_archives_only_where_it_says_so(status: str) -> None:
    assert head("INTELLIGENT_TIERING", archive_status=status).archived
    assert not head("INTELLIGENT_TIERING", archive_status=status, restored=True).archived
    assert not head("INTELLIGENT_TIERING").archived


@pytest.mark.parametrize(
    "storage_class",
    ["STANDARD", "GLACIER_IR", "STANDARD_IA", "ONEZONE_IA", "REDUCED_REDUNDANCY", "EXPRESS_ONEZONE", "NEW"],
)
def test_every_other_class_is_read_at_once(storage_class: str) -> None:
    assert not head(storage_class).archived

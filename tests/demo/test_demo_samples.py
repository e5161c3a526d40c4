"""The samples are what the demo promises: real files, keys of every kind, every outcome that can be shown."""

import unicodedata
from collections import Counter

import pytest

from worker.demo.samples import FIRST_ACT, SAMPLES, SECOND_ACT, Way, content, team

MAGIC = {
    "weld.jpg": (0, b"\xff\xd8\xff"),
    "panel.png": (0, b"\x89PNG\r\n\x1a\n"),
    "panel-mended.png": (0, b"\x89PNG\r\n\x1a\n"),
    "leaf.webp": (8, b"WEBP"),
    "cells.tiff": (0, b"II*\x00"),
    "gate.mp4": (4, b"ftyp"),
    "report.pdf": (0, b"%PDF-"),
    "slice.dcm": (128, b"DICM"),
}
UPLOADS = [sample for sample in SAMPLES if sample.way is Way.UPLOAD]
KEYS = [sample.key for sample in UPLOADS]


@pytest.mark.parametrize("file", MAGIC)
def test_a_sample_file_is_what_its_name_says(file: str) -> None:
    start, magic = MAGIC[file]

    assert content(file)[start : start + len(magic)] == magic


def test_all_files_together_are_small() -> None:
    assert sum(len(content(file)) for file in MAGIC) < 100_000


def test_every_file_is_uploaded() -> None:
    assert {sample.file for sample in UPLOADS} == {*MAGIC, "routes.yaml", ""}


def test_an_empty_sample_is_an_empty_object() -> None:
    assert content("") == b""


def test_the_first_act_uploads_each_key_once() -> None:
    keys = [sample.key for sample in FIRST_ACT]

    assert len(keys) == len(set(keys))
    assert all(sample.way is Way.UPLOAD for sample in FIRST_ACT)


def test_no_two_samples_share_a_place_in_darwin() -> None:
    places = Counter(sample.place for sample in SAMPLES if sample.place)

    assert set(places.values()) == {1}


@pytest.mark.parametrize("character", [" ", "+", "%", "&", "#", "?", "'", "é", "検", "🔥", "\x07"])
def test_the_keys_hold_what_is_easy_to_get_wrong(character: str) -> None:
    assert any(character in key for key in KEYS)


def test_one_name_is_there_composed_and_decomposed() -> None:
    names = [sample.place.name for sample in SAMPLES if sample.place and "caf" in sample.place.name]

    assert len(names) == len(set(names)) == 2
    assert len({unicodedata.normalize("NFC", name) for name in names}) == 1


def test_the_longest_key_is_as_long_as_s3_allows() -> None:
    assert max(len(key.encode()) for key in KEYS) == 1024


def test_every_outcome_of_the_first_version_is_shown_but_postponed_and_waiting() -> None:
    assert {sample.outcome for sample in SAMPLES} == {
        "registered",
        "existing",
        "duplicate",
        "ignored",
        "blocked",
        "rejected",
        "unreadable",
    }


def test_what_is_dead_or_ignored_has_no_place_and_what_is_in_darwin_has_one() -> None:
    for sample in SAMPLES:
        assert (sample.place is not None) == (sample.outcome in ("registered", "existing"))


def test_the_second_act_depends_on_the_first() -> None:
    first = {sample.key for sample in FIRST_ACT}

    assert [sample.key in first for sample in SECOND_ACT] == [False, True, True, False]


def test_darwin_holds_one_foreign_item_and_one_of_the_partner_beforehand() -> None:
    held = team().datasets["intake"].items

    assert sorted(held) == [("/line-3", "somebody else's.jpg"), ("/partner", "panel-1.png")]

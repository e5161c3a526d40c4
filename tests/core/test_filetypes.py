"""Type by extension (darwin-api.md section 4.3)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.filetypes import KNOWN, Typed, Unsupported, type_of, with_overrides
from worker.core.model import ItemType

IMAGE, VIDEO, PDF, DICOM = ItemType.IMAGE, ItemType.VIDEO, ItemType.PDF, ItemType.DICOM


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ("png jpg jpeg jfif bmp webp tif tiff qtiff svs gif", IMAGE),
        ("mp4 mov avi mkv hevc wmv", VIDEO),
        ("pdf", PDF),
        ("dcm nii nii.gz", DICOM),
    ],
)
def test_the_known_extensions_have_their_types_in_any_case(extensions: str, expected: ItemType) -> None:
    for extension in extensions.split():
        assert type_of(f"some file.v2.{extension}") == Typed(expected)
        assert type_of(f"SOME FILE.{extension.upper()}") == Typed(expected)


@pytest.mark.parametrize("name", ["a.ndpi", "a.mrxs", "a.RVG", "a.bpm"])
def test_some_files_are_sent_without_a_type(name: str) -> None:
    assert type_of(name) == Typed(None)


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("notes.txt", "txt"),
        ("archive.tar.gz", "gz"),
        ("photo.jpg.part", "part"),
        ("photo.jpg ", "jpg "),
        ("jpg", ""),
        ("photo.", ""),
        ("photo..", ""),
        ("", ""),
    ],
)
def test_any_other_file_is_unsupported(name: str, extension: str) -> None:
    """Row: rejected, unsupported type."""
    assert type_of(name) == Unsupported(extension)


def test_a_name_that_is_only_an_extension_has_it() -> None:
    assert type_of(".png") == Typed(IMAGE)


def test_the_longest_extension_wins() -> None:
    types = with_overrides({"gz": VIDEO, "ome.tif": DICOM})
    assert type_of("scan.nii.gz", types) == Typed(DICOM)
    assert type_of("scan.gz", types) == Typed(VIDEO)
    assert type_of("slide.ome.tif", types) == Typed(DICOM)
    assert type_of("slide.tif", types) == Typed(IMAGE)


def test_the_operator_may_add_and_override_in_any_spelling() -> None:
    types = with_overrides({".NDPI": IMAGE, "heic": IMAGE, "nii": None})
    assert type_of("slide.ndpi", types) == Typed(IMAGE)
    assert type_of("photo.HEIC", types) == Typed(IMAGE)
    assert type_of("scan.nii", types) == Typed(None)
    assert type_of("photo.png", types) == Typed(IMAGE)
    assert type_of("photo.heic") == Unsupported("heic")


def test_a_name_full_of_dots_costs_no_more_than_any_other() -> None:
    """A message may hold a thousand such names."""
    before = time.process_time()
    for _ in range(1_000):
        type_of("." * 1_024)
    assert time.process_time() - before < 0.5


@given(st.text(), st.dictionaries(st.text(max_size=5), st.sampled_from(ItemType), max_size=3))
def test_the_type_is_that_of_the_longest_suffix_in_the_table(
    name: str, overrides: dict[str, ItemType | None]
) -> None:
    """Against a naive search."""
    types = with_overrides(overrides)
    fitting = [extension for extension in types if name.lower().endswith("." + extension)]
    if fitting:
        assert type_of(name, types) == Typed(types[max(fitting, key=len)])
    else:
        assert isinstance(type_of(name, types), Unsupported)


@given(st.text(), st.sampled_from(sorted(KNOWN)))
def test_whatever_stands_before_it_an_extension_counts(stem: str, extension: str) -> None:
    assert type_of(f"{stem}.{extension}") == Typed(KNOWN[extension])

"""What Darwin itself writes is never registered: law 5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.artefacts import has_artefact_shape, is_artefact, written_below

U = "0d6f5f0e-3a55-4a0e-9f2e-7d0f3f0a1111"
V = "5C0B6C2E-1D0E-4D34-8A4B-0A2F3F0A2222"


@pytest.mark.parametrize(
    "key",
    [
        f"darwin/incoming/weld 07.jpg/uploads/{U}/thumbnails/0.jpg",
        f"weld.jpg/uploads/{U}/hq_sections/1.png",
        f"gate.mp4/uploads/{V}/lq_sections/000.jpg",
        f"no-extension/uploads/{U}/thumbnails/0.jpg",
        f"scan.nii.gz/uploads/{U}/something_new/0.bin",
        f"weld.JPG/uploads/{U}/thumbnail.jpg",
        f"a/uploads/b/weld.jpg/uploads/{U}/thumbnails/0.jpg",
        f"{U}/files/{V}/gate.mp4",
        f"dw/{U}/files/{V}/segments/high/000000000.ts",
        f"dw/{U}/files/{V}/sections/low/000000001.jpg",
    ],
)
def test_the_shapes_of_darwins_own_keys_are_known_wherever_they_lie(key: str) -> None:
    """Law 5: an empty storage prefix protects by the shapes alone."""
    assert has_artefact_shape(key)
    assert is_artefact(key, written_below(""))
    assert is_artefact(key, written_below("elsewhere"))


@pytest.mark.parametrize(
    "key",
    [
        "incoming/weld.jpg",
        "uploads/weld.jpg",
        f"uploads/{U}/weld.jpg",
        f"uploads/{U}/thumbnails/weld.jpg",
        f"/uploads/{U}/thumbnails/weld.jpg",
        f"app/uploads/{U}/weld.jpg",
        f"example.com/uploads/{U}/weld.jpg",
        f"app/uploads/{U}/images/weld.jpg",
        f"app/uploads/{U}/thumbnails.jpg",
        f"weld.jpg/uploads/{U}",
        "weld.jpg/uploads/not-a-uuid/thumbnails/0.jpg",
        f"weld.jpg/old-uploads/{U}/x-thumbnails/0.jpg",
        f"{U}/weld.jpg",
        f"{U}/files/weld.jpg",
        f"x{U}/files/{V}/weld.jpg",
        f"{U}/files/{V}x/weld.jpg",
        f"{U}/files/{V}",
        "files/thumbnails/hq_sections/0.jpg",
    ],
)
def test_what_users_keep_in_likely_folders_is_theirs(key: str) -> None:
    assert not has_artefact_shape(key)
    assert not is_artefact(key, written_below(""))


def test_all_below_the_prefix_of_a_storage_is_darwins_by_whole_segments() -> None:
    """Law 5."""
    assert is_artefact("darwin/data/anything.jpg", written_below("darwin/data"))
    assert is_artefact("darwin/data/anything.jpg", written_below("/darwin/data/"))
    assert not is_artefact("darwin/database/anything.jpg", written_below("darwin/data"))
    assert not is_artefact("darwin/anything.jpg", written_below("darwin/data"))
    assert not is_artefact("darwin/anything.jpg", written_below("/"))


segment = st.text(st.sampled_from("ab.é {}"), min_size=1, max_size=5)
folders = st.lists(segment, max_size=3).map("/".join)


@given(folders, folders, st.uuids(), st.sampled_from(["thumbnails", "hq_sections", "lq_sections"]), segment)
def test_nothing_that_darwin_derives_from_an_original_passes(
    prefix: str, folder: str, uuid: object, kind: str, name: str
) -> None:
    """Law 5."""
    original = "/".join(part for part in (prefix, folder, "weld 07.jpg") if part)
    key = f"{original}/uploads/{uuid}/{kind}/{name}"
    assert is_artefact(key, written_below(prefix))
    assert is_artefact(key, written_below(""))


@given(folders, st.uuids(), st.uuids(), segment)
def test_nothing_that_is_processed_locally_passes(prefix: str, item: object, slot: object, name: str) -> None:
    """Law 5."""
    key = "/".join(part for part in (prefix, f"{item}/files/{slot}/{name}") if part)
    assert is_artefact(key, written_below(prefix))
    assert is_artefact(key, written_below(""))


@given(st.text(), st.text())
def test_any_key_gets_an_answer(key: str, prefix: str) -> None:
    assert is_artefact(key, written_below(prefix)) in (True, False)
    assert is_artefact(f"{prefix.strip('/')}/{key}", written_below(prefix)) or not prefix.strip("/")

"""The size of a picture by its first bytes; whatever the bytes are, there is an answer."""

import struct
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.core.pictures import size_of

SAMPLES = Path(__file__).parents[2] / "worker" / "demo" / "samples"

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", 640, 480, 8, 2) + bytes(3)
GIF = b"GIF89a" + struct.pack("<HHBBB", 640, 480, 0, 0, 0)
BMP = b"BM" + struct.pack("<IIIIiiHH", 0, 0, 54, 40, 640, 480, 1, 24)
BMP_FROM_THE_TOP = b"BM" + struct.pack("<IIIIiiHH", 0, 0, 54, 40, 640, -480, 1, 24)
BMP_OF_OS2 = b"BM" + struct.pack("<IIIIHHHH", 0, 0, 26, 12, 640, 480, 1, 24)
WEBP = (
    b"RIFF" + struct.pack("<I4s4sI", 22, b"WEBP", b"VP8 ", 10) + b"\x00\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01"
)
WEBP_LOSSLESS = b"RIFF" + struct.pack("<I4s4sI", 17, b"WEBP", b"VP8L", 5) + b"\x2f\x7f\xc2\x77\x00"
WEBP_EXTENDED = b"RIFF" + struct.pack("<I4s4sI", 22, b"WEBP", b"VP8X", 10) + b"\0\0\0\0\x7f\x02\0\xdf\x01\0"
TIFF = b"II*\0" + struct.pack("<IHHHIIHHII", 8, 2, 256, 3, 1, 640, 257, 3, 1, 480)
TIFF_BIG_ENDIAN = b"MM\0*" + struct.pack(">IHHHIIHHII", 8, 2, 256, 4, 1, 640, 257, 4, 1, 480)
BIG_TIFF = b"II+\0" + struct.pack("<HHQQHHQQHHQQ", 8, 0, 16, 2, 256, 4, 1, 640, 257, 4, 1, 480)
JPEG_END = struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, 480, 640, 3) + bytes(9)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + JPEG_END
TURNED = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0) + bytes(4)
JPEG_TURNED = b"\xff\xd8" + struct.pack(">BBH", 0xFF, 0xE1, len(TURNED) + 2) + TURNED + JPEG_END

PICTURES = {
    "png": PNG,
    "gif": GIF,
    "bmp": BMP,
    "bmp from the top": BMP_FROM_THE_TOP,
    "webp": WEBP,
    "lossless webp": WEBP_LOSSLESS,
    "extended webp": WEBP_EXTENDED,
    "tiff": TIFF,
    "big-endian tiff": TIFF_BIG_ENDIAN,
    "big tiff": BIG_TIFF,
    "jpeg": JPEG,
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_tells_its_width_and_height(picture: bytes) -> None:
    assert size_of(picture) == (640, 480)
    assert size_of(picture + bytes(1000)) == (640, 480)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("weld.jpg", (320, 200)),
        ("panel.png", (240, 160)),
        ("leaf.webp", (240, 160)),
        ("cells.tiff", (160, 160)),
    ],
)
def test_files_as_programs_write_them_tell_it_too(name: str, size: tuple[int, int]) -> None:
    assert size_of((SAMPLES / name).read_bytes()) == size


def test_a_picture_that_is_to_be_turned_has_the_size_of_its_pixels() -> None:
    """Darwin wants the pixels of the file: a turned size would misplace annotations."""
    assert size_of(JPEG_TURNED) == (640, 480)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"P5 640 480 255\n",
        b'<svg width="640" height="480">',
        b"not a picture",
        JPEG[: -len(JPEG_END)],
        BMP_OF_OS2,
        PNG.replace(struct.pack(">I", 640), bytes(4)),
        GIF.replace(struct.pack("<H", 480), bytes(2)),
        BMP.replace(struct.pack("<i", 640), struct.pack("<i", -640)),
        JPEG.replace(struct.pack(">H", 480), bytes(2)),
    ],
)
def test_what_does_not_tell_a_size_or_tells_none_that_can_be_is_none(head: bytes) -> None:
    assert size_of(head) is None


@pytest.mark.parametrize("name", ["gate.mp4", "report.pdf", "slice.dcm", "routes.yaml"])
def test_files_of_other_types_have_no_size(name: str) -> None:
    assert size_of((SAMPLES / name).read_bytes()) is None


def test_a_number_without_end_is_not_read() -> None:
    """These digits keep imagesize busy for a quarter of a minute: whoever uploads could stop the worker."""
    assert size_of(b"P5 " + b"1" * 1_000_000) is None


heads = st.sampled_from([*PICTURES.values(), JPEG_TURNED, BMP_OF_OS2])


def sensible(size: tuple[int, int] | None) -> bool:
    return size is None or all(type(side) is int and side > 0 for side in size)


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(head: bytes) -> None:
    assert sensible(size_of(head))


@given(heads, st.binary(max_size=200))
def test_any_bytes_after_a_signature_have_an_answer(head: bytes, rest: bytes) -> None:
    assert sensible(size_of(head[:16] + rest))


@given(heads, st.integers(0, 80))
def test_a_head_that_was_cut_has_an_answer_and_never_another_one(head: bytes, length: int) -> None:
    assert size_of(head[:length]) in {None, size_of(head)}


@given(heads, st.lists(st.tuples(st.integers(0, 79), st.integers(0, 255)), min_size=1, max_size=8))
@example(BIG_TIFF, [(place, 255) for place in range(8, 24)])
@example(JPEG, [(4, 0), (5, 0)])
def test_a_damaged_head_has_an_answer(head: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(head)
    for place, byte in damage:
        damaged[place % len(damaged)] = byte
    assert sensible(size_of(bytes(damaged)))

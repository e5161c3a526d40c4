"""The size of a picture, read from its first bytes."""

from io import BytesIO

import imagesize

# PNG, JPEG, GIF, WebP, BMP and TIFF, all that Darwin takes as images. Others are kept from imagesize, which needs
# quadratic time for a Netpbm file that never ends its first number, and measures SVG in fractions.
_FORMATS = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"RIFF", b"BM", b"II", b"MM")
_OS2_HEADER = b"\x0c\x00\x00\x00"


def size_of(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of the picture that begins with *head*; None where that does not tell. Never raises.

    They are the pixels as stored, whatever rotation EXIF asks for: Darwin wants the exact pixels of the file, and
    misplaces annotations by other ones.
    """
    if not head.startswith(_FORMATS):
        return None
    if head.startswith(b"BM") and head[14:18] == _OS2_HEADER:
        return None  # OS/2 gave the sides 16 bits, where imagesize reads 32
    width, height = imagesize.get(BytesIO(head), exif_rotation=False)  # (-1, -1) for what it cannot read
    return (width, height) if width > 0 and height > 0 else None

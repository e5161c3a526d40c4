"""From a name to the type that Darwin is told (darwin-api.md section 4.3).

Extensions are compared without case, the longest first: ``scan.nii.gz`` is NIfTI, not gzip.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from worker.core.model import ItemType

Types = Mapping[str, ItemType | None]
"""Extension, in lower case and without its first dot, to type. None: Darwin takes the file, but is to find the
type itself, because what it wants to be told is not known.
"""

_KNOWN: dict[ItemType | None, str] = {
    ItemType.IMAGE: "png jpg jpeg jfif bmp webp tif tiff qtiff svs gif",
    ItemType.VIDEO: "mp4 mov avi mkv hevc wmv",
    ItemType.PDF: "pdf",
    ItemType.DICOM: "dcm nii nii.gz",
    None: "ndpi mrxs rvg bpm",
}

_MOST_DOTS = 16
"""No extension has more; of NIfTI's, ``nii.gz``, one dot is its own and one stands before it."""

KNOWN: Types = MappingProxyType(
    {extension: type_ for type_, line in _KNOWN.items() for extension in line.split()}
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A file that Darwin takes; None: send it without a type."""

    type: ItemType | None


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A file that Darwin does not take. *extension* is what follows the last dot of the name; empty if none does."""

    extension: str


def with_overrides(overrides: Types) -> Types:
    """The known types with the operator's own on top, spelled in any case, with or without a first dot."""
    own = {normalise_extension(extension): type_ for extension, type_ in overrides.items()}
    return {**KNOWN, **own}


def normalise_extension(extension: str) -> str:
    return extension.strip().removeprefix(".").lower()


def type_of(name: str, types: Types = KNOWN) -> Typed | Unsupported:
    """What kind of file *name* is, by the longest of its extensions that *types* holds."""
    known = _known_extension(name.lower(), types)
    if known is not None:
        return Typed(types[known])
    return Unsupported(name.lower().rpartition(".")[2] if "." in name else "")


def extension_of(name: str, types: Types = KNOWN) -> str:
    """What of *name* is its extension, as it is written there and without the dot: the longest that *types* holds, or else
    what follows the last dot; empty where there is no dot.
    """
    known = _known_extension(name.lower(), types) or ""
    written = name[len(name) - len(known) :]
    return written if known and written.lower() == known else name.rpartition(".")[2] if "." in name else ""


def _known_extension(lowered: str, types: Types) -> str | None:
    # Whoever uploads chooses how many dots a name has.
    _, *endings = lowered.rsplit(".", _MOST_DOTS)
    for first in range(len(endings)):
        extension = ".".join(endings[first:])
        if extension in types:
            return extension
    return None

"""What the demo gives to the worker, and what has to become of it, written out by hand.

The order of messages is not kept, so whatever depends on something else being done is in the second act.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files

from worker.demo.twin.state import Block, SentFile, SentItem, Storage, Team

BUCKET = STORAGE = "demo-media"
DARWIN_FOLDER = "darwin"
TEAM = "demo"
KEY = "demokey.0123456789abcdef0123456789abcdef"
INTAKE, SCANS = "intake", "scans"

LONG_AGO = 1_700_000_000.0
"""When others registered what is in Darwin already."""

MESSAGE_BY_HAND = "this is no notification of S3"


class Way(Enum):
    """How a sample reaches the worker."""

    UPLOAD = "upload"
    """The file is put into the bucket."""
    EVENT_AGAIN = "event again"
    """The event of a key that is there comes once more, as S3 does it now and then."""
    MESSAGE = "message"
    """Somebody puts :data:`MESSAGE_BY_HAND` into the queue."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item is to be in Darwin."""

    dataset: str
    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing that the worker is given. *file* is one of the samples, or "" for an empty object; *place* is there
    when the sample is to be in Darwin by that name.
    """

    key: str
    file: str
    outcome: str
    reason: str
    place: Place | None = None
    way: Way = Way.UPLOAD


def content(file: str) -> bytes:
    """The bytes of a sample's file."""
    return (files("worker.demo") / "samples" / file).read_bytes() if file else b""


def _item(key: str, file: str, path: str, name: str, dataset: str = INTAKE) -> Sample:
    return Sample(key, file, "registered", "accepted", Place(dataset, path, name))


def _ignored(key: str, file: str, reason: str) -> Sample:
    return Sample(key, file, "ignored", reason)


_LONG_FOLDER = "a-folder-with-a-long-name"
_LONG_FOLDERS = "/".join([_LONG_FOLDER] * 38)
_LONGEST = f"incoming/{_LONG_FOLDERS}/the-end-of-the-long-way.png"
"""1,024 bytes: S3 takes no longer key."""
_LONG_NAME = "長" * 80 + ".jpg"
_UPLOAD = "uploads/0b6f6c1e-5a51-4c0a-9a3e-2d8f0c9e7b11/thumbnails/0.jpg"

FIRST_ACT: Sequence[Sample] = (
    # Ordinary files of each type
    _item("incoming/line-3/weld 07.jpg", "weld.jpg", "/line-3", "weld 07.jpg"),
    _item("incoming/line-3/weld 08.JPG", "weld.jpg", "/line-3", "weld 08.JPG"),
    _item("incoming/line-3/2031/week 07/panel.png", "panel.png", "/line-3/2031/week 07", "panel.png"),
    _item("incoming/at the top.png", "panel.png", "/", "at the top.png"),
    _item("incoming/lab/cells.tiff", "cells.tiff", "/lab", "cells.tiff"),
    _item("incoming/lab/plate-12.TIF", "cells.tiff", "/lab", "plate-12.TIF"),
    _item("incoming/gate/gate-cam.mp4", "gate.mp4", "/gate", "gate-cam.mp4"),
    _item("incoming/gate/GATE-CAM.MP4", "gate.mp4", "/gate", "GATE-CAM.MP4"),
    _item(
        "incoming/reports/report (final) [v2] {x}.PDF",
        "report.pdf",
        "/reports",
        "report (final) [v2] {x}.PDF",
    ),
    _item("incoming/scans/ct-4410/001.dcm", "slice.dcm", "/ct-4410", "001.dcm", SCANS),
    _item("incoming/scans/ct-4410/002.DCM", "slice.dcm", "/ct-4410", "002.DCM", SCANS),
    # Keys that are easy to get wrong
    _item("incoming/greenhouse/leaf+stem.webp", "leaf.webp", "/greenhouse", "leaf+stem.webp"),
    _item("incoming/greenhouse/50% shade & sun.webp", "leaf.webp", "/greenhouse", "50% shade & sun.webp"),
    _item(
        "incoming/greenhouse/what? #7=ok; done!.webp", "leaf.webp", "/greenhouse", "what? #7=ok; done!.webp"
    ),
    _item("incoming/lab/a%2Bb%20c.png", "panel.png", "/lab", "a%2Bb%20c.png"),
    _item("incoming//twice//slashed.png", "panel.png", "/twice", "slashed.png"),
    _item("incoming/reports/Prüfbericht.pdf", "report.pdf", "/reports", "Prüfbericht.pdf"),
    _item("incoming/menu/caf\u00e9.png", "panel.png", "/menu", "caf\u00e9.png"),
    _item("incoming/menu/cafe\u0301.png", "panel.png", "/menu", "cafe\u0301.png"),
    _item("incoming/検査/溶接 07.jpg", "weld.jpg", "/検査", "溶接 07.jpg"),
    _item("incoming/emoji/🔥 pump 🚒.png", "panel.png", "/emoji", "🔥 pump 🚒.png"),
    _item(f"incoming/検査/{_LONG_NAME}", "weld.jpg", "/検査", _LONG_NAME),
    _item(_LONGEST, "panel.png", f"/{_LONG_FOLDERS}", "the-end-of-the-long-way.png"),
    # The route's own ways
    _item("incoming/phones/anna/IMG_0001.JPG", "weld.jpg", "/phones", "IMG_0001.JPG"),
    Sample(
        "incoming/partner/panel-1.png",
        "panel.png",
        "existing",
        "adopted",
        Place(INTAKE, "/partner", "panel-1.png"),
    ),
    # What is not for Darwin
    _ignored("incoming/a new folder/", "", "folder_marker"),
    _ignored("incoming/line-3/still empty.jpg", "", "empty_object"),
    _ignored("outside/of all routes.png", "panel.png", "no_route"),
    _ignored(f"darwin/incoming/line-3/weld 07.jpg/{_UPLOAD}", "weld.jpg", "darwin_artefact"),
    _ignored(f"incoming/line-3/weld 07.jpg/{_UPLOAD}", "weld.jpg", "darwin_artefact"),
    # What cannot be registered as things are
    Sample("incoming/line-3/somebody else's.jpg", "weld.jpg", "blocked", "foreign_item"),
    Sample("incoming/line-3/held by review.jpg", "weld.jpg", "blocked", "other_darwin_reason"),
    Sample("incoming/gate/torn.mp4", "gate.mp4", "blocked", "upload_failed"),
    Sample("incoming/reports/routes.yaml", "routes.yaml", "rejected", "unsupported_type"),
    Sample("incoming/reports/no extension", "routes.yaml", "rejected", "unsupported_type"),
    Sample("incoming/line-3/bell\x07.jpg", "weld.jpg", "rejected", "invalid_key"),
)

SECOND_ACT: Sequence[Sample] = (
    Sample("incoming/phones/ben/IMG_0001.JPG", "weld.jpg", "blocked", "name_collision"),
    _ignored("incoming/line-3/2031/week 07/panel.png", "panel-mended.png", "overwritten"),
    Sample("incoming/line-3/weld 07.jpg", "", "duplicate", "in_ledger", way=Way.EVENT_AGAIN),
    Sample("", "", "unreadable", "unreadable_body", way=Way.MESSAGE),
)

SAMPLES = (*FIRST_ACT, *SECOND_ACT)


def team() -> Team:
    """Darwin before the curtain rises: what others registered there, and what Darwin will not take."""
    made = Team(TEAM, KEY, [INTAKE, SCANS], [Storage(STORAGE, BUCKET, DARWIN_FOLDER)])
    for path, name, key in (
        ("/line-3", "somebody else's.jpg", ""),
        ("/partner", "panel-1.png", "incoming/partner/panel-1.png"),
    ):
        file = SentFile("0", name, "image", key)
        made.hold(made.datasets[INTAKE], SentItem(path, name, (file,)), LONG_AGO, external=bool(key))
    for pattern, reason in (("^held by", "HELD_FOR_REVIEW"), ("^torn", "FILE_UPLOAD_TIMEOUT")):
        made.blocks.append(Block(re.compile(pattern), reason))
    return made

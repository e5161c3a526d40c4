"""What may happen to groups of objects and to the workers that make items of them, as values: a history is a list of these."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

SCENES = ("one", "two")
PARTS = ("Back.dcm", "front.dcm", "left.dcm", "roof.dcm")
"""Names of parts; some sort before a marker and a manifest, and some after. The roof is one too many."""

MARKERS = {"marker": "_SUCCESS", "manifest": "manifest.json"}
"""What says that all is there, where a rule has that."""


class Put(NamedTuple):
    """Objects are written, or written over; S3 tells of each. One without *content* is no part yet."""

    scene: str
    parts: tuple[str, ...]
    content: str = "1"


class Mark(NamedTuple):
    """The marker is written, or a manifest that names these parts."""

    scene: str
    named: tuple[str, ...]


class Delete(NamedTuple):
    """A part, or with "" the marker, is deleted; nobody is told."""

    scene: str
    part: str


class Tell(NamedTuple):
    """S3 tells again of what it told before."""

    scene: str
    part: str


class Replay(NamedTuple):
    """An operator puts all dead letters back; *again*: with the mark of what an operator sends."""

    again: bool


class S3Fails(NamedTuple):
    seconds: float


class LedgerFails(NamedTuple):
    call: str
    seconds: float


class DarwinAnswers(NamedTuple):
    """The next *times* requests suffer a fault of the twin, or all that come until the rest."""

    fault: Mapping[str, object]
    times: int | None


class Start(NamedTuple):
    """One more worker, three at most."""


class Stop(NamedTuple):
    number: int


class Kill(NamedTuple):
    """A worker is gone, and its leases and claims end by themselves."""

    number: int


class Away(NamedTuple):
    """Nobody works for so long."""

    seconds: float


InS3 = Put | Mark | Delete | Tell
ToWorkers = Start | Stop | Kill | Away
What = InS3 | ToWorkers | Replay | S3Fails | LedgerFails | DarwinAnswers


class Step(NamedTuple):
    """Something happens, and then *after* seconds pass."""

    what: What
    after: float


class History(NamedTuple):
    """*limit*: of open records. *again*: how the dead letters are replayed at the end."""

    limit: int
    workers: int
    steps: Sequence[Step]
    again: bool

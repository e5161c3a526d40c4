"""What S3 is asked of one object before it becomes an item, and what the answers make of it: its metadata and tags, whether
it is there, and in a read-only storage the small picture, the size and the frames (darwin-api.md section 1.7).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from worker.core.forms import CannotBe, FileDraft, blocked, rejected
from worker.core.grouping import MAX_PARTS, fingerprint, natural
from worker.core.model import ItemType, Kind, Later, Notes, Outcome, Reason
from worker.core.naming import why_no_key
from worker.core.objects import Head, Listed
from worker.core.pictures import size_of
from worker.core.rules import ReadyFrames, ReadySidecars, Rule
from worker.core.shares import LONGEST_DELAY
from worker.core.templates import NoValue, Template

PICTURE_BYTES = 262_144
"""Bytes of a picture in which its size is looked for: a camera may put a preview of 64 KiB or more before it."""

FIRST_LOOK = 5
"""Seconds until an absent sidecar is looked for again; each further wait is twice as long."""

_LARGEST_SIDE = 1_000_000
_SIDE = re.compile("[0-9]{1,20}")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask S3 of an object *key*: its HEAD, its tags; its thumbnail; its own first bytes, or the frames below
    *high* and *low* and the first bytes of the first one. None and False ask for nothing. Of what is below, the keys that
    end with *high_ending* and *low_ending* are frames.
    """

    key: str
    head: bool = False
    tags: bool = False
    thumbnail: str | None = None
    picture: bool = False
    high: str | None = None
    low: str | None = None
    high_ending: str = ""
    low_ending: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The answers, each None where it was not asked for or is not there. *picture*: the first bytes of the object, or of
    the frame that :func:`first_frame` names.
    """

    head: Head | None = None
    tags: Mapping[str, str] | None = None
    thumbnail: Head | None = None
    picture: bytes | None = None
    high: Sequence[Listed] = ()
    low: Sequence[Listed] = ()


class Absent(Exception):
    """A sidecar is not there yet; the text is a part of a sentence that names it. *frames*: the fingerprint of frames that
    are there, and may not be all.
    """

    def __init__(self, what: str, frames: str = "") -> None:
        super().__init__(what)
        self.frames = frames


def wanted(rule: Rule, key: str, values: Mapping[str, str], of_type: ItemType | None) -> Wanted:
    """What to ask of an object. Raises :class:`CannotBe` for what a read-only storage does not take."""
    asked = Wanted(key, head=rule.route.head or rule.asks_metadata, tags=rule.asks_tags)
    sidecars = rule.sidecars
    if sidecars is None:
        return asked
    thumbnail = _key(rule, "thumbnail", sidecars.thumbnail, values)
    measured = sidecars.width is None or sidecars.height is None
    if of_type is ItemType.IMAGE:
        return Wanted(key, asked.head, asked.tags, thumbnail, picture=measured)
    if of_type is ItemType.DICOM or of_type is None:
        what = "DICOM" if of_type is ItemType.DICOM else "files of this type"
        raise rejected(
            rule, Reason.UNSUPPORTED_TYPE, f"A read-only storage takes no {what}; convert it to images."
        )
    if sidecars.high is None:
        why = f"A read-only storage takes a {of_type} only with its frames, and the route names no folder of them."
        raise rejected(rule, Reason.UNSUPPORTED_TYPE, why)
    high, high_ending = _frames(rule, "frames.high", sidecars.high, values)
    low, low_ending = None, ""
    if sidecars.low is not None:
        low, low_ending = _frames(rule, "frames.low", sidecars.low, values)
    return Wanted(key, asked.head, asked.tags, thumbnail, measured, high, low, high_ending, low_ending)


def first_frame(asked: Wanted, listed: Sequence[Listed]) -> str | None:
    """The key of the first of the frames *high*, of which *listed* is what lies below it; None where there is none yet."""
    return next(iter(_in_order(listed, asked.high_ending)), None)


def draft(
    rule: Rule, asked: Wanted, values: Mapping[str, str], facts: Facts, notes: Notes | None, now: float
) -> FileDraft:
    """The file of an item, with what S3 told of it. Raises :class:`CannotBe`, and :class:`Absent` for a sidecar; frames are
    all there when none came for as long as the route says, which the *notes* of an earlier look tell.
    """
    told = dict(values)
    if asked.head:
        head = _there(rule, facts.head)
        if rule.route.head and head.archived:
            raise archived(rule, head)
        told |= {f"metadata.{name}": text for name, text in head.metadata.items()}
    if asked.tags:
        told |= {f"tags.{name}": text for name, text in _there(rule, facts.tags).items()}
    if rule.sidecars is None:
        return FileDraft(asked.key, told)
    if facts.thumbnail is None or not facts.thumbnail.size:
        raise Absent(f"the thumbnail {asked.thumbnail}")
    fields: dict[str, object] = {"storage_thumbnail_key": asked.thumbnail}
    if asked.high is not None and (
        first_frame(asked, facts.high) is None or (asked.picture and facts.picture is None)
    ):
        raise Absent(f"a frame below {asked.high}")
    width, height = _size(rule, rule.sidecars, told, facts)
    if asked.high is None:
        return FileDraft(asked.key, told, fields | {"width": width, "height": height})
    sections = _sections(rule, asked, facts, width, height)
    frames = fingerprint((*facts.high, *facts.low))
    unchanged = now - notes.unchanged_since if notes and notes.fingerprint == frames else 0.0
    if rule.route.sidecars and unchanged < rule.route.sidecars.frames_quiet:
        raise Absent(f"the last of the frames below {asked.high}", frames)
    return FileDraft(asked.key, told, fields | {"sections": sections})


def archived(rule: Rule, head: Head) -> CannotBe:
    why = f"The object lies in the archive ({head.storage_class}); restore it, then replay this."
    return blocked(rule, Reason.OBJECT_ARCHIVED, why)


def later(rule: Rule, absent: Absent, notes: Notes | None, now: float) -> Later | Outcome:
    """The record of an object without its sidecars comes again, more and more seldom, until the route's time is over."""
    what, sidecars = str(absent), rule.route.sidecars
    within = sidecars.within if sidecars else 0
    since = notes.waiting_since if notes else now
    left = since + within - now
    if left <= 0:
        why = f"Within {within} seconds there was not {what}."
        return Outcome(Kind.BLOCKED, Reason.SIDECARS_MISSING, why, rule.route.name)
    delay = max(FIRST_LOOK, min(LONGEST_DELAY, int(now - since), int(left) + 1))
    unchanged = notes.unchanged_since if notes and notes.fingerprint == absent.frames else now
    if absent.frames and sidecars:
        delay = max(1, min(LONGEST_DELAY, int(unchanged + sidecars.frames_quiet - now) + 1))
    outcome = Outcome(Kind.POSTPONED, Reason.SIDECAR_ABSENT, f"There is not yet {what}.", rule.route.name)
    return Later(outcome, delay, Notes(since, absent.frames, unchanged if absent.frames else 0.0))


def _there(rule: Rule, answer: _T | None) -> _T:
    if answer is None:
        why = "The object is not there any more."
        raise CannotBe(Outcome(Kind.IGNORED, Reason.OBJECT_GONE, why, rule.route.name))
    return answer


def _size(rule: Rule, sidecars: ReadySidecars, values: Mapping[str, str], facts: Facts) -> tuple[int, int]:
    """By the route's templates where it has them, else as the picture says."""
    measured = None
    if sidecars.width is None or sidecars.height is None:
        measured = size_of(_there(rule, facts.picture))
        if measured is None:
            why = (
                f"Width and height cannot be told from the first {PICTURE_BYTES} bytes; give them in the route, from the "
                "object's metadata for one."
            )
            raise blocked(rule, Reason.SIZE_UNKNOWN, why)
    width = (
        measured[0] if sidecars.width is None and measured else _side(rule, "width", sidecars.width, values)
    )
    height = (
        measured[1]
        if sidecars.height is None and measured
        else _side(rule, "height", sidecars.height, values)
    )
    return width, height


def _side(rule: Rule, what: str, template: Template | None, values: Mapping[str, str]) -> int:
    text = "" if template is None else _rendered(rule, template, values)
    if not (_SIDE.fullmatch(text) and 0 < int(text) <= _LARGEST_SIDE):
        raise blocked(
            rule, Reason.SIZE_UNKNOWN, f"The {what} would be {text!r}, which is no number of pixels."
        )
    return int(text)


def _sections(rule: Rule, asked: Wanted, facts: Facts, width: int, height: int) -> list[dict[str, object]]:
    """One per frame, numbered from 1, in the order of the frames' keys, numbers in them by their size. All frames of a
    video have one size.
    """
    if max(len(facts.high), len(facts.low)) > MAX_PARTS:
        why = f"More than {MAX_PARTS} frames lie below {asked.high}, more than one request should carry."
        raise blocked(rule, Reason.TOO_MANY_PARTS, why)
    high, low = _in_order(facts.high, asked.high_ending), _in_order(facts.low, asked.low_ending)
    if unfit := next(filter(None, map(why_no_key, (*high, *low))), None):
        raise rejected(rule, Reason.INVALID_KEY, f"Of a frame: {unfit}")
    if asked.low is not None and len(low) != len(high):
        raise Absent(f"one frame below {asked.low} ({len(low)}) for each below {asked.high} ({len(high)})")
    return [
        {
            "section_index": index,
            "width": width,
            "height": height,
            "storage_hq_key": key,
            **({"storage_lq_key": low[index - 1]} if asked.low is not None else {}),
        }
        for index, key in enumerate(high, 1)
    ]


def _in_order(listed: Sequence[Listed], ending: str) -> list[str]:
    return sorted((each.key for each in listed if each.size and each.key.endswith(ending)), key=natural)


def _frames(rule: Rule, what: str, frames: ReadyFrames, values: Mapping[str, str]) -> tuple[str, str]:
    return _key(rule, what, frames.beginning, values), _rendered(rule, frames.ending, values)


def _key(rule: Rule, what: str, template: Template, values: Mapping[str, str]) -> str:
    key = _rendered(rule, template, values)
    if not values["folder"]:
        key = key.replace("//", "/").lstrip("/")
    why = why_no_key(key.rstrip("/"))
    if why is not None:
        raise rejected(rule, Reason.INVALID_ITEM, f"Of the {what}: {why}")
    return key


def _rendered(rule: Rule, template: Template, values: Mapping[str, str]) -> str:
    try:
        return template.render(values)
    except NoValue as error:
        raise blocked(rule, Reason.NO_VALUE, str(error)) from None

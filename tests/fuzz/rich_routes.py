"""Routes of every kind, so that hostile bodies meet all that a route can do; and a bucket that answers what they ask."""

import json
import struct

from tests.core.sample_groups import drafts
from worker.core.darwin import Storage
from worker.core.forms import CannotBe, item_of, type_of
from worker.core.grouping import Member, Verdicts, waiting
from worker.core.judging import judge
from worker.core.model import (
    Item,
    ItemType,
    Lane,
    Later,
    Mode,
    OnOverwrite,
    Outcome,
    Reason,
    Record,
    RecordId,
)
from worker.core.objects import Head, Listed
from worker.core.routes import Fallback, Group, OnRemoved, Route, Sidecars
from worker.core.routing import Draft, PartOf, Removal, Routes
from worker.core.sidecars import Absent, Facts, draft, later, wanted
from worker.core.templates import Table

_MEDIA, _SCANS, _SEEN = (
    Lane("acme", "intake", "media"),
    Lane("acme", "scans", "clinic"),
    Lane("acme", "intake", "seen"),
)
_STORAGES = {
    ("acme", "media"): Storage("media", "media", Mode.READ_WRITE, "aws", "media", "darwin/data"),
    ("acme", "clinic"): Storage("clinic", "clinic", Mode.READ_WRITE, "aws", "clinic", ""),
    ("acme", "seen"): Storage("seen", "seen", Mode.READ_ONLY, "aws", "media", "darwin/data"),
}
_PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", 640, 480, 8, 2) + bytes(3)


def by_glob(fallback: Route | Fallback) -> Routes:
    """By bucket, prefix and glob, with types and both ways with existing items."""
    routes = (
        Route("deep", _MEDIA, "media", "in", "**/raw/**/*a*a*.{png,jpg,tif}", "/deep/{folder}"),
        Route("many", _MEDIA, "media", "in", "**/a/**/{1..9}*x*y.png"),
        Route("starred", _MEDIA, "media", "in/stars", "*a*a*a*a*a*a*b", type=ItemType.IMAGE),
        Route("classes", _MEDIA, "media", "", "[!a-m]?[0-9]*/**", "/c/{folder}/{folder}"),
        Route("typed", _MEDIA, "media", "in/other", types={"raw.gz": None, "heic": ItemType.IMAGE}),
        Route("rest of in", _MEDIA, "media", "in", path="/{folder}/sub"),
        Route("scans", _SCANS, "clinic"),
        Route("elsewhere", _SCANS, "acme-media", "incoming"),
        Route("no storage", Lane("acme", "intake", "gone"), "lost"),
    )
    return Routes(routes, fallback, _STORAGES)


def by_template() -> Routes:
    """By regular expression, extension, size, event and exclusion; with tables, slots, tags, versions and removals."""
    routes = (
        Route(
            "lines",
            _MEDIA,
            prefix="in",
            regex=r"(?s)(?P<line>(?:[a-z]+)+-\d+)/(?P<n>\D*)(?P<rest>.*)",
            path="/{line}/{n}",
            item_name="{rest[:2]}{filename}",
            slot=Table("{ext}", {"png": "{picture}"}, "0"),
            tags=("{line}", "{n[:3]}"),
            metadata={"rest": "{rest}", "of": {"no": "template {"}},
            on_removed=OnRemoved.ARCHIVE,
        ),
        Route(
            "versions",
            _MEDIA,
            prefix="in",
            extensions=("PNG", "nii.gz"),
            exclude=("a*/**",),
            smallest=1,
            events=("Put", "Copy"),
            dataset=Table("{stem[:1]}", {"a": "first"}, "others"),
            on_overwrite=OnOverwrite.REGISTER,
            versioned_name="{stem}-{version}.{ext}",
        ),
        Route("named by keys", _MEDIA, "media", "in", dataset="{ext}-{stem[-9:]}", tags={"key": "{key}"}),
        Route("planes", _SCANS, "clinic", extract_views=True, type=ItemType.DICOM),
    )
    return Routes(routes, Fallback.IGNORE, _STORAGES)


def by_asking() -> Routes:
    """Groups of every completeness, sidecars, HEADs and tags."""
    routes = (
        Route(
            "lines",
            _MEDIA,
            prefix="in",
            glob="line-*/*",
            slot="{stem}",
            type=ItemType.IMAGE,
            group=Group(slots=("weld 07", "2", "a")),
        ),
        Route("series", _SCANS, "clinic", group=Group("{folder}/", count=3), type=ItemType.DICOM),
        Route(
            "marked",
            _MEDIA,
            prefix="in",
            glob="k?*",
            type=ItemType.DICOM,
            group=Group("{stem[:1]}", marker=".txt"),
        ),
        Route("told", _MEDIA, prefix="in/b", group=Group(manifest="c.dcm")),
        Route("asked", _MEDIA, prefix="in", extensions=("pdf", "tif", "gz"), path="/{tags.a}", head=True),
        Route(
            "seen",
            _SEEN,
            prefix="in",
            sidecars=Sidecars(
                "thumbs/{folder}/{stem}.jpg", "frames/{stem}/", "small/{stem}/*.{ext}", width="{metadata.w}"
            ),
        ),
        Route("stems", _MEDIA, "media", slot="{stem}", group=Group("{key[:3]}", quiet=60)),
    )
    return Routes(routes, Fallback.DEAD_LETTER, _STORAGES)


ROUTES = (
    by_glob(Fallback.DEAD_LETTER),
    by_glob(Fallback.IGNORE),
    by_glob(Route("last", _MEDIA, type=ItemType.PDF)),
    by_template(),
    by_asking(),
)


def settled(routes: Routes, record: Record, now: float) -> Item | Outcome:
    """What becomes of a record in a bucket that holds its object, and whose other answers hang on its key."""
    decided = routes.decide(record)
    try:
        match decided:
            case Draft():
                found = _draft(decided, now)
            case PartOf():
                found = _part(routes, decided, record, now)
            case Removal():
                found = decided.item
            case _:
                found = decided
    except CannotBe as cannot:
        found = cannot.outcome
    return found.outcome if isinstance(found, Later) else found


def _draft(pending: Draft, now: float) -> Item | Outcome | Later:
    rule, held = pending.rule, pending.object
    asked = wanted(rule, held.key, pending.values, type_of(rule, held.key))
    head = Head("e", 7, None, "STANDARD", restored=False, metadata={"w": str(len(held.key))})
    frames = (
        [Listed(f"{asked.high}{number}.png", held.key, number) for number in range(3)] if asked.high else []
    )
    facts = Facts(
        head, {"a": held.key[-3:]}, None if held.key.endswith("x.png") else head, _PNG, frames, frames
    )
    try:
        return item_of(rule, held, pending.lane, draft(rule, asked, pending.values, facts, None, now))
    except Absent as absent:
        return later(rule, absent, None, now)


def _part(routes: Routes, part: PartOf, record: Record, now: float) -> Item | Outcome | Later:
    held = record.object
    beside = [part.group.beginning + name for name in ("a", "2.dcm")]
    there = {held.key, part.group.marker or held.key, *beside}
    seen = routes.seen(part.group, [Listed(key, "e", 7) for key in sorted(there)])
    told = part.group.rule.route.group
    content = _manifest(held.key) if told is not None and told.manifest else None
    found = judge(part, seen, content, [Member(RecordId(0, 0), held.key)], now)
    if not isinstance(found, Verdicts):
        return found.item(drafts(found.parts))
    return found.later or waiting(part.group, Reason.GROUP_INCOMPLETE)


def _manifest(key: str) -> bytes:
    """One that can be used, or, of a key of odd length, one of whatever the key is."""
    slots = [{"slot": key[:9], "file": "2.dcm", "metadata": {"key": key}}]
    return key.encode("utf-8", "replace") if len(key) % 2 else json.dumps({"slots": slots}).encode()

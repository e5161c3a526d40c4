"""What Darwin is asked besides to register: how a question about items is cut, and what the answers say.

Shapes are those of darwin-api.md section 6. Almost any field may be null: what lacks the field that makes it usable is
left out; None stands for an answer of another shape than was asked for.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote

from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.model import Mode

# Of the names and paths in a query: Darwin's own client keeps the whole URL under 2,000 characters (issue #456 there).
PLACES_CHARACTERS = 1500
SECONDS = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


class Page(NamedTuple):
    """One page of the item list; *next* is the cursor of the page after it."""

    items: list[HeldItem]
    next: str | None


def query_of_places(places: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The filters that find the items at these (path, name) places, and at each path with each name among them."""
    paths, names = dict.fromkeys(path for path, _ in places), dict.fromkeys(name for _, name in places)
    return [("item_names[]", name) for name in names] + [("item_paths[]", path) for path in paths]


def chunks_of_places(places: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The different places in their order, cut so that the query of each chunk has at most PLACES_CHARACTERS when
    encoded; a place that is longer stands alone.
    """
    chunks: list[list[tuple[str, str]]] = []
    known: set[tuple[str, str]] = set()
    used = 0
    for place in dict.fromkeys(places):
        cost = sum(_length(filter_) for filter_ in query_of_places([place]) if filter_ not in known)
        if not chunks or used + cost > PLACES_CHARACTERS:
            chunks.append([])
            known, used = set(), 0
            cost = sum(map(_length, query_of_places([place])))
        chunks[-1].append(place)
        known.update(query_of_places([place]))
        used += cost
    return chunks


def _length(filter_: tuple[str, str]) -> int:
    """As written in a URL, with = and &."""
    return sum(len(quote(part, safe="", errors="surrogatepass")) + 1 for part in filter_)


def team_of(payload: object) -> str | None:
    """The slug of the key's team, from ``users/token_info``."""
    return _text(_field(_field(payload, "selected_team"), "slug"))


def datasets_of(payload: object) -> list[Dataset] | None:
    if not isinstance(payload, list):
        return None
    found = ((_field(row, "id"), _text(_field(row, "slug"))) for row in payload)
    return [Dataset(id_, slug) for id_, slug in found if type(id_) is int and slug]


def storages_of(payload: object) -> list[Storage] | None:
    if not isinstance(payload, list):
        return None
    return [storage for row in payload if (storage := _storage(row))]


def page_of(payload: object) -> Page | None:
    rows = _field(payload, "items")
    if not isinstance(rows, list):
        return None
    return Page(
        [item for row in rows if (item := _held_item(row))], _text(_field(_field(payload, "page"), "next"))
    )


def archiving_of(dataset_id: int, item_ids: Sequence[str]) -> dict[str, object]:
    """The body that archives these items of a dataset. ValueError where an id is missing or empty: Darwin might take
    empty filters for everything.
    """
    if not item_ids or "" in item_ids:
        raise ValueError(
            f"Items are archived by their ids, and one of these is missing or empty: {item_ids!r}"
        )
    return {"filters": {"item_ids": list(item_ids), "dataset_ids": [dataset_id]}}


def affected_of(payload: object) -> int | None:
    """How many items were changed, from ``items/archive``."""
    count = _field(payload, "affected_item_count")
    return count if type(count) is int else None


def retry_after(value: str | None, date: str | None, now: float) -> float | None:
    """Seconds from a ``Retry-After`` header (RFC 9110, 10.2.3): a number, or a date as seen from the answer's own
    *date* header (from *now* in Unix seconds without one). Never negative; None when there is none to understand.
    """
    if value is None:
        return None
    if SECONDS.fullmatch(value.strip()):
        seconds = float(value)
    else:
        moment = _http_date(value)
        if moment is None:
            return None
        sent = _http_date(date) if date else None
        seconds = moment - (now if sent is None else sent)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _storage(row: object) -> Storage | None:
    name, slug = _text(_field(row, "name")), _text(_field(row, "slug"))
    if not (name or slug):
        return None
    return Storage(
        name=name or slug or "",
        slug=slug or name or "",
        mode=Mode.READ_ONLY if _field(row, "readonly") is True else Mode.READ_WRITE,
        provider=_text(_field(row, "provider")) or "",
        bucket=_text(_field(row, "bucket")) or "",
        prefix=(_text(_field(row, "prefix")) or "").strip("/"),
    )


def _held_item(row: object) -> HeldItem | None:
    name = _text(_field(row, "name"))
    if not name:
        return None
    return HeldItem(
        path=_text(_field(row, "path")) or "/",
        name=name,
        external=_external(_field(row, "slots")),
        inserted_at=_moment(_text(_field(row, "inserted_at"))),
        id=_text(_field(row, "id")) or "",
        archived=_field(row, "archived") is True or _field(row, "status") == "archived",
        processing=_text(_field(row, "processing_status")) or "",
        trouble=_trouble(_field(row, "uploads")),
    )


def _trouble(uploads: object) -> str:
    """The first processing error that Darwin tells of an item's files."""
    for upload in uploads if isinstance(uploads, list) else []:
        error = _field(upload, "processing_error")
        told = _text(error) or _text(_field(error, "message")) or _text(_field(error, "raw_error"))
        if told:
            return told
    return ""


def _external(slots: object) -> bool | None:
    flags = [_field(slot, "is_external") for slot in slots] if isinstance(slots, list) else []
    known = [flag for flag in flags if isinstance(flag, bool)]
    return any(known) if known else None


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _http_date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None  # the parser of the standard library raises all of these for odd texts


def _field(row: object, name: str) -> object:
    return row.get(name) if isinstance(row, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

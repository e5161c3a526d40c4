"""The read endpoints: items, datasets, storages, the key's team (darwin-api.md section 6). No storage keys in them, but for
the one that an error in an item's processing tells.
"""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlencode

from worker.demo.twin.replies import Reply, error, json_reply
from worker.demo.twin.state import Dataset, HeldItem, Processing, SentFile, Team, iso, normalised

Query = Sequence[tuple[str, str]]

_LONGEST_QUERY = 8000
_LARGEST_PAGE = 500


def token_info(team: Team) -> Reply:
    return json_reply({"id": 1, "selected_team": {"id": 1, "slug": team.slug, "name": team.slug}})


def datasets(team: Team) -> Reply:
    return json_reply(
        [
            {
                "id": dataset.id,
                "name": dataset.slug,
                "slug": dataset.slug,
                "team_slug": team.slug,
                "archived": False,
                "num_items": len(dataset.held()),
                "progress": 0.0,
                "version": 2,
            }
            for dataset in team.datasets.values()
            if not dataset.removed
        ]
    )


def storages(team: Team) -> Reply:
    return json_reply(
        [
            {
                "name": storage.name,
                "slug": storage.known_as,
                "bucket": storage.bucket,
                "prefix": storage.prefix,
                "readonly": storage.readonly,
                "provider": storage.provider,
                "region": storage.region,
                "default": place == 0,
            }
            for place, storage in enumerate(team.storages)
        ]
    )


def items(team: Team, query: Query, *, processing: bool) -> Reply:
    """One page of the items that match every filter; within a filter, any of its values."""
    if len(urlencode(query)) > _LONGEST_QUERY:
        return error(414, "URI_TOO_LONG", f"the query is longer than {_LONGEST_QUERY} characters")
    asked: dict[str, list[str]] = {}
    for name, value in query:
        asked.setdefault(name, []).append(value)
    size = asked.get("page[size]", [str(_LARGEST_PAGE)])[-1]
    if not size.isdecimal() or not 1 <= int(size) <= _LARGEST_PAGE:
        return error(422, "INVALID_REQUEST", f"page[size] must be a number from 1 to {_LARGEST_PAGE}")
    found = [
        (dataset, item)
        for dataset in team.datasets.values()
        if not dataset.removed
        for item in dataset.held()
        if _matches(dataset, item, asked, processing=processing)
    ]
    found.sort(key=lambda pair: pair[1].id)
    after = asked.get("page[from]", [""])[-1]
    offset = asked.get("page[offset]", ["0"])[-1]
    rest = [pair for pair in found if pair[1].id > after][int(offset) if offset.isdecimal() else 0 :]
    page = rest[: int(size)]
    following = page[-1][1].id if len(rest) > len(page) else None
    return json_reply(
        {
            "items": [_item(dataset, item, processing=processing) for dataset, item in page],
            "page": {"count": len(page), "next": following, "previous": None},
        }
    )


def _matches(dataset: Dataset, item: HeldItem, asked: dict[str, list[str]], *, processing: bool) -> bool:
    paths = asked.get("item_paths[]")
    return (
        str(dataset.id) in asked.get("dataset_ids[]", [str(dataset.id)])
        and item.id in asked.get("item_ids[]", [item.id])
        and item.name in asked.get("item_names[]", [item.name])
        and (paths is None or item.path in map(normalised, paths))
        and (status := _status(item, processing=processing)) in asked.get("statuses[]", [status])
    )


def _status(item: HeldItem, *, processing: bool) -> str:
    if item.archived:
        return "archived"
    progress = _progress(item, processing=processing)
    return "new" if progress == "complete" else progress


def _progress(item: HeldItem, *, processing: bool) -> Processing:
    return "processing" if processing and item.processing == "complete" else item.processing


def _item(dataset: Dataset, item: HeldItem, *, processing: bool) -> dict[str, object]:
    progress = _progress(item, processing=processing)
    shown: dict[str, object] = {
        "id": item.id,
        "name": item.name,
        "path": item.path,
        "status": _status(item, processing=processing),
        "processing_status": progress,
        "workflow_status": "new",
        "archived": item.archived,
        "dataset_id": dataset.id,
        "priority": 0,
        "tags": [],
        "cursor": item.id,
        "slot_types": sorted({file.type for file in item.files}),
        "inserted_at": iso(item.inserted_at),
        "updated_at": iso(item.inserted_at),
    }
    if progress != "complete":
        return shown | {"slots": [], "uploads": [_upload(file, progress, item.error) for file in item.files]}
    slots = list(dict.fromkeys(file.slot_name for file in item.files))
    layout = {"version": 1, "type": "simple" if len(slots) == 1 else "grid", "slots": slots}
    return shown | {"layout": layout, "slots": _slots(item)}


def _slots(item: HeldItem) -> list[dict[str, object]]:
    """One per slot name, whatever the number of files in it."""
    sections = Counter(file.slot_name for file in item.files)
    first = {file.slot_name: file for file in reversed(item.files)}
    return [
        {
            "id": f"{item.id}-{name}",
            "slot_name": name,
            "file_name": first[name].file_name,
            "type": first[name].type,
            "size_bytes": None,
            "is_external": item.external,
            "streamable": False,
            "total_sections": count,
            "upload_id": None,
            "metadata": {},
        }
        for name, count in sections.items()
    ]


def _upload(file: SentFile, progress: Processing, error: str) -> dict[str, object]:
    shown: dict[str, object] = {
        "slot_name": file.slot_name,
        "file_name": file.file_name,
        "type": file.type,
        "upload_id": None,
        "fps": None,
        "as_frames": file.as_frames,
        "processing_status": progress,
    }
    if progress != "error":
        return shown
    told = {"message": error, "type": None, "http_status_code": None, "stage": None, "raw_error": None}
    return shown | {"processing_error": told | {"storage_key": file.storage_key}}

"""``python -m tests.reconcile.stub``: S3's listings and Darwin's item list on one loopback port, as fast as Python answers, of
any number of objects that differ in exactly 37 places.
"""

import argparse
import asyncio
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from tests.fakes.wire import Connection, Request, serve

TEAM, STORAGE, BUCKET = "acme", "prod", "media"
DATASETS = {"intake": 1, "rig": 2}
PLANTED = Counter(missing=11, incomplete=2, collision=3, failed=5, stuck=4, foreign=2, archived=3, stray=7)
ROUTES = f"""
routes:
  - name: rig
    prefix: rig/
    dataset: rig
    storage: {STORAGE}
    path: /
    slot: "{{stem}}"
    group: {{complete: {{slots: [back, front]}}}}
  - {{name: flat, prefix: flat/, dataset: intake, storage: {STORAGE}, path: /flat}}
  - {{name: line, prefix: in/, dataset: intake, storage: {STORAGE}}}
"""
OLD = "2024-02-01T09:00:00.000Z"
LARGEST_PAGE = 500


class Item(NamedTuple):
    path: str
    name: str
    processing: str = "complete"
    external: bool = True
    archived: bool = False
    inserted_at: str = OLD


class Bucket(NamedTuple):
    key: str
    modified: str = OLD


LACKING, YOUNG = None, ...
CHANGED: list[Any] = [
    *[LACKING] * 10,
    *[{"processing": "error"}] * 5,
    *[{"processing": "processing"}] * 4,
    *[{"archived": True}] * 3,
    *[{"external": False}] * 2,
    *[YOUNG] * 3,
]
"""What is different of some items below ``in/``: not there, of another state, or not there because the object is young."""


def planted(objects: int) -> tuple[list[Bucket], dict[str, list[Item]]]:
    """The bucket in the order of its keys, and the items of each dataset. Of the *objects* below ``in/`` some are changed,
    far apart from each other.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    step = objects // 40
    changed = {step * (place + 1): change for place, change in enumerate(CHANGED)}
    bucket, intake = list[Bucket](), list[Item]()
    for number in range(objects):
        folder, name = f"{number // 1_000:05d}", f"{number:08d} é+%.png"
        change = changed.get(number, {})
        bucket.append(Bucket(f"in/{folder}/{name}", now if change is YOUNG else OLD))
        if isinstance(change, dict):
            intake.append(Item(f"/{folder}", name)._replace(**change))
    flat, in_flat = _flat()
    parts, rig = _rig()
    beside = [
        *(Item("/gone", f"{number}.png") for number in range(7)),
        Item("/gone", "by-hand.png", external=False),
        Item("/gone", "old.png", archived=True),
        Item("/gone", "new.png", inserted_at=now),
    ]
    bucket += [*flat, *parts, Bucket("elsewhere/no-route.png")]
    return sorted(bucket), {"intake": [*intake, *in_flat, *beside], "rig": rig}


def _flat() -> tuple[list[Bucket], list[Item]]:
    """Two objects of each name, which make one item."""
    bucket = [Bucket(f"flat/{line}/{number}.png") for line in ("a", "b") for number in range(3)]
    return bucket, [Item("/flat", f"{number}.png") for number in range(3)]


def _rig() -> tuple[list[Bucket], list[Item]]:
    """Two groups that are not complete, one that is and has no item, and some that have theirs."""
    bucket = [Bucket(f"rig/scene_{number}/front.png") for number in range(20)]
    bucket += [Bucket(f"rig/scene_{number}/back.png") for number in range(2, 20)]
    return bucket, [Item("/", f"scene_{number}") for number in range(3, 20)]


class Stub:
    def __init__(self, objects: int) -> None:
        self._bucket, items = planted(objects)
        self._keys = [each.key for each in self._bucket]
        self._items = {DATASETS[dataset]: held for dataset, held in items.items()}
        self.general = 0

    def listing(self, query: dict[str, list[str]]) -> str:
        """S3's answer to ListObjectsV2, keys in the encoding that botocore asks for."""
        prefix, limit = query.get("prefix", [""])[0], int(query.get("max-keys", ["1000"])[0])
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after) if after else 0)
        found = self._bucket[first : first + limit + 1]
        page = [each for each in found[:limit] if each.key.startswith(prefix)]
        more = len(found) > limit and len(page) == limit and found[limit].key.startswith(prefix)
        contents = "".join(
            f"<Contents><Key>{quote(each.key)}</Key><LastModified>{each.modified}</LastModified>"
            "<ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag><Size>5</Size></Contents>"
            for each in page
        )
        token = f"<NextContinuationToken>{quote(page[-1].key)}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><EncodingType>url</EncodingType><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>"
        )

    def page(self, query: dict[str, list[str]]) -> Any:
        items, start = self._items[int(query["dataset_ids[]"][0])], int(query.get("page[from]", ["0"])[0])
        size = min(LARGEST_PAGE, int(query["page[size]"][0]))
        end = start + size
        shown = [_shown(number, item) for number, item in enumerate(items[start:end], start)]
        following = str(end) if end < len(items) else None
        return {"items": shown, "page": {"count": len(shown), "next": following, "previous": None}}

    def ask(self, path: str, query: dict[str, list[str]]) -> Any:
        """Darwin's answer to a GET; None for a page that is not there."""
        self.general += 1
        if path.endswith("/datasets"):
            return [{"id": number, "slug": slug} for slug, number in DATASETS.items()]
        if path.endswith("/storage"):
            storage = {"name": STORAGE, "slug": STORAGE, "provider": "aws", "bucket": BUCKET}
            return [storage | {"prefix": "darwin", "readonly": False}]
        return self.page(query) if path.endswith("/items") else None


def _shown(number: int, item: Item) -> dict[str, Any]:
    done = item.processing == "complete"
    slots = [{"slot_name": "0", "file_name": item.name, "is_external": item.external}]
    upload = {"slot_name": "0", "processing_status": item.processing}
    error = {"processing_error": {"message": "The file is no picture"}} if item.processing == "error" else {}
    return {
        "id": f"{number:032x}",
        "name": item.name,
        "path": item.path,
        "archived": item.archived,
        "status": "new",
        "processing_status": item.processing,
        "inserted_at": item.inserted_at,
        "slots": slots if done else [],
        **({} if done else {"uploads": [upload | error]}),
    }


class Client(Connection):
    def __init__(self, stub: Stub) -> None:
        super().__init__()
        self._stub = stub

    def received(self, request: Request) -> None:
        parts = urlsplit(request.target)
        query = parse_qs(parts.query, keep_blank_values=True)
        if parts.path == "/_reconcile/asked":
            self.answer(200, {"general": self._stub.general})
        elif "list-type" in query:
            self.answer(200, self._stub.listing(query))
        else:
            answer = self._stub.ask(parts.path, query)
            self.answer(404 if answer is None else 200, answer)


async def _serve(objects: int) -> None:
    server = await serve(Client, Stub(objects))
    sys.stdout.write(f"stub listening on {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().objects))

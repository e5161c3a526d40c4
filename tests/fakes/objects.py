"""Buckets in memory, on the event loop's clock, so they live on virtual time."""

import asyncio
import builtins
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from worker.core.errors import OutsideError, Refused
from worker.core.objects import Head, Listed

T = TypeVar("T")

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Stored:
    head: Head
    tags: Mapping[str, str]
    content: bytes


class FakeObjects:
    """Implements the Objects port. A call takes *seconds* and answers what there was when it began, so that an answer
    may be stale; or it raises what *failing* holds when it ends. *calls* counts the calls by the port's names.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.seconds = 0.05
        self.failing: OutsideError | None = None
        self._stored: dict[tuple[str, str], _Stored] = {}

    # --- the port

    async def list(self, bucket: str, prefix: str, limit: int) -> builtins.list[Listed]:
        found = [
            Listed(key, stored.head.etag, stored.head.size)
            for (holder, key), stored in self._stored.items()
            if holder == bucket and key.startswith(prefix)
        ]
        found.sort(key=lambda listed: listed.key.encode())
        return await self._answered("list", found[: limit + 1])

    async def head(self, bucket: str, key: str) -> Head | None:
        stored = self._stored.get((bucket, key))
        return await self._answered("head", stored.head if stored else None)

    async def tags(self, bucket: str, key: str) -> Mapping[str, str] | None:
        stored = self._stored.get((bucket, key))
        return await self._answered("tags", stored.tags if stored else None)

    async def read(self, bucket: str, key: str, length: int) -> bytes | None:
        assert length >= 1
        stored = self._stored.get((bucket, key))
        content = await self._answered("read", stored.content[:length] if stored else None)
        if stored and stored.head.archived:
            raise Refused(f"S3 GetObject on s3://{bucket}/{key}: InvalidObjectState")
        return content

    # --- what tests do

    def put(
        self,
        key: str,
        content: bytes = b"x",
        *,
        bucket: str = "media",
        etag: str | None = None,
        metadata: Mapping[str, str] = NOTHING,
        tags: Mapping[str, str] = NOTHING,
        storage_class: str = "STANDARD",
        version: str | None = None,
        modified: float | None = None,
    ) -> None:
        """Write the object, over the one that is there; *etag* is the content's MD5 where it is not given."""
        head = Head(
            etag=etag or hashlib.md5(content, usedforsecurity=False).hexdigest(),
            size=len(content),
            version=version,
            storage_class=storage_class,
            restored=False,
            metadata={name.lower(): value for name, value in metadata.items()},
            modified=modified,
        )
        self._stored[bucket, key] = _Stored(head, dict(tags), content)

    def delete(self, key: str, *, bucket: str = "media") -> None:
        """Delete the object; nothing happens where there is none, as in S3."""
        self._stored.pop((bucket, key), None)

    # --- the workings

    async def _answered(self, call: str, answer: T) -> T:
        self.calls[call] += 1
        await asyncio.sleep(self.seconds)
        if self.failing:
            raise self.failing
        return answer

"""The archive in memory."""

import gzip
import json
from typing import Any

from tests.fakes.faults import Faults


class FakeArchive:
    """Implements the Archive port. *stored*: the contents by name, in the order in which they came."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.stored: dict[str, bytes] = {}

    async def put(self, name: str, content: bytes) -> None:
        async with self.faults.around("put"):
            self.stored[name] = content

    def receipts(self) -> list[dict[str, Any]]:
        """All lines, in their order."""
        return [
            json.loads(line)
            for content in self.stored.values()
            for line in gzip.decompress(content).splitlines()
        ]

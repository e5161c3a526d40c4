"""The identities that this process has open: two records of one item never travel side by side."""

from collections import deque

from worker.core.backlog import OpenItem
from worker.core.model import Identity


class Identities:
    """Lets one item of each identity through; the others wait, in order of arrival, until it has left."""

    def __init__(self) -> None:
        self._open: dict[Identity, OpenItem] = {}
        self._waiting: dict[Identity, deque[OpenItem]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, item: OpenItem) -> bool:
        """True when the item may go on; otherwise it waits here, and :meth:`leave` hands it out."""
        holder = self._open.setdefault(item.identity, item)
        if holder is not item:
            self._waiting.setdefault(item.identity, deque()).append(item)
        return holder is item

    def leave(self, item: OpenItem) -> OpenItem | None:
        """The item is done with; the next one of its identity, which has been admitted."""
        identity = item.identity
        if self._open.get(identity) is not item:
            return None
        del self._open[identity]
        waiting = self._waiting.get(identity)
        if waiting is None:
            return None
        following = waiting.popleft()
        if not waiting:
            del self._waiting[identity]
        self._open[identity] = following
        return following

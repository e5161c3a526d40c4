"""The journal: one line of JSON per registration that got past key and limits, in the order in which they ended.

Who tests a fleet reads in it what no counter can tell: which process sent what, and which answers nobody heard.
"""

import json
from collections.abc import Sequence
from typing import TextIO

from worker.demo.twin.counters import Print
from worker.demo.twin.replies import Entry


def entry(by: str, items: Sequence[Sequence[Print]], at: float) -> Entry:
    """What is known of a registration when it arrives, at *at* in Unix seconds: *by* whom, and the path, the name and the
    storage key of each item (of its first file).
    """
    firsts = [item[0] for item in items if item]
    return {"at": at, "by": by, "items": [(file.path, file.name, file.storage_key) for file in firsts]}


class Journal:
    """Writes to *file*, if there is one."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def ended(self, entry: Entry, answer: str, now: float) -> None:
        """*answer*: the status, ``dropped`` where the connection was closed without one, ``cut`` where the client had gone
        before there was one.
        """
        if self._file is not None:
            print(json.dumps({**entry, "answer": answer, "ended": now}), file=self._file, flush=True)

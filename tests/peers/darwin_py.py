"""darwin-py, V7's own client, pointed at the twin: what it sends for a call, and what it tells of the answer.

It pins another rich than we do, so it lives in an environment of its own and runs as a process of its own. Importing
it takes a second: one process carries out all the calls that it is given.
"""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.system import proxy
from tests.system.processes import DATASET, KEY, STORAGE, running_twin

ROOT = Path(__file__).parent.parent.parent
PEERS = ROOT / ".venv-peers"
SCRIPT = Path(__file__).with_name("register_with_darwin_py.py")

READ_ONLY = "archive"
"""The name of the storage that is not to be written to; that of the usual one is STORAGE."""

NAMED = "Night Shift"
"""The name of a storage whose slug is another word: ``night-shift``."""

SECONDS = 60.0
"""For all calls together; two are usual."""

Json = Any  # What a body holds is compared, not typed.


@dataclass(frozen=True)
class Call:
    """A *method* of a dataset, its *arguments* beside the storage, and that storage by name.

    *extracted*: for ``register_locally_processed``, what would be found of the video (see the script); there is no
    ffmpeg here.
    """

    arguments: Mapping[str, object]
    storage: str = STORAGE
    method: str = "register"
    extracted: Json = None


@dataclass(frozen=True)
class Done:
    """What came of a call: the registrations that it sent, in order, each with the last word of its address and its
    body; and what the method returned, or the refusal that it raised.
    """

    sent: Sequence[tuple[str, Json]]
    told: Json


@dataclass
class _Record:
    """The registrations that passed the proxy, by who asked."""

    sent: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)

    def note(self, call: proxy.Call) -> None:
        if found := re.fullmatch(r"POST /as/(\d+)/api/.*/(register_\w+)", call.name):
            self.sent.setdefault(found[1], []).append((found[2], json.loads(call.body)))


def carried_out(calls: Mapping[str, Call]) -> dict[str, Done]:
    """What came of each call, on a twin of their own with dataset DATASET and the storages. Raises AssertionError where
    darwin-py is not installed or fails by itself, and TimeoutExpired.
    """
    assert (PEERS / "ready").exists(), "darwin-py is not installed: run `make .venv-peers/ready`"
    record = _Record()
    with (
        running_twin(
            "acme-media", f"{READ_ONLY}:acme-archive:thumbs:ro", f"{NAMED}:acme-night:thumbs"
        ) as twin,
        proxy.running_proxy(twin.url) as between,
    ):
        between.instead = record.note
        # The twin lets everybody say who asks: so a request tells its call, by its place.
        asked = [
            {**asdict(call), "base_url": f"{between.url}/as/{place}", "dataset": DATASET}
            for place, call in enumerate(calls.values())
        ]
        told = _run({"key": KEY, "calls": asked})
    return {
        name: Done(record.sent.get(str(place), []), one)
        for place, (name, one) in enumerate(zip(calls, told, strict=True))
    }


def _run(document: object) -> list[Json]:
    """What the script answers to *document*."""
    # Nothing of the caller's own environment, and a 429 or 5xx is not asked again a minute later.
    environment = {"HOME": str(PEERS), "DARWIN_RETRY_MAX_ATTEMPTS": "1"}
    ended = subprocess.run(  # noqa: S603 - our own program, no shell
        [PEERS / "bin" / "python", SCRIPT],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, f"the script ended with code {ended.returncode}:\n{ended.stderr}"
    answers: list[Json] = json.loads(ended.stdout)
    return answers

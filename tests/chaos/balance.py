"""The books of a storm, from outside: the load, what Darwin holds, the dead letters, the twin's journal, and when which
worker was away.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from tests.chaos.fleet import Absence
from tests.chaos.load import Load
from tests.system.outside import Letter

OK = "200"
BAD_LEVELS = ("error", "critical")


@dataclass(frozen=True, slots=True)
class Request:
    """One registration by the journal. *answer*: a status, ``dropped`` or ``cut``. *at* in Unix seconds."""

    at: float
    by: str
    keys: Sequence[str]
    answer: str


def requests_of(journal: Path) -> list[Request]:
    """In the order in which they came."""
    with journal.open() as lines:
        read = [json.loads(line) for line in lines]
    requests = [
        Request(line["at"], line["by"], [key for _, _, key in line["items"]], line["answer"]) for line in read
    ]
    return sorted(requests, key=lambda request: request.at)


def settled_in(folder: Path) -> Mapping[str, Mapping[str, float]]:
    """When each worker first settled each key, by its own log, in Unix seconds."""
    settled = defaultdict[str, dict[str, float]](dict)
    for log in folder.glob("worker-*/stdout"):
        name = log.parent.name.removeprefix("worker-")
        for line in map(_read, log.read_text(errors="replace").splitlines()):
            for record in line.get("records", []):
                if "key" in record:
                    at = datetime.fromisoformat(line["timestamp"]).timestamp()
                    settled[name].setdefault(record["key"], at)
    return settled


@dataclass(frozen=True, slots=True)
class Resent:
    """*items* were sent again, and *spoilt* ones were in requests that were dropped, failed or cut: each may be sent
    once more. *needless*: keys that were sent again although nothing was wrong with their last request. Good keys only,
    for what Darwin blocks is sent again for each notification of it.

    To cut a request is also to kill or freeze who asked, before it settled what it heard.
    """

    items: int
    spoilt: int
    needless: tuple[str, ...]


def resent(
    requests: Iterable[Request],
    good: frozenset[str],
    absences: Iterable[Absence],
    settled: Mapping[str, Mapping[str, float]],
) -> Resent:
    """*settled*: by each worker, as in :func:`settled_in`."""
    away = defaultdict[str, list[Absence]](list)
    for absence in absences:
        away[absence.name].append(absence)

    def spoils(request: Request, key: str) -> bool:
        settled_at = settled.get(request.by, {}).get(key, float("inf"))
        return request.answer != OK or any(
            request.at <= absence.until and absence.since < settled_at for absence in away[request.by]
        )

    last: dict[str, Request] = {}
    items = spoilt = 0
    needless: list[str] = []
    for request in requests:
        for key in sorted(good.intersection(request.keys)):
            before = last.get(key)
            items += before is not None
            spoilt += spoils(request, key)
            if before is not None and not spoils(before, key):
                needless.append(key)
            last[key] = request
    return Resent(items, spoilt, tuple(needless))


def wrong_items(load: Load, items: Iterable[str]) -> list[str]:
    """*items*: the storage key of each item that Darwin holds."""
    held = Counter(items)
    return [
        *_told("was lost: neither an item nor planned to be a dead letter", load.good.difference(held)),
        *_told("is an item and should not be", set(held).difference(load.good)),
        *_told("is an item twice", (key for key, count in held.items() if count > 1)),
    ]


def wrong_letters(load: Load, letters: Iterable[Letter]) -> list[str]:
    """Dead letters may be there twice after a crash; they are folded by object and reason."""
    reasons = reasons_of(letters)
    bodies = {body for body, said in reasons.items() if "unreadable_body" in said}
    keys = {key: said for key, said in reasons.items() if key not in bodies}
    return [
        *_told("is not among the dead letters", set(load.dead).difference(keys)),
        *_told("is a dead letter and should not be", set(keys).difference(load.dead)),
        *(
            f"{key!r} is a dead letter for {sorted(said)} in place of {load.dead[key]}"
            for key, said in keys.items()
            if key in load.dead and said != {load.dead[key]}
        ),
        *_told("is not among the unreadable", load.unreadable.difference(bodies)),
        *_told("was called unreadable", bodies.difference(load.unreadable)),
    ]


def reasons_of(letters: Iterable[Letter]) -> Mapping[str, set[str]]:
    """Why each object is dead, by its key, or by the whole body where that is unreadable."""
    reasons = defaultdict[str, set[str]](set)
    for letter in letters:
        reason = letter.said("reason")
        reasons[letter.body if reason == "unreadable_body" else _key_of(letter)].add(reason)
    return reasons


def _key_of(letter: Letter) -> str:
    try:
        (record,) = json.loads(letter.body)["Records"]
        return unquote_plus(record["s3"]["object"]["key"])
    except (ValueError, KeyError):
        return letter.body


def _told(what: str, keys: Iterable[str]) -> list[str]:
    return [f"{key!r} {what}" for key in sorted(keys)]


def wrong_words(folder: Path, secrets: Iterable[str]) -> list[str]:
    """What a worker says that none should, and secrets anywhere. A worker that gave up at its start said so on stderr."""
    found = []
    for log in sorted(folder.glob("worker-*/std*")):
        text = log.read_text(errors="replace")
        found += [f"{log} holds a secret" for secret in secrets if secret in text]
        found += [f"{log} holds a traceback" for _ in text.split("Traceback")[1:]]
        found += [f"{log}: {line}" for line in text.splitlines() if _read(line).get("level") in BAD_LEVELS]
    return found


def story(folder: Path, key: str) -> list[str]:
    """All that the workers' logs and the journal in *folder* say of one key, in order of time."""
    written = json.dumps(key)
    lines = list[tuple[str, str]]()
    messages = set[str]()
    logs = [
        (log.parent.name, log.read_text(errors="replace").splitlines()) for log in folder.glob("*/stdout")
    ]
    for _, said in logs:
        messages |= {_read(line).get("message", "") for line in said if written in line}
    messages.discard("")
    for name, said in logs:
        for line in said:
            if written in line or any(message in line for message in messages):
                lines.append((_read(line).get("timestamp", ""), f"{name}: {_about(_read(line), key)}"))
    for raw in (folder / "journal").read_text().splitlines():
        if written in raw:
            request = json.loads(raw)
            for when, what in (("at", "asks"), ("ended", f"gets {request['answer']}")):
                said_by = f"darwin: {request['by']} {what}, {len(request['items'])} items"
                lines.append((_iso(request[when]), said_by))
    return [f"{at} {text}" for at, text in sorted(lines)]


def _read(line: str) -> Mapping[str, Any]:
    """Empty for what is no JSON object: a worker that is killed may leave half a line."""
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _about(line: Mapping[str, Any], key: str) -> str:
    """The line without its other records."""
    told = {name: value for name, value in line.items() if name not in ("timestamp", "level", "records")}
    records = [record for record in line.get("records", []) if record.get("key") == key]
    return json.dumps(told | ({"records": records} if records else {}))


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")

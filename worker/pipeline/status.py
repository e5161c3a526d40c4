"""How the flow does, as JSON for people and machines: docs/page.md describes it. Built only when somebody looks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from worker.core.backlog import LaneBacklog, PauseKind, TeamPauseKind
from worker.core.conditions import Condition, Name, ready, state
from worker.core.model import Lane, Record
from worker.core.settlement import Book, OpenMessage
from worker.pipeline.accounts import Account
from worker.pipeline.context import Context
from worker.pipeline.recent import STEP, Letters, Recent, Sample, Sent, waiting_since

Json = Mapping[str, object]

MOST_LANES = 100
"""Those that hold the most are told; a dataset for each object may make thousands."""

_PAUSES = {
    PauseKind.MISSING: "missing",
    PauseKind.REFUSED: "refused",
    PauseKind.FAILING: "failing",
    TeamPauseKind.DOWN: "darwin_down",
    TeamPauseKind.KEY_REFUSED: "key_refused",
    TeamPauseKind.PLAN_FULL: "plan_full",
}


def status_of(context: Context, book: Book, accounts: Iterable[Account]) -> dict[str, object]:
    """All that the process knows of itself; seconds are rounded, times are ISO 8601 in UTC."""
    now, conditions, recent = context.now(), context.situation.conditions.now(), context.recent
    lanes = _lanes(accounts)
    return {
        "state": state(conditions, book.open_records).value,
        "ready": ready(conditions),
        "now": moment(now),
        "conditions": [condition.as_json() for condition in conditions],
        "records": {
            "received": book.received,
            "open": book.open_records,
            "returned": book.returned,
            "most_open": context.open_records,
            "outcomes": {kind.value: count for kind, count in book.outcomes.items()},
        },
        "oldest": _oldest(book.oldest(), now),
        "last_registered": _last_registered(recent),
        "last_error": _last_error(recent.last_failure, context.situation.last),
        "lanes": lanes[:MOST_LANES],
        "lanes_not_told": len(lanes[MOST_LANES:]),
        "dead_letters_since_start": [
            _letters(reason.value, letters)
            for reason, letters in sorted(
                recent.letters.items(), key=lambda known: (-known[1].count, known[0])
            )
        ],
        "batches": [_batch(sent) for sent in reversed(recent.batches)],
        "history": _history(recent.samples),
    }


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place(bucket: str, key: str) -> str | None:
    """An object as people write it; None where it is not known."""
    return f"s3://{bucket}/{key}" if bucket else None


def _oldest(opened: OpenMessage | None, now: float) -> Json | None:
    if opened is None:
        return None
    objects = [
        place(told.object.bucket, told.object.key) for told in opened.records if isinstance(told, Record)
    ]
    return {
        "seconds": round(max(0.0, now - waiting_since(opened)), 1),
        "object": objects[0] if objects else None,
        "receive_count": opened.message.receive_count,
    }


def _last_registered(recent: Recent) -> Json | None:
    if recent.last is None:
        return None
    at, item = recent.last
    return {
        "at": moment(at),
        "team": item.lane.team,
        "dataset": item.lane.dataset,
        "path": item.path,
        "name": item.name,
        "object": place(item.object.bucket, item.object.key),
    }


def _last_error(failed: Sent | None, raised: Condition | None) -> Json | None:
    """The later one of the last request that Darwin did not take and the last condition."""
    if raised is not None and raised.name is Name.STOPPING:
        raised = None
    if failed is not None and (raised is None or failed.at > raised.since):
        status = "no answer" if failed.status is None else f"status {failed.status}"
        what = f"request of {failed.items} items to {failed.lane}"
        return {"at": moment(failed.at), "what": what, "why": f"{status}: {failed.said}".rstrip(": ")}
    if raised is not None:
        return {
            "at": moment(raised.since),
            "what": f"{raised.name.value}: {raised.subject}",
            "why": raised.why,
        }
    return None


def _lanes(accounts: Iterable[Account]) -> list[Json]:
    """What holds the most comes first."""
    now = asyncio.get_running_loop().time()
    found = [
        (backlog.held, _lane(account, lane, backlog, now))
        for account in accounts
        for lane, backlog in account.lanes.lanes.items()
    ]
    return [told for _, told in sorted(found, key=lambda lane: -lane[0])]


def _lane(account: Account, lane: Lane, backlog: LaneBacklog, now: float) -> Json:
    under_way = sum(len(batch.items) for batch in backlog.under_way)
    pause = account.lanes.pause or backlog.pause
    return {
        "team": lane.team,
        "dataset": lane.dataset,
        "storage": lane.storage,
        "options": dict(lane.options),
        "waiting": max(0, backlog.held - under_way),
        "under_way": under_way,
        "batch_items": backlog.size,
        "paused": None
        if pause is None
        else {"kind": _PAUSES[pause.kind], "why": pause.why, "seconds": round(now - pause.since, 1)},
    }


def _letters(reason: str, letters: Letters) -> Json:
    return {
        "reason": reason,
        "outcome": letters.outcome.value,
        "count": letters.count,
        "examples": [
            {
                "at": moment(example.at),
                "object": place(example.bucket, example.key),
                "dataset": example.dataset,
                "detail": example.detail,
            }
            for example in reversed(letters.examples)
        ],
    }


def _batch(sent: Sent) -> Json:
    return {
        "at": moment(sent.at),
        "team": sent.lane.team,
        "dataset": sent.lane.dataset,
        "storage": sent.lane.storage,
        "items": sent.items,
        "status": sent.status,
        "seconds": sent.seconds,
        "said": "" if sent.taken else sent.said,
    }


def _history(samples: Sequence[Sample]) -> Json:
    """What came in each step, oldest first; *age* is that of its end, 0 while nothing was open."""
    steps = list(pairwise(samples))
    return {
        "step_seconds": STEP,
        "until": moment(samples[-1].at) if samples else None,
        "received": [after.received - before.received for before, after in steps],
        "registered": [after.registered - before.registered for before, after in steps],
        "blocked": [after.blocked - before.blocked for before, after in steps],
        "age": [round(after.age or 0.0, 1) for _, after in steps],
    }

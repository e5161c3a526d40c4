"""What a message owes when its records have their outcomes, and what is told of each."""

from worker.core.deadletters import dead_letter, postponed, read_history
from worker.core.events import BadRecord
from worker.core.model import Kind, Message, Record
from worker.core.queueing import Outgoing
from worker.core.settlement import OpenMessage, Settled


def letters(opened: OpenMessage) -> list[tuple[int, Outgoing]]:
    """The dead letters that a message owes, each with its record's position."""
    return [
        (
            position,
            dead_letter(
                opened.message,
                position if opened.records else None,
                settled.outcome,
                opened.received_at,
                dataset=settled.item.lane.dataset if settled.item else "",
                route=settled.item.route if settled.item else settled.outcome.route,
            ),
        )
        for position, settled in enumerate(opened.results)
        if settled is not None and settled.outcome.kind.owes_dead_letter and position not in opened.stored
    ]


def copies(opened: OpenMessage) -> list[tuple[int, Outgoing]]:
    """The postponed copies that a message owes, each with its record's position."""
    return [
        (position, postponed(opened.message, position, opened.received_at, settled.delay, settled.notes))
        for position, settled in enumerate(opened.results)
        if settled is not None and settled.outcome.kind is Kind.POSTPONED and position not in opened.stored
    ]


def age_of(message: Message, record: Record | BadRecord | None, now: float) -> float | None:
    """Seconds from S3's event to the outcome that its record has *now*; None where the event tells no time, and where the
    message was delivered before, for then the age is that of a fault.
    """
    if not isinstance(record, Record) or record.time is None or message.receive_count > 1:
        return None
    return None if read_history(message).attempts else max(0.0, now - record.time)


def line_of(record: Record | BadRecord | None, settled: Settled) -> dict[str, object]:
    """One record's line within the message's."""
    line: dict[str, object] = {"outcome": settled.outcome.kind.value, "reason": settled.outcome.reason.value}
    if isinstance(record, Record):
        line |= {"bucket": record.object.bucket, "key": record.object.key}
    if settled.item is not None:
        item = settled.item
        line |= {"route": item.route, "dataset": item.lane.dataset, "path": item.path, "name": item.name}
    elif settled.outcome.route:
        line["route"] = settled.outcome.route
    if settled.outcome.detail:
        line["detail"] = settled.outcome.detail
    return line

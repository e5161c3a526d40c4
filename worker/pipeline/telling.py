"""What metrics, the page and the log are told of a message whose verdict is carried out."""

from collections import Counter
from collections.abc import Sequence

from worker.core.model import Kind, Reason
from worker.core.owing import age_of, line_of
from worker.core.receipts import receipts_of, told
from worker.core.settlement import OpenMessage, Receipt
from worker.logs import Event, log, redact
from worker.pipeline.context import Context


def tell(context: Context, deleted: Sequence[OpenMessage]) -> None:
    """The messages are deleted: their outcomes count."""
    now, counts = context.now(), Counter[tuple[Kind, Reason, str]]()
    for closed in deleted:
        lines = list[dict[str, object]]()
        for record, settled in zip(closed.records or (None,), closed.results or (None,), strict=True):
            if settled is not None:
                kind = settled.outcome.kind
                counts[kind, settled.outcome.reason, settled.lane] += 1
                _observe(context, kind, age_of(closed.message, record, now))
                lines.append(line_of(record, settled))
                if kind.owes_dead_letter:
                    context.recent.dead_letter(record, settled, now)
        for receipt in closed.receipts:
            counts[receipt.kind, receipt.reason, receipt.lane] += 1
            _observe(context, receipt.kind, receipt.age)
            lines.append(told(receipt))
        context.metrics.receive_count.observe(closed.message.receive_count)
        log.info(
            Event.MESSAGE_SETTLED,
            message=closed.message.id,
            receive_count=closed.message.receive_count,
            records=lines,
        )
    context.metrics.deletes.inc(len(deleted))
    for (kind, reason, lane), count in counts.items():
        context.metrics.records.labels(outcome=kind.value, reason=reason.value, lane=lane).inc(count)
        if kind.owes_dead_letter:
            context.metrics.dead_letters.labels(reason=reason.value).inc(count)


def receipts(context: Context, opened: OpenMessage) -> tuple[Receipt, ...]:
    """Of a message that owes nothing but these. What is let go with them is told now."""
    now = context.now()
    for record, settled in zip(opened.records or (None,), opened.results, strict=True):
        if settled is not None and settled.outcome.kind.owes_dead_letter:
            context.recent.dead_letter(record, settled, now)
    return receipts_of(opened, now, context.token, redact)


def _observe(context: Context, kind: Kind, age: float | None) -> None:
    if age is not None:
        context.metrics.record_age.labels(outcome=kind.value).observe(age)

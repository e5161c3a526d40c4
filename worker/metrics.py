"""Every metric, declared once with its sentence.

No label comes from an unbounded set (law 9): never a key, an id or a name. The values of each label:

- outcome, reason: :class:`worker.core.model.Kind` and :class:`~worker.core.model.Reason`;
- lane: the dataset where the routes file names it literally, else the route; empty where no route applied;
- why: ``given_back`` or ``lease_lost``;
- shape: the kinds of notification that the envelope parser knows;
- call, endpoint: the adapter's own names of its calls;
- result: ``ok``, ``unavailable`` or ``refused``;
- status: the HTTP status, or ``none`` when no whole answer came;
- bucket: ``registration`` or ``general``, the two token buckets;
- condition: :class:`worker.core.conditions.Name`.

Conservation holds at every scrape: received = the sum of outcomes + the sum of returned + open.
"""

from functools import cache
from importlib.metadata import version
from platform import python_version
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

from worker.core.conditions import Name

M = TypeVar("M", Counter, Histogram)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
"""Buckets for the time that one call takes."""

AGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)
"""Buckets for the time a record has waited, up to a day."""


class Metrics:
    """All metrics of one process, in *registry*. Who observes calls the prometheus objects by name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # A creation time beside every counter and histogram would double the series, and no dashboard reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library ships it untyped

        def counter(name: str, sentence: str, *labels: str) -> Counter:
            return _remembered(Counter(name, sentence, labels, namespace="darwin_worker", registry=registry))

        def gauge(name: str, sentence: str, *labels: str) -> Gauge:
            return Gauge(name, sentence, labels, namespace="darwin_worker", registry=registry)

        def histogram(name: str, sentence: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return _remembered(
                Histogram(
                    name, sentence, labels, namespace="darwin_worker", registry=registry, buckets=buckets
                )
            )

        self.records_received = counter("records_received", "Records told of in the messages received.")
        self.records = counter(
            "records", "Records by what became of them, and why.", "outcome", "reason", "lane"
        )
        self.records_returned = counter(
            "records_returned",
            "Records without an outcome whose message was given back or whose lease was lost.",
            "why",
        )
        self.records_open = gauge("records_open", "Records received that have no outcome yet.")
        self.records_awaiting_receipt = gauge(
            "records_awaiting_receipt", "Open records that await nothing but their receipt in the archive."
        )
        self.record_age = histogram(
            "record_age_seconds",
            "Time from S3's event to the record's outcome; first deliveries only.",
            AGES,
            "outcome",
        )
        self.dead_letters = counter(
            "dead_letters", "Dead letters stored, by the reason of the record.", "reason"
        )

        self.messages = counter("messages", "Messages received, by the shape of their body.", "shape")
        self.receives = counter("receives", "Receive calls that brought at least one message.")
        self.empty_receives = counter("empty_receives", "Receive calls that brought nothing.")
        self.deletes = counter("deletes", "Messages deleted from the queue.")
        self.give_backs = counter("give_backs", "Messages given back to the queue at once.")
        self.leases_extended = counter("leases_extended", "Times that a message's lease was extended.")
        self.leases_lost = counter(
            "leases_lost", "Messages whose lease ran out or was taken before the verdict."
        )
        self.receive_count = histogram(
            "receive_count",
            "How often SQS had delivered a message when its verdict fell.",
            (1, 2, 3, 4, 5, 7, 10, 15, 20, 50, 100),
        )
        self.sqs_calls = counter("sqs_calls", "Calls to SQS, each one billed.", "call", "result")
        self.s3_calls = counter("s3_calls", "Calls to S3, each one billed.", "call", "result")
        self.receipts = counter("receipts", "Receipts stored in the archive.")

        self.batch_items = histogram(
            "batch_items",
            "Items in one registration request.",
            (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99, 100),
        )
        self.darwin_requests = counter("darwin_requests", "Requests to Darwin.", "endpoint", "status")
        self.darwin_request_seconds = histogram(
            "darwin_request_seconds", "Time of one request to Darwin, answered or not.", SECONDS, "endpoint"
        )
        self.retries = counter("retries", "Items put back into their lane for another request.")
        self.splits = counter("splits", "Batches split because Darwin refused them as a whole.")
        self.lanes_paused = gauge("lanes_paused", "Lanes from which nothing is sent for now.")
        self.tokens = gauge(
            "tokens",
            "Requests that the quota allows at this moment; of several keys, by the one that allows the fewest.",
            "bucket",
        )
        self.token_wait_seconds = histogram(
            "token_wait_seconds", "Time that a request waited for its token.", SECONDS, "bucket"
        )

        self.ledger_seconds = histogram("ledger_seconds", "Time of one call to the ledger.", SECONDS, "call")
        self.event_loop_lag_seconds = histogram(
            "event_loop_lag_seconds", "How much later than asked the event loop woke its watcher.", SECONDS
        )
        self.condition = gauge(
            "condition", "Subjects for which this condition is raised; 0: all well.", "condition"
        )
        self.build = Info(
            "build", "The release that is running.", namespace="darwin_worker", registry=registry
        )

        self.build.info({"version": version("darwin-worker"), "python": python_version()})
        for name in Name:
            # An alert on a series that appears only in trouble would never see it begin.
            self.condition.labels(condition=name)


def _remembered(metric: M) -> M:
    """Each child is looked up in the library's slow way once: labels come from bounded sets (law 9), and a record has a
    dozen of them.
    """
    metric.labels = cache(metric.labels)  # type: ignore[method-assign]
    return metric

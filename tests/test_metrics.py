"""Every metric has our prefix, a sentence, and labels from closed sets only."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from worker.metrics import Metrics

LABELS_BY_METRIC: dict[str, set[str]] = {
    "darwin_worker_records_received": set(),
    "darwin_worker_records": {"outcome", "reason", "lane"},
    "darwin_worker_records_returned": {"why"},
    "darwin_worker_records_open": set(),
    "darwin_worker_records_awaiting_receipt": set(),
    "darwin_worker_record_age_seconds": {"outcome"},
    "darwin_worker_dead_letters": {"reason"},
    "darwin_worker_messages": {"shape"},
    "darwin_worker_receives": set(),
    "darwin_worker_empty_receives": set(),
    "darwin_worker_deletes": set(),
    "darwin_worker_give_backs": set(),
    "darwin_worker_leases_extended": set(),
    "darwin_worker_leases_lost": set(),
    "darwin_worker_receive_count": set(),
    "darwin_worker_sqs_calls": {"call", "result"},
    "darwin_worker_s3_calls": {"call", "result"},
    "darwin_worker_receipts": set(),
    "darwin_worker_batch_items": set(),
    "darwin_worker_darwin_requests": {"endpoint", "status"},
    "darwin_worker_darwin_request_seconds": {"endpoint"},
    "darwin_worker_retries": set(),
    "darwin_worker_splits": set(),
    "darwin_worker_lanes_paused": set(),
    "darwin_worker_tokens": {"bucket"},
    "darwin_worker_token_wait_seconds": {"bucket"},
    "darwin_worker_ledger_seconds": {"call"},
    "darwin_worker_event_loop_lag_seconds": set(),
    "darwin_worker_condition": {"condition"},
    "darwin_worker_build": set(),
}
UNBOUNDED = {"key", "id", "name", "path", "message", "bucket_name", "object", "dataset", "team"}


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Metrics(registry)
    return registry


def declared() -> list[MetricWrapperBase]:
    return [
        value for value in vars(Metrics(CollectorRegistry())).values() if isinstance(value, MetricWrapperBase)
    ]


def labels_of(metric: MetricWrapperBase) -> tuple[str, ...]:
    return tuple(metric._labelnames)  # noqa: SLF001 - the library tells the labels nowhere else


def test_the_metrics_are_these_and_each_has_these_labels() -> None:
    """Law 9: a label not listed here is a decision to be made, not an accident."""
    labels = {next(iter(metric.describe())).name: set(labels_of(metric)) for metric in declared()}

    assert labels == LABELS_BY_METRIC


def test_no_label_comes_from_an_unbounded_set() -> None:
    """Law 9."""
    assert not UNBOUNDED & set().union(*LABELS_BY_METRIC.values())


def test_every_metric_has_a_sentence_of_its_own(registry: CollectorRegistry) -> None:
    sentences = [metric.documentation for metric in registry.collect()]

    assert all(sentence[0].isupper() and sentence.endswith((".", "well.")) for sentence in sentences)
    assert len(set(sentences)) == len(LABELS_BY_METRIC)


def test_every_condition_is_there_from_the_start(registry: CollectorRegistry) -> None:
    assert registry.get_sample_value("darwin_worker_condition", {"condition": "darwin_down"}) == 0


def test_the_age_of_a_record_is_told_from_a_tenth_of_a_second_to_a_day() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.record_age.labels(outcome="registered").observe(1)
    (family,) = metrics.record_age.collect()
    bounds = [float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")]

    assert (bounds[0], bounds[-2]) == (0.1, 86400)


def test_no_creation_times_are_served(registry: CollectorRegistry) -> None:
    assert b"_created" not in generate_latest(registry)


def test_the_release_is_told(registry: CollectorRegistry) -> None:
    (build,) = (metric for metric in registry.collect() if metric.name == "darwin_worker_build")

    assert set(build.samples[0].labels) == {"version", "python"}


def test_two_workers_in_one_process_have_metrics_of_their_own() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    Metrics(first).receives.inc()
    Metrics(second)

    assert first.get_sample_value("darwin_worker_receives_total") == 1
    assert second.get_sample_value("darwin_worker_receives_total") == 0

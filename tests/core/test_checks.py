"""What `check` makes of a queue's attributes, and of Darwin's storages and datasets."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.checks import (
    Level,
    judge_dataset,
    judge_dead_letters,
    judge_queue,
    judge_redrive,
    judge_retention,
    judge_storage,
)
from worker.core.darwin import Storage
from worker.core.model import Mode

URL = "https://sqs.eu-west-1.amazonaws.com/1/events"
SOURCE = {"QueueArn": "arn:aws:sqs:eu-west-1:1:events", "VisibilityTimeout": "120"}
DEAD = {"QueueArn": "arn:aws:sqs:eu-west-1:1:dead"}
STORAGE = Storage("Media", "media", Mode.READ_WRITE, "aws", "acme-media", "darwin")


def keeps(seconds: int) -> Mapping[str, str]:
    return {"MessageRetentionPeriod": str(seconds)}


def test_a_standard_queue_is_well() -> None:
    assert judge_queue(SOURCE, URL).level is Level.OK


@pytest.mark.parametrize(
    "attributes", [{"FifoQueue": "true"}, {"QueueArn": "arn:aws:sqs:eu-west-1:1:e.fifo"}]
)
def test_a_fifo_queue_is_wrong(attributes: Mapping[str, str]) -> None:
    finding = judge_queue(attributes, URL)

    assert finding.level is Level.WRONG
    assert "use a standard queue" in finding.text


@pytest.mark.parametrize(
    ("count", "level"), [(1, Level.NOTE), ("9", Level.NOTE), (10, Level.OK), ("1000", Level.OK)]
)
def test_ten_receives_are_wanted(count: object, level: Level) -> None:
    """AWS writes the count as a number or as text, as it was set."""
    finding = judge_redrive({"deadLetterTargetArn": DEAD["QueueArn"], "maxReceiveCount": count})

    assert finding.level is level
    assert f"maxReceiveCount is {count}" in finding.text


def test_no_redrive_policy_is_noted_with_what_it_risks() -> None:
    finding = judge_redrive({})

    assert finding.level is Level.NOTE
    assert "crashes the worker" in finding.text


def test_fourteen_days_on_both_queues_are_well() -> None:
    (finding,) = judge_retention(keeps(1_209_600), keeps(1_209_600))

    assert finding.level is Level.OK


def test_each_queue_that_keeps_messages_for_less_is_noted() -> None:
    source, dead = judge_retention(keeps(345_600), keeps(345_600))

    assert (source.level, dead.level) == (Level.NOTE, Level.NOTE)
    assert source.text.startswith("the queue keeps messages for 4 days:")
    assert dead.text.startswith("the dead-letter queue keeps messages for 4 days:")
    assert "may be gone at once" not in dead.text


def test_dead_letters_that_are_kept_for_less_than_messages_are_gone_at_once() -> None:
    """A message that SQS moves keeps the time at which it was sent."""
    _, dead = judge_retention(keeps(345_600), keeps(86_400))

    assert "for 1 day:" in dead.text
    assert "may be gone at once" in dead.text


def test_of_a_dead_letter_queue_that_does_not_answer_nothing_is_said() -> None:
    assert judge_retention(keeps(1_209_600), None) == []
    assert [finding.level for finding in judge_retention(keeps(60), None)] == [Level.NOTE]


@given(st.integers(60, 1_209_600), st.integers(60, 1_209_600))
def test_retention_is_well_only_with_fourteen_days_on_both(source: int, dead: int) -> None:
    found = judge_retention(keeps(source), keeps(dead))

    assert ([finding.level for finding in found] == [Level.OK]) == (source == dead == 1_209_600)
    assert Level.WRONG not in {finding.level for finding in found}


def test_a_dead_letter_queue_of_its_own_is_well() -> None:
    finding = judge_dead_letters(SOURCE, {"deadLetterTargetArn": DEAD["QueueArn"]}, DEAD, f"{URL}-dead")

    assert finding.level is Level.OK


def test_the_queue_cannot_be_its_own_dead_letter_queue() -> None:
    finding = judge_dead_letters(SOURCE, {}, SOURCE, URL)

    assert finding.level is Level.WRONG
    assert "is the queue itself" in finding.text


def test_a_fifo_queue_takes_no_dead_letters() -> None:
    assert judge_dead_letters(SOURCE, {}, DEAD | {"FifoQueue": "true"}, URL).level is Level.WRONG


def test_two_dead_letter_queues_are_noted() -> None:
    other = "arn:aws:sqs:eu-west-1:1:other"
    finding = judge_dead_letters(SOURCE, {"deadLetterTargetArn": other}, DEAD, f"{URL}-dead")

    assert finding.level is Level.NOTE
    assert other in finding.text


def test_a_read_write_storage_with_a_prefix_is_well() -> None:
    (finding,) = judge_storage(STORAGE)

    assert finding.level is Level.OK
    assert finding.text == "'media' is read-write, on bucket acme-media; Darwin writes below darwin/"


@pytest.mark.parametrize(
    ("storage", "level", "words"),
    [
        (replace(STORAGE, provider="azure"), Level.WRONG, "provider 'azure'"),
        (replace(STORAGE, provider="gcp"), Level.WRONG, "provider 'gcp'"),
        (replace(STORAGE, provider="minio"), Level.NOTE, "provider 'minio'"),
        (replace(STORAGE, bucket=""), Level.WRONG, "has no bucket"),
        (replace(STORAGE, bucket="acme.media"), Level.WRONG, "dots in its name"),
        (replace(STORAGE, prefix=""), Level.NOTE, "has no prefix"),
    ],
)
def test_what_is_the_matter_with_a_storage_is_told(storage: Storage, level: Level, words: str) -> None:
    (finding,) = judge_storage(storage)

    assert finding.level is level
    assert words in finding.text


def test_all_that_is_the_matter_with_a_storage_is_told_at_once() -> None:
    found = judge_storage(replace(STORAGE, provider="gcp", bucket="acme.media", prefix=""))

    assert [finding.level for finding in found] == [Level.WRONG, Level.WRONG, Level.NOTE]


def test_a_provider_that_darwin_does_not_tell_is_not_held_against_a_storage() -> None:
    assert [finding.level for finding in judge_storage(replace(STORAGE, provider=""))] == [Level.OK]


def test_a_dataset_that_is_listed_is_well() -> None:
    assert judge_dataset("intake", ["archive", "intake"]).level is Level.OK


def test_a_dataset_that_is_not_listed_is_wrong_and_the_nearest_is_named() -> None:
    finding = judge_dataset("intakes", ["archive", "intake"])

    assert finding.level is Level.WRONG
    assert "did you mean 'intake'?" in finding.text


def test_without_a_near_name_the_number_of_the_others_is_told() -> None:
    assert "none of the 1 there has a name like it." in judge_dataset("zebra", ["intake"]).text

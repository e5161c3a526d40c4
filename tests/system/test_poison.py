"""Poison goes alone (design section 3): a record that kills the process reaches the dead letters by SQS's redrive."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.system.conftest import Start
from tests.system.outside import SQS_BATCH, Cloud, until
from tests.system.processes import Twin, Worker
from tests.system.proxy import running_proxy
from tests.system.test_stop_from_outside import told_of

MESSAGES = 500
MAX_RECEIVE_COUNT = 10
"""As the account of a test has it, and as `check` wants it."""

BEFORE = 40
"""Neighbours that an emulator, which keeps an order, hands out before the poison."""

POISONED = "poison.jpg"

PARSER_THAT_DIES = dedent(
    """
    import json, os, signal

    decode = json.JSONDecoder.decode

    def decode_or_die(self, text, *args, **values):
        if "poison.jpg" in text and text.startswith('{"Records"'):
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(self, text, *args, **values)

    json.JSONDecoder.decode = decode_or_die
    """
)
"""What Python runs at its start: whoever parses the poisoned notification is gone, as by the OOM killer or a segfault."""


def take_aside(cloud: Cloud, wanted: str) -> Callable[[], None]:
    """Receive the message that tells of *wanted*, for an hour, out of a queue of few; what gives it back."""
    others: list[str] = []
    found = ""
    while not found or len(others) < BEFORE:
        received = cloud.sqs.receive_message(
            QueueUrl=cloud.queue_url, MaxNumberOfMessages=SQS_BATCH, VisibilityTimeout=3600
        )
        for message in received.get("Messages", []):
            if wanted in message["Body"]:
                found = message["ReceiptHandle"]
            else:
                others.append(message["ReceiptHandle"])

    def give_back(handle: str) -> None:
        cloud.sqs.change_message_visibility(
            QueueUrl=cloud.queue_url, ReceiptHandle=handle, VisibilityTimeout=0
        )

    for handle in others:
        give_back(handle)
    return lambda: give_back(found)


@pytest.fixture
def deadly(tmp_path: Path) -> str:
    """A folder for PYTHONPATH."""
    folder = tmp_path / "deadly"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(PARSER_THAT_DIES)
    return str(folder)


def died(worker: Worker, cloud: Cloud) -> bool:
    """Whether the poison killed it, sooner or later; otherwise the queue is empty."""
    until("it died, or is done", lambda: worker.process.poll() is not None or cloud.emptied(), seconds=60)
    return worker.process.poll() == -signal.SIGKILL


def test_of_500_open_messages_only_the_one_that_kills_the_process_ends_in_the_dead_letters(
    cloud: Cloud, twin: Twin, start: Start, deadly: str
) -> None:
    """Shown by 8. All 500 are open when the process dies first; a supervisor starts it again each time."""
    keys = [f"{number}.jpg" for number in range(MESSAGES - 1)]
    cloud.send(told_of(cloud, key) for key in [*keys[:BEFORE], POISONED])
    release = take_aside(cloud, POISONED)
    cloud.send(told_of(cloud, key) for key in keys[BEFORE:])
    slow = {"kind": "slow", "seconds": 60, "endpoint": "register"}
    twin.control("faults", slow)
    with running_proxy(cloud.endpoint) as proxy:

        def started() -> Worker:
            return start(AWS_ENDPOINT_URL=proxy.url, PYTHONPATH=deadly, WORKER_QUEUE__WAIT_SECONDS="0")

        def supervised() -> Worker:
            proxy.end_leases(cloud)
            return started()

        worker = started()
        until("all neighbours are open", lambda: worker.metrics()["darwin_worker_records_open"] == len(keys))
        release()
        assert worker.ended(10) == -signal.SIGKILL
        twin.control("faults", {}, "DELETE")
        deaths = 1
        while died(worker := supervised(), cloud):
            deaths += 1
        assert worker.stop() == 0

    assert deaths == MAX_RECEIVE_COUNT - 1, "one receive was our own"
    (letter,) = cloud.take_dead_letters(1)
    assert json.loads(letter.body)["Records"][0]["s3"]["object"]["key"] == POISONED
    assert letter.attributes == {}, "SQS moved it: nobody sent it"
    assert sorted(twin.items().values()) == sorted(keys)
    counters = twin.counters()
    assert (counters["extensions"], counters["collisions"]) == (0, 0)

"""What an operator sees on the port: alive, ready or why not, and no secret; and a key that is changed while all runs."""

import json
from pathlib import Path

from tests.system.conftest import Start
from tests.system.outside import AWS_SECRET, Cloud, until
from tests.system.processes import KEY, Twin


def test_a_worker_is_alive_and_ready_and_shows_its_metrics(cloud: Cloud, start: Start) -> None:
    cloud.notify_queue()
    cloud.upload("a.jpg")
    worker = start()
    worker.wait_until_ready()
    until("the queue is empty", cloud.emptied)
    assert worker.page("readyz") == (200, '{"ready": true, "conditions": []}')
    assert worker.page("healthz") == (200, '{"healthy": true, "silent_seconds": {}}')
    _, text = worker.page("metrics")
    for series in (
        'darwin_worker_records_total{lane="intake",outcome="registered",reason="accepted"} 1.0',
        'darwin_worker_darwin_requests_total{endpoint="register_existing",status="200"} 1.0',
        'darwin_worker_messages_total{shape="s3"} 2.0',
        "darwin_worker_records_open 0.0",
        "darwin_worker_batch_items_sum 1.0",
        'darwin_worker_record_age_seconds_count{outcome="registered"} 1.0',
        'darwin_worker_condition{condition="starting"} 0.0',
        'darwin_worker_condition{condition="key_refused"} 0.0',
    ):
        assert series in text.splitlines()
    assert 'darwin_worker_sqs_calls_total{call="ReceiveMessage",result="ok"}' in text


def test_a_refused_key_is_told_and_a_good_one_in_its_file_is_taken_up_without_a_restart(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path
) -> None:
    """Row: 401, 403. At the start nothing is received before the key is good; later, nothing is lost."""
    cloud.notify_queue()
    cloud.upload("before.jpg")
    file = tmp_path / "key"
    file.write_text("another-key-that-nobody-may-see\n")
    worker = start(DARWIN_API_KEY=None, DARWIN_API_KEY_FILE=str(file))
    until("it says that the key is refused", lambda: "key_refused" in worker.conditions())
    assert worker.page("readyz")[0] == 503
    assert worker.page("healthz")[0] == 200
    assert cloud.waiting() == (2, 0), "the object and the test event wait, untouched"

    file.write_text(f"{KEY}\n")
    worker.wait_until_ready()
    until("the object is registered", lambda: twin.items() == {("/", "before.jpg"): "before.jpg"})

    twin.change_team(key="the-next-key-that-nobody-may-see")
    cloud.upload("after.jpg")
    until("it says that the key is refused", lambda: "key_refused" in worker.conditions())
    assert ("/", "after.jpg") not in twin.items()
    file.write_text("the-next-key-that-nobody-may-see\n")
    worker.wait_until_ready()
    until("the object is registered", lambda: ("/", "after.jpg") in twin.items())
    until("the queue is empty", cloud.emptied)
    assert worker.stop() == 0
    assert "that-nobody-may-see" not in worker.output()
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)


def test_no_secret_is_ever_shown(cloud: Cloud, twin: Twin, start: Start) -> None:
    """Law 9, in trouble of every kind: that is when programs begin to talk."""
    cloud.notify_queue()
    twin.control("blocks", {"item": "^banned", "reason": "UNEXPECTED_ODDITY"})
    for fault in (
        {"kind": "html", "times": 1},
        {"kind": "status", "status": 503, "body": "json", "times": 1},
        {"kind": "drop-before-work", "times": 1},
    ):
        twin.control("faults", fault | {"endpoint": "register"})
    worker = start(WORKER_LOG__LEVEL="debug")
    cloud.upload("a.jpg", "banned.jpg", "letter.docx")
    letters = cloud.take_dead_letters(2)
    until("the queue is empty", cloud.emptied)
    twin.change_team(key_revoked=True)
    cloud.upload("b.jpg")
    until("it says that the key is refused", lambda: "key_refused" in worker.conditions())
    shown = [worker.page(page)[1] for page in ("metrics", "readyz", "healthz")]
    shown += [letter.body + json.dumps(dict(letter.attributes)) for letter in letters]
    worker.stop()
    shown.append(worker.output())
    assert "b.jpg" not in twin.items().values()
    for secret in (KEY, AWS_SECRET):
        assert not [text for text in shown if secret in text]

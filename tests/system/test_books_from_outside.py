"""The books, balanced from outside: what was uploaded is an item, a dead letter or ignored, and the metrics say the same."""

import json
from pathlib import Path
from urllib.parse import unquote_plus

from tests.system.conftest import Start
from tests.system.outside import Cloud, Letter, until
from tests.system.processes import DATASET, STORAGE, Twin, Worker

GOOD = ["plain.jpg", "deep/er/photo.PNG", "a b/c+d & 100%.mp4", "unicode/äöü 写真.pdf", "scan.nii.gz"]
REJECTED = {
    "letter.docx": "unsupported_type",
    "no-extension": "unsupported_type",
    "a\nline break.jpg": "invalid_key",
}
IGNORED = [f"darwin/plain.jpg/uploads/{n}/thumbnails/1.jpg" for n in range(3)]
UNREADABLE = ["no json at all", '{"json": "but no notification"}', "[1, 2, 3]", "<html>ü</html>"]


def key_of(letter: Letter) -> str:
    """The key of the one record that a dead letter tells of."""
    (record,) = json.loads(letter.body)["Records"]
    assert record["eventSource"] == "aws:s3"
    return unquote_plus(record["s3"]["object"]["key"])


def books(worker: Worker) -> tuple[float, float]:
    """Both sides of conservation: what was received, and where it is now."""
    sums = worker.metrics()
    gone = sums["darwin_worker_records_total"] + sums["darwin_worker_records_returned_total"]
    return sums["darwin_worker_records_received_total"], gone + sums["darwin_worker_records_open"]


def test_every_upload_is_an_item_a_dead_letter_or_ignored(cloud: Cloud, twin: Twin, start: Start) -> None:
    twin.control("blocks", {"item": "^banned", "reason": "UNEXPECTED_ODDITY"})
    twin.control("items", {"dataset": DATASET, "path": "/", "name": "foreign.jpg"})
    cloud.notify_queue("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    cloud.upload(*GOOD, *REJECTED, *IGNORED, "banned.jpg", "foreign.jpg")
    cloud.upload("folder/", "empty.jpg", body=b"")
    cloud.s3.delete_object(Bucket=cloud.bucket, Key="plain.jpg")
    cloud.send(Letter(body, {}) for body in UNREADABLE)

    worker = start()
    balances = []

    def emptied() -> bool:
        balances.append(books(worker))
        return cloud.emptied()

    until("the queue is empty", emptied)

    letters = cloud.take_dead_letters(len(REJECTED) + 2 + len(UNREADABLE))
    unreadable = [letter for letter in letters if letter.said("reason") == "unreadable_body"]
    assert sorted(letter.body for letter in unreadable) == sorted(UNREADABLE)
    others = {key_of(letter): letter.said("reason") for letter in letters if letter not in unreadable}
    assert others == REJECTED | {"banned.jpg": "other_darwin_reason", "foreign.jpg": "foreign_item"}
    assert {letter.said("outcome") for letter in letters} == {"blocked", "rejected", "unreadable"}
    assert all(letter.said("first_seen") and letter.said("attempts") == "1" for letter in letters)
    assert all(len(letter.attributes) <= 10 for letter in letters)

    items = twin.items()
    del items["/", "foreign.jpg"]
    assert sorted(items.values()) == sorted(GOOD)
    assert items["/a b", "c+d & 100%.mp4"] == "a b/c+d & 100%.mp4"

    balances.append(books(worker))
    assert all(received == accounted for received, accounted in balances)
    outcomes = worker.outcomes()
    ignored = {reason: count for (kind, reason), count in outcomes.items() if kind == "ignored"}
    assert ignored == {
        "test_event": 1,
        "object_removed": 1,
        "folder_marker": 1,
        "empty_object": 1,
        "darwin_artefact": 3,
    }
    # 15 uploads = 5 items + 5 dead letters + 5 ignored; besides, a test event, a delete and 4 unreadable bodies.
    assert (len(items), len(others)) == (5, 5)
    assert balances[-1] == (21.0, 21.0)
    sums = worker.metrics()
    assert sums["darwin_worker_dead_letters_total"] == len(letters)
    assert sums["darwin_worker_deletes_total"] == sums["darwin_worker_records_received_total"]


def test_dead_letters_that_are_put_back_as_they_are_are_registered_once_their_cause_is_gone(
    cloud: Cloud, twin: Twin, start: Start
) -> None:
    twin.control("blocks", {"item": "^banned", "reason": "UNEXPECTED_ODDITY"})
    twin.control("items", {"dataset": DATASET, "path": "/in the way", "name": "foreign.jpg"})
    cloud.notify_queue()
    worker = start()
    cloud.upload("banned é.jpg", "in the way/foreign.jpg", "letter.docx")
    first = cloud.take_dead_letters(3)
    assert set(map(key_of, first)) == {"banned é.jpg", "in the way/foreign.jpg", "letter.docx"}

    twin.control("blocks", {}, "DELETE")
    twin.control("items", {"dataset": DATASET, "name": "foreign.jpg"}, "DELETE")
    cloud.send(first)
    (again,) = cloud.take_dead_letters(1)
    until("the queue is empty", cloud.emptied)
    assert twin.items() == {
        ("/", "banned é.jpg"): "banned é.jpg",
        ("/in the way", "foreign.jpg"): "in the way/foreign.jpg",
    }
    assert (key_of(again), again.said("attempts")) == ("letter.docx", "2")
    (before,) = (letter for letter in first if key_of(letter) == "letter.docx")
    assert again.said("first_seen") == before.said("first_seen")
    assert worker.stop() == 0


def test_a_routes_file_sends_each_object_where_its_route_says(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path
) -> None:
    twin.change_team(add_dataset="films")
    routes = tmp_path / "routes.yaml"
    routes.write_text(
        f"""
routes:
  - name: films
    prefix: films/
    glob: "**/*.mov"
    dataset: films
    storage: {STORAGE}
    path: "/from the cameras/{{folder}}"
  - name: rest
    prefix: photos/
    dataset: {DATASET}
    storage: {STORAGE}
otherwise: dead_letter
"""
    )
    cloud.notify_queue()
    cloud.upload("films/2024/a.mov", "photos/b.jpg", "elsewhere/c.jpg")
    start(WORKER_ROUTES_FILE=str(routes), WORKER_DARWIN__DATASET=None, WORKER_DARWIN__STORAGE=None)
    (letter,) = cloud.take_dead_letters(1)
    assert (key_of(letter), letter.said("reason")) == ("elsewhere/c.jpg", "no_route")
    until("the queue is empty", cloud.emptied)
    assert twin.items() == {("/", "b.jpg"): "photos/b.jpg"}
    assert twin.items("films") == {("/from the cameras/2024", "a.mov"): "films/2024/a.mov"}

"""The archive from outside: every upload has a receipt although the worker was killed, and DuckDB reads them as the page says."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.docs.page import sections_of
from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import Twin, Worker

PAGE = Path(__file__).parent.parent.parent / "docs" / "archive.md"
LAYOUT = re.compile(r"receipts/(\d{4})/(\d\d)/(\d\d)/(\d\d)/\1-\2-\3-\4-\d\d-\d\d-[0-9a-f]+\.gz")


def archive_of(cloud: Cloud) -> tuple[str, str]:
    """A bucket for the archive, and the setting that names it."""
    bucket = f"archive-of-{cloud.bucket}"
    cloud.s3.create_bucket(Bucket=bucket)
    return bucket, f"s3://{bucket}/receipts"


def objects_in(cloud: Cloud, bucket: str) -> dict[str, bytes]:
    """What is in the bucket, by key; of fewer than a thousand objects."""
    listed = cloud.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        each["Key"]: cloud.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed
    }


def receipts_in(objects: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for held in objects.values() for line in gzip.decompress(held).splitlines()]


def nothing_is_left_but_receipts(cloud: Cloud, worker: Worker) -> bool:
    """Whether the queue holds nothing but messages that the worker keeps for their receipts."""
    awaiting = worker.metrics()["darwin_worker_records_awaiting_receipt"]
    return cloud.waiting() == (0, awaiting)


def test_after_a_kill_every_upload_has_a_receipt_and_the_page_tells_how_to_read_it(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, url = archive_of(cloud)
    good = [f"incoming/{n % 7}/{n} ä.jpg" for n in range(150)]
    bad = [f"incoming/{n}.xyz" for n in range(20)]
    cloud.notify_queue()
    cloud.upload(*good, *bad, "incoming/a.jpg")
    limited = {"WORKER_ARCHIVE__URL": url, "WORKER_LIMITS__OPEN_RECORDS": "90"}

    first = start(**limited)
    until("some receipts are stored", lambda: bool(cloud.s3.list_objects_v2(Bucket=bucket).get("Contents")))
    first.kill()
    assert not cloud.emptied(), "it was to be killed in the middle"
    second = start(**limited)
    until("all is done but receipts", lambda: nothing_is_left_but_receipts(cloud, second), seconds=60)
    assert second.stop() == 0
    assert cloud.emptied()

    objects = objects_in(cloud, bucket)
    assert [key for key in objects if not LAYOUT.fullmatch(key)] == []
    receipts = receipts_in(objects)
    told = {line["key"]: line for line in receipts}
    assert told.keys() >= {*good, *bad, "incoming/a.jpg"}
    assert {told[key]["outcome"] for key in good} <= {"registered", "duplicate"}
    assert {(told[key]["outcome"], told[key]["reason"]) for key in bad} == {("rejected", "unsupported_type")}
    again = [line for line in receipts if line["outcome"] == "duplicate"]
    assert all((line["path"], line["name"]) in twin.items() for line in again)
    assert all(line["first_registered_at"] <= line["time"] for line in again)
    assert len(twin.items()) == len(good) + 1

    for key, held in objects.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(held)
    monkeypatch.chdir(tmp_path)
    view, of_one, by_day = sections_of(PAGE)["Reading it with DuckDB"].blocks_of("sql")
    with duckdb.connect() as reader:
        reader.execute(view)
        columns = [name for name, *_ in reader.execute("DESCRIBE receipts").fetchall()]
        assert columns == list(receipts[0])
        deliveries = {(line["message_id"], line["record"], line["receive_count"]) for line in receipts}
        assert reader.execute("SELECT count(*) FROM receipts").fetchall() == [(len(deliveries),)]
        rows = reader.execute(of_one.replace("acme-media", cloud.bucket)).fetchall()
        assert ("registered", "intake", "/incoming", "a.jpg") in {(row[1], *row[4:7]) for row in rows}
        counted = Counter[str]()
        for _, outcome, _, count in reader.execute(by_day).fetchall():
            counted[outcome] += count
        assert counted["rejected"] == len(bad)
        assert counted["registered"] + counted["duplicate"] >= len(good) + 1


def test_a_route_that_watches_the_archive_is_refused_at_the_start(cloud: Cloud, start: Start) -> None:
    """Law 5."""
    worker = start(WORKER_ARCHIVE__URL=f"s3://{cloud.bucket}/receipts")
    assert worker.ended(30) == 2
    assert "Route 'environment' watches prefix ''" in worker.output()
    assert "WORKER_ARCHIVE__URL" in worker.output()


def test_the_page_shows_every_field_of_a_line() -> None:
    (view, *_) = sections_of(PAGE)["Reading it with DuckDB"].blocks_of("sql")
    fields = [row["field"].strip("`") for row in sections_of(PAGE)["A line"].rows]
    assert re.findall(r"(\w+): '", view) == fields
    (table,) = sections_of(PAGE)["Reading it with Athena"].blocks_of("text")
    assert re.findall(r"`(\w+)` (?:string|int|bigint)", table) == [*fields, "hour"]

"""A backfill of a bucket that nobody told of, on the emulators: counted, sent, registered; again, and from an inventory."""

import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import OURS, Twin, settings_for

KEYS = [f"in/{folder}/{number}.jpg" for folder in ("a", "b ä+") for number in range(12)]


def backfill(cloud: Cloud, twin: Twin, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "worker", "backfill", *words],
        env=own | settings_for(cloud, twin.url, folder) | {"XDG_STATE_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(run: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def held(twin: Twin) -> set[str]:
    return {*twin.items().values()}


def put_inventory(cloud: Cloud, keys: list[str], *more: dict[str, str]) -> str:
    """The address of its manifest. *more*: files that the manifest names, and nobody put there."""
    text = io.StringIO()
    rows = csv.writer(text)
    for key in keys:
        size, etag = "1", hashlib.md5(b"x", usedforsecurity=False).hexdigest()
        rows.writerow(
            [cloud.bucket, quote_plus(key), "true", "false", size, "2031-02-01T09:00:00.000Z", etag]
        )
    content = gzip.compress(text.getvalue().encode())
    file = {
        "key": "inventory/1.csv.gz",
        "MD5checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
    manifest = {
        "sourceBucket": cloud.bucket,
        "destinationBucket": f"arn:aws:s3:::{cloud.bucket}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag",
        "files": [file, *more],
    }
    cloud.s3.put_object(Bucket=cloud.bucket, Key="inventory/1.csv.gz", Body=content)
    cloud.s3.put_object(
        Bucket=cloud.bucket, Key="inventory/manifest.json", Body=json.dumps(manifest).encode()
    )
    return f"s3://{cloud.bucket}/inventory/manifest.json"


def test_a_bucket_is_counted_sent_and_registered_and_to_send_it_again_makes_duplicates(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path
) -> None:
    cloud.upload(*KEYS, "in/notes.txt", "darwin/in/a/0.jpg", "other/1.jpg")
    place = f"s3://{cloud.bucket}/in/"
    counted = told(backfill(cloud, twin, tmp_path, place, "--dry-run", "--json", "--exclude", "**/11.jpg"))
    assert (counted["chosen"], counted["not_sent"]) == (22, {"unsupported_type": 1, "excluded": 2})
    assert cloud.emptied()

    sent = told(backfill(cloud, twin, tmp_path, place, "--json"))
    assert (sent["chosen"], sent["looked_at"], sent["by_route"]) == (24, 25, {"environment": 24})
    assert cloud.waiting().visible == 24
    worker = start()
    until("every object is registered", lambda: held(twin) == {*KEYS} and cloud.emptied())

    again = backfill(cloud, twin, tmp_path, place)
    assert again.returncode == 0, again.stderr
    assert f"24 of 25 objects of {place} sent in" in again.stdout
    until("what was sent again is done with", cloud.emptied)
    until("it was told", lambda: worker.outcomes().total() == 48)
    assert worker.outcomes() == {("registered", "accepted"): 24, ("duplicate", "in_ledger"): 24}


def test_an_inventory_tells_the_same_as_a_listing_and_a_missing_file_of_it_is_named_and_loses_nothing(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path
) -> None:
    cloud.upload(*KEYS)
    missing = {"key": "inventory/2.csv.gz", "MD5checksum": "0" * 32}
    manifest = put_inventory(cloud, KEYS, missing)
    words = [
        f"s3://{cloud.bucket}/in/",
        "--inventory",
        manifest,
        "--json",
        "--progress",
        str(tmp_path / "progress"),
    ]
    broken = backfill(cloud, twin, tmp_path, *words)
    assert broken.returncode == 1
    assert f"s3://{cloud.bucket}/inventory/2.csv.gz is not there." in broken.stderr
    assert "Traceback" not in broken.stderr
    assert "the same command goes on from there" in broken.stderr

    put_inventory(cloud, KEYS)
    assert told(backfill(cloud, twin, tmp_path, *words))["chosen"] == 24
    start()
    until("every object is registered", lambda: held(twin) == {*KEYS} and cloud.emptied())


def test_what_is_in_the_way_is_said_in_a_line(cloud: Cloud, twin: Twin, tmp_path: Path) -> None:
    absent = backfill(cloud, twin, tmp_path, "s3://absent-bucket/in")
    assert (absent.returncode, absent.stdout) == (1, "")
    assert "there is no bucket absent-bucket" in absent.stderr

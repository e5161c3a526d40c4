"""S3 Inventory: its manifest and its rows, as AWS documents them, and what is neither."""

import json
from collections.abc import Mapping
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.core.inventory import Columns, File, InvalidInventory, NotThere, read_manifest
from worker.core.objects import Found

ALL = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
LEAST = "Bucket, Key, Size, ETag"


def manifest(**changes: object) -> bytes:
    """As the S3 user guide shows one, "Locating your inventory list"."""
    fields: dict[str, object] = {
        "sourceBucket": "acme-media",
        "destinationBucket": "arn:aws:s3:::acme-inventory",
        "version": "2016-11-30",
        "creationTimestamp": "1514944800000",
        "fileFormat": "CSV",
        "fileSchema": ALL,
        "files": [
            {
                "key": "Inventory/acme-media/2016-11-06T21-32Z/files/939c6d46.csv.gz",
                "size": 2147483647,
                "MD5checksum": "F11166069F1990ABEB9C97ACE9CDFABC",
            }
        ],
    }
    return json.dumps({**fields, **changes}).encode()


def columns(schema: str = ALL) -> Columns:
    return read_manifest(manifest(fileSchema=schema)).columns


def row(**changes: str) -> list[str]:
    fields = {
        "Bucket": "acme-media",
        "Key": "in/a.jpg",
        "VersionId": "",
        "IsLatest": "true",
        "IsDeleteMarker": "false",
        "Size": "7",
        "LastModifiedDate": "2031-02-01T09:00:00.000Z",
        "ETag": "e1",
        "StorageClass": "STANDARD",
    }
    return list({**fields, **changes}.values())


def test_a_manifest_says_whose_inventory_it_is_and_where_its_files_are() -> None:
    read = read_manifest(manifest())
    assert (read.bucket, read.holder) == ("acme-media", "acme-inventory")
    assert read.files == (
        File(
            "Inventory/acme-media/2016-11-06T21-32Z/files/939c6d46.csv.gz", "f11166069f1990abeb9c97ace9cdfabc"
        ),
    )


def test_a_row_is_read_by_the_columns_that_the_manifest_names() -> None:
    assert columns().read(row(), "acme-media") == Found("in/a.jpg", "e1", 7, 1_927_702_800.0)
    assert columns("ETag, Size, Key, Bucket").read(
        ["e1", "7", "in/a.jpg", "acme-media"], "acme-media"
    ) == Found("in/a.jpg", "e1", 7, 0.0)


def test_whether_rows_tell_a_time_is_known_before_any_is_read() -> None:
    assert columns().tell_time
    assert not columns(LEAST).tell_time


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("in/a+b.jpg", "in/a b.jpg"),
        ("in/a%2Bb.jpg", "in/a+b.jpg"),
        ("in/%C3%A4/%E6%97%A5.jpg", "in/ä/日.jpg"),
        ("in/a%252Bb.jpg", "in/a%2Bb.jpg"),
        ("in/line%0Abreak%22%2C%27", "in/line\nbreak\",'"),
        ("%F0%9F%98%80", "\U0001f600"),
    ],
)
def test_keys_are_decoded_once(written: str, key: str) -> None:
    found = columns().read(row(Key=written), "acme-media")
    assert isinstance(found, Found)
    assert found.key == key


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_key_that_a_bucket_can_hold_comes_through(key: str) -> None:
    found = columns().read(row(Key=quote_plus(key)), "acme-media")
    assert isinstance(found, Found)
    assert found.key == key


def test_old_versions_and_delete_markers_are_no_objects() -> None:
    assert columns().read(row(IsLatest="false"), "acme-media") is NotThere.OLD_VERSION
    assert (
        columns().read(row(IsDeleteMarker="true", Size="", ETag=""), "acme-media") is NotThere.DELETE_MARKER
    )
    assert columns().read(row(IsLatest="false", IsDeleteMarker="true"), "acme-media") is NotThere.OLD_VERSION


@pytest.mark.parametrize(("written", "version"), [("", None), ("null", None), ("v1", "v1")])
def test_a_version_is_told_where_there_is_one(written: str, version: str | None) -> None:
    found = columns().read(row(VersionId=written), "acme-media")
    assert isinstance(found, Found)
    assert found.version == version


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Bucket": "other"}, "it is of bucket 'other'"),
        ({"Size": ""}, "its size is '', no number of bytes"),
        ({"Size": "-1"}, "its size is '-1', no number of bytes"),
        ({"Size": "٣"}, "its size is '٣', no number of bytes"),
        ({"Size": str(2**63)}, "no number of bytes"),
        ({"Key": ""}, "it has no key"),
        ({"Key": "%FF"}, "its key '%FF', once decoded, is no UTF-8"),
        ({"Key": "\ud800"}, "once decoded, is no UTF-8"),
        ({"LastModifiedDate": "yesterday"}, "its LastModifiedDate is 'yesterday', no time"),
        ({"More": "x"}, "it has 10 columns, and the manifest's fileSchema 9"),
    ],
)
def test_a_row_that_no_inventory_holds_is_refused_and_says_why(changes: Mapping[str, str], why: str) -> None:
    with pytest.raises(InvalidInventory) as refused:
        columns().read(row(**changes), "acme-media")
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (manifest(fileFormat="ORC"), "it is in ORC, and only CSV is read: choose CSV"),
        (manifest(fileFormat="Parquet"), "it is in Parquet, and only CSV is read"),
        (
            manifest(fileSchema="Bucket, Key"),
            "it has no column Size and no column ETag: add it to the fields",
        ),
        (manifest(fileSchema=None), "its fileSchema is missing or no text"),
        (manifest(sourceBucket=""), "its sourceBucket is missing or no text"),
        (manifest(files={}), "its files are no list"),
        (manifest(files=["a"]), "file 1 of it is no object"),
        (manifest(files=[{"key": "a"}]), "of file 1 of it: its MD5checksum is missing or no text"),
        (b"[]", "it is no object"),
        (b"{", "it is no JSON: "),
        (b"\xff", "it is no UTF-8"),
        (b'{"a": NaN}', "it is no JSON that an inventory's manifest could be"),
        (b"[" * 100_000, "it is no JSON"),
    ],
)
def test_what_is_no_manifest_in_csv_is_refused_and_says_why(content: bytes, why: str) -> None:
    with pytest.raises(InvalidInventory) as refused:
        read_manifest(content)
    assert why in str(refused.value)


@settings(max_examples=40)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["files", "fileFormat", "fileSchema", "key"]), inner)
        ),
    ).map(lambda document: json.dumps(document).encode())
)
def test_nothing_else_is_raised_whatever_the_content_is(content: bytes) -> None:
    try:
        read_manifest(content)
    except InvalidInventory:
        return


@given(st.lists(st.text(max_size=5), max_size=12))
def test_nothing_else_is_raised_whatever_a_row_is(row: list[str]) -> None:
    try:
        columns().read(row, "acme-media")
    except InvalidInventory:
        return

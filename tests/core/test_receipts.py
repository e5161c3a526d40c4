"""The archive's lines, the objects that they go to, and when; and that nothing of it is ever registered (law 5)."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.core.sample_routes import ALL, LANE, STORAGES, created, routes, tame_keys
from worker.core.conflicts import problems
from worker.core.events import BadRecord
from worker.core.model import (
    Identity,
    Item,
    Kind,
    Message,
    Outcome,
    Reason,
    Record,
    Registration,
    S3Object,
)
from worker.core.objects import Listed
from worker.core.owing import age_of
from worker.core.receipts import (
    Place,
    name_of,
    occupied,
    place_at,
    receipts_of,
    third,
    told,
    wait,
)
from worker.core.routes import Fallback, Group, OnRemoved, Route
from worker.core.routing import PartOf, Routes
from worker.core.settlement import OpenMessage, Settled

NOW = 1_800_000_000.0
FIELDS = [
    "time",
    "outcome",
    "reason",
    "detail",
    "bucket",
    "key",
    "version_id",
    "etag",
    "size",
    "event",
    "event_time",
    "route",
    "team",
    "dataset",
    "path",
    "name",
    "first_registered_at",
    "record",
    "message_id",
    "receive_count",
    "first_seen",
    "attempts",
    "worker",
]
ARCHIVE = Place("acme-media", "logs/receipts")

texts = st.text(max_size=20)
objects = st.builds(
    S3Object,
    texts,
    texts,
    version=st.none() | texts,
    etag=st.none() | texts,
    size=st.none() | st.integers(0, 2**63),
)
records = (
    st.none()
    | st.builds(BadRecord, texts)
    | st.builds(Record, objects, texts, st.none() | st.floats(0, 253_402_300_799))
)
identities = st.builds(Identity, texts, texts, texts, texts)
outcomes = st.builds(
    Outcome,
    st.sampled_from(Kind),
    st.sampled_from(Reason),
    st.text(max_size=2000),
    texts,
    st.none() | st.builds(Registration, identities, objects, st.floats(0, 4e9)),
)
items = st.builds(Item, st.just(LANE), texts, texts, objects, texts)
settled = st.builds(Settled, outcomes, st.none() | items)


def opened(record: Record | BadRecord | None, result: Settled, message: Message | None = None) -> OpenMessage:
    message = message or Message("m-1", "handle", "{}", 1)
    return OpenMessage(1, message, NOW - 5, [record] if record else [], [result])


def line_of(
    record: Record | BadRecord | None, result: Settled, message: Message | None = None
) -> dict[str, object]:
    [receipt] = receipts_of(opened(record, result, message), NOW, "worker-1", lambda text: text)
    fields = json.loads(receipt.line)
    assert isinstance(fields, dict)
    return fields


@given(records, settled)
def test_a_line_is_one_line_of_utf_8_with_every_field_in_order(
    record: Record | BadRecord | None, result: Settled
) -> None:
    [receipt] = receipts_of(opened(record, result), NOW, "worker-1", lambda text: text)
    assert receipt.line.count(b"\n") == 1
    assert receipt.line.endswith(b"}\n")
    fields = json.loads(receipt.line.decode())
    assert list(fields) == FIELDS
    numbers = {"size", "record", "receive_count", "attempts"}
    assert all(isinstance(fields[name], int | None) for name in numbers)
    assert all(isinstance(fields[name], str | None) for name in fields.keys() - numbers)
    assert told(receipt).items() <= fields.items()


@given(objects)
def test_a_key_is_told_as_it_is(held: S3Object) -> None:
    assume(not re.search("[\ud800-\udfff]", held.bucket + held.key))
    line = line_of(Record(held, "ObjectCreated:Put"), Settled(Outcome(Kind.IGNORED, Reason.NO_ROUTE)))
    assert (line["bucket"], line["key"], line["size"]) == (held.bucket, held.key, held.size)


def test_a_line_of_a_record_that_was_delivered_again() -> None:
    """The history that a dead letter carries is told as the dead letter would tell it."""
    attributes = {"first_seen": "2027-01-14T07:00:00.5Z", "attempts": "3"}
    record = Record(S3Object("acme-media", "in/a.jpg", "v1", "e1", 7), "ObjectCreated:Copy", NOW - 90_000)
    item = Item(LANE, "/in", "a.jpg", record.object, "all")
    before = Registration(item.identity, record.object, NOW - 3600.25)
    result = Settled(Outcome(Kind.DUPLICATE, Reason.IN_LEDGER, before=before), item)
    assert line_of(record, result, Message("m-9", "handle", "{}", 2, attributes)) == {
        "time": "2027-01-15T08:00:00.000Z",
        "outcome": "duplicate",
        "reason": "in_ledger",
        "detail": None,
        "bucket": "acme-media",
        "key": "in/a.jpg",
        "version_id": "v1",
        "etag": "e1",
        "size": 7,
        "event": "ObjectCreated:Copy",
        "event_time": "2027-01-14T07:00:00.000Z",
        "route": "all",
        "team": "acme",
        "dataset": "intake",
        "path": "/in",
        "name": "a.jpg",
        "first_registered_at": "2027-01-15T06:59:59.750Z",
        "record": 0,
        "message_id": "m-9",
        "receive_count": 2,
        "first_seen": "2027-01-14T07:00:00.500Z",
        "attempts": 5,
        "worker": "worker-1",
    }


def test_secrets_are_struck_out_of_words_that_are_not_ours_before_they_are_cut() -> None:
    result = Settled(Outcome(Kind.BLOCKED, Reason.OTHER_DARWIN_REASON, "a" * 998 + "secret"))
    [receipt] = receipts_of(opened(None, result), NOW, "w", lambda text: text.replace("secret", "***"))
    assert json.loads(receipt.line)["detail"] == "a" * 998 + "**"


def test_the_age_of_a_record_counts_on_its_first_delivery() -> None:
    record = Record(S3Object("b", "k"), "ObjectCreated:Put", NOW - 7)
    assert age_of(Message("m", "h", "", 1), record, NOW) == 7
    assert age_of(Message("m", "h", "", 2), record, NOW) is None
    assert age_of(Message("m", "h", "", 1, {"attempts": "1"}), record, NOW) is None
    assert age_of(Message("m", "h", "", 1), Record(record.object, "ObjectCreated:Put"), NOW) is None
    assert age_of(Message("m", "h", "", 1), BadRecord("why"), NOW) is None
    assert age_of(Message("m", "h", "", 1), record, NOW - 10) == 0  # S3's clock may be ahead


# Which object, and when


def test_an_object_is_named_by_its_hour_its_second_and_who_wrote_it() -> None:
    assert name_of(NOW + 61.9, "0f3a") == "2027/01/15/08/2027-01-15-08-01-01-0f3a.gz"


@given(st.floats(0, 253_402_300_799), st.from_regex("[0-9a-f]{8}", fullmatch=True))
def test_every_name_has_the_layout_and_tells_its_second(at: float, identifier: str) -> None:
    layout = r"(\d{4})/(\d\d)/(\d\d)/(\d\d)/(\1-\2-\3-\4-\d\d-\d\d)-([0-9a-f]{8})\.gz"
    found = re.fullmatch(layout, name_of(at, identifier))
    assert found is not None
    assert found[6] == identifier
    written = datetime.strptime(found[5], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
    assert -1e-6 < at - written.timestamp() < 1 + 1e-6


@pytest.mark.parametrize(
    ("awaiting", "since", "patience", "seconds"),
    [
        (0, None, 60.0, float("inf")),
        (1, 100.0, 60.0, 50.0),
        (9, 100.0, 60.0, 50.0),
        (10, 110.0, 60.0, 0.0),
        (1, 50.0, 60.0, 0.0),
        (1, 40.0, 60.0, 0.0),
        (1, 109.5, 1.0, 0.5),
        (1, 110.0, 0.0, 0.0),
    ],
)
def test_receipts_are_written_after_a_while_or_when_there_are_many(
    awaiting: int, since: float | None, patience: float, seconds: float
) -> None:
    assert wait(awaiting, since, 110.0, most=10, patience=patience) == seconds


@given(st.integers(10, 100_000), st.integers(0, 200_000), st.integers(0, 200_000))
def test_what_awaits_its_receipt_counts_against_the_limit_from_a_third_of_it_on(
    limit: int, full: int, awaiting: int
) -> None:
    counted = occupied(full + awaiting, awaiting, limit)
    assert counted == full + max(0, awaiting - limit // 3)
    assert third(limit) == limit // 3


def test_a_third_of_any_limit_is_one_at_least() -> None:
    assert [third(limit) for limit in (1, 2, 3, 10, 5000)] == [1, 1, 1, 3, 1666]


# The place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://acme-media/logs/receipts", ARCHIVE),
        ("s3://acme-media/logs/receipts/", ARCHIVE),
        ("s3://acme-media//logs/receipts", ARCHIVE),
        ("s3://acme-media", Place("acme-media", "")),
        ("s3://acme-media/", Place("acme-media", "")),
    ],
)
def test_a_place_is_a_bucket_and_a_prefix_without_outer_slashes(url: str, place: Place) -> None:
    assert place_at(url) == place


def test_keys_are_made_below_the_prefix() -> None:
    assert ARCHIVE.key_of("2027/a.gz") == "logs/receipts/2027/a.gz"
    assert Place("acme-media", "").key_of("2027/a.gz") == "2027/a.gz"


@pytest.mark.parametrize(
    ("key", "held"),
    [
        ("logs/receipts/2027/a.gz", True),
        ("logs/receipts/", True),
        ("logs/receipts", False),
        ("logs/receipts-2/a.gz", False),
        ("logs/a.gz", False),
    ],
)
def test_what_lies_below_it_is_told_by_whole_segments(key: str, held: bool) -> None:
    assert ARCHIVE.holds("acme-media", key) is held
    assert not ARCHIVE.holds("acme-clinic", key)


def archived(
    *all_routes: Route, place: Place = ARCHIVE, fallback: Route | Fallback = Fallback.IGNORE
) -> Routes:
    return Routes(all_routes, fallback, STORAGES, place)


def test_a_route_that_watches_the_archive_is_a_problem() -> None:
    """Law 5: a configuration that would loop is refused at start."""
    assert problems(archived(Route("loop", LANE, prefix="logs/receipts/2027"))) == [
        (
            "Route 'loop' watches prefix 'logs/receipts/2027' of bucket 'acme-media', and the archive keeps its receipts "
            "there (s3://acme-media/logs/receipts): each of its objects would make a message, and the messages objects, "
            "without end. Watch a prefix beside it, or set WORKER_ARCHIVE__URL to a bucket or a prefix that no route watches."
        )
    ]


@pytest.mark.parametrize(
    ("prefix", "watched"),
    [
        ("", True),
        ("logs", True),
        ("/logs/", True),
        ("logs/receipts", True),
        ("logs/receipts/2027", True),
        ("log", False),
        ("logs/receipts-2", False),
        ("logs/receipt", False),
        ("logs/other", False),
    ],
)
@pytest.mark.parametrize("bucket", [None, "acme-media"])
def test_prefixes_that_meet_the_archives_are_told_by_whole_segments(
    prefix: str, watched: bool, bucket: str | None
) -> None:
    route = Route("r", LANE, bucket=bucket, prefix=prefix)
    assert bool(problems(archived(route))) is watched
    assert problems(archived(route, place=Place("acme-archive", "logs/receipts"))) == []
    assert problems(archived(route, place=Place("acme-media", "")))


def test_a_route_of_last_resort_watches_its_whole_bucket() -> None:
    last = Route("last", LANE)
    assert len(problems(archived(Route("r", LANE, prefix="in"), fallback=last))) == 1


@given(st.lists(routes, max_size=3), tame_keys)
def test_nothing_below_the_archives_prefix_ever_becomes_an_item(several: list[Route], key: str) -> None:
    """Law 5: also where routes were not refused."""
    found = archived(*several, ALL, fallback=Route("last", LANE))
    decided = found.decide(created(f"logs/receipts/{key}"))
    assert isinstance(decided, Outcome)
    assert (decided.kind, decided.reason) == (Kind.IGNORED, Reason.RECEIPT)
    beside = found.decide(created(f"logs/receipts-2/{key}"))
    assert not isinstance(beside, Outcome) or beside.reason is not Reason.RECEIPT


@pytest.mark.parametrize("event", ["ObjectRemoved:Delete", "LifecycleExpiration:Delete", "ObjectTagging:Put"])
def test_whatever_happens_to_a_receipt_is_no_matter_of_any_route(event: str) -> None:
    """Each receipt that expires would make another one."""
    route = Route("r", LANE, on_removed=OnRemoved.ARCHIVE)
    decided = archived(route).decide(Record(S3Object("acme-media", "logs/receipts/a.gz"), event))
    assert isinstance(decided, Outcome)
    assert decided.reason is Reason.RECEIPT


def test_a_receipt_is_no_part_of_a_group() -> None:
    """Law 5: neither by its event nor in a listing."""
    found = archived(Route("rig", LANE, group=Group(by="{folder}/", count=1)))
    part = found.decide(created("in/a.png"))
    assert isinstance(part, PartOf)
    seen = Routes.seen(
        archived(part.group.rule.route, place=Place("acme-media", "in/r")),
        part.group,
        [Listed(key, "e", 7) for key in ("in/a.png", "in/r/b.png", "in/r-2/c.png")],
    )
    assert "in/r/b.png" not in seen.files
    assert set(seen.files) == {"in/a.png", "in/r-2/c.png"}

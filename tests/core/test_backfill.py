"""What a backfill sends, how it is divided, how far it has come, and when it may go on."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.sample_routes import LANE, STORAGES
from worker.core.backfill import (
    Choice,
    Chosen,
    Filters,
    InvalidProgress,
    Mark,
    Page,
    Progress,
    Range,
    Room,
    Tally,
    depth,
    divided,
    in_words,
    name_of,
    read_progress,
    steps,
)
from worker.core.model import Record, S3Object
from worker.core.objects import Found
from worker.core.patterns import compile_glob
from worker.core.routes import Fallback, Group, Route, Sidecars
from worker.core.routing import Routes

BUCKET = "acme-media"
ROUTES = Routes(
    (
        Route("pictures", LANE, prefix="in", glob="**/*.jpg"),
        Route("heads", LANE, prefix="asked", head=True),
        Route("series", LANE, prefix="ct", group=Group(marker="done"), glob="**/*.dcm"),
        Route("paused", LANE, prefix="held", paused=True),
        Route("thumbs", LANE, prefix="videos", glob="*.mp4", sidecars=Sidecars("videos/{stem}.thumb.jpg")),
        Route("multipart", LANE, prefix="large", events=("CompleteMultipartUpload",)),
    ),
    Fallback.IGNORE,
    STORAGES,
)


def found(key: str = "in/a.jpg", size: int = 7, modified: float = 100.0, version: str | None = None) -> Found:
    return Found(key, "e1", size, modified, version)


def chosen(
    found: Found, filters: Filters | None = None, event: str = "Put", prefix: str = ""
) -> Chosen | str:
    return Choice(ROUTES, BUCKET, prefix, filters or Filters(), f"ObjectCreated:{event}").of(found)


# What is sent


def test_what_a_route_takes_is_sent_as_an_event_without_a_time_would_tell_of_it() -> None:
    held = S3Object(BUCKET, "in/a.jpg", "v1", "e1", 7)
    assert chosen(found(version="v1")) == Chosen("pictures", Record(held, "ObjectCreated:Put", None))


@pytest.mark.parametrize(
    ("key", "route"),
    [
        ("asked/a.jpg", "heads"),
        ("ct/1/slice.dcm", "series"),
        ("ct/1/done", "series"),
        ("videos/a.mp4", "thumbs"),
    ],
)
def test_what_the_pipeline_asks_s3_about_is_sent_too(key: str, route: str) -> None:
    """Parts and markers complete their group; an object that waits for a sidecar finds it."""
    one = chosen(found(key))
    assert isinstance(one, Chosen)
    assert one.route == route


@pytest.mark.parametrize(
    ("key", "size", "reason"),
    [
        ("elsewhere/a.jpg", 7, "no_route"),
        ("in/a.txt", 7, "no_route"),
        ("in/sub/", 0, "folder_marker"),
        ("in/a.jpg", 0, "empty_object"),
        ("held/a.jpg", 7, "route_paused"),
        ("videos/a.thumb.jpg", 7, "sidecar"),
        ("darwin/data/in/a.jpg", 7, "darwin_artefact"),
        ("asked/../a.jpg", 7, "invalid_key"),
        ("large/a.jpg", 7, "no_route"),
    ],
)
def test_what_would_come_to_nothing_is_not_sent_and_has_the_reason_that_its_record_would_have(
    key: str, size: int, reason: str
) -> None:
    assert chosen(found(key, size)) == reason


def test_a_route_that_chooses_by_the_event_takes_what_is_said_to_be_of_it() -> None:
    one = chosen(found("large/a.jpg"), event="CompleteMultipartUpload")
    assert isinstance(one, Chosen)
    assert one.route == "multipart"


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        (Filters(since=100.5), "too_old"),
        (Filters(until=100.0), "too_new"),
        (Filters(smallest=8), "too_small"),
        (Filters(largest=6), "too_large"),
        (Filters(match=[compile_glob("in/*.png")]), "not_matched"),
        (Filters(exclude=[compile_glob("**/a.*")]), "excluded"),
        (Filters(route="heads"), "other_route"),
    ],
)
def test_each_filter_leaves_out_for_its_own_reason(filters: Filters, reason: str) -> None:
    assert chosen(found(), filters) == reason


@pytest.mark.parametrize(
    "filters",
    [
        Filters(since=100.0, until=100.5, smallest=7, largest=7, route="pictures"),
        Filters(match=[compile_glob("in/*.png"), compile_glob("in/*.jpg")], exclude=[compile_glob("in/b*")]),
    ],
)
def test_bounds_take_what_lies_on_them_and_one_pattern_of_several_is_enough(filters: Filters) -> None:
    assert isinstance(chosen(found(), filters), Chosen)


def test_what_an_inventory_tells_of_beside_the_prefix_is_left_out() -> None:
    assert chosen(found(), prefix="in/b") == "outside_prefix"
    assert isinstance(chosen(found(), prefix="in/a"), Chosen)


# How it is divided

folders = st.lists(st.text("ab/", min_size=1, max_size=4), unique=True, max_size=40).map(sorted)


@given(folders, st.integers(1, 8), st.text("ab/", min_size=1, max_size=5))
def test_every_key_is_in_one_range(folders: list[str], most: int, key: str) -> None:
    ranges = divided(folders, most)
    assert len(ranges) <= most
    assert sum(each.holds(key) for each in ranges.values()) == 1


def test_ranges_are_as_many_as_may_be_and_hold_as_many_folders() -> None:
    assert divided(["a/", "b/", "c/", "d/"], 2) == {0: Range("", "c/"), 1: Range("c/", None)}
    assert divided([], 8) == {0: Range("", None)}


# How far it has come


def page(*entries: Found | str, place: int = 0) -> Page:
    marks = [Mark(place, each.key if isinstance(each, Found) else "?") for each in entries]
    return Page(entries, marks, Mark(place, None))


def test_a_page_is_one_step_for_each_object_that_is_sent_and_one_for_its_end() -> None:
    choice = Choice(ROUTES, BUCKET, "", Filters(), "ObjectCreated:Put")
    told = page(found("a"), found("in/1.jpg"), found("in/2.jpg"), "old_version", found("z"))
    assert [
        (step.mark.at, step.chosen and step.chosen.route, dict(step.left_out)) for step in steps(told, choice)
    ] == [
        ("in/1.jpg", "pictures", {"no_route": 1}),
        ("in/2.jpg", "pictures", {}),
        (None, None, {"old_version": 1, "no_route": 1}),
    ]


BACKFILL: Mapping[str, object] = {"bucket": BUCKET, "prefix": "in/", "since": None}
keys = st.lists(st.text("abc", min_size=1, max_size=6), unique=True, max_size=20).map(
    lambda names: sorted(f"in/{name}.{'jpg' if len(name) % 2 else 'txt'}" for name in names)
)


@settings(max_examples=50)
@given(
    keys,
    st.lists(st.text("abc", max_size=2).map("in/{}".format), unique=True, max_size=5).map(sorted),
    st.data(),
)
def test_broken_off_anywhere_and_read_again_nothing_is_left_out_and_nothing_that_was_done_comes_again(
    keys: list[str], folders: list[str], data: st.DataObject
) -> None:
    choice = Choice(ROUTES, BUCKET, "", Filters(), "ObjectCreated:Put")
    progress = Progress(ranges=divided(folders, 3))
    sent = Counter[str]()
    for _ in range(data.draw(st.integers(0, 3))):
        assert progress.ranges is not None
        pages = [
            page(*(found(key) for key in keys if each.holds(key)), place=number)
            for number, each in progress.ranges.items()
        ]
        left = [step for each in pages for step in steps(each, choice)]
        for step in left[: data.draw(st.integers(0, len(left)))]:
            sent[step.chosen.record.object.key if step.chosen else ""] += 1
            progress.add(step)
        progress = read_progress(progress.written(BACKFILL), BACKFILL)
    assert progress.ranges is not None
    rest = {key for key in keys if any(each.holds(key) for each in progress.ranges.values())}
    pictures = {key for key in keys if key.endswith(".jpg")}
    del sent[""]
    assert all(count == 1 for count in sent.values())
    assert sent.keys() | (rest & pictures) == pictures
    assert not sent.keys() & rest
    assert progress.tally.looked_at == len(keys) - len(rest)
    assert progress.tally.chosen == len(sent)


def test_of_an_inventory_the_file_and_the_row_are_kept() -> None:
    progress = Progress()
    for step in steps(
        Page([found(), found()], [Mark(2, 1), Mark(2, 2)], Mark(2, 2)),
        Choice(ROUTES, BUCKET, "", Filters(), "ObjectCreated:Put"),
    ):
        progress.add(step)
    again = read_progress(progress.written(BACKFILL), BACKFILL)
    assert (again.file, again.row, again.ranges, again.tally) == (2, 2, None, Tally(Counter(pictures=2)))


def test_the_progress_of_another_backfill_is_refused_and_the_difference_named() -> None:
    written = Progress().written(BACKFILL)
    with pytest.raises(
        InvalidProgress, match="it belongs to another backfill, which differs in prefix, since"
    ):
        read_progress(written, {**BACKFILL, "prefix": "out/", "since": 7.0})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"backfill": {}}', "null", '{"backfill": 1, "left": 2}']
)
def test_what_no_backfill_wrote_is_refused(text: str) -> None:
    with pytest.raises(InvalidProgress, match="it was not written by a backfill, or not wholly"):
        read_progress(text, BACKFILL)


@given(st.data())
def test_half_of_what_was_written_is_refused(data: st.DataObject) -> None:
    written = Progress(ranges={0: Range("a", None)}).written(BACKFILL)
    with pytest.raises(InvalidProgress):
        read_progress(written[: data.draw(st.integers(0, len(written) - 1))], BACKFILL)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ('"row": 0', '"row": -1'),
        ('"file": 0', '"file": true'),
        ('"sent": {}', '"sent": {"a": "b"}'),
        ('"left": null', '"left": [[1, 2]]'),
    ],
)
def test_a_progress_that_was_tampered_with_is_refused(part: str, instead: str) -> None:
    written = Progress().written(BACKFILL)
    assert part in written
    with pytest.raises(InvalidProgress):
        read_progress(written.replace(part, instead), BACKFILL)


def test_each_backfill_has_a_file_of_its_own() -> None:
    assert name_of(BACKFILL, BUCKET) == name_of(dict(reversed([*BACKFILL.items()])), BUCKET)
    assert name_of(BACKFILL, BUCKET) != name_of({**BACKFILL, "prefix": "out/"}, BUCKET)
    assert name_of(BACKFILL, BUCKET).startswith("backfill-acme-media-")


# When it may go on


def test_the_queue_may_hold_five_minutes_of_the_quota() -> None:
    room = Room(100, 100)
    assert room.left(0, 0.0) == 50_000
    assert room.left(49_999, 0.0) == 1
    assert room.left(50_000, 0.0) == 0
    assert room.left(90_000, 0.0) == 0


def test_what_was_sent_within_the_last_minute_counts_though_sqs_may_not_count_it_yet() -> None:
    room = Room(100, 100)
    room.sent(30_000, 10.0)
    room.sent(20_000, 40.0)
    assert room.left(0, 69.9) == 0
    assert room.left(0, 70.0) == 30_000
    assert room.left(45_000, 100.0) == 5_000


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 300), st.integers(1, 600), st.integers(0, 59))))
def test_the_queue_never_holds_more_though_its_counts_may_be_a_minute_old(
    history: list[tuple[int, int, int, int]],
) -> None:
    """After so many seconds so many messages are gone, and so many are to be sent, by a count that is so old."""
    room, now, held = Room(2, 50), 0, 0
    counts = {0: 0}
    for seconds, gone, wanted, age in history:
        now, held = now + seconds, max(0, held - gone)
        counts[now] = held
        seen = counts[max(at for at in counts if at <= max(0, now - age))]
        sent = min(wanted, room.left(seen, now))
        room.sent(sent, now)
        held += sent
        counts[now] = held
        assert held <= 500


def test_what_a_queue_holds_is_visible_in_flight_or_delayed() -> None:
    attributes = {
        "ApproximateNumberOfMessages": "5",
        "ApproximateNumberOfMessagesNotVisible": "30",
        "ApproximateNumberOfMessagesDelayed": "200",
        "VisibilityTimeout": "1000",
    }
    assert depth(attributes) == 235
    assert depth({}) == 0


def test_the_time_that_objects_take_is_by_the_quota() -> None:
    assert Room(100, 100).seconds(10_000) == 60
    assert Room(2, 1).seconds(1) == 30


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_time_is_told_by_its_two_largest_units(seconds: float, words: str) -> None:
    assert in_words(seconds) == words

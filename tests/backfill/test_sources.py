"""Where a backfill learns what there is: every object once, whatever S3 does meanwhile. Virtual time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fakes.backfill import SECONDS, FakeBucket, keys_in
from worker.commands.backfill_sources import Listing, Reading, Source
from worker.core.backfill import Mark, Page, Progress, Range
from worker.core.errors import Refused, Unavailable
from worker.core.inventory import File, Manifest, NotThere, read_manifest
from worker.core.objects import Found

pytestmark = pytest.mark.looptime


async def read(source: Source, progress: Progress) -> list[Page]:
    pages: list[Page] = []

    async def put(page: Page) -> None:
        pages.append(page)

    await source.read(progress, put)
    return pages


def keys_of(pages: list[Page]) -> list[str]:
    return [each.key for page in pages for each in page.entries if isinstance(each, Found)]


@pytest.mark.parametrize(
    "keys",
    [
        [],
        ["a.jpg"],
        keys_in(1, 25),
        keys_in(5, 7),
        keys_in(50, 3),
        ["a.jpg", *keys_in(3, 10), "in/02/", "in/02.jpg", "in/zz.jpg", "z.jpg"],
        ["in/\U0001f600/a.jpg", "in/\uff5a/a.jpg", "in/ä/a.jpg"],
    ],
)
async def test_every_object_is_listed_once_however_it_is_divided(keys: list[str]) -> None:
    listing = Listing(FakeBucket(keys), "media", "")
    progress = await listing.begin()
    assert sorted(keys_of(await read(listing, progress))) == sorted(keys)


async def test_only_what_is_below_the_prefix_is_listed_and_divided() -> None:
    listing = Listing(FakeBucket(keys_in(12, 3)), "media", "in/0")
    progress = await listing.begin()
    assert sorted(keys_of(await read(listing, progress))) == keys_in(10, 3)
    assert progress.ranges is not None
    assert len(progress.ranges) == 10


async def test_a_listing_is_divided_by_the_first_level_that_has_several_folders() -> None:
    progress = await Listing(FakeBucket(["a/b/c/1.jpg", "a/b/d/1.jpg"]), "media", "").begin()
    assert progress.ranges == {0: Range("", "a/b/d/"), 1: Range("a/b/d/", None)}


async def test_eight_ranges_are_listed_side_by_side() -> None:
    bucket = FakeBucket(keys_in(16, 10))
    listing = Listing(bucket, "media", "")
    progress = await listing.begin()
    began = asyncio.get_running_loop().time()
    await read(listing, progress)
    assert bucket.most_under_way == 8
    # Sixteen ranges of one page and the one behind it, eight at a time.
    assert asyncio.get_running_loop().time() - began <= 4 * SECONDS + 0.01


async def test_the_end_of_a_range_is_told_when_all_of_it_was_put() -> None:
    listing = Listing(FakeBucket(["a/1.jpg", "b/1.jpg"]), "media", "")
    pages = await read(listing, Progress(ranges={7: Range("", "a/1.jpg")}))
    assert [(page.marks, page.end) for page in pages] == [
        ([Mark(7, "a/1.jpg")], Mark(7, "a/1.jpg")),
        ((), Mark(7, None)),
    ]


async def test_what_s3_does_not_answer_is_asked_again_from_where_it_was() -> None:
    bucket = FakeBucket(keys_in(3, 30))
    listing = Listing(bucket, "media", "")
    progress = await listing.begin()
    pages: list[Page] = []

    async def put(page: Page) -> None:
        pages.append(page)
        bucket.failures += 1

    await listing.read(progress, put)
    assert sorted(keys_of(pages)) == keys_in(3, 30)


async def test_after_eight_failures_in_a_row_s3_is_given_up() -> None:
    bucket = FakeBucket(keys_in(1, 5))
    bucket.failures = 100
    listing = Listing(bucket, "media", "")
    with pytest.raises(ExceptionGroup) as group:
        await read(listing, Progress(ranges={0: Range()}))
    assert group.group_contains(Unavailable, match="planted")
    assert bucket.calls == 8


# Of an inventory

MANIFEST = read_manifest(
    b'{"sourceBucket": "media", "destinationBucket": "arn:aws:s3:::inventory", "fileFormat": "CSV",'
    b'"fileSchema": "Bucket, Key, Size, ETag", "files": ['
    b'{"key": "one", "MD5checksum": "1"}, {"key": "two", "MD5checksum": "2"}]}'
)


class FakeInventory:
    """Two files of 25 rows, of which every tenth is an old version; ten rows a page, each of which fails once."""

    def __init__(self) -> None:
        self.failed: set[tuple[str, int]] = set()

    async def rows(
        self, manifest: Manifest, file: File, after: int = 0
    ) -> AsyncIterator[list[Found | NotThere]]:
        assert manifest is MANIFEST
        for row in range(after, 25, 10):
            await asyncio.sleep(SECONDS)
            if (file.key, row) not in self.failed:
                self.failed.add((file.key, row))
                raise Unavailable("planted")
            yield [
                NotThere.OLD_VERSION if each % 10 == 9 else Found(f"{file.key}/{each:02}.jpg", "e", 7, 0.0)
                for each in range(row, min(25, row + 10))
            ]


async def test_every_row_is_read_once_though_each_answer_fails_once() -> None:
    pages = await read(Reading(FakeInventory(), MANIFEST), Progress())
    assert keys_of(pages) == [
        f"{file}/{row:02}.jpg" for file in ("one", "two") for row in range(25) if row % 10 != 9
    ]
    assert [page.end for page in pages] == [
        *[Mark(0, 10), Mark(0, 20), Mark(0, 25), Mark(1, 0)],
        *[Mark(1, 10), Mark(1, 20), Mark(1, 25), Mark(2, 0)],
    ]
    assert pages[0].marks == [Mark(0, row) for row in range(1, 11)]


async def test_reading_goes_on_behind_the_row_that_was_dealt_with_last() -> None:
    pages = await read(Reading(FakeInventory(), MANIFEST), Progress(file=1, row=17))
    assert keys_of(pages) == [f"two/{row:02}.jpg" for row in (17, 18, 20, 21, 22, 23, 24)]
    assert pages[0].marks[0] == Mark(1, 18)


async def test_what_is_refused_is_not_asked_again() -> None:
    class Missing(FakeInventory):
        async def rows(
            self, manifest: Manifest, file: File, after: int = 0
        ) -> AsyncIterator[list[Found | NotThere]]:
            if file.key == "two":
                raise Refused("s3://inventory/two is not there.")
            async for page in super().rows(manifest, file, after):
                yield page

    with pytest.raises(Refused, match="s3://inventory/two is not there"):
        await read(Reading(Missing(), MANIFEST), Progress())

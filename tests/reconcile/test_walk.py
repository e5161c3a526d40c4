"""The walk over a bucket: what S3 is asked, what it makes of the answers, and what it does when there are none."""

import builtins
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from tests.core.sample_routes import ALL, LANE, STORAGES
from tests.fakes.objects import FakeObjects
from worker.commands.reconcile_store import Store, open_store_of_both
from worker.commands.reconcile_walk import Clocks, Walk, steadily
from worker.core.darwin import HeldItem
from worker.core.differences import Kind
from worker.core.errors import Refused, Unavailable
from worker.core.model import Reason
from worker.core.objects import Found
from worker.core.reconciling import Place, for_listings
from worker.core.routes import Fallback, Group, Route
from worker.core.routing import Routes

BUCKET = "acme-media"
NOW = 1_800_000_000.0
CLOCKS = Clocks(NOW, NOW - 600, 3_600.0)
KNOWN = {("acme", "intake"): 1}
pytestmark = pytest.mark.looptime


class Bucket(FakeObjects):
    """Lists in pages of two, of which some fail. *modified* by key; a day ago where it does not say."""

    def __init__(self) -> None:
        super().__init__()
        self.modified = dict[str, float]()
        self.failures = list[bool]()

    def add(self, *keys: str, modified: float = NOW - 86_400, content: bytes = b"x", **metadata: str) -> None:
        for key in keys:
            self.put(key, content, bucket=BUCKET, metadata=metadata, tags={"site": "north"})
            self.modified[key] = modified

    async def pages(self, bucket: str, prefix: str, after: str = "") -> AsyncIterator[builtins.list[Found]]:
        listed = [each for each in await self.list(bucket, prefix, 1_000) if each.key > after]
        for first in range(0, len(listed), 2):
            if self.failures and self.failures.pop(0):
                raise Unavailable("S3 is away")
            yield [
                Found(each.key, each.etag, each.size, self.modified[each.key])
                for each in listed[first : first + 2]
            ]


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store_of_both() as store:
        yield store


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


async def walked(store: Store, bucket: Bucket, *routes: Route, prefix: str = "") -> Walk:
    """To its end, where Darwin holds nothing."""
    walk = Walk(for_listings(Routes(routes, Fallback.IGNORE, STORAGES)), bucket, store, CLOCKS, KNOWN)
    await walk.list(Place(BUCKET, prefix), lambda _: None)
    await walk.find_places(lambda _: None)
    walk.on_their_way += store.compare(CLOCKS.young, (), KNOWN).on_their_way
    await walk.settle_doubts(lambda _: None)
    return walk


def told(store: Store) -> list[tuple[str, str, str]]:
    return [
        (kind.value, each.identity.name if each.identity else "", each.detail)
        for kind in store.counts()
        for each in store.differences(kind)
    ]


def series(**group: object) -> Route:
    return Route("series", LANE, prefix="ct", path="/", group=Group(**group))  # type: ignore[arg-type]  # as a test names it


async def test_objects_are_listed_counted_and_expected(store: Store, bucket: Bucket) -> None:
    bucket.add("in/a.png", "in/b.png", "in/c.png", "in/d.txt.", "other/e.png")
    walk = await walked(store, bucket, ALL, prefix="in/")
    assert (walk.listed, walk.seen) == (4, {("acme", "intake")})
    assert walk.outcomes == {Reason.UNSUPPORTED_TYPE: 1}
    assert [name for _, name, _ in told(store)] == ["a.png", "b.png", "c.png"]
    assert bucket.calls == {"list": 1}


async def test_a_listing_goes_on_behind_its_last_page_when_s3_was_away(store: Store, bucket: Bucket) -> None:
    bucket.add(*(f"{number}.png" for number in range(7)))
    bucket.failures = [False, True, True, False, True, False, False]
    walk = await walked(store, bucket, ALL)
    assert walk.listed == 7
    assert len(told(store)) == 7


async def test_a_listing_that_fails_again_and_again_is_given_up(store: Store, bucket: Bucket) -> None:
    bucket.add("a.png", "b.png", "c.png")
    bucket.failures = [False, *[True] * 6]
    with pytest.raises(Unavailable, match="S3 is away"):
        await walked(store, bucket, ALL)


async def test_places_that_metadata_and_tags_tell_are_asked_for_and_sidecars_only_of_what_is_missing(
    store: Store, bucket: Bucket
) -> None:
    bucket.add("a.png", patient="p7")
    bucket.add("b.png")
    route = Route("patients", LANE, item_name="{metadata.patient}-{tags.site}", path="/")
    walk = await walked(store, bucket, route)
    assert told(store) == [("missing", "p7-north", "")]
    assert walk.outcomes == {Reason.NO_VALUE: 1}
    assert bucket.calls == {"list": 1, "head": 3, "tags": 3}


async def test_what_is_archived_in_s3_or_gone_meanwhile_is_not_missing(store: Store, bucket: Bucket) -> None:
    bucket.add("a.png", "b.png")
    bucket.put("a.png", bucket=BUCKET, storage_class="GLACIER")
    walk = await walked(store, bucket, Route("line", LANE, head=True))
    assert told(store) == [("missing", "b.png", "")]
    assert walk.outcomes == {Reason.OBJECT_ARCHIVED: 1}


async def test_a_group_is_missing_when_it_is_complete_and_else_incomplete(
    store: Store, bucket: Bucket
) -> None:
    bucket.add("ct/1/a.dcm", "ct/1/b.dcm", "ct/2/a.dcm")
    await walked(store, bucket, series(count=2))
    assert told(store) == [
        ("missing", "1", ""),
        ("incomplete", "2", "Of the group, 1 of 2 files are there."),
    ]


async def test_a_group_is_quiet_since_its_last_part_changed(store: Store, bucket: Bucket) -> None:
    bucket.add("ct/1/a.dcm", "ct/1/b.dcm")
    bucket.add("ct/2/a.dcm", modified=NOW - 3_000)
    walk = await walked(store, bucket, series(quiet=3_600))
    assert told(store) == [("missing", "1", "")]
    assert walk.on_their_way == 1


async def test_what_a_manifest_tells_is_read_and_a_manifest_that_is_not_there_is_waited_for(
    store: Store, bucket: Bucket
) -> None:
    manifest = {"name": "by hand", "slots": [{"file": "a.dcm", "slot": "0"}]}
    bucket.add("ct/1/a.dcm", "ct/2/a.dcm")
    bucket.add("ct/1/item.json", content=json.dumps(manifest).encode())
    bucket.add("ct/3/a.dcm", modified=NOW)
    walk = await walked(store, bucket, series(manifest="item.json"))
    assert told(store) == [
        ("missing", "by hand", ""),
        ("incomplete", "", "Of the group, ct/2/item.json is not there."),
    ]
    assert walk.on_their_way == 1


async def test_a_paused_route_waits_with_all_that_it_would_make(store: Store, bucket: Bucket) -> None:
    bucket.add("ct/1/a.dcm", "ct/2/a.dcm", "ct/2/item.json")
    paused = replace(series(manifest="item.json"), paused=True)
    routes = for_listings(Routes((paused,), Fallback.IGNORE, STORAGES))
    walk = Walk(routes, bucket, store, CLOCKS, KNOWN, {"series"})
    await walk.list(Place(BUCKET, ""), lambda _: None)
    await walk.find_places(lambda _: None)
    assert told(store) == []
    assert walk.outcomes == {Reason.ROUTE_PAUSED: 1, Reason.INVALID_MANIFEST: 1}


async def test_s3_is_asked_again_and_what_it_refuses_ends_the_walk(store: Store, bucket: Bucket) -> None:
    bucket.add("a.png")
    walk = Walk(
        for_listings(Routes((Route("line", LANE, item_name="{metadata.a}"),), Fallback.IGNORE, STORAGES)),
        bucket,
        store,
        CLOCKS,
        KNOWN,
    )
    await walk.list(Place(BUCKET, ""), lambda _: None)
    bucket.failing = Unavailable("S3 is away")
    with pytest.raises(ExceptionGroup) as away:
        await walk.find_places(lambda _: None)
    assert away.group_contains(Unavailable)
    assert bucket.calls["head"] == 6
    bucket.failing = Refused("403")
    with pytest.raises(ExceptionGroup) as refused:
        await walk.find_places(lambda _: None)
    assert refused.group_contains(Refused)
    assert bucket.calls["head"] == 7


async def test_a_dataset_that_is_read_twice_holds_its_items_once(store: Store, bucket: Bucket) -> None:
    walk = Walk(for_listings(Routes((ALL,), Fallback.IGNORE, STORAGES)), bucket, store, CLOCKS, KNOWN)
    tries = 0

    async def pages() -> AsyncIterator[list[HeldItem]]:
        yield [HeldItem("/", "stray.png", True, NOW - 86_400)]
        if tries == 1:
            raise Unavailable("Darwin is away")

    async def read() -> None:
        nonlocal tries
        tries += 1
        await walk.hold("acme", "intake", pages(), lambda _: None, whole=True)

    await steadily(read)
    store.compare(CLOCKS.young, (), KNOWN)
    assert (tries, store.counts()) == (2, {Kind.STRAY: 1})

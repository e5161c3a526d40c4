"""Each row of the design's answer table, from Darwin's answer to what becomes of the record. On virtual time."""

import asyncio
import re

import pytest

from tests.fakes.rig import START, Rig, lane
from tests.fakes.watching import until, until_not
from worker.core.claims import Claim
from worker.core.conditions import Name
from worker.core.model import Identity, OnExisting, S3Object
from worker.core.routes import Route
from worker.demo.twin.state import Block, HeldItem, SentFile
from worker.demo.twin.switches import Switches

pytestmark = pytest.mark.looptime


def rig_of(
    *, on_existing: OnExisting = OnExisting.BLOCK, switches: Switches | None = None, **values: object
) -> Rig:
    route = Route("all", lane(), prefix="in", on_existing=on_existing)
    return Rig([route], switches=switches, **values)  # type: ignore[arg-type]  # passed on as they come


def plant(
    rig: Rig,
    name: str,
    *,
    path: str = "/",
    at: float = START,
    external: bool = True,
    key: str = "elsewhere",
) -> None:
    """Put an item into Darwin that no worker of this test registered."""
    held = HeldItem("id", path, name, [SentFile("0", name, "image", key)], at, external)
    rig.twin.world.teams["acme"].datasets["intake"].items[path, name] = held


def block(rig: Rig, name: str, reason: str) -> None:
    rig.twin.world.teams["acme"].blocks.append(Block(re.compile(re.escape(name)), reason))


async def test_2xx_registers_what_is_in_items_and_blocks_by_reason_what_is_blocked() -> None:
    """Row: 2xx, in `items` and in `blocked_items`."""
    rig = rig_of()
    block(rig, "tagged", "UNKNOWN_TAGS")
    block(rig, "odd", "WHO_KNOWS")
    rig.upload("in/good.jpg", "in/tagged.jpg", "in/odd.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.items() == {"intake": ["/good.jpg"]}
    assert rig.dead() == [("in/odd.jpg", "other_darwin_reason"), ("in/tagged.jpg", "unknown_tags")]
    assert rig.outcomes() == {"registered": 1, "blocked": 2}
    assert rig.ledger.entries.keys() == {Identity("acme", "intake", "/", "good.jpg")}


async def test_an_item_in_neither_list_is_proven_by_the_item_list() -> None:
    """Row: 2xx, in neither list: Darwin did the work, so the next try finds the item there, and it is ours."""
    rig = rig_of()
    rig.fault(kind="omit-items", item="lost", times=1)
    rig.upload("in/lost.jpg", "in/good.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.items() == {"intake": ["/good.jpg", "/lost.jpg"]}
    assert rig.outcomes() == {"registered": 2}
    assert rig.counters()["extensions"] == 0


@pytest.mark.parametrize(
    ("darwin", "reason"), [("UNEXPECTED_ERROR", "unexpected_error"), ("FILE_UPLOAD_FAILED", "upload_failed")]
)
async def test_an_error_of_darwins_own_is_tried_five_times(darwin: str, reason: str) -> None:
    """Row: UNEXPECTED_ERROR, FILE_UPLOAD_FAILED."""
    rig = rig_of()
    block(rig, "cursed", darwin)
    rig.upload("in/cursed.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert rig.dead() == [("in/cursed.jpg", reason)]
    assert len(rig.darwin["acme"].sent_at) == 5


async def test_a_name_registered_for_this_object_is_a_duplicate() -> None:
    """Row: ALREADY_EXISTS, registered for this object. The ledger knows, so Darwin is not even asked."""
    rig = rig_of()
    async with rig.running():
        rig.upload("in/a.jpg")
        await rig.queue.until_empty()
        rig.upload("in/a.jpg")
        await rig.queue.until_empty()
    assert rig.outcomes() == {"registered": 1, "duplicate": 1}
    assert len(rig.darwin["acme"].sent_at) == 1


async def test_a_name_registered_for_another_object_is_a_collision() -> None:
    """Row: ALREADY_EXISTS, registered for another object: two keys that a fixed path puts in one place."""
    rig = Rig([Route("flat", lane(), prefix="in", path="/")])
    async with rig.running():
        rig.upload("in/x/a.jpg")
        await rig.queue.until_empty()
        rig.upload("in/y/a.jpg")
        await rig.queue.until_empty()
    assert rig.dead() == [("in/y/a.jpg", "name_collision")]


async def test_two_keys_of_one_name_in_one_receive_are_a_collision_too() -> None:
    """Row: ALREADY_EXISTS, registered for another object, while both are open."""
    rig = Rig([Route("flat", lane(), prefix="in", path="/")])
    rig.upload("in/x/a.jpg", "in/y/a.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.dead() == [("in/y/a.jpg", "name_collision")]
    assert rig.counters()["collisions"] == 0


async def test_an_overwritten_object_is_ignored() -> None:
    """Outcome: ignored, overwritten object (default)."""
    rig = rig_of()
    async with rig.running():
        rig.upload("in/a.jpg", etag="e1")
        await rig.queue.until_empty()
        rig.upload("in/a.jpg", etag="e2")
        await rig.queue.until_empty()
    assert rig.outcomes() == {"registered": 1, "ignored": 1}
    assert not rig.dead()


async def test_an_item_that_was_there_before_us_is_blocked() -> None:
    """Row: ALREADY_EXISTS, claim fresh and its first request; on_existing: block."""
    rig = rig_of()
    plant(rig, "a.jpg")
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.dead() == [("in/a.jpg", "foreign_item")]
    assert not rig.ledger.entries


async def test_an_item_that_was_there_before_us_is_adopted_where_the_route_says_so() -> None:
    """Row: ALREADY_EXISTS, on_existing: accept. Outcome: existing."""
    rig = rig_of(on_existing=OnExisting.ACCEPT)
    plant(rig, "a.jpg")
    async with rig.running():
        rig.upload("in/a.jpg")
        await rig.queue.until_empty()
        rig.upload("in/a.jpg")
        await rig.queue.until_empty()
    assert rig.outcomes() == {"existing": 1, "duplicate": 1}


@pytest.mark.parametrize("age", [60.0, 100_000.0])
async def test_a_lapsed_claim_is_settled_by_the_time_of_the_item(age: float) -> None:
    """Row: ALREADY_EXISTS, claim lapsed and taken over: ours when inserted after the claim's first request."""
    rig = rig_of()
    identity = Identity("acme", "intake", "/", "a.jpg")
    await rig.ledger.claim(
        [Claim(identity, S3Object("media", "in/a.jpg", None, "e1", 10))], "dead worker", 50
    )
    rig.ledger.lapse_all()
    plant(rig, "a.jpg", at=START - age, key="in/a.jpg")
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    proven = age <= 120
    assert rig.outcomes() == ({"registered": 1} if proven else {"blocked": 1})
    assert rig.dead() == ([] if proven else [("in/a.jpg", "foreign_item")])


async def test_a_lapsed_claim_for_another_object_makes_the_proven_item_that_objects() -> None:
    """Row: ALREADY_EXISTS, claim lapsed: the item holds what the first holder sent, not what we have."""
    rig = Rig([Route("flat", lane(), prefix="in", path="/")])
    identity = Identity("acme", "intake", "/", "a.jpg")
    await rig.ledger.claim(
        [Claim(identity, S3Object("media", "in/x/a.jpg", None, "e0", 9))], "dead worker", 50
    )
    rig.ledger.lapse_all()
    plant(rig, "a.jpg", key="in/x/a.jpg")
    rig.upload("in/y/a.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.dead() == [("in/y/a.jpg", "name_collision")]
    entry = rig.ledger.entry(identity)
    assert entry is not None
    assert entry.registered
    assert entry.object.key == "in/x/a.jpg"


async def test_a_lost_answer_is_not_taken_for_somebody_elses_item() -> None:
    """Row: ALREADY_EXISTS, an earlier request had no clear answer. Row: broken connection."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", times=1)
    rig.upload("in/a.jpg", "in/b.jpg")
    async with rig.running():
        await rig.queue.until_empty()
    assert rig.items() == {"intake": ["/a.jpg", "/b.jpg"]}
    assert rig.outcomes() == {"registered": 2}
    assert rig.counters()["extensions"] == 0


async def test_a_full_plan_pauses_the_team_and_buries_nothing() -> None:
    """Row: ITEM_COUNT_LIMIT_EXCEEDED. One item a minute asks whether there is room again."""
    rig = rig_of()
    team = rig.twin.world.teams["acme"]
    team.plan_full = True
    rig.upload(*(f"in/{n}.jpg" for n in range(50)))
    async with rig.running():
        await until(rig, Name.PLAN_FULL)
        before = len(rig.darwin["acme"].sent_at)
        await asyncio.sleep(600)
        assert 8 <= len(rig.darwin["acme"].sent_at) - before <= 11
        assert rig.situation.has(Name.PLAN_FULL)
        team.plan_full = False
        await rig.queue.until_empty(within=120)
        await until_not(rig, Name.PLAN_FULL)
    assert len(rig.items()["intake"]) == 50
    assert not rig.dead()


async def test_a_full_storage_told_by_429_is_no_rate_limit() -> None:
    """Row: 429 with INSUFFICIENT_REMAINING_STORAGE."""
    rig = rig_of(switches=Switches(plan_full_as="429"))
    rig.twin.world.teams["acme"].plan_full = True
    rig.upload("in/a.jpg")
    async with rig.running():
        await until(rig, Name.PLAN_FULL)
        rig.twin.world.teams["acme"].plan_full = False
        await rig.queue.until_empty(within=120)
    assert rig.outcomes() == {"registered": 1}


@pytest.mark.parametrize("seconds", [30.0, 90.0])
async def test_a_429_freezes_the_bucket_until_retry_after(seconds: float) -> None:
    """Row: 429. Nothing is sent until then, by no lane."""
    rig = Rig([Route("a", lane("one"), prefix="a"), Route("b", lane("two"), prefix="b")])
    rig.fault(kind="429", times=1, retry_after=seconds)
    rig.upload("a/1.jpg")
    async with rig.running():
        await asyncio.sleep(5)
        rig.upload("b/1.jpg")
        await rig.queue.until_empty(within=200)
    first, second, *_ = rig.darwin["acme"].sent_at
    assert second - first >= seconds
    assert rig.outcomes() == {"registered": 2}


async def test_a_429_without_retry_after_backs_off() -> None:
    """Row: 429, header absent."""
    rig = rig_of()
    rig.fault(kind="429", times=2)
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=60)
    first, second, third = rig.darwin["acme"].sent_at
    assert second - first >= 1
    assert third - second >= 1
    assert rig.outcomes() == {"registered": 1}


async def test_a_refused_key_pauses_until_the_key_file_holds_a_good_one() -> None:
    """Row: 401. The key file is read again, and a good key ends the pause without a restart."""
    rig = rig_of()
    darwin = rig.darwin["acme"]
    darwin.key = darwin.key_in_file = "wrong"
    rig.upload("in/a.jpg")
    async with rig.running():
        await until(rig, Name.KEY_REFUSED)
        await asyncio.sleep(600)
        assert not rig.dead()
        assert len(rig.queue.in_flight) == 1
        assert rig.queue.stored[0].receive_count == 1
        darwin.key_in_file = "key-of-acme"
        await rig.queue.until_empty(within=10)
        await until_not(rig, Name.KEY_REFUSED)
    assert rig.outcomes() == {"registered": 1}


async def test_a_missing_dataset_is_confirmed_by_the_list_and_buried_after_the_grace() -> None:
    """Row: 404. Within 15 minutes nothing is dead-lettered; then the reason says what is missing."""
    rig = rig_of()
    rig.twin.world.teams["acme"].datasets["intake"].removed = True
    rig.upload("in/a.jpg", "in/b.jpg")
    async with rig.running():
        await until(rig, Name.LANE_PAUSED)
        await asyncio.sleep(14 * 60)
        assert not rig.dead()
        await rig.dead_letters.until(lambda: len(rig.dead_letters.stored) == 2, within=180)
        await rig.queue.until_empty()
    assert rig.dead() == [("in/a.jpg", "dataset_missing"), ("in/b.jpg", "dataset_missing")]
    assert len(rig.darwin["acme"].sent_at) == 1


async def test_a_dataset_that_comes_back_within_the_grace_costs_nothing() -> None:
    """Row: 404, recovered."""
    rig = rig_of()
    dataset = rig.twin.world.teams["acme"].datasets["intake"]
    dataset.removed = True
    rig.upload("in/a.jpg")
    async with rig.running():
        await until(rig, Name.LANE_PAUSED)
        await asyncio.sleep(300)
        dataset.removed = False
        await rig.queue.until_empty(within=180)
    assert rig.outcomes() == {"registered": 1}


async def test_one_bad_item_among_a_hundred_is_found_and_the_others_pass() -> None:
    """Row: 422. 99 registered, the one rejected, in at most 15 requests."""
    rig = rig_of()
    rig.fault(kind="status", status=422, item="^13.jpg$", body="json")
    rig.upload(*(f"in/{n}.jpg" for n in range(100)))
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert len(rig.items()["intake"]) == 99
    assert rig.dead() == [("in/13.jpg", "refused_alone")]
    assert rig.outcomes() == {"registered": 99, "rejected": 1}


async def test_a_lane_whose_every_batch_is_refused_is_paused_and_buried_only_after_the_grace() -> None:
    """Row: 422 for whatever is sent: three singles with the same answer, the fault is the lane's."""
    rig = rig_of()
    rig.fault(kind="status", status=422, body="json", endpoint="register")
    rig.upload(*(f"in/{n}.jpg" for n in range(100)))
    async with rig.running():
        await until(rig, Name.LANE_PAUSED)
        assert len(rig.darwin["acme"].sent_at) <= 14
        await asyncio.sleep(13 * 60)
        assert not rig.dead()
        await rig.queue.until_empty(within=240)
    assert len(rig.dead()) == 100
    assert {reason for _, reason in rig.dead()} == {"lane_refused"}


async def test_a_batch_that_is_too_large_is_split_without_a_victim() -> None:
    """Row: 413."""
    rig = rig_of(switches=Switches(max_items=30, too_many=413))
    rig.upload(*(f"in/{n}.jpg" for n in range(100)))
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert len(rig.items()["intake"]) == 100
    assert not rig.dead()


@pytest.mark.parametrize("work", ["all", "none", "half"])
@pytest.mark.parametrize("kind", ["status", "html", "truncated-json"])
async def test_an_unclear_answer_is_tried_again_and_never_doubles(kind: str, work: str) -> None:
    """Row: 5xx, HTML, truncated JSON: may have registered."""
    rig = rig_of()
    rig.fault(kind=kind, times=2, work=work, endpoint="register")
    rig.upload(*(f"in/{n}.jpg" for n in range(10)))
    async with rig.running():
        await rig.queue.until_empty(within=120)
    assert len(rig.items()["intake"]) == 10
    assert rig.outcomes() == {"registered": 10}
    assert rig.counters()["extensions"] == 0
    assert rig.counters()["collisions"] == 0


async def test_a_request_without_an_answer_ends_after_its_timeout_and_is_tried_again() -> None:
    """Row: timeout."""
    rig = rig_of()
    rig.fault(kind="slow-answer", seconds=100, times=1)
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=120)
    first, second = rig.darwin["acme"].sent_at
    assert 20 <= second - first <= 22
    assert rig.outcomes() == {"registered": 1}


async def test_darwin_is_down_when_nothing_answers_and_is_then_asked_once_a_minute() -> None:
    """Row: 5xx, Darwin down: three in a row over 10 s and token_info fails; pollers stop, nothing is buried."""
    rig = rig_of()
    darwin = rig.darwin["acme"]
    darwin.unreachable = True
    rig.upload("in/a.jpg")
    async with rig.running():
        await until(rig, Name.DARWIN_DOWN)
        sent, probed = len(darwin.sent_at), len(darwin.probes)
        await asyncio.sleep(7200)
        rig.upload("in/b.jpg")
        assert len(darwin.sent_at) == sent
        assert 115 <= len(darwin.probes) - probed <= 121
        assert [stored.receive_count for stored in rig.queue.stored] == [1, 0]
        darwin.unreachable = False
        await rig.queue.until_empty(within=120)
    assert not rig.dead()
    assert rig.outcomes() == {"registered": 2}


async def test_an_item_that_makes_darwin_fail_is_found_and_blocked_while_others_pass() -> None:
    """Row: 5xx while token_info answers: the fault is the batch's; an item that failed alone five times."""
    rig = rig_of()
    rig.fault(kind="item-always-fails", item="^7.jpg$")
    rig.upload(*(f"in/{n}.jpg" for n in range(40)))
    async with rig.running():
        await rig.queue.until_empty(within=1200)
    assert rig.dead() == [("in/7.jpg", "fails_alone")]
    assert len(rig.items()["intake"]) == 39


async def test_a_few_items_that_all_fail_do_not_stop_the_only_lane_for_good() -> None:
    """Row: 5xx while token_info answers: three fail alone, the lane is paused, and the next good item tells."""
    rig = rig_of()
    rig.fault(kind="item-always-fails", item="^cursed")
    rig.upload(*(f"in/cursed{n}.jpg" for n in range(4)))
    async with rig.running():
        await until(rig, Name.LANE_PAUSED)
        rig.upload(*(f"in/good{n}.jpg" for n in range(4)))
        await rig.queue.until_empty(within=1800)
    assert rig.items()["intake"] == [f"/good{n}.jpg" for n in range(4)]
    assert {reason for _, reason in rig.dead()} == {"fails_alone"}
    assert len(rig.dead()) == 4

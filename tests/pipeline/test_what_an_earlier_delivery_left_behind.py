"""Law 1 across deliveries: what a request without a clear answer may have done is not forgotten. On virtual time."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.fakes.rig import Rig, lane, notification, rig_of
from tests.pipeline.test_answer_table import plant
from worker.core.claims import Claim
from worker.core.darwin import HeldItem
from worker.core.errors import Refused
from worker.core.model import Identity, S3Object
from worker.core.routes import Route
from worker.demo.twin.state import Dataset

pytestmark = pytest.mark.looptime

CLAIM = Claim(Identity("acme", "intake", "/", "a.jpg"), S3Object("media", "in/a.jpg", None, "e1", 10))


async def test_an_item_sent_under_a_lost_lease_is_proven_ours_at_its_next_delivery() -> None:
    """Law 1, ALREADY_EXISTS row: the claim that the lost delivery left tells that something may have been sent."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(0.8)
        assert rig.items() == {"intake": ["/a.jpg"]}
        rig.flow.settling.lose(1, "SQS said no")
        await rig.queue.until_empty(within=300)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 1}


async def test_an_object_that_finds_the_claim_of_another_one_does_not_take_its_item_for_its_own() -> None:
    """Law 1: a claim holds the object; the item that came of it is not another object's."""
    rig = Rig([Route("all", lane(), prefix="in", path="/flat")], visibility=60)
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)
    rig.upload("in/x/a.jpg")
    async with rig.running():
        await asyncio.sleep(0.8)
        assert rig.items() == {"intake": ["/flat/a.jpg"]}
        rig.flow.settling.lose(1, "SQS said no")
        rig.upload("in/y/a.jpg")
        await rig.queue.until_empty(within=300)
    assert rig.dead() == [("in/y/a.jpg", "name_collision")]


async def test_two_objects_of_one_name_that_are_both_cut_short_get_true_reasons() -> None:
    """Law 1: the claim that was left for the first object is not overwritten before Darwin was asked whose item it is."""
    rig = Rig([Route("all", lane(), prefix="in", path="/flat")], visibility=60)
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=2)
    rig.upload("in/x/a.jpg")
    async with rig.running():
        await asyncio.sleep(0.8)
        rig.flow.settling.lose(1, "SQS said no")
        rig.upload("in/y/a.jpg")
        await asyncio.sleep(2)
        assert rig.dead() == [("in/y/a.jpg", "name_collision")]
        await rig.queue.until_empty(within=300)
    assert rig.outcomes() == {"blocked": 1, "duplicate": 1}
    [held] = rig.twin.world.teams["acme"].datasets["intake"].items.values()
    assert [file.storage_key for file in held.files] == ["in/x/a.jpg"]


async def test_a_claim_that_sent_nothing_goes_to_another_object_once_darwin_was_asked() -> None:
    rig = Rig([Route("all", lane(), prefix="in", path="/flat")], visibility=60)
    rig.fault(kind="status", status=503, work="none", endpoint="register", times=1)
    rig.upload("in/x/a.jpg")
    async with rig.running():
        await asyncio.sleep(0.8)
        rig.flow.settling.lose(1, "SQS said no")
        rig.upload("in/y/a.jpg")
        await rig.queue.until_empty(within=300)
    assert rig.dead() == [("in/x/a.jpg", "name_collision")]
    assert rig.items() == {"intake": ["/flat/a.jpg"]}


async def test_an_item_that_no_answer_ever_names_is_looked_for_before_it_is_given_up() -> None:
    """Row: 2xx, in neither list: ask the item list."""
    rig = rig_of()
    rig.fault(kind="omit-items", item="lost")
    rig.upload("in/lost.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 1}


async def test_an_item_that_fails_alone_is_looked_for_before_it_is_given_up() -> None:
    """Row: 5xx may have registered; a dead letter must not tell of an item that Darwin holds through us."""
    rig = rig_of()
    rig.fault(kind="status", status=503, work="all", item="cursed")
    rig.upload("in/cursed.jpg", *(f"in/{n}.jpg" for n in range(20)))
    async with rig.running():
        await rig.queue.until_empty(within=900)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 21}


async def test_a_list_that_lags_behind_makes_no_item_of_ours_a_foreign_one() -> None:
    """Row: ALREADY_EXISTS. Darwin says that the name is taken, and its list does not show it yet: ask again."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)
    find_items = rig.darwin["acme"].find_items
    asked = []

    async def lagging(dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        asked.append(places)
        return [] if len(asked) <= 2 else await find_items(dataset_id, places)

    rig.darwin["acme"].find_items = lagging  # type: ignore[method-assign]  # only the first answers differ
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 1}


async def test_a_name_that_the_list_never_shows_is_given_up_after_five_tries() -> None:
    """Row: ALREADY_EXISTS; nothing is asked for ever."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)

    async def blind(dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        del dataset_id, places
        return []

    rig.darwin["acme"].find_items = blind  # type: ignore[method-assign]  # Darwin's list never tells
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert rig.dead() == [("in/a.jpg", "foreign_item")]
    assert len(rig.darwin["acme"].sent_at) == 6


async def test_no_item_is_given_up_while_darwin_cannot_say_whether_it_is_there() -> None:
    """Row: 5xx may have registered: the item list decides, so the dead letter waits for it."""
    rig = rig_of()
    rig.fault(kind="status", status=503, work="all", item="cursed")
    away = rig.fault(kind="status", status=503, endpoint="items")
    rig.upload("in/cursed.jpg")
    async with rig.running():
        for n in range(60):
            rig.upload(f"in/{n}.jpg")
            await asyncio.sleep(5)
        assert rig.dead() == []
        rig.twin.world.faults.clear(away)
        for n in range(60, 80):  # it is given up only while others pass
            rig.upload(f"in/{n}.jpg")
            await asyncio.sleep(5)
        await rig.queue.until_empty(within=60)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 81}


async def test_a_list_that_may_not_be_read_gives_an_item_up_after_five_tries() -> None:
    """Row: ALREADY_EXISTS. A 403 for the list alone: no waiting will change it, and nobody may call the item foreign."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)

    async def forbidden(dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        del dataset_id, places
        raise Refused("Darwin, GET /items: 403")

    rig.darwin["acme"].find_items = forbidden  # type: ignore[method-assign]  # the key may register, and not list
    rig.upload("in/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=300)
    assert rig.dead() == [("in/a.jpg", "no_answer_for_item")]
    assert len(rig.darwin["acme"].sent_at) == 6


async def test_a_list_that_does_not_answer_gives_no_item_up() -> None:
    """Row: ALREADY_EXISTS. Whatever the list would have said is waited for, longer than five tries take."""
    rig = rig_of()
    rig.fault(kind="drop-answer-after-work", endpoint="register", times=1)
    away = rig.fault(kind="status", status=503, endpoint="items")
    rig.upload("in/a.jpg")
    async with rig.running():
        await asyncio.sleep(3600)
        assert rig.dead() == []
        assert len(rig.darwin["acme"].sent_at) > 6
        rig.twin.world.faults.clear(away)
        await rig.queue.until_empty(within=120)
    assert rig.outcomes() == {"registered": 1}


async def test_a_record_sent_again_while_the_list_lags_is_not_taken_for_a_foreign_item() -> None:
    """Law 1: the ledger knew the item as registered, and that is not forgotten because a list did not show it yet."""
    rig = rig_of()
    find_items = rig.darwin["acme"].find_items
    upload = notification("in/a.jpg")
    asked = []

    async def lagging(dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        asked.append(places)
        return [] if len(asked) <= 2 else await find_items(dataset_id, places)

    rig.darwin["acme"].find_items = lagging  # type: ignore[method-assign]  # only the first answers differ
    async with rig.running():
        rig.queue.put(upload)
        await rig.queue.until_empty(within=12)
        rig.queue.put(upload, {"again": "true"})
        await rig.queue.until_empty(within=60)
        rig.queue.put(upload)
        await rig.queue.until_empty(within=60)
    assert rig.dead() == []
    assert rig.outcomes() == {"registered": 2, "duplicate": 1}
    assert rig.items() == {"intake": ["/a.jpg"]}


async def test_a_record_sent_again_into_a_dataset_that_is_gone_becomes_a_dead_letter() -> None:
    """Row: 404. No list can be asked; a request will tell, and then the lists of datasets and storages."""
    rig = rig_of()
    await rig.ledger.register([CLAIM], "a worker of last year")
    rig.twin.world.teams["acme"].datasets["intake"].removed = True
    rig.queue.put(notification("in/a.jpg"), {"again": "true"})
    async with rig.running():
        await rig.queue.until_empty(within=1200)
    assert rig.dead() == [("in/a.jpg", "dataset_missing")]


async def test_a_record_sent_again_into_a_dataset_that_was_made_anew_is_registered_there() -> None:
    """Section 2, `again`: a dataset of the same name has another id, and the one we knew is refused."""
    rig = rig_of()
    datasets = rig.twin.world.teams["acme"].datasets
    find_items = rig.darwin["acme"].find_items

    async def of_known_datasets(dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        if dataset_id != datasets["intake"].id:
            raise Refused("Darwin, GET /items: 404")
        return await find_items(dataset_id, places)

    rig.darwin["acme"].find_items = of_known_datasets  # type: ignore[method-assign]  # the twin knows no wrong id
    await rig.ledger.register([CLAIM], "a worker of last year")
    async with rig.running():
        rig.queue.put(notification("in/a.jpg"), {"again": "true"})
        await rig.queue.until_empty(within=60)
        datasets["intake"] = Dataset(4711, "intake")
        rig.queue.put(notification("in/a.jpg"), {"again": "true"})
        await rig.queue.until_empty(within=60)
    assert rig.items() == {"intake": ["/a.jpg"]}
    assert rig.outcomes() == {"registered": 2}


async def test_an_item_that_came_of_another_takeover_is_not_written_for_the_object_of_the_left_claim() -> (
    None
):
    """Law 1: while we asked Darwin, another worker gave the name to its own object, and that is what the list shows."""
    rig = Rig([Route("all", lane(), prefix="in", path="/flat")])
    identity = Identity("acme", "intake", "/flat", "a.jpg")
    left, theirs = (
        S3Object("media", "in/x/a.jpg", None, "e1", 10),
        S3Object("media", "in/y/a.jpg", None, "e1", 10),
    )
    await rig.ledger.claim([Claim(identity, left)], "dead worker", 0)
    find_items = rig.darwin["acme"].find_items

    async def slow(dataset_id: int, places: Sequence[tuple[str, str]]) -> list[HeldItem]:
        held = await rig.ledger.look_up([identity])
        if held[0] and not held[0].registered:
            await rig.ledger.claim([Claim(identity, theirs, supersedes=held[0].at)], "worker-2", 50)
            plant(rig, "a.jpg", path="/flat", at=rig.now(), key="in/y/a.jpg")
            await rig.ledger.register([Claim(identity, theirs)], "worker-2")
        return await find_items(dataset_id, places)

    rig.darwin["acme"].find_items = slow  # type: ignore[method-assign]  # what another worker does meanwhile
    rig.upload("in/z/a.jpg")
    async with rig.running():
        await rig.queue.until_empty(within=120)
    assert rig.dead() == [("in/z/a.jpg", "name_collision")]
    entry = rig.ledger.entry(identity)
    assert entry is not None
    assert (entry.object, entry.registered) == (theirs, True)

"""What the Ledger port promises (law 1), run on every implementation."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.adapters.stores import LEDGERS, Clock, Opening
from worker.core.claims import Claim, Denied, Entry, Granted
from worker.core.model import Identity, S3Object
from worker.pipeline.ports import Ledger

CAT = Identity("acme", "intake", "/animals", "cat.jpg")
DOG = Identity("acme", "intake", "/animals", "dog.jpg")
CAT_OBJECT = S3Object("media", "animals/cat.jpg", version="v1", etag="e1", size=7)
NEW_CAT_OBJECT = S3Object("media", "animals/cat.jpg", version="v2", etag="e2", size=8)
DOG_OBJECT = S3Object("media", "animals/dog.jpg")
CAT_CLAIM = Claim(CAT, CAT_OBJECT)
DOG_CLAIM = Claim(DOG, DOG_OBJECT)


@pytest.fixture(params=LEDGERS)
def opening(request: pytest.FixtureRequest) -> Opening[Ledger]:
    return LEDGERS[request.param](request)


@pytest.fixture
async def ledger(opening: Opening[Ledger], clock: Clock) -> AsyncIterator[Ledger]:
    async with opening.open(clock) as ledger:
        yield ledger


@pytest.fixture
async def beside(opening: Opening[Ledger], ledger: Ledger, clock: Clock) -> AsyncIterator[Ledger]:
    """Another process on the same store; the same ledger again where one process has the store for itself."""
    if not opening.shared:
        yield ledger
        return
    async with opening.open(clock) as another:
        yield another


async def entry(ledger: Ledger, identity: Identity = CAT) -> Entry:
    [found] = await ledger.look_up([identity])
    assert found is not None
    return found


async def test_an_unknown_identity_has_no_entry(ledger: Ledger) -> None:
    assert await ledger.look_up([CAT, DOG]) == [None, None]


async def test_a_new_claim_is_granted_since_now(ledger: Ledger) -> None:
    """Law 1."""
    assert await ledger.claim([CAT_CLAIM], "us", 50) == [Granted(since=1000.0, lapsed=None)]


async def test_a_claim_is_seen_with_its_object_holder_and_remaining_time(
    ledger: Ledger, clock: Clock
) -> None:
    await ledger.claim([CAT_CLAIM], "us", 50)
    clock.time = 1020.0
    assert await entry(ledger) == Entry(
        CAT_OBJECT, registered=False, token="us", since=1000, at=1000, expires_in=30
    )


async def test_somebody_elses_live_claim_is_denied(ledger: Ledger, clock: Clock) -> None:
    """Law 1."""
    await ledger.claim([CAT_CLAIM], "they", 50)
    clock.time = 1049.0
    [denied] = await ledger.claim([Claim(CAT, NEW_CAT_OBJECT)], "us", 50)
    assert denied == Denied(
        Entry(CAT_OBJECT, registered=False, token="they", since=1000, at=1000, expires_in=1)
    )
    assert (await entry(ledger)).token == "they"


async def test_a_lapsed_claim_is_taken_over_and_told_of(ledger: Ledger, clock: Clock) -> None:
    """Law 1: a lapsed claim means that its request may have been sent."""
    await ledger.claim([CAT_CLAIM], "they", 50)
    clock.time = 1050.0
    [granted] = await ledger.claim([CAT_CLAIM], "us", 50)
    lapsed = Entry(CAT_OBJECT, registered=False, token="they", since=1000, at=1000, expires_in=0)
    assert granted == Granted(since=1000.0, lapsed=lapsed)
    assert await entry(ledger) == Entry(
        CAT_OBJECT, registered=False, token="us", since=1000, at=1050, expires_in=50
    )


@pytest.mark.parametrize("token", ["they", "us"])
async def test_a_claim_that_was_left_for_another_object_is_not_overwritten_before_darwin_was_asked(
    ledger: Ledger, clock: Clock, token: str
) -> None:
    """Law 1: the claim holds the object; a ledger that forgot it would call the item another object's."""
    await ledger.claim([CAT_CLAIM], token, 50)
    clock.time = 1050.0
    left = Entry(CAT_OBJECT, registered=False, token=token, since=1000, at=1000, expires_in=0)
    assert await ledger.claim([Claim(CAT, NEW_CAT_OBJECT)], "us", 50) == [Denied(left)]
    asked = Claim(CAT, NEW_CAT_OBJECT, supersedes=left.at)
    assert await ledger.claim([asked], "us", 50) == [Granted(since=1050.0, lapsed=None)]
    assert (await entry(ledger)).object == NEW_CAT_OBJECT


async def test_a_lapsed_claim_is_still_there_to_be_looked_up(ledger: Ledger, clock: Clock) -> None:
    await ledger.claim([CAT_CLAIM], "they", 50)
    clock.time = 1060.0
    assert (await entry(ledger)).expires_in == -10


async def test_our_own_claim_is_renewed(ledger: Ledger, clock: Clock) -> None:
    await ledger.claim([CAT_CLAIM], "us", 50)
    clock.time = 1040.0
    assert await ledger.claim([CAT_CLAIM], "us", 50) == [Granted(since=1000.0, lapsed=None)]
    assert (await entry(ledger)).expires_in == 50


async def test_our_own_claim_is_renewed_even_after_it_lapsed(ledger: Ledger, clock: Clock) -> None:
    await ledger.claim([CAT_CLAIM], "us", 50)
    clock.time = 2000.0
    assert await ledger.claim([CAT_CLAIM], "us", 50) == [Granted(since=1000.0, lapsed=None)]


async def test_our_own_claim_is_denied_once_somebody_took_it_over(ledger: Ledger, clock: Clock) -> None:
    await ledger.claim([CAT_CLAIM], "us", 50)
    clock.time = 1050.0
    await ledger.claim([CAT_CLAIM], "they", 50)
    [denied] = await ledger.claim([CAT_CLAIM], "us", 50)
    assert isinstance(denied, Denied)
    assert denied.entry.token == "they"


async def test_what_is_registered_is_denied_for_ever(ledger: Ledger, clock: Clock) -> None:
    """Law 1: registered claims do not expire."""
    await ledger.claim([CAT_CLAIM], "us", 50)
    clock.time = 1010.0
    await ledger.register([CAT_CLAIM], "us")
    clock.time = 1e9
    registered = Entry(CAT_OBJECT, registered=True, token="us", since=1000, at=1010, expires_in=0)
    assert await ledger.claim([Claim(CAT, NEW_CAT_OBJECT)], "they", 50) == [Denied(registered)]
    assert await ledger.claim([CAT_CLAIM], "us", 50) == [Denied(registered)]
    assert await entry(ledger) == registered


async def test_registering_holds_whoever_has_the_claim_by_now(ledger: Ledger, clock: Clock) -> None:
    """Law 3: what Darwin answered is still written to the ledger, because it is true."""
    await ledger.claim([CAT_CLAIM], "us", 50)
    clock.time = 1060.0
    await ledger.claim([Claim(CAT, NEW_CAT_OBJECT)], "they", 50)
    await ledger.register([CAT_CLAIM], "us")
    held = await entry(ledger)
    assert (held.registered, held.object, held.token, held.since) == (True, CAT_OBJECT, "us", 1000)


async def test_registering_needs_no_claim(ledger: Ledger) -> None:
    await ledger.register([CAT_CLAIM], "us")
    assert await entry(ledger) == Entry(
        CAT_OBJECT, registered=True, token="us", since=1000, at=1000, expires_in=0
    )


async def test_a_claim_that_supersedes_a_registered_entry_is_granted_anew(
    ledger: Ledger, clock: Clock
) -> None:
    await ledger.register([CAT_CLAIM], "they")
    clock.time = 1500.0
    claim = Claim(CAT, NEW_CAT_OBJECT, supersedes=(await entry(ledger)).at)
    assert await ledger.claim([claim], "us", 50) == [Granted(since=1500.0, lapsed=None)]
    assert await entry(ledger) == Entry(
        NEW_CAT_OBJECT, registered=False, token="us", since=1500, at=1500, expires_in=50
    )


async def test_a_claim_supersedes_only_the_writing_it_names(ledger: Ledger) -> None:
    await ledger.register([CAT_CLAIM], "they")
    at = (await entry(ledger)).at
    await ledger.register([CAT_CLAIM], "they")
    [denied] = await ledger.claim([Claim(CAT, CAT_OBJECT, supersedes=at)], "us", 50)
    assert isinstance(denied, Denied)


async def test_superseding_does_not_help_against_a_live_claim(ledger: Ledger) -> None:
    await ledger.claim([CAT_CLAIM], "they", 50)
    at = (await entry(ledger)).at
    [denied] = await ledger.claim([Claim(CAT, CAT_OBJECT, supersedes=at)], "us", 50)
    assert isinstance(denied, Denied)


async def test_a_released_claim_is_forgotten(ledger: Ledger, clock: Clock) -> None:
    await ledger.claim([CAT_CLAIM, DOG_CLAIM], "us", 50)
    await ledger.release([CAT], "us")
    clock.time = 1010.0
    assert await ledger.claim([CAT_CLAIM], "they", 50) == [Granted(since=1010.0, lapsed=None)]
    assert (await entry(ledger, DOG)).token == "us"


async def test_only_the_holder_can_release(ledger: Ledger) -> None:
    """Law 1."""
    await ledger.claim([CAT_CLAIM], "they", 50)
    await ledger.release([CAT, DOG], "us")
    assert (await entry(ledger)).token == "they"


async def test_nothing_registered_is_ever_released(ledger: Ledger) -> None:
    await ledger.register([CAT_CLAIM], "us")
    await ledger.release([CAT], "us")
    assert (await entry(ledger)).registered


async def test_what_is_registered_is_forgotten_by_an_operator_and_can_be_claimed_anew(
    ledger: Ledger, clock: Clock
) -> None:
    await ledger.register([CAT_CLAIM, DOG_CLAIM], "us")
    assert await ledger.forget(CAT, await entry(ledger))
    clock.time = 1010.0
    assert await ledger.look_up([CAT]) == [None]
    assert (await entry(ledger, DOG)).registered
    assert await ledger.claim([Claim(CAT, NEW_CAT_OBJECT)], "us", 50) == [Granted(since=1010.0)]


async def test_a_lapsed_claim_is_forgotten_and_a_live_one_is_not(ledger: Ledger, clock: Clock) -> None:
    """Law 1: who holds a live claim may be sending the item just now."""
    await ledger.claim([CAT_CLAIM], "they", 50)
    assert not await ledger.forget(CAT, await entry(ledger))
    assert (await entry(ledger)).token == "they"
    clock.time = 1050.0
    assert await ledger.forget(CAT, await entry(ledger))
    assert await ledger.look_up([CAT]) == [None]


async def test_what_was_written_since_it_was_seen_is_not_forgotten(ledger: Ledger, beside: Ledger) -> None:
    await ledger.register([CAT_CLAIM], "us")
    seen = await entry(ledger)
    await beside.register([Claim(CAT, NEW_CAT_OBJECT)], "they")
    assert not await ledger.forget(CAT, seen)
    assert (await entry(ledger)).object == NEW_CAT_OBJECT


async def test_forgetting_may_be_repeated(ledger: Ledger) -> None:
    await ledger.register([CAT_CLAIM], "us")
    seen = await entry(ledger)
    assert await ledger.forget(CAT, seen)
    assert await ledger.forget(CAT, seen)


async def test_every_writing_has_a_later_time_even_where_the_clock_stands_or_goes_back(
    ledger: Ledger, clock: Clock
) -> None:
    times = []
    for step in (0.0, 0.0, -500.0, 0.0):
        clock.time += step
        await ledger.register([CAT_CLAIM], "us")
        times.append((await entry(ledger)).at)
    assert times == sorted(set(times))
    assert len(times) == 4


async def test_one_call_answers_for_each_identity_in_order(ledger: Ledger) -> None:
    await ledger.register([DOG_CLAIM], "they")
    birds = [
        Claim(Identity("acme", "intake", "/", f"{n}.jpg"), S3Object("media", f"{n}.jpg")) for n in range(300)
    ]
    results = await ledger.claim([CAT_CLAIM, DOG_CLAIM, *birds], "us", 50)
    assert [isinstance(result, Granted) for result in results] == [True, False] + [True] * 300
    entries = await ledger.look_up([DOG, CAT, *(claim.identity for claim in birds)])
    assert [held and held.object.key for held in entries] == [
        "animals/dog.jpg",
        "animals/cat.jpg",
        *(f"{n}.jpg" for n in range(300)),
    ]


def batch(dataset: str, count: int) -> list[Claim]:
    names = [f"{n}.jpg" for n in range(count)]
    return [Claim(Identity("acme", dataset, "/", name), S3Object("media", name)) for name in names]


async def test_of_two_that_want_the_same_batch_at_once_each_identity_has_one_winner(
    ledger: Ledger, beside: Ledger
) -> None:
    """Law 1."""
    claims = batch("intake", 100)
    one, two = await asyncio.gather(
        ledger.claim(claims, "us", 50), beside.claim(list(reversed(claims)), "they", 50)
    )
    ours = [isinstance(result, Granted) for result in one]
    theirs = [isinstance(result, Granted) for result in reversed(two)]
    assert [mine + their for mine, their in zip(ours, theirs, strict=True)] == [1] * 100
    held = await ledger.look_up([claim.identity for claim in claims])
    assert [entry and entry.token for entry in held] == ["us" if mine else "they" for mine in ours]


async def test_of_ten_that_find_the_same_lapsed_claims_each_identity_has_one_winner(
    ledger: Ledger, beside: Ledger, clock: Clock
) -> None:
    """Law 1: a dead replica's claims lapse and are taken over, by one."""
    claims = batch("intake", 20)
    await ledger.claim(claims, "dead", 50)
    clock.time = 1050.0
    answers = await asyncio.gather(
        *((ledger if n % 2 else beside).claim(claims, f"holder {n}", 50) for n in range(10))
    )
    for results in zip(*answers, strict=True):
        [granted] = [result for result in results if isinstance(result, Granted)]
        assert granted.since == 1000.0
        assert granted.lapsed is not None
        assert granted.lapsed.token == "dead"


async def test_what_one_registers_while_another_renews_stays_registered(
    ledger: Ledger, beside: Ledger
) -> None:
    """Law 3."""
    claims = batch("intake", 20)
    await ledger.claim(claims, "us", 50)
    await asyncio.gather(
        beside.register(claims, "they"),
        *(ledger.claim(claims, "us", 50) for _ in range(5)),
        ledger.release([claim.identity for claim in claims], "us"),
    )
    entries = await ledger.look_up([claim.identity for claim in claims])
    assert [held and held.registered for held in entries] == [True] * 20


async def test_what_one_writes_the_other_sees(ledger: Ledger, beside: Ledger) -> None:
    await ledger.claim([CAT_CLAIM], "us", 50)
    [denied] = await beside.claim([CAT_CLAIM], "they", 50)
    assert isinstance(denied, Denied)
    await ledger.release([CAT], "us")
    assert await beside.look_up([CAT]) == [None]
    await beside.register([CAT_CLAIM], "they")
    assert (await entry(ledger)).registered


async def test_one_call_may_name_many_datasets(ledger: Ledger) -> None:
    mixed = [
        claim for three in zip(*(batch(f"set-{n}", 40) for n in range(3)), strict=True) for claim in three
    ]
    await ledger.register(mixed[::7], "they")
    results = await ledger.claim(mixed, "us", 50)
    assert [isinstance(result, Denied) for result in results] == [n % 7 == 0 for n in range(120)]
    await ledger.release([claim.identity for claim in mixed[1::2]], "us")
    entries = await ledger.look_up([claim.identity for claim in mixed])
    assert [held is not None for held in entries] == [n % 7 == 0 or n % 2 == 0 for n in range(120)]


async def test_one_identity_twice_in_a_call_is_handled_one_after_the_other(ledger: Ledger) -> None:
    [first, second] = await ledger.claim([CAT_CLAIM, Claim(CAT, NEW_CAT_OBJECT)], "us", 50)
    assert first == Granted(1000.0)
    assert isinstance(second, Denied)
    assert second.entry.object == CAT_OBJECT
    await ledger.register([CAT_CLAIM, Claim(CAT, NEW_CAT_OBJECT)], "us")
    assert (await entry(ledger)).object == NEW_CAT_OBJECT
    assert [held == await entry(ledger) for held in await ledger.look_up([CAT, CAT])] == [True, True]


async def test_calls_without_identities_do_nothing(ledger: Ledger) -> None:
    assert await ledger.look_up([]) == []
    assert await ledger.claim([], "us", 50) == []
    await ledger.register([], "us")
    await ledger.release([], "us")


async def test_identities_differ_in_each_of_their_parts(ledger: Ledger) -> None:
    others = [
        Identity("other", "intake", "/animals", "cat.jpg"),
        Identity("acme", "other", "/animals", "cat.jpg"),
        Identity("acme", "intake", "/other", "cat.jpg"),
        Identity("acme", "intake", "/animals", "Cat.jpg"),
        Identity("acme", "intake", "/animals", "cat.jpg "),
        Identity("acme", "intake", "/animals/", "cat.jpg"),
    ]
    await ledger.claim([CAT_CLAIM], "us", 50)
    assert await ledger.look_up(others) == [None] * 6


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("/a", "b/c"), ("/a/b", "c")),
        (("/", "a"), ("", "/a")),
        (("/a", "/b"), ("/a/", "b")),
        (("/a", "b%2Fc"), ("/a", "b/c")),
        (("/a\x00", "b"), ("/a", "\x00b")),
        (("/{a}", "b"), ("/a", "{b}")),
    ],
)
async def test_where_the_path_ends_and_the_name_begins_is_told_apart(
    ledger: Ledger, one: tuple[str, str], two: tuple[str, str]
) -> None:
    await ledger.register([Claim(Identity("acme", "intake", *one), CAT_OBJECT)], "us")
    assert await ledger.look_up([Identity("acme", "intake", *two)]) == [None]


@pytest.mark.parametrize(
    "name",
    [
        *("Grüße %+&'\"; DROP.jpg", "\U0001f600", "\udc80\ud83d", "\ud83d\ude00", "a\x00b", "x" * 1024, ""),
        *("{acme/intake}", "a}b{c", "two\nlines\r\n", "C:\\new", "{{}}%7B"),
    ],
)
async def test_any_text_is_kept_as_it_is(ledger: Ledger, name: str) -> None:
    identity = Identity("acme", "intake", f"/{name}", name)
    claim = Claim(identity, S3Object("media", name, version=name, etag=name, size=0))
    await ledger.claim([claim], "us", 50)
    assert (await entry(ledger, identity)).object == claim.object
    await ledger.release([identity], "us")
    assert await ledger.look_up([identity]) == [None]

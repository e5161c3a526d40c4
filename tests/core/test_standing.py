"""Where an object stands, from every combination of what all sides tell: one word and one sentence."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.claims import Entry
from worker.core.darwin import HeldItem
from worker.core.explaining import Explanation, PassedOver
from worker.core.letters import RECEIVED_TOO_OFTEN, Letter
from worker.core.model import (
    Identity,
    Item,
    Kind,
    Lane,
    Later,
    Message,
    OnExisting,
    Outcome,
    Reason,
    S3Object,
)
from worker.core.objects import Head
from worker.core.standing import Standing
from worker.core.traced import Depth, Facts, Letters, NoDataset, Unknown, is_of, letters_of
from worker.core.tracing import trace_of

NOW = 1_800_000_000.0
HELD = S3Object("media", "in/a.jpg", None, "e1", 10)
OTHER = S3Object("media", "in/b.jpg", None, "e9", 10)
ITEM = Item(Lane("acme", "intake", "prod"), "/", "a.jpg", HELD, "all")
HEAD = Head("e1", 10, None, "STANDARD", restored=False, metadata={})
EXPLAINED = Explanation(HELD, "all", (), 0, ITEM)
DARWINS = HeldItem("/", "a.jpg", external=True, inserted_at=NOW, id="i1", processing="complete")
AWAY = Unknown("connection refused")

NOTHING = Facts(
    EXPLAINED, HEAD, ITEM.identity, (), None, Letters((), 0), Depth(0, 0, 0), None, assumed="", now=NOW
)
"""In S3, taken by a route, and known to nobody."""


def entry(held: S3Object = HELD, *, registered: bool = True, expires_in: float = 0.0) -> Entry:
    return Entry(held, registered, "w1", NOW - 60, NOW - 60, expires_in)


def letter(reason: str, outcome: str = "blocked", key: str = "in/a.jpg", **values: object) -> Letter:
    message = Message("m1", "h1", "", 1)
    told = Letter(message, "media", key, reason, outcome, "why", "intake", "all", NOW, 1, raw=False)
    return replace(told, **values)  # type: ignore[arg-type]  # passed on as they come


def dead(*letters: Letter) -> Letters:
    return Letters(letters, len(letters))


def standing(**told: object) -> str:
    return sentence_of(**told).partition(":")[0]


def sentence_of(**told: object) -> str:
    trace = trace_of(replace(NOTHING, **told))  # type: ignore[arg-type]  # as above
    return f"{trace.standing}: {trace.sentence}"


# What counts more than what


def test_what_is_registered_counts_more_than_a_dead_letter_of_before() -> None:
    assert sentence_of(entry=entry(), held=DARWINS, letters=dead(letter("unknown_tags"))) == (
        "registered: It is registered as /a.jpg in dataset intake, and Darwin is done with it; its dead letter is out of date "
        "and may be purged."
    )


def test_a_dead_letter_counts_more_than_a_claim_that_lapsed_and_less_than_one_that_is_live() -> None:
    told = dead(letter("fails_alone"))
    assert standing(entry=entry(registered=False, expires_in=-5), letters=told) == "blocked"
    assert sentence_of(entry=entry(registered=False, expires_in=5.5), letters=told) == (
        "in_hand: A worker is registering it as /a.jpg in dataset intake just now; ask again in 6 s."
    )


def test_a_dead_letter_counts_more_than_what_the_routes_say_today() -> None:
    ignored = replace(EXPLAINED, decided=Outcome(Kind.IGNORED, Reason.EMPTY_OBJECT, "The object is empty."))
    assert standing(explained=ignored, identity=None, letters=dead(letter("fails_alone"))) == "blocked"
    assert standing(explained=ignored, identity=None) == "ignored"


# Registered


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (
            replace(DARWINS, processing="processing"),
            (
                "processing: It is registered as /a.jpg in dataset intake, and Darwin is not yet done with it; wait, and ask V7 if "
                "it stays so for hours."
            ),
        ),
        (
            replace(DARWINS, archived=True),
            "registered: It is registered as /a.jpg in dataset intake, and archived in Darwin; nothing is to be done.",
        ),
        (
            None,
            (
                "vanished_from_darwin: It is registered as /a.jpg in dataset intake, but Darwin has no such item any more; if it was "
                "not moved or deleted there on purpose, `darwin-worker reconcile --enqueue` registers it again."
            ),
        ),
        (
            NoDataset(),
            (
                "vanished_from_darwin: It is registered as /a.jpg in dataset intake, but Darwin has no such dataset any more; if it "
                "was not moved or deleted there on purpose, `darwin-worker reconcile --enqueue` registers it again."
            ),
        ),
        (
            AWAY,
            (
                "registered: It is registered as /a.jpg in dataset intake, but Darwin did not say what it has made of it since; ask "
                "again later (Darwin did not tell)."
            ),
        ),
        (
            Unknown("401", key_refused=True),
            (
                "registered: It is registered as /a.jpg in dataset intake, but Darwin did not say what it has made of it since; give "
                "the worker a key that Darwin takes (Darwin did not tell)."
            ),
        ),
    ],
)
def test_of_what_is_registered_darwin_tells_the_rest(
    held: HeldItem | NoDataset | Unknown | None, said: str
) -> None:
    assert sentence_of(entry=entry(), held=held) == said


def test_what_was_removed_from_s3_after_it_was_registered_is_registered_still() -> None:
    gone = replace(EXPLAINED, held=S3Object("media", "in/a.jpg"))
    assert sentence_of(explained=gone, s3=None, entry=entry(), held=DARWINS) == (
        "registered: It is registered as /a.jpg in dataset intake, and has been removed from S3 since; put it back if Darwin must "
        "still show it, or archive the item in Darwin."
    )


def test_where_s3_does_not_tell_the_content_the_place_alone_says_whose_the_entry_is() -> None:
    blind = replace(EXPLAINED, held=S3Object("media", "in/a.jpg"))
    assert standing(explained=blind, s3=AWAY, entry=entry(), held=DARWINS) == "registered"
    assert standing(explained=blind, s3=AWAY, entry=entry(OTHER), held=DARWINS) == "name_collision"


# Groups, of which the ledger holds a stand-in: the marks are the first ten characters of each key's SHA-256, with a line break

FRONT, BACK = "rig/1/front.mp4", "rig/1/back.mp4"
MARKS = {FRONT: "c981ce788c", BACK: "1ef47b3779"}


def group_entry(*keys: str, content: str = "c1") -> Entry:
    marks = "".join(sorted(MARKS[key] for key in keys))
    return entry(S3Object("media", "rig/1/", None, f"{content}-{marks}", len(keys)))


def of_group(key: str = FRONT, now: Entry | None = None) -> Explanation:
    decided = None if now is None else replace(ITEM, object=now.object, grouped=True)
    return Explanation(S3Object("media", key, None, "e1", 10), "scenes", (), 0, decided, "rig/1/")


def test_a_part_is_registered_with_its_group() -> None:
    whole = group_entry(FRONT, BACK)
    assert standing(explained=of_group(FRONT, whole), entry=whole, held=DARWINS) == "registered"
    assert standing(explained=of_group(FRONT), entry=whole, held=DARWINS) == "registered"


def test_a_part_that_came_after_its_group_is_told_so() -> None:
    whole, now = group_entry(FRONT), group_entry(FRONT, BACK)
    assert sentence_of(explained=of_group(BACK, now), entry=whole, held=DARWINS) == (
        "blocked: It came after its group was registered as /a.jpg in dataset intake without it, and Darwin keeps the item it has; "
        "if it must be in there, delete the item in Darwin, take back its claim with `darwin-worker forget`, and send it with "
        "`darwin-worker backfill`."
    )
    assert standing(explained=of_group(FRONT, now), entry=whole, held=DARWINS) == "registered"


def test_a_group_of_which_a_part_was_overwritten_keeps_its_earlier_content() -> None:
    now = group_entry(FRONT, BACK, content="c2")
    assert (
        standing(explained=of_group(FRONT, now), entry=group_entry(FRONT, BACK), held=DARWINS)
        == "overwritten"
    )


def test_an_item_that_was_registered_for_something_else_collides_with_the_group() -> None:
    assert standing(explained=of_group(), entry=entry(OTHER), held=DARWINS) == "name_collision"


# A claim that is nobody's any more


def test_a_claim_that_lapsed_waits_for_the_next_delivery() -> None:
    assert sentence_of(entry=entry(registered=False, expires_in=-5)) == (
        "left_behind: A worker claimed it as /a.jpg in dataset intake and never wrote what came of it; wait, for its message "
        "comes back and Darwin's list then tells what was sent; if the queue is empty, send it with `darwin-worker backfill`."
    )


# Dead letters


@pytest.mark.parametrize(
    ("told", "facts", "said"),
    [
        (
            letter("name_collision"),
            {},
            (
                "name_collision: It became a dead letter because another object had its item's path and name; they are free now: "
                "replay it with `darwin-worker dead-letters replay`."
            ),
        ),
        (
            letter("foreign_item"),
            {},
            (
                "foreign_item: It became a dead letter because Darwin had an item at /a.jpg in dataset intake that no worker had "
                "registered; that item is gone now: replay it with `darwin-worker dead-letters replay`."
            ),
        ),
        (
            letter("no_route", route=""),
            {},
            "no_route: No route took it when it came, and route all would now; replay it with `darwin-worker dead-letters replay`.",
        ),
        (
            letter("overwritten"),
            {},
            (
                "overwritten: It became a dead letter because its earlier content had been registered; set `on_overwrite: register` "
                "in the route, then replay it with `darwin-worker dead-letters replay`."
            ),
        ),
        (
            letter("invalid_key", "rejected"),
            {},
            (
                "rejected: It became a dead letter (invalid_key); copy the object to a key that Darwin can take, then replay it with "
                "`darwin-worker dead-letters replay`."
            ),
        ),
        (
            letter(RECEIVED_TOO_OFTEN, "", raw=True),
            {},
            (
                "blocked: It became a dead letter (received_too_often); look in the worker's log for what it did with it, and report "
                "it if it made the worker crash, then replay it with `darwin-worker dead-letters replay`."
            ),
        ),
        (
            letter("other_darwin_reason"),
            {},
            (
                "blocked: It became a dead letter (other_darwin_reason); mend what its detail names, then replay it with "
                "`darwin-worker dead-letters replay`."
            ),
        ),
        (
            letter("fails_alone"),
            {"s3": None},
            (
                "not_in_s3: There is no such object in S3; its dead letter is out of date: purge it, or put the object back and replay "
                "it."
            ),
        ),
    ],
)
def test_a_dead_letter_says_what_to_mend(told: Letter, facts: dict[str, object], said: str) -> None:
    assert sentence_of(letters=dead(told), **facts) == said


def test_the_letters_of_the_object_count_and_each_but_once_the_latest_first() -> None:
    old, new = letter("fails_alone", happened=NOW - 9), letter("unknown_tags", happened=NOW)
    again = replace(old, message=Message("m2", "h2", "", 1))
    elsewhere = letter("fails_alone", bucket="other")
    assert letters_of([old, elsewhere, again, new, letter("fails_alone", key="in/b.jpg")], EXPLAINED) in (
        (new, old),
        (new, again),
    )


def test_where_a_part_has_no_letter_those_of_its_group_tell_of_it() -> None:
    explained = of_group()
    sibling = letter("missing_parts", key=BACK, route="scenes")
    others = [
        letter("missing_parts", key="rig/2/back.mp4", route="scenes"),
        letter("missing_parts", key=BACK, route="old"),
    ]
    assert letters_of([*others, sibling], explained) == (sibling,)


# Nobody knows it


def test_a_dataset_that_darwin_does_not_have_is_told() -> None:
    assert sentence_of(held=NoDataset()) == (
        "blocked: Darwin has no dataset intake, so its records wait and then become dead letters; make the dataset in Darwin, or "
        "correct its name in the routes, and it goes on by itself."
    )


def test_an_item_that_the_ledger_does_not_know_is_foreign_or_adopted() -> None:
    assert sentence_of(held=DARWINS) == (
        "foreign_item: Darwin has an item at /a.jpg in dataset intake of which the ledger knows nothing; give the object another "
        "path or name in the routes, or rename or delete that item, or set `on_existing: accept` in the route."
    )
    adopting = replace(EXPLAINED, decided=replace(ITEM, on_existing=OnExisting.ACCEPT))
    assert sentence_of(explained=adopting, held=DARWINS) == (
        "foreign_item: Darwin has an item at /a.jpg in dataset intake of which the ledger knows nothing; its route takes such "
        "items for its own as soon as its event comes: wait, or send it with `darwin-worker backfill`."
    )


def test_without_the_ledger_darwins_item_may_be_anybodys() -> None:
    assert sentence_of(entry=AWAY, held=DARWINS) == (
        "unknown: Darwin has an item at /a.jpg in dataset intake, and whether it is this object's only the ledger knows; bring the "
        "ledger back, and ask again."
    )


def test_who_could_not_be_asked_may_know_it() -> None:
    assert sentence_of(entry=AWAY, held=AWAY) == (
        "unknown: Nobody who answered knows it as /a.jpg in dataset intake, but the ledger and Darwin could not be asked; see why, "
        "and ask again."
    )


def test_a_sample_of_the_dead_letters_is_told_as_one() -> None:
    assert sentence_of(letters=Letters((), 50_000, sampled=True)) == (
        "never_arrived: No claim, no item and no dead letter that was looked at tells of it and the queue is empty, so its event "
        "never came; see with `darwin-worker check` that the bucket tells the queue of its objects, and send it with "
        "`darwin-worker backfill`."
    )


# The routes make no item


@pytest.mark.parametrize(
    ("decided", "said"),
    [
        (
            Later(Outcome(Kind.POSTPONED, Reason.ROUTE_PAUSED, "The route is paused.", "all"), 900),
            (
                "paused: Route all is paused, and its records go round in the queue; take `paused` out of the route and restart the "
                "worker, and it goes on by itself."
            ),
        ),
        (
            Later(
                Outcome(Kind.POSTPONED, Reason.SIDECAR_ABSENT, "There is not yet the thumbnail in/a.thumb."),
                5,
            ),
            "waiting: It waits for the thumbnail in/a.thumb; upload what is missing, and it goes on by itself.",
        ),
        (
            Later(
                Outcome(
                    Kind.POSTPONED,
                    Reason.GROUP_QUIETING,
                    "Of the group, it was not quiet for 60 seconds.",
                ),
                5,
            ),
            "waiting: Its group waits until no more files come; nothing is to be done but to wait.",
        ),
        (
            Outcome(Kind.REJECTED, Reason.INVALID_KEY, "The key starts with a slash."),
            (
                "rejected: It cannot be registered as things are (invalid_key), and it has no dead letter; copy the object to a key "
                "that Darwin can take, then send it with `darwin-worker backfill`."
            ),
        ),
        (
            Outcome(Kind.BLOCKED, Reason.PARTS_DISAGREE, "The files disagree."),
            (
                "blocked: It is blocked as things are (parts_disagree), and it has no dead letter; correct the route's templates, or "
                "the files' names, then send it with `darwin-worker backfill`."
            ),
        ),
    ],
)
def test_what_the_routes_say_stands_where_nothing_else_is_known(decided: Outcome | Later, said: str) -> None:
    assert sentence_of(explained=replace(EXPLAINED, decided=decided), identity=None) == said


# Forgetting


def test_an_entry_is_of_its_object_or_of_the_parts_of_its_group() -> None:
    assert is_of(entry(), "media", "in/a.jpg")
    assert not is_of(entry(), "media", "in/b.jpg")
    assert not is_of(entry(), "other", "in/a.jpg")
    whole = group_entry(FRONT)
    assert is_of(whole, "media", FRONT)
    assert is_of(whole, "media", "rig/1/")
    assert not is_of(whole, "media", BACK)


# Whatever the facts are

texts = st.sampled_from(["", "a", "\x1b[2J", "\u202e", "\ud800\n", "a. b; c"])
times = st.sampled_from([0.0, NOW, -1e20, float("inf"), float("-inf")])
objects = st.builds(
    S3Object,
    st.sampled_from(["media", "other"]),
    st.sampled_from(["in/a.jpg", FRONT, "rig/1/", "in/b.jpg", "in/\x1b[2J\u202e\ud800"]),
    st.none() | texts,
    st.none() | st.just("e1") | st.just(f"c1-{MARKS[FRONT]}") | texts,
    st.none() | st.integers(0, 99),
)
identities = st.builds(Identity, texts, texts, st.just("/") | texts, texts)
items = st.builds(
    Item,
    st.builds(Lane, texts, texts, texts),
    st.just("/") | texts,
    texts,
    objects,
    texts,
    on_existing=st.sampled_from(OnExisting),
    grouped=st.booleans(),
)
outcomes = st.builds(
    Outcome,
    st.sampled_from(Kind),
    st.sampled_from(Reason),
    st.just("Of the group, 1 of 2 files are there.") | texts,
    texts,
)
explanations = st.builds(
    Explanation,
    objects,
    texts,
    st.lists(st.builds(PassedOver, texts, texts), max_size=2).map(tuple),
    st.integers(0, 3),
    st.none() | items | outcomes | st.builds(Later, outcomes, st.integers(1, 900)),
    st.sampled_from(["", "rig/1/"]),
    st.just("") | texts,
)
unknowns = st.builds(Unknown, texts, st.booleans())
letters = st.builds(
    Letter,
    st.builds(Message, texts, texts, texts, st.integers(1, 9)),
    texts,
    st.sampled_from(["in/a.jpg", FRONT]),
    st.sampled_from([*map(str, Reason), RECEIVED_TOO_OFTEN, "of a later version"]),
    st.sampled_from([*map(str, Kind), ""]),
    texts,
    texts,
    texts,
    st.none() | st.floats(0, 1e10),
    st.integers(0, 99),
    st.booleans(),
)
facts = st.builds(
    Facts,
    explanations,
    st.none()
    | unknowns
    | st.builds(
        Head,
        texts,
        st.integers(0, 99),
        st.none() | texts,
        texts,
        st.booleans(),
        st.just({}),
        modified=st.none() | times,
    ),
    st.none() | identities,
    st.lists(texts, max_size=12).map(tuple),
    st.none() | unknowns | st.builds(Entry, objects, st.booleans(), texts, times, times, times),
    unknowns
    | st.builds(Letters, st.lists(letters, max_size=2).map(tuple), st.integers(0, 99), st.booleans()),
    unknowns | st.builds(Depth, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    st.none()
    | unknowns
    | st.just(NoDataset())
    | st.builds(
        HeldItem,
        texts,
        texts,
        st.booleans(),
        st.none() | times,
        texts,
        st.booleans(),
        st.sampled_from(["", "complete", "error", "processing"]) | texts,
        st.just("") | texts,
    ),
    st.just("") | texts,
    times,
)


@given(facts)
def test_every_combination_of_facts_has_one_sentence_and_never_raises(told: Facts) -> None:
    trace = trace_of(told)
    assert trace.standing in set(Standing)
    assert trace.sentence.isprintable()  # so it is one line, too
    assert trace.sentence.count("; ") >= 1
    assert trace.sentence.endswith(".")
    assert all(about and text and text.isprintable() for about, text in trace.lines)
    assert {"S3", "route", "item", "ledger", "dead letters", "queue", "Darwin"} <= {
        about for about, _ in trace.lines
    }
    assert trace.as_json()["unknown"] == trace.unknown
    asked = {
        "S3": told.s3,
        "ledger": told.entry,
        "dead letters": told.letters,
        "queue": told.depth,
        "Darwin": told.held,
    }
    assert {name for name, answer in asked.items() if isinstance(answer, Unknown)} <= trace.unknown.keys()

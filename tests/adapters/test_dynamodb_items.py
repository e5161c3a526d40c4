"""How identities and entries stand in DynamoDB's items."""

from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from worker.adapters.dynamodb_items import entry, escape, item_key, number, object_value, unescape
from worker.core.claims import Entry
from worker.core.model import Identity, S3Object

if TYPE_CHECKING:
    from worker.adapters.dynamodb_table import Item

any_text = st.text(st.characters(exclude_categories=()), max_size=30)  # lone surrogates and NUL among it
tricky = st.one_of(any_text, st.text("|\\u0a\udc80\x00", max_size=8))
identities = st.builds(Identity, tricky, tricky, tricky, tricky)
objects = st.builds(
    S3Object, tricky, tricky, st.none() | tricky, st.none() | tricky, st.none() | st.integers(0, 5 * 10**13)
)


def test_a_key_reads_as_the_identity_does() -> None:
    assert item_key(Identity("acme", "intake", "/animals", "Grüße 1.jpg")) == (
        "item|acme|intake|/animals|Grüße 1.jpg"
    )


def test_what_cannot_be_seen_or_has_a_meaning_in_the_key_is_escaped() -> None:
    assert item_key(Identity("acme", "intake", "/", "a|b\\c\x00\udc80.jpg")) == (
        r"item|acme|intake|/|a\u007cb\u005cc\u0000\udc80.jpg"
    )


def test_the_key_of_a_long_identity_is_a_hash_and_its_beginning() -> None:
    """DynamoDB takes 2048 bytes."""
    fits = Identity("acme", "intake", "/", "x" * (2048 - len("item|acme|intake|/|")))
    assert item_key(fits).startswith("item|acme|intake|/|xxx")
    long = item_key(fits._replace(name=fits.name + "x"))
    assert long.startswith("hash|")
    assert "|item|acme|intake|/|xxx" in long
    assert long != item_key(fits._replace(name=fits.name + "y"))


@given(identities, identities)
def test_different_identities_have_different_keys(one: Identity, other: Identity) -> None:
    assert (item_key(one) == item_key(other)) == (one == other)


@given(st.builds(Identity, any_text, any_text, st.text(max_size=3000), st.text(max_size=3000)))
def test_every_key_is_one_that_dynamodb_takes(identity: Identity) -> None:
    assert 1 <= len(item_key(identity).encode()) <= 2048


@given(identities)
def test_no_identity_has_the_key_of_a_cell(identity: Identity) -> None:
    assert not item_key(identity).startswith("cell|")


@given(tricky)
@example("\ud83d\ude00")
@example(r"\u0041")
def test_what_was_escaped_reads_as_before(text: str) -> None:
    escape(text).encode()
    assert unescape(escape(text)) == text


def test_an_object_is_told_as_json() -> None:
    thing = S3Object("media", "animals/Grüße.jpg", version=None, etag="e1", size=7)
    assert object_value(thing) == {
        "S": '{"bucket":"media","key":"animals/Grüße.jpg","version":null,"etag":"e1","size":7}'
    }


@given(objects, st.booleans(), st.floats(0, 1e12), st.floats(0, 1e12))
def test_an_entry_reads_as_it_was_written(
    thing: S3Object, registered: bool, since: float, expires: float
) -> None:
    item: Item = {
        "object": object_value(thing),
        "token": {"S": "us"},
        "since": number(since),
        "at": number(2.5),
        "expires": number(expires),
        "registered": {"BOOL": registered},
    }
    assert entry(item, now=100.0) == Entry(
        thing, registered, "us", since, 2.5, expires_in=0.0 if registered else expires - 100.0
    )


@given(st.floats(0, 1e12))
def test_a_time_has_no_more_digits_than_dynamodb_keeps(time: float) -> None:
    digits = number(time)["N"].partition("e")[0].replace(".", "").strip("0")
    assert len(digits) <= 38
    assert float(number(time)["N"]) == time

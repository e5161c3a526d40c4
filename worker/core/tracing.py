"""What became of an object, for people and for machines: what each side tells, line by line, and where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.core.claims import Entry
from worker.core.darwin import HeldItem
from worker.core.events import iso_time
from worker.core.letters import plain
from worker.core.model import Item, S3Object
from worker.core.printing import printable
from worker.core.standing import Stand, Standing, in_a_row, judge, lacking_of, place_words
from worker.core.traced import Facts, NoDataset, Unknown, Whose, whose

NAMED = 10
"""How many parts of a group a line names."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The answer to "what became of this object?". All its texts are printable: what is not is escaped."""

    facts: Facts
    stand: Stand

    @property
    def standing(self) -> str:
        """One of :class:`~worker.core.standing.Standing`'s words."""
        return self.stand.standing.value

    @property
    def sentence(self) -> str:
        """Where it stands and what to do, in one sentence."""
        unknown = self.facts.unknown
        if self.stand.standing is Standing.KEY_REFUSED:
            unknown.pop("Darwin")
        told = not unknown or self.stand.standing is Standing.UNKNOWN
        without = "" if told else f" ({in_a_row(list(unknown))} did not tell)"
        return printable(f"{self.stand.where}; {self.stand.advice}{without}.")

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What each side tells: whom, and what. One side may have several lines in succession."""
        return [(about, printable(text)) for about, text in _lines(self.facts)]

    @property
    def unknown(self) -> dict[str, str]:
        """Who did not tell, and why."""
        return {name: printable(why) for name, why in self.facts.unknown.items()}

    def as_json(self) -> dict[str, object]:
        """``object`` (verbatim), ``standing``, ``sentence``, ``lines`` (each with ``about`` and ``text``), ``unknown`` by
        name; and the facts for machines, their texts verbatim, null where there is none; who did not tell is left out.
        """
        facts, explained = self.facts, self.facts.explained
        held = explained.held
        return {
            "object": f"s3://{held.bucket}/{held.key}",
            "bucket": held.bucket,
            "key": held.key,
            "standing": self.standing,
            "sentence": self.sentence,
            "lines": [{"about": about, "text": text} for about, text in self.lines],
            "unknown": self.unknown,
            "route": explained.route,
            "passed_over": {passed.route: passed.why for passed in explained.passed_over},
            "outcome": explained.in_a_word,
            "detail": explained.detail,
            "group": explained.group,
            "parts": list(facts.parts),
            "item": None if facts.identity is None else facts.identity._asdict(),
            **_told(facts),
        }


def trace_of(facts: Facts) -> Trace:
    return Trace(facts, judge(facts))


def _told(facts: Facts) -> dict[str, object]:
    """What was told by whom was asked; who did not tell is left out."""
    told: dict[str, object] = {}
    if not isinstance(facts.s3, Unknown):
        head = facts.s3
        told["s3"] = head and {
            "size": head.size,
            "etag": head.etag,
            "version": head.version,
            "modified": None if head.modified is None else moment(head.modified),
            "storage_class": head.storage_class,
        }
    if not isinstance(facts.entry, Unknown):
        told["ledger"] = facts.entry and entry_json(facts.entry, facts.now)
    if not isinstance(facts.letters, Unknown):
        letters = facts.letters
        told["dead_letters"] = {
            "own": [dict(plain(letter)) for letter in letters.own],
            "looked_at": letters.looked_at,
            "sampled": letters.sampled,
        }
    if not isinstance(facts.depth, Unknown):
        depth = facts.depth
        told["queue"] = {"waiting": depth.waiting, "in_flight": depth.in_flight, "delayed": depth.delayed}
    if not isinstance(facts.held, Unknown):
        held = facts.held if isinstance(facts.held, HeldItem) else None
        told["darwin"] = held and {
            "id": held.id,
            "processing": held.processing,
            "trouble": held.trouble,
            "archived": held.archived,
            "inserted": None if held.inserted_at is None else moment(held.inserted_at),
        }
    return told


def entry_json(entry: Entry, now: float) -> dict[str, object]:
    """*now* in Unix seconds."""
    return {
        "registered": entry.registered,
        "bucket": entry.object.bucket,
        "key": entry.object.key,
        "version": entry.object.version,
        "etag": entry.object.etag,
        "size": entry.object.size,
        "since": moment(entry.since),
        "at": moment(entry.at),
        "expires": None if entry.registered else moment(now + entry.expires_in),
    }


# -- line by line -----------------------------------------------------------------------------------------------------------


def _lines(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "S3", _of_s3(facts)
    yield from (("route", line) for line in _of_routes(facts))
    yield "item", _of_item(facts)
    if facts.explained.group:
        yield "group", _of_group(facts)
    yield "ledger", _of_ledger(facts)
    yield from (("dead letters", line) for line in _of_letters(facts))
    yield "queue", _of_queue(facts)
    yield "Darwin", _of_darwin(facts)


def _of_s3(facts: Facts) -> str:
    head = facts.s3
    if head is None:
        return "there is no such object"
    if isinstance(head, Unknown):
        return f"not told: {head.why}"
    told = [_several(head.size, "byte"), f"etag {head.etag}"]
    told += [] if head.version is None else [f"version {head.version}"]
    told += [] if head.modified is None else [f"written {moment(head.modified)}"]
    told += [f"in the archive ({head.storage_class})"] if head.archived else []
    return ", ".join(told)


def _of_routes(facts: Facts) -> Iterator[str]:
    explained = facts.explained
    if explained.elsewhere:
        before = "before it look" if explained.route else "look"
        yield f"{explained.elsewhere} {before} at other buckets or prefixes"
    for passed in explained.passed_over:
        yield f"not {passed.route}: {passed.why}"
    yield f"{explained.route} takes it" if explained.route else "none takes it"
    if explained.unknown:
        yield f"what it asks of S3 was not told: {explained.unknown}"
    elif explained.outcome is not None:
        outcome = explained.outcome
        yield f"an event would now be {outcome.kind}: {outcome.reason}. {outcome.detail}".rstrip()
    if facts.assumed:
        yield "Darwin did not tell where its storages are, so that is taken from the routes"


def _of_item(facts: Facts) -> str:
    if facts.identity is None:
        return "none" if facts.explained.decided is not None else "cannot be told"
    if isinstance(facts.explained.decided, Item):
        return f"{place_words(facts.identity)} of team {facts.identity.team}"
    return f"it would be {place_words(facts.identity)} of team {facts.identity.team}"


def _of_group(facts: Facts) -> str:
    parts, outcome = facts.parts, facts.explained.outcome
    named = ", ".join(part.removeprefix(facts.explained.group) for part in parts[:NAMED])
    more = f" and {len(parts) - NAMED} more" if len(parts) > NAMED else ""
    there = f"{'there are' if len(parts) > 1 else 'there is'} {named}{more}" if parts else "nothing is there"
    lacking = "" if outcome is None else lacking_of(outcome)
    return f"{facts.explained.group}: {there}" + (f"; {lacking}" if lacking else "")


def _of_ledger(facts: Facts) -> str:
    entry = facts.entry
    if isinstance(entry, Unknown):
        return f"not told: {entry.why}"
    if entry is None:
        return "nothing under this item" if facts.identity else "not asked, for no item is known"
    match whose(entry, facts):
        case Whose.ITS:
            of = "for its group" if facts.explained.group else "for this object"
        case Whose.ITS_EARLIER_CONTENT:
            of = f"for an earlier content of it ({_content(entry.object)})"
        case Whose.ITS_GROUP_WITHOUT_IT:
            of = "for its group, without this object"
        case Whose.ANOTHERS:
            of = f"for another object, s3://{entry.object.bucket}/{entry.object.key}"
    return _entry_words(entry, of, facts.now)


def entry_words(entry: Entry, now: float) -> str:
    """What the ledger holds, and for which object; *now* in Unix seconds."""
    return _entry_words(entry, f"for s3://{entry.object.bucket}/{entry.object.key}", now)


def _entry_words(entry: Entry, of: str, now: float) -> str:
    first, at, until = moment(entry.since), moment(entry.at), moment(now + entry.expires_in)
    if entry.registered:
        return f"registered {at} {of}" + (f"; first claimed {first}" if first != at else "")
    return f"claimed {first} {of}; {'until' if entry.expires_in > 0 else 'lapsed'} {until}"


def _content(held: S3Object) -> str:
    told = [] if held.version is None else [f"version {held.version}"]
    told += [] if held.etag is None else [f"etag {held.etag}"]
    return ", ".join(told) or "of which nothing is known"


def _of_letters(facts: Facts) -> Iterator[str]:
    letters = facts.letters
    if isinstance(letters, Unknown):
        yield f"not told: {letters.why}"
        return
    for letter in letters.own:
        of = "" if letter.key == facts.explained.held.key else f"of {letter.key}: "
        told = [f"{letter.outcome}: {letter.reason}" if letter.outcome else letter.reason]
        told += [] if letter.first_seen is None else [f"first seen {moment(letter.first_seen)}"]
        told += [_several(letter.attempts, "attempt")] if letter.attempts else []
        yield f"{of}{', '.join(told)}. {letter.detail}".rstrip()
    if letters.sampled:
        which = "no other" if letters.own else "none of it"
        yield f"{which} among {letters.looked_at:,} that were looked at: a sample, for there are more"
    elif not letters.own:
        yield f"none of it among {letters.looked_at:,}" if letters.looked_at else "there are none"


def _of_queue(facts: Facts) -> str:
    depth = facts.depth
    if isinstance(depth, Unknown):
        return f"not told: {depth.why}"
    told = f"about {depth.waiting:,} waiting, {depth.in_flight:,} in flight, {depth.delayed:,} delayed"
    return f"{told}; SQS does not tell whether it is among them" if depth.all else "empty"


def _of_darwin(facts: Facts) -> str:
    held = facts.held
    if isinstance(held, Unknown):
        return f"not told: {held.why}"
    if isinstance(held, NoDataset):
        return "has no such dataset"
    if held is None:
        return "no item of this path and name" if facts.identity else "not asked, for no item is known"
    told = [held.processing or "there"]
    told += ["archived"] if held.archived else []
    told += [] if held.inserted_at is None else [f"inserted {moment(held.inserted_at)}"]
    return ", ".join(told) + (f": {held.trouble}" if held.trouble else "")


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def moment(seconds: float) -> str:
    """For people, to the second."""
    try:
        return iso_time(float(int(seconds)))
    except (ValueError, OverflowError, OSError):
        return "at no time that there is"

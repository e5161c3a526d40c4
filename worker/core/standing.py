"""Where an object stands, judged from what all sides tell: one word, and one sentence that ends with what to do.

The order is that of the evidence: what is registered counts more than an old dead letter, a dead letter more than a claim
that lapsed, and all of them more than what the routes say today.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from worker.core.claims import Entry
from worker.core.darwin import HeldItem
from worker.core.letters import RECEIVED_TOO_OFTEN, Letter
from worker.core.model import Identity, Item, Kind, OnExisting, Outcome, Reason
from worker.core.traced import Facts, Letters, NoDataset, Unknown, Whose, whose

REPLAY = "replay it with `darwin-worker dead-letters replay`"
BACKFILL = "send it with `darwin-worker backfill`"


class Standing(StrEnum):
    """The closed set of words for where an object stands."""

    REGISTERED = "registered"
    PROCESSING = "processing"
    FAILED = "failed_in_darwin"
    VANISHED = "vanished_from_darwin"
    IN_HAND = "in_hand"
    LEFT = "left_behind"
    WAITING = "waiting"
    PAUSED = "paused"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    IGNORED = "ignored"
    NO_ROUTE = "no_route"
    COLLISION = "name_collision"
    FOREIGN = "foreign_item"
    OVERWRITTEN = "overwritten"
    KEY_REFUSED = "key_refused"
    NEVER_ARRIVED = "never_arrived"
    NOT_IN_S3 = "not_in_s3"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stand:
    """*where* it stands and what to do (*advice*): two clauses of one sentence, without its full stop."""

    standing: Standing
    where: str
    advice: str


IGNORED_BECAUSE: Mapping[str, str] = MappingProxyType(
    {
        Reason.FOLDER_MARKER: "it only marks a folder",
        Reason.EMPTY_OBJECT: "it is empty",
        Reason.DARWIN_ARTEFACT: "Darwin itself wrote it",
        Reason.RECEIPT: "it is a receipt of the archive",
        Reason.SIDECAR: "it belongs to another object and is registered with that",
        Reason.UNEXPECTED_PART: "the manifest of its group does not name it",
        Reason.OBJECT_GONE: "nothing of it is there any more",
    }
)

MEND: Mapping[str, str] = MappingProxyType(
    {
        Reason.MISSING_PARTS: "upload what is missing",
        Reason.SIDECARS_MISSING: "upload what is missing",
        Reason.TOO_MANY_PARTS: "take away the files that are too many, or correct the route's `group`",
        Reason.UNEXPECTED_PART: "exclude the file, or name its slot in the route",
        Reason.SLOT_TAKEN_TWICE: "give the files different slots in the route",
        Reason.PARTS_DISAGREE: "correct the route's templates, or the files' names",
        Reason.INVALID_MANIFEST: "mend the manifest",
        Reason.SIZE_UNKNOWN: "give width and height in the route",
        Reason.OBJECT_ARCHIVED: "restore the object in S3",
        Reason.NO_DATASET: "give the route's dataset an `otherwise`, or the object what the route asks of it",
        Reason.NO_VALUE: "give the object what the route asks of it",
        Reason.UNKNOWN_TAGS: "make the tag's class in Darwin",
        Reason.DATASET_MISSING: "make the dataset in Darwin, or correct its name in the routes",
        Reason.STORAGE_MISSING: "make the storage in Darwin, or correct its name in the routes",
        Reason.LANE_REFUSED: "see with `darwin-worker check` what Darwin does not take",
        Reason.UNSUPPORTED_TYPE: "name the file's type in the route, or convert the file",
        Reason.INVALID_KEY: "copy the object to a key that Darwin can take",
        Reason.INVALID_ITEM: "correct the route's templates",
        Reason.OTHER_BUCKET: "correct the route's bucket or its storage",
        RECEIVED_TOO_OFTEN: "look in the worker's log for what it did with it, and report it if it made the worker crash",
        Reason.UPLOAD_FAILED: "see that Darwin's storage can read the object",
    }
)


def judge(facts: Facts) -> Stand:
    """Exactly one answer for whatever the facts are."""
    entry = facts.entry
    if isinstance(entry, Entry) and entry.registered:
        return _registered(facts, entry)
    if facts.s3 is None:
        return _not_in_s3(facts)
    if isinstance(entry, Entry) and entry.expires_in > 0:
        return _in_hand(facts, entry)
    if isinstance(facts.letters, Letters) and facts.letters.own:
        return _dead_letter(facts, facts.letters.own[0])
    if isinstance(entry, Entry):
        return _left(facts, entry)
    if facts.explained.outcome is not None:
        return _no_item(facts, facts.explained.outcome)
    if not isinstance(facts.explained.decided, Item):
        where = "What becomes of it cannot be told, for S3 does not say what its route asks"
        return Stand(Standing.UNKNOWN, where, "see what S3 said, and ask again")
    return _nowhere(facts, facts.explained.decided)


def _not_in_s3(facts: Facts) -> Stand:
    where = "There is no such object in S3"
    if _has_letter(facts):
        advice = "its dead letter is out of date: purge it, or put the object back and replay it"
    else:
        advice = "compare bucket and key letter by letter, for case, spaces and an encoding such as %20 count"
    return Stand(Standing.NOT_IN_S3, where, advice)


# -- the ledger knows it ----------------------------------------------------------------------------------------------------


def _registered(facts: Facts, entry: Entry) -> Stand:
    place, dead = _place(facts.identity), _has_letter(facts)
    again = REPLAY if dead else BACKFILL
    match whose(entry, facts):
        case Whose.ANOTHERS:
            where = (
                f"Another object, s3://{entry.object.bucket}/{entry.object.key}, is registered as {place}, and so this one "
                "is not"
            )
            return Stand(
                Standing.COLLISION,
                where,
                f"give the two different paths or names in the routes, then {again}",
            )
        case Whose.ITS_GROUP_WITHOUT_IT:
            where = f"It came after its group was registered as {place} without it, and Darwin keeps the item it has"
            advice = (
                "if it must be in there, delete the item in Darwin, take back its claim with `darwin-worker forget`, and "
                f"{again}"
            )
            return Stand(Standing.BLOCKED, where, advice)
        case Whose.ITS_EARLIER_CONTENT:
            where = f"An earlier content of it is registered as {place}, and Darwin keeps that"
            advice = (
                "nothing is to be done, unless new versions are wanted: then set `on_overwrite: register` in the route and "
                f"{again}"
            )
            return Stand(Standing.OVERWRITTEN, where, advice)
        case Whose.ITS:
            return _in_darwin(facts, place)


def _in_darwin(facts: Facts, place: str) -> Stand:
    held, known = facts.held, f"It is registered as {place}"
    rest = (
        "its dead letter is out of date and may be purged" if _has_letter(facts) else "nothing is to be done"
    )
    if isinstance(held, Unknown):
        advice = "give the worker a key that Darwin takes" if held.key_refused else "ask again later"
        return Stand(
            Standing.REGISTERED, f"{known}, but Darwin did not say what it has made of it since", advice
        )
    if held is None or isinstance(held, NoDataset):
        what = "such item" if held is None else "such dataset"
        where = f"{known}, but Darwin has no {what} any more"
        advice = "if it was not moved or deleted there on purpose, `darwin-worker reconcile --enqueue` registers it again"
        return Stand(Standing.VANISHED, where, advice)
    if _failed(held):
        where = f"{known}, and Darwin failed to process it"
        advice = (
            "mend what Darwin's error names, delete the item there, take back its claim with `darwin-worker forget`, and "
            f"{BACKFILL}"
        )
        return Stand(Standing.FAILED, where, advice)
    if held.archived:
        return Stand(Standing.REGISTERED, f"{known}, and archived in Darwin", rest)
    if facts.s3 is None:
        where = f"{known}, and has been removed from S3 since"
        return Stand(
            Standing.REGISTERED,
            where,
            "put it back if Darwin must still show it, or archive the item in Darwin",
        )
    if held.processing not in ("", "complete"):
        advice = "wait, and ask V7 if it stays so for hours"
        return Stand(Standing.PROCESSING, f"{known}, and Darwin is not yet done with it", advice)
    return Stand(Standing.REGISTERED, f"{known}, and Darwin is done with it", rest)


def _in_hand(facts: Facts, entry: Entry) -> Stand:
    place = _place(facts.identity)
    if whose(entry, facts) is Whose.ANOTHERS:
        where = (
            f"Another object, s3://{entry.object.bucket}/{entry.object.key}, is being registered as {place} just now, and "
            "only one of the two can be"
        )
        return Stand(Standing.COLLISION, where, "give the two different paths or names in the routes")
    where = f"A worker is registering it as {place} just now"
    return Stand(Standing.IN_HAND, where, f"ask again in {entry.expires_in + 1:.0f} s")


def _left(facts: Facts, entry: Entry) -> Stand:
    place = _place(facts.identity)
    if whose(entry, facts) is Whose.ANOTHERS:
        where = f"Its place, {place}, was claimed for another object, and that claim lapsed"
    else:
        where = f"A worker claimed it as {place} and never wrote what came of it"
    advice = (
        "wait, for its message comes back and Darwin's list then tells what was sent; if the queue is empty, "
        f"{BACKFILL}"
    )
    return Stand(Standing.LEFT, where, advice)


# -- a dead letter tells of it ----------------------------------------------------------------------------------------------


def _dead_letter(facts: Facts, letter: Letter) -> Stand:
    place = _place(facts.identity)
    match letter.reason:
        case Reason.NAME_COLLISION:
            where = "It became a dead letter because another object had its item's path and name"
            free = facts.entry is None and facts.held is None
            advice = "they are free now" if free else "give the two different paths or names in the routes"
            return Stand(
                Standing.COLLISION, where, f"{advice}: {REPLAY}" if free else f"{advice}, then {REPLAY}"
            )
        case Reason.FOREIGN_ITEM:
            where = (
                f"It became a dead letter because Darwin had an item at {place} that no worker had registered"
            )
            advice = (
                f"that item is gone now: {REPLAY}"
                if facts.held is None and facts.identity is not None
                else f"rename or delete that item, or set `on_existing: accept` in the route, then {REPLAY}"
            )
            return Stand(Standing.FOREIGN, where, advice)
        case Reason.OVERWRITTEN:
            where = "It became a dead letter because its earlier content had been registered"
            return Stand(
                Standing.OVERWRITTEN, where, f"set `on_overwrite: register` in the route, then {REPLAY}"
            )
        case Reason.NO_ROUTE:
            if facts.explained.route:
                where = f"No route took it when it came, and route {facts.explained.route} would now"
                return Stand(Standing.NO_ROUTE, where, REPLAY)
            where = "It became a dead letter because no route takes it"
            return Stand(Standing.NO_ROUTE, where, f"write a route that does, then {REPLAY}")
    standing = Standing.REJECTED if letter.outcome == Kind.REJECTED else Standing.BLOCKED
    who = "It" if letter.key == facts.explained.held.key else "Its group"
    mend = MEND.get(letter.reason, "mend what its detail names")
    return Stand(standing, f"{who} became a dead letter ({letter.reason})", f"{mend}, then {REPLAY}")


# -- the routes make no item of it ------------------------------------------------------------------------------------------


def _no_item(facts: Facts, outcome: Outcome) -> Stand:
    reason, route = outcome.reason, facts.explained.route
    if reason is Reason.NO_ROUTE:
        kept = "" if outcome.kind is Kind.IGNORED else ", and it has no dead letter"
        return Stand(
            Standing.NO_ROUTE,
            f"No route takes it{kept}",
            f"if it should be registered, write a route that does, then {BACKFILL}",
        )
    match outcome.kind:
        case Kind.IGNORED:
            because = IGNORED_BECAUSE.get(reason, reason.replace("_", " "))
            return Stand(
                Standing.IGNORED, f"It is left alone because {because}", "nothing is to be done about it"
            )
        case Kind.POSTPONED if reason is Reason.ROUTE_PAUSED:
            advice = "take `paused` out of the route and restart the worker, and it goes on by itself"
            return Stand(
                Standing.PAUSED, f"Route {route} is paused, and its records go round in the queue", advice
            )
        case Kind.POSTPONED | Kind.WAITING if reason is Reason.GROUP_QUIETING:
            return Stand(
                Standing.WAITING,
                "Its group waits until no more files come",
                "nothing is to be done but to wait",
            )
        case Kind.POSTPONED | Kind.WAITING:
            advice = "upload what is missing, and it goes on by itself"
            lacking = lacking_of(outcome)
            if reason is Reason.SIDECAR_ABSENT:
                what = lacking or "its thumbnail or frames"
            else:
                what = f"the rest of its group{f': {lacking}' if lacking else ''}"
            return Stand(Standing.WAITING, f"It waits for {what}", advice)
        case Kind.REJECTED:
            standing, where = Standing.REJECTED, "It cannot be registered as things are"
        case _:
            standing, where = Standing.BLOCKED, "It is blocked as things are"
    mend = MEND.get(reason, "mend what the routes say of it")
    return Stand(standing, f"{where} ({reason}), and it has no dead letter", f"{mend}, then {BACKFILL}")


# -- nobody knows it --------------------------------------------------------------------------------------------------------


def _nowhere(facts: Facts, item: Item) -> Stand:
    held, place = facts.held, _place(facts.identity)
    if isinstance(held, Unknown) and held.key_refused:
        where = f"Darwin refuses the API key of team {item.lane.team}, so nothing of that team is registered"
        advice = "give the worker a key of this team that may add data to datasets, and it goes on by itself"
        return Stand(Standing.KEY_REFUSED, where, advice)
    if isinstance(held, NoDataset):
        where = f"Darwin has no dataset {item.lane.dataset}, so its records wait and then become dead letters"
        return Stand(Standing.BLOCKED, where, f"{MEND[Reason.DATASET_MISSING]}, and it goes on by itself")
    if isinstance(held, HeldItem):
        return _held_by_darwin(facts, item, held)
    dumb = [
        name
        for name, answer in (
            ("the ledger", facts.entry),
            ("Darwin", held),
            ("the dead letters", facts.letters),
        )
        if isinstance(answer, Unknown)
    ]
    if dumb:
        where = f"Nobody who answered knows it as {place}, but {in_a_row(dumb)} could not be asked"
        return Stand(Standing.UNKNOWN, where, "see why, and ask again")
    sampled = isinstance(facts.letters, Letters) and facts.letters.sampled
    nothing = f"No claim, no item and no dead letter{' that was looked at' if sampled else ''} tells of it"
    if isinstance(facts.depth, Unknown) or facts.depth.all:
        some = "" if isinstance(facts.depth, Unknown) else f"about {facts.depth.all:,} "
        where = f"{nothing}, so it is one of the {some}messages in the queue or its event never came"
        advice = f"ask again when the queue has been worked off, and if nothing tells of it then, {BACKFILL}"
        return Stand(Standing.NEVER_ARRIVED, where, advice)
    where = f"{nothing} and the queue is empty, so its event never came"
    advice = f"see with `darwin-worker check` that the bucket tells the queue of its objects, and {BACKFILL}"
    return Stand(Standing.NEVER_ARRIVED, where, advice)


def _held_by_darwin(facts: Facts, item: Item, held: HeldItem) -> Stand:
    place = _place(facts.identity)
    if isinstance(facts.entry, Unknown):
        failed = ", and failed to process it" if _failed(held) else ""
        where = (
            f"Darwin has an item at {place}{failed}, and whether it is this object's only the ledger knows"
        )
        return Stand(
            Standing.FAILED if failed else Standing.UNKNOWN, where, "bring the ledger back, and ask again"
        )
    where = f"Darwin has an item at {place} of which the ledger knows nothing"
    if item.on_existing is OnExisting.ACCEPT:
        advice = f"its route takes such items for its own as soon as its event comes: wait, or {BACKFILL}"
    else:
        advice = (
            "give the object another path or name in the routes, or rename or delete that item, or set "
            "`on_existing: accept` in the route"
        )
    return Stand(Standing.FOREIGN, where, advice)


# -- words ------------------------------------------------------------------------------------------------------------------


def place_words(identity: Identity) -> str:
    return f"{identity.path.rstrip('/')}/{identity.name} in dataset {identity.dataset}"


def _place(identity: Identity | None) -> str:
    return "its item" if identity is None else place_words(identity)


def lacking_of(outcome: Outcome) -> str:
    """What a postponed record waits for, out of its detail, as the modules that postpone write it; empty where it is none."""
    beginning = next(
        (b for b in ("Of the group, ", "There is not yet ") if outcome.detail.startswith(b)), None
    )
    return "" if beginning is None else outcome.detail.removeprefix(beginning).rstrip(".")


def _failed(held: HeldItem) -> bool:
    return held.processing == "error" or bool(held.trouble)


def _has_letter(facts: Facts) -> bool:
    return isinstance(facts.letters, Letters) and bool(facts.letters.own)


def in_a_row(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

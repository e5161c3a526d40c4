"""The books of a history that has come to rest: what is wrong in them, in sentences."""

import json
from collections import Counter

from tests.fakes.rig import Rig
from worker.core.conditions import Name

CURSED, REFUSED, OMITTED = "cursed", "refused", "omitted"
"""What names hold that Darwin always fails for, refuses, or sometimes leaves out of its answers."""

CIRCUMSTANCE = {"dataset_missing", "lane_refused", "refused_alone"}
"""The reasons that depend on when a record came: a later delivery of the same key may have passed. So does
the curse, which ends when all heals."""


def wrong_in_books(rig: Rig, uploads: Counter[str], bodies: int) -> list[str]:
    """Each key is an item or a dead letter with a truthful reason; nothing is doubled, and nothing comes of nothing."""
    there, wrong = _items(rig)
    letters, unreadable = _letters(rig)
    if unreadable != bodies:
        wrong.append(f"{bodies} unreadable bodies, {unreadable} dead letters of them")
    if rig.twin.world.counters.extensions:
        wrong.append(f"{rig.twin.world.counters.extensions} extensions")
    for key, count in uploads.items():
        reasons = letters.pop(key, set())
        if key not in there and not reasons:
            wrong.append(f"lost: {key}")
        if key in there and reasons - CIRCUMSTANCE and count == 1 and CURSED not in key:
            wrong.append(f"item and dead letter: {key} {reasons}")
        wrong += [f"untrue: {key} {reason}" for reason in reasons if not _truthful(key, reason, there)]
    return wrong + [f"a dead letter of nothing: {key}" for key in letters] + _live_claims(rig)


def wrong_at_rest(rig: Rig) -> list[str]:
    held = sum(account.lanes.held for account in rig.accounts.values())
    # A paused lane without an item waits for one to probe with.
    raised = [each for each in rig.situation.conditions.now() if each.name is not Name.LANE_PAUSED]
    return [
        *(
            [f"{rig.flow.settling.book.open_records} open, {held} in lanes"]
            if held or rig.flow.settling.book
            else []
        ),
        *(f"still raised: {each}" for each in raised),
    ]


def _items(rig: Rig) -> tuple[dict[str, str], list[str]]:
    """Where each storage key is, and what is there twice."""
    there: dict[str, str] = {}
    wrong: list[str] = []
    for team in rig.twin.world.teams.values():
        for slug, dataset in team.datasets.items():
            for (path, name), held in dataset.items.items():
                for file in held.files:
                    if file.storage_key in there:
                        wrong.append(f"doubled: {file.storage_key}")
                    there[file.storage_key] = f"{slug}{path}/{name}"
    return there, wrong


def _letters(rig: Rig) -> tuple[dict[str, set[str]], int]:
    """The reasons of each key, and the number of different unreadable bodies."""
    letters: dict[str, set[str]] = {}
    unreadable = set()
    for stored in rig.dead_letters.stored:
        reason = stored.attributes.get("reason", "redriven")
        if reason == "unreadable_body":
            unreadable.add(stored.body)
            continue
        for record in json.loads(stored.body)["Records"]:
            letters.setdefault(record["s3"]["object"]["key"], set()).add(reason)
    return letters, len(unreadable)


def _truthful(key: str, reason: str, there: dict[str, str]) -> bool:
    match reason:
        case "unsupported_type":
            return key.endswith(".xyz")
        case "name_collision":
            place = f"red/flat/{key.rpartition('/')[2]}"
            return key.startswith("flat/") and key not in there and place in there.values()
        case "fails_alone":
            return CURSED in key
        case _:
            return reason in CIRCUMSTANCE


def _live_claims(rig: Rig) -> list[str]:
    entries = [rig.ledger.entry(identity) for identity in rig.ledger.entries]
    live = [entry for entry in entries if entry and not entry.registered and entry.expires_in > 0]
    return [f"a live claim: {entry.object.key}" for entry in live]

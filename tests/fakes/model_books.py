"""The books of a fleet that has come to rest: what is wrong in them, in sentences."""

import json

from tests.fakes.model_fleet import Fleet
from tests.fakes.model_records import key_of
from tests.fakes.queue import Stored

CURSED, REFUSED, OMITTED, TAGGED, BROKEN = "cursed", "refused", "omitted", "tagged", "broken"
"""What names hold that Darwin always fails for, refuses, leaves out of its answers at first, blocks for good, or blocks
as an unexpected error.
"""

CIRCUMSTANCE = {"dataset_missing", "lane_refused", "refused_alone", "fails_alone", "no_answer_for_item"}
"""The reasons that depend on when a record came: another delivery of the same key may have passed."""


def wrong_in_books(fleet: Fleet) -> list[str]:
    """Each key is an item or a dead letter with a truthful reason; nothing is doubled, and nothing comes of nothing."""
    there = fleet.storage_keys()
    letters, bodies = _letters(fleet.dead_letters.stored)
    wrong = [f"no dead letter of {body}" for body in fleet.bodies - bodies]
    for key in fleet.uploads:
        reasons = letters.pop(key, set())
        if key not in there and not reasons and not fleet.adopted(key):
            wrong.append(f"lost: {key}")
        if key in there and reasons - CIRCUMSTANCE:
            wrong.append(f"item and dead letter: {key} {sorted(reasons)}")
        wrong += [
            f"untrue: {key} {reason}" for reason in sorted(reasons) if not _truthful(fleet, key, reason)
        ]
    wrong += [f"a dead letter of nothing: {key}" for key in letters]
    wrong += [f"an item of nothing: {key}" for key in there if key not in fleet.uploads]
    return wrong


def wrong_at_rest(fleet: Fleet) -> list[str]:
    """Nothing is held any more by workers that have had time to see that all is well."""
    wrong = []
    for worker in fleet.workers:
        held = sum(account.lanes.held for account in worker.rig.accounts.values())
        if held or worker.rig.flow.settling.book:
            opened = worker.rig.flow.settling.book.open_records
            wrong.append(f"{worker.name} at rest: {opened} records open, {held} in lanes")
    return wrong


def _letters(stored: list[Stored]) -> tuple[dict[str, set[str]], set[str]]:
    """The reasons of each key, and the unreadable bodies."""
    letters: dict[str, set[str]] = {}
    bodies = set()
    for letter in stored:
        reason = letter.attributes.get("reason", "redriven")
        if reason == "unreadable_body":
            bodies.add(letter.body)
            continue
        for record in json.loads(letter.body)["Records"]:
            letters.setdefault(key_of(record) or "", set()).add(reason)
    return letters, bodies


def _truthful(fleet: Fleet, key: str, reason: str) -> bool:
    name = key.rpartition("/")[2]
    match reason:
        case "unsupported_type":
            return key.endswith(".xyz")
        case "name_collision":
            held = fleet.team.datasets["red"].items.get(("/flat", name))
            return key.startswith("flat/") and held is not None and held.files[0].storage_key != key
        case "foreign_item":
            held = fleet.team.datasets["red"].items.get(("/byhand", name))
            return key.startswith("red/byhand/") and held is not None and not held.external
        case "unknown_tags":
            return TAGGED in key
        case "unexpected_error":
            return BROKEN in key
        case "fails_alone":
            return CURSED in key or "no clear answer" in fleet.happened
        case "refused_alone" | "lane_refused":
            return REFUSED in key or "refusal" in fleet.happened
        case "no_answer_for_item":
            return bool({"omission", "lists fail"} & set(fleet.happened))
        case "dataset_missing":
            return "removal" in fleet.happened
        case _:
            return False

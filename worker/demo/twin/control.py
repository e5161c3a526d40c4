"""The control calls under ``/_twin/``: what tests and the demo do behind Darwin's back.

==============  ==================================================================================================
GET state       everything held and counted
POST faults     plan a fault (:class:`~worker.demo.twin.faults.Fault`); answers its number
DELETE faults   clear them all, or the one of ``{"number": n}``
POST blocks     block items by name (:class:`PlantedBlock`)
DELETE blocks   forget these rules
POST items      put an item there (:class:`PlantedItem`)
DELETE items    take items away (:class:`Removal`); answers how many
POST progress   say how far the processing of items is (:class:`Progress`); answers how many
POST switch     :class:`~worker.demo.twin.switches.Switches`, and ``{"teams": {slug: TeamSwitches}}``
==============  ==================================================================================================

A call that is misspelt is refused with 400, naming the field; an unknown team or dataset with 404.
"""

import json
import re
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from worker.demo.twin.faults import Fault, Pattern
from worker.demo.twin.replies import Reply, error, json_reply
from worker.demo.twin.state import (
    Block,
    Dataset,
    HeldItem,
    Processing,
    SentFile,
    SentItem,
    Team,
    iso,
    normalised,
)
from worker.demo.twin.switches import Switches, TeamSwitches
from worker.demo.twin.world import World

_Call = TypeVar("_Call", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlantedBlock(_Strict):
    """Items whose name matches *item* are blocked with *reason*, in one *slot* or in all. *team*: None is each."""

    item: Pattern
    reason: str
    slot: str | None = None
    team: str | None = None


class PlantedItem(_Strict):
    """An item that somebody else put there. *team*: None is the first; *inserted_at*: None is now."""

    dataset: str
    name: str
    path: str = "/"
    team: str | None = None
    slot: str = "0"
    type: str = "image"
    storage_key: str = ""
    external: bool = False
    inserted_at: AwareDatetime | None = None


class Removal(_Strict):
    """Which items to take away: all of a dataset, of one *path*, or of one *name*."""

    dataset: str
    path: str | None = None
    name: str | None = None
    team: str | None = None


class Progress(_Strict):
    """How far the processing of the items of one *name* is, at one *path* or anywhere. *error*: what went wrong in it."""

    dataset: str
    name: str
    processing: Processing
    error: str = ""
    path: str | None = None
    team: str | None = None


class _Number(_Strict):
    number: int | None = None


class _Nothing(_Strict):
    pass


class _SwitchCall(Switches):
    teams: dict[str, TeamSwitches] = Field(default_factory=dict)


class _Wrong(Exception):
    """The call is refused with *reply*."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body)
        self.reply = reply


def handle(world: World, method: str, call: str, body: bytes, now: float) -> Reply:
    """Carry out one control call; *call* is the address after ``/_twin/``."""
    try:
        return _handle(world, method, call, body, now)
    except _Wrong as wrong:
        return wrong.reply


def _handle(world: World, method: str, call: str, body: bytes, now: float) -> Reply:
    match method, call:
        case "GET", "state":
            return json_reply(state(world))
        case "POST", "faults":
            return json_reply({"number": world.faults.plan(_read(Fault, body))})
        case "DELETE", "faults":
            world.faults.clear(_read(_Number, body).number)
        case "POST", "blocks":
            _plant_block(world, _read(PlantedBlock, body))
        case "DELETE", "blocks":
            _read(_Nothing, body)
            _forget_blocks(world)
        case "POST", "items":
            return json_reply({"id": _plant_item(world, _read(PlantedItem, body), now).id})
        case "DELETE", "items":
            return json_reply({"removed": _remove(world, _read(Removal, body))})
        case "POST", "progress":
            return json_reply({"changed": _progress(world, _read(Progress, body))})
        case "POST", "switch":
            _switch(world, _read(_SwitchCall, body))
        case _:
            raise _Wrong(error(404, "NOT_FOUND", f"{method} /_twin/{call} is no control call"))
    return json_reply({})


def state(world: World) -> dict[str, object]:
    """What ``GET /_twin/state`` tells."""
    return {
        "teams": {team.slug: _team_as_json(team) for team in world.teams.values()},
        "counters": world.counters.as_json(),
        "faults": world.faults.listed(),
        "switches": world.switches.model_dump(),
    }


def _team_as_json(team: Team) -> dict[str, object]:
    return {
        "plan_full": team.plan_full,
        "plan_items": team.plan_items,
        "paused": team.paused,
        "key_revoked": team.key_revoked,
        "tags": sorted(team.tags),
        "storages": [storage.known_as for storage in team.storages],
        "blocks": [
            {"item": block.item.pattern, "reason": block.reason, "slot": block.slot} for block in team.blocks
        ],
        "datasets": {dataset.slug: _dataset_as_json(dataset) for dataset in team.datasets.values()},
    }


def _dataset_as_json(dataset: Dataset) -> dict[str, object]:
    items = [_item_as_json(item) for item in dataset.held()]
    return {"id": dataset.id, "removed": dataset.removed, "items": items}


def _item_as_json(item: HeldItem) -> dict[str, object]:
    return {
        "id": item.id,
        "path": item.path,
        "name": item.name,
        "slots": [file.slot_name for file in item.files],
        "types": [file.type for file in item.files],
        "storage_keys": [file.storage_key for file in item.files],
        "inserted_at": iso(item.inserted_at),
        "external": item.external,
        "extensions": item.extensions,
        "archived": item.archived,
    }


def _plant_block(world: World, planted: PlantedBlock) -> None:
    teams = list(world.teams.values()) if planted.team is None else [_team(world, planted.team)]
    for team in teams:
        team.blocks.append(Block(re.compile(planted.item), planted.reason, planted.slot))


def _forget_blocks(world: World) -> None:
    for team in world.teams.values():
        team.blocks.clear()


def _plant_item(world: World, planted: PlantedItem, now: float) -> HeldItem:
    team = _team(world, planted.team)
    file = SentFile(planted.slot, planted.name, planted.type, planted.storage_key)
    at = now if planted.inserted_at is None else planted.inserted_at.timestamp()
    item = SentItem(planted.path, planted.name, (file,))
    return team.hold(_dataset(team, planted.dataset), item, at, external=planted.external)


def _remove(world: World, removal: Removal) -> int:
    dataset = _dataset(_team(world, removal.team), removal.dataset)
    gone = _at(dataset, removal.path, removal.name)
    for item in gone:
        dataset.drop(item)
    return len(gone)


def _progress(world: World, told: Progress) -> int:
    found = _at(_dataset(_team(world, told.team), told.dataset), told.path, told.name)
    for item in found:
        item.processing, item.error = told.processing, told.error
    return len(found)


def _at(dataset: Dataset, path: str | None, name: str | None) -> list[HeldItem]:
    folder = None if path is None else normalised(path)
    return [item for item in dataset.held() if folder in (None, item.path) and name in (None, item.name)]


def _switch(world: World, call: _SwitchCall) -> None:
    # Every team is looked up before anything changes.
    teams = [(_team(world, slug), switches) for slug, switches in call.teams.items()]
    for team, switches in teams:
        _switch_team(team, switches)
    wanted = call.model_dump(exclude_unset=True, exclude={"teams"})
    world.switched(Switches(**{**world.switches.model_dump(), **wanted}))


def _switch_team(team: Team, switches: TeamSwitches) -> None:
    for name in switches.model_fields_set & {"plan_full", "plan_items", "paused", "key_revoked", "key"}:
        setattr(team, name, getattr(switches, name))
    if switches.add_dataset is not None:
        team.add_dataset(switches.add_dataset)
    if switches.remove_dataset is not None:
        _dataset(team, switches.remove_dataset).removed = True
    if switches.remove_storage is not None:
        team.storages = [storage for storage in team.storages if not storage.called(switches.remove_storage)]
    team.tags.update(switches.add_tags)


def _team(world: World, slug: str | None) -> Team:
    found = next(iter(world.teams.values())) if slug is None else world.teams.get(slug)
    if found is None:
        raise _Wrong(error(404, "NOT_FOUND", f"team {slug} does not exist"))
    return found


def _dataset(team: Team, slug: str) -> Dataset:
    if slug not in team.datasets:
        raise _Wrong(error(404, "NOT_FOUND", f"dataset {slug} does not exist"))
    return team.datasets[slug]


def _read(model: type[_Call], body: bytes) -> _Call:
    """The call's body; an empty one is an empty object."""
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as wrong:
        details = json.loads(wrong.json(include_url=False, include_context=False))
        raise _Wrong(
            Reply(400, {"Content-Type": "application/json"}, json.dumps({"errors": details}).encode())
        ) from None

"""The part of `check` that tries Darwin: the key of every team, and the storages and datasets that the routes name."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import SecretStr

from worker.core.checks import Finding, in_the_way, judge_dataset, judge_storage, note, ok, wrong
from worker.core.darwin import Dataset, Storage
from worker.core.destinations import destinations
from worker.core.errors import OutsideError, Refused
from worker.core.reading import judge_reading
from worker.core.routes import Fallback, Route
from worker.metrics import Metrics
from worker.opening import check_team, every_route, keys_of, memory_cell, open_darwin, with_storages
from worker.routes_file import Wanted
from worker.settings import Settings, SettingsError, shown

T = TypeVar("T")


class _Told(NamedTuple):
    """What one team told, each None where it did not, and what is found by that."""

    findings: list[Finding]
    storages: list[Storage] | None = None
    datasets: list[Dataset] | None = None


async def look_at_darwin(
    settings: Settings, wanted: Wanted, metrics: Metrics
) -> tuple[list[Finding], dict[str, Storage]]:
    """What is found of Darwin, and the storage of each route that has a good one, by the route's name."""
    async with asyncio.TaskGroup() as tasks:
        asked = {
            team: tasks.create_task(_ask(settings, team, key, metrics), name=f"team {team}")
            for team, key in keys_of(settings, wanted).items()
        }
    told = {team: task.result() for team, task in asked.items()}
    of_routes, storages = _routes(
        wanted, {team: each.storages for team, each in told.items() if each.storages is not None}
    )
    named = dict.fromkeys(
        (route.lane.team, storages[route.name]) for route in every_route(wanted) if route.name in storages
    )
    found = [
        *(finding for team, each in told.items() for finding in _of_team(team, each.findings)),
        *of_routes,
        *(finding for team, storage in named for finding in _of_team(team, judge_storage(storage))),
    ]
    for team, each in told.items():
        if each.datasets is not None:
            routes = [route for route in every_route(wanted) if route.lane.team == team]
            found += _of_team(team, _datasets(routes, [dataset.slug for dataset in each.datasets]))
    return found, storages


async def _ask(settings: Settings, team: str, key: SecretStr | Path, metrics: Metrics) -> _Told:
    try:
        async with open_darwin(settings, {team: key}, metrics, memory_cell) as teams:
            darwin = teams[team].darwin
            await check_team(darwin, team)
            found = [
                ok(
                    "darwin",
                    "the key is this team's; that it may add data to datasets shows with the first item",
                )
            ]
            storages = await _listed("storage", darwin.storages(), found)
            return _Told(found, storages, await _listed("dataset", darwin.datasets(), found))
    except OutsideError as error:
        where = f"{shown('WORKER_DARWIN__BASE_URL')} ({settings.darwin.base_url})"
        not_tried = note("storage", "storages and datasets were not tried: Darwin must take the key first")
        return _Told([in_the_way("darwin", error, where), not_tried])


async def _listed(about: str, asked: Awaitable[list[T]], found: list[Finding]) -> list[T] | None:
    """Where there is no answer, *found* is told why."""
    try:
        return await asked
    except OutsideError as error:
        found.append(in_the_way(about, error, "the team in Darwin"))
        return None


def _routes(
    wanted: Wanted, storages_by_team: Mapping[str, Sequence[Storage]]
) -> tuple[list[Finding], dict[str, Storage]]:
    """Each route by itself, beside the storages of all teams, for what any of them is written may lie in its place."""
    found: list[Finding] = []
    reading: list[Finding] = []
    by_route: dict[str, Storage] = {}
    for route in every_route(wanted):
        if route.lane.team not in storages_by_team:
            continue
        alone = replace(wanted, routes=(route,), otherwise=Fallback.IGNORE)
        try:
            resolved = with_storages(alone, storages_by_team)
        except Refused as error:
            found.append(wrong("route", str(error)))
            continue
        except SettingsError as error:
            found += [wrong("route", line) for line in error.lines]
            continue
        (rule,) = resolved.rules
        storage = by_route[route.name] = resolved.storages[route.lane.team, rule.route.lane.storage]
        found.append(_registers(route, storage))
        reading += judge_reading(rule, storage.bucket)
    return [*found, *(note("route", caution) for caution in wanted.cautions), *reading], by_route


def _registers(route: Route, storage: Storage) -> Finding:
    named = [repr(lane.dataset) for lane in destinations(route)]
    datasets = f"dataset{'s' if len(named) > 1 else ''} {', '.join(named)}" if named else "datasets"
    place = f"s3://{storage.bucket}/{route.prefix.strip('/')}"
    text = f"{route.name!r} registers {place} in {datasets} of team {route.lane.team}"
    if route.paused:
        return note("route", f"{text}, but is paused: until it is not, what it takes waits in the queue")
    return ok("route", text)


def _datasets(routes: Iterable[Route], listed: Sequence[str]) -> Iterator[Finding]:
    slugs: dict[str, None] = {}
    for route in routes:
        named = destinations(route)
        slugs |= dict.fromkeys(lane.dataset for lane in named)
        if not named:
            text = (
                f"those of route {route.name!r} cannot be tried: each object names its own ({route.dataset})"
            )
            yield note("dataset", text)
    yield from (judge_dataset(slug, listed) for slug in slugs)


def _of_team(team: str, findings: Iterable[Finding]) -> list[Finding]:
    return [replace(finding, text=f"team {team}: {finding.text}") for finding in findings]

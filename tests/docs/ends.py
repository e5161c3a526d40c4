"""Scenarios for the tables of a page: each row says what becomes of records, and a scenario of its own brings it about."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.docs.page import Row, Section
from tests.docs.world import TEAM
from tests.fakes.rig import Rig
from worker.core.model import Mode
from worker.core.routes import Route
from worker.routes_file import read_routes

Scenario = Callable[[Rig], Awaitable[None]]

DONE = 10_000.0
"""Seconds within which every record of a scenario has come to its end."""

WITHIN = 600
"""Seconds that scenarios wait for parts and sidecars, in place of the hours of the page."""

_OUTCOME = re.compile("`([a-z]+: [a-z0-9_]+)`")


class Scenarios:
    """The scenarios of rows, by their section's title and what stands in their cell *when*."""

    def __init__(self) -> None:
        self.by_row: dict[tuple[str, str], Scenario] = {}

    def of(self, section: str, when: str) -> Callable[[Scenario], Scenario]:
        def keep(scenario: Scenario) -> Scenario:
            assert (section, when) not in self.by_row, when
            self.by_row[section, when] = scenario
            return scenario

        return keep


def rows_of(sections: Mapping[str, Section], titles: set[str]) -> dict[tuple[str, str], Row]:
    """The rows of the sections' tables that have a cell *when*, by section and that cell."""
    return {
        (section.title, row["when"]): row
        for section in sections.values()
        if section.title in titles
        for row in section.rows
        if "when" in row
    }


def rig_for(section: Section, folder: Path) -> Rig:
    """The pipeline with the routes of the section."""
    routes = routes_for(section, folder)
    return Rig(routes, readonly=routes[0].lane.mode is Mode.READ_ONLY)


def routes_for(section: Section, folder: Path) -> list[Route]:
    """The routes of the section, with the storage of the rig."""
    file = folder / "routes.yaml"
    (text,) = section.blocks_of("yaml")
    file.write_text(text)
    routes = read_routes(file, TEAM, {}).routes
    readonly = all(route.sidecars is not None for route in routes)
    mode = Mode.READ_ONLY if readonly else Mode.READ_WRITE
    return [
        replace(
            route,
            lane=route.lane._replace(storage="prod", mode=mode),
            group=route.group and replace(route.group, within=WITHIN),
            sidecars=route.sidecars and replace(route.sidecars, within=WITHIN),
        )
        for route in routes
    ]


async def come_to_an_end(rig: Rig) -> None:
    await rig.queue.until_empty(within=DONE)


def said_of(row: Row) -> set[str]:
    """The outcomes that a row names."""
    return set(_OUTCOME.findall(row["what becomes of it"]))


def told_by(rig: Rig) -> set[str]:
    """The outcomes of all records, as the metrics have them."""
    samples = [sample for family in rig.registry_metrics.records.collect() for sample in family.samples]
    return {
        f"{sample.labels['outcome']}: {sample.labels['reason']}"
        for sample in samples
        if sample.name.endswith("_total") and sample.value
    }

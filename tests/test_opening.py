"""What is opened, for which team and with which key; and routes, once every team has told its storages."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from worker.adapters.cell_quota import CellQuota
from worker.adapters.cells import MemoryCell
from worker.core.darwin import Storage
from worker.core.errors import Refused
from worker.core.model import Lane, Mode
from worker.core.routes import Fallback, Route, Sidecars
from worker.demo.twin import state as twin_state
from worker.demo.twin.server import running_twin
from worker.metrics import Metrics
from worker.opening import check_team, keys_of, memory_cell, open_darwin, with_storages
from worker.routes_file import Wanted
from worker.settings import Settings, SettingsError, load_settings

ACME_KEY, GLOBEX_KEY = "key-of-acme", "key-of-globex"
FILE = Path("/run/secrets/globex")
OPTIONS = (("ignore_dicom_layout", True),)
MEDIA = Storage("Acme Media", "acme-media", Mode.READ_WRITE, "aws", "media", "darwin")
SCANS = Storage("Scans", "scans", Mode.READ_ONLY, "aws", "clinic", "darwin")


def settings(base_url: str = "http://darwin.invalid", **changes: str) -> Settings:
    environ = {
        "WORKER_QUEUE__URL": "http://sqs.invalid/1/events",
        "WORKER_DARWIN__DATASET": "intake",
        "WORKER_DARWIN__STORAGE": "acme-media",
        "WORKER_LEDGER__URL": "redis://redis.invalid",
        "DARWIN_API_KEY": ACME_KEY,
        "DARWIN_TEAM": "acme",
        "DARWIN_BASE_URL": base_url,
    }
    return load_settings(environ | changes)


def wanted(*routes: Route, otherwise: Route | Fallback = Fallback.IGNORE) -> Wanted:
    teams: Mapping[str, SecretStr | Path] = {"globex": SecretStr(GLOBEX_KEY), "initech": FILE}
    return Wanted(routes, otherwise, teams)


def route(team: str, storage: str, **fields: object) -> Route:
    lane = Lane(team, "intake", storage, options=OPTIONS)
    return Route(f"of {team}", lane, **fields)  # type: ignore[arg-type]  # written out by each test


# -- keys


def test_each_team_that_a_route_uses_has_its_key_or_the_file_that_holds_it() -> None:
    routes = wanted(route("globex", "scans"), otherwise=route("initech", "films"))

    assert keys_of(settings(), routes) == {"globex": SecretStr(GLOBEX_KEY), "initech": FILE}


def test_the_key_of_the_settings_is_for_their_team_and_only_if_a_route_uses_it() -> None:
    assert keys_of(settings(), wanted(route("acme", "media"))) == {"acme": SecretStr(ACME_KEY)}


def test_a_key_file_of_the_settings_is_handed_on_as_such_so_that_it_can_be_read_again(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(ACME_KEY)
    of_file = settings(DARWIN_API_KEY="", DARWIN_API_KEY_FILE=str(file))

    assert keys_of(of_file, wanted(route("acme", "media"))) == {"acme": file}


# -- Darwin


async def test_each_team_asks_with_its_own_key_and_has_buckets_of_its_own() -> None:
    cells: dict[str, MemoryCell] = {}

    def cell(name: str) -> MemoryCell:
        assert name not in cells, "a bucket that two keys share would be overrun"
        cells[name] = made = MemoryCell(lambda: 0.0)
        return made

    keys: dict[str, SecretStr | Path] = {"acme": SecretStr(ACME_KEY), "globex": SecretStr(GLOBEX_KEY)}
    async with open_darwin(settings(), keys, Metrics(CollectorRegistry()), cell) as teams:
        assert list(teams) == ["acme", "globex"]
        # As they were named when a worker served one team: a fleet is upgraded one by one, and shares them.
        assert sorted(cells) == [
            "quota/acme/general",
            "quota/acme/registration",
            "quota/globex/general",
            "quota/globex/registration",
        ]
        await teams["acme"].registration.refused(60)
        assert await teams["acme"].registration.take() > 50
        assert await teams["globex"].registration.take() < 2


async def test_what_operators_ask_takes_a_token_of_their_fifth_and_one_of_the_keys() -> None:
    now, cells = 0.0, dict[str, MemoryCell]()

    def cell(name: str) -> MemoryCell:
        return cells.setdefault(name, MemoryCell(lambda: now))

    team = twin_state.Team("acme", ACME_KEY, ["intake"], [])
    keys: dict[str, SecretStr | Path] = {"acme": SecretStr(ACME_KEY)}
    async with (
        running_twin([team]) as twin,
        open_darwin(settings(twin.url), keys, Metrics(CollectorRegistry()), cell, operators=True) as opened,
    ):
        fifth = CellQuota(cells["quota/acme/operators"], 200, 2)
        assert await fifth.level() == await opened["acme"].general.level() == 0
        now = 0.3
        assert await fifth.level() == pytest.approx(0.99)  # (200 - 2) a minute
        now = 60.0
        await opened["acme"].darwin.team()
        assert await fifth.level() == pytest.approx(0.95)
        assert await opened["acme"].general.level() == pytest.approx(0.95)


async def test_the_key_of_another_team_is_refused() -> None:
    teams = [twin_state.Team("acme", ACME_KEY, ["intake"], []), twin_state.Team("globex", GLOBEX_KEY, [], [])]
    keys: dict[str, SecretStr | Path] = {"acme": SecretStr(ACME_KEY), "globex": SecretStr(GLOBEX_KEY)}
    async with (
        running_twin(teams) as twin,
        open_darwin(settings(twin.url), keys, Metrics(CollectorRegistry()), memory_cell) as opened,
    ):
        await check_team(opened["acme"].darwin, "acme")
        await check_team(opened["globex"].darwin, "globex")
        with pytest.raises(Refused, match="The API key belongs to team globex, not to acme"):
            await check_team(opened["globex"].darwin, "acme")


async def test_a_key_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    keys: dict[str, SecretStr | Path] = {"globex": tmp_path / "absent"}
    with pytest.raises(Refused, match="absent cannot be read"):
        async with open_darwin(settings(), keys, Metrics(CollectorRegistry()), memory_cell):
            pass


# -- routes and storages


def test_each_route_has_the_storage_of_its_own_team_by_name_or_slug() -> None:
    """One name may mean something else in another team."""
    theirs = replace(MEDIA, bucket="clinic", prefix="thumbs")
    routes = with_storages(
        wanted(
            route("acme", "Acme Media", prefix="incoming"),
            otherwise=route("globex", "acme-media", prefix="incoming"),
        ),
        {"acme": [MEDIA], "globex": [theirs]},
    )

    assert routes.storages == {("acme", "acme-media"): MEDIA, ("globex", "acme-media"): theirs}
    assert [each.lane for each in routes.every_route] == [
        Lane("acme", "intake", "acme-media", options=OPTIONS),
        Lane("globex", "intake", "acme-media", options=OPTIONS),
    ]


def test_a_slug_goes_before_the_name_of_another_storage() -> None:
    named = replace(SCANS, name="acme-media", slug="other")
    routes = with_storages(wanted(route("acme", "acme-media", prefix="in")), {"acme": [MEDIA, named]})

    assert routes.routes[0].lane.mode is Mode.READ_WRITE


def test_a_read_only_storage_is_good_for_a_route_that_says_where_thumbnails_lie() -> None:
    routes = with_storages(
        wanted(route("acme", "scans", prefix="in", sidecars=Sidecars("thumbs/{stem}.jpg"))),
        {"acme": [SCANS]},
    )

    assert routes.routes[0].lane == Lane("acme", "intake", "scans", Mode.READ_ONLY, OPTIONS)


def test_without_such_a_word_a_read_only_storage_is_refused() -> None:
    with pytest.raises(SettingsError, match="'scans' is read-only in Darwin"):
        with_storages(wanted(route("acme", "scans", prefix="in")), {"acme": [SCANS]})


def test_a_storage_of_another_team_only_is_not_there() -> None:
    routes = wanted(route("acme", "acme-media"), route("globex", "acme-media"))
    with pytest.raises(Refused) as refused:
        with_storages(routes, {"acme": [MEDIA], "globex": [SCANS]})

    assert str(refused.value) == (
        "Route 'of globex': team globex has no storage 'acme-media' in Darwin (it has: Scans, scans). Correct the name; "
        "without the storage nobody knows where Darwin writes."
    )


def test_a_route_must_not_watch_where_darwin_writes_for_another_team() -> None:
    """Law 5: what it wrote for the one would be registered for the other, and so on without end."""
    theirs = replace(SCANS, mode=Mode.READ_WRITE, bucket="media", prefix="incoming/thumbs")
    routes = wanted(
        route("acme", "acme-media", prefix="incoming/thumbs"), route("globex", "scans", prefix="ct")
    )
    with pytest.raises(SettingsError, match="where Darwin writes what it makes for storage 'scans'"):
        with_storages(routes, {"acme": [MEDIA], "globex": [theirs]})

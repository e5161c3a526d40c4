"""What `check` finds of Darwin, when routes are of several teams: on a twin that holds them all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from worker.commands.check_darwin import look_at_darwin
from worker.core.checks import Finding, note, ok, wrong
from worker.core.model import Lane
from worker.core.routes import Fallback, Group, Route
from worker.core.templates import Table
from worker.demo.twin.server import RunningTwin, running_twin
from worker.demo.twin.state import Storage, Team
from worker.metrics import Metrics
from worker.routes_file import Wanted
from worker.settings import load_settings

ACME_KEY, GLOBEX_KEY = SecretStr("key-of-acme"), SecretStr("key-of-globex")
KEY_OK = "the key is this team's; that it may add data to datasets shows with the first item"
PHOTOS = Route("photos", Lane("acme", "intake", "prod"), prefix="photos")
SCANS = Route(
    "scans",
    Lane("globex", "", "clinic"),
    prefix="scans/",
    dataset=Table("{filename[:2]}", {"ct": "tomography", "mr": "resonance"}, "rest"),
)


@pytest.fixture
async def twin() -> AsyncIterator[RunningTwin]:
    acme = Team("acme", ACME_KEY.get_secret_value(), ["intake"], [Storage("prod", "media", "darwin")])
    globex = Team(
        "globex",
        GLOBEX_KEY.get_secret_value(),
        ["tomography", "rest"],
        [Storage("clinic", "clinic", "thumbs")],
    )
    async with running_twin([acme, globex]) as running:
        yield running


async def found(
    twin: RunningTwin,
    *routes: Route,
    key: SecretStr | Path = GLOBEX_KEY,
    cautions: tuple[str, ...] = (),
) -> tuple[list[Finding], list[str]]:
    """What is found, and the routes that have a good storage. *key*: globex's."""
    settings = load_settings(
        {
            "WORKER_QUEUE__URL": "http://sqs.invalid/1/events",
            "WORKER_ROUTES_FILE": "/routes.yaml",
            "WORKER_LEDGER__URL": "redis://redis.invalid",
            "DARWIN_API_KEY": ACME_KEY.get_secret_value(),
            "DARWIN_TEAM": "acme",
            "DARWIN_BASE_URL": twin.url,
        }
    )
    wanted = Wanted(routes, Fallback.IGNORE, {"globex": key}, cautions=cautions)
    findings, storages = await look_at_darwin(settings, wanted, Metrics(CollectorRegistry()))
    return findings, list(storages)


async def test_every_team_is_asked_with_its_own_key_and_every_dataset_that_is_named_is_looked_for(
    twin: RunningTwin,
) -> None:
    findings, good = await found(twin, PHOTOS, SCANS, cautions=("Routes 'a' and 'b' can meet.",))

    assert good == ["photos", "scans"]
    assert findings == [
        ok("darwin", f"team acme: {KEY_OK}"),
        ok("darwin", f"team globex: {KEY_OK}"),
        ok("route", "'photos' registers s3://media/photos in dataset 'intake' of team acme"),
        ok(
            "route",
            "'scans' registers s3://clinic/scans in datasets 'tomography', 'resonance', 'rest' of team globex",
        ),
        note("route", "Routes 'a' and 'b' can meet."),
        ok("storage", "team acme: 'prod' is read-write, on bucket media; Darwin writes below darwin/"),
        ok("storage", "team globex: 'clinic' is read-write, on bucket clinic; Darwin writes below thumbs/"),
        ok("dataset", "team acme: 'intake' is there"),
        ok("dataset", "team globex: 'tomography' is there"),
        wrong(
            "dataset",
            "team globex: 'resonance' is not among the team's datasets in Darwin; none of the 2 there has a name like it. "
            "Correct the slug (it is in the address of the dataset's page), or make the dataset, or let the key see it",
        ),
        ok("dataset", "team globex: 'rest' is there"),
    ]


async def test_a_team_whose_key_is_refused_keeps_no_other_from_being_tried(twin: RunningTwin) -> None:
    findings, good = await found(twin, PHOTOS, SCANS, key=SecretStr("mistyped"))

    assert good == ["photos"]
    (refused,) = [finding for finding in findings if finding.level == "wrong"]
    assert refused.about == "darwin"
    assert refused.text.startswith("team globex: Darwin, GET /api/users/token_info: 401")
    assert "team globex: storages and datasets were not tried: Darwin must take the key first" in [
        finding.text for finding in findings
    ]
    assert ok("dataset", "team acme: 'intake' is there") in findings


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (ACME_KEY, "The API key belongs to team acme, not to globex"),
        (Path("/nowhere/globex"), "The Darwin API key file /nowhere/globex cannot be read"),
    ],
)
async def test_what_is_wrong_with_a_key_is_told_of_its_team(
    twin: RunningTwin, key: SecretStr | Path, why: str
) -> None:
    findings, _ = await found(twin, SCANS, key=key)

    (refused,) = [finding for finding in findings if finding.level == "wrong"]
    assert refused.text.startswith(f"team globex: {why}")


async def test_a_team_that_no_route_uses_is_not_asked(twin: RunningTwin) -> None:
    findings, _ = await found(twin, PHOTOS, key=Path("/nowhere/globex"))

    assert {finding.level for finding in findings} == {"ok"}


async def test_datasets_that_only_objects_name_are_a_note(twin: RunningTwin) -> None:
    route = Route("each", Lane("acme", "", "prod"), prefix="in", dataset="{folder}")
    findings, _ = await found(twin, route)

    assert ok("route", "'each' registers s3://media/in in datasets of team acme") in findings
    assert [finding for finding in findings if finding.about == "dataset"] == [
        note(
            "dataset",
            "team acme: those of route 'each' cannot be tried: each object names its own ({folder})",
        )
    ]


async def test_where_darwin_writes_for_another_team_is_no_place_to_watch(twin: RunningTwin) -> None:
    """Law 5: as `run` would refuse it."""
    twin.twin.world.teams["globex"].storages[0] = Storage("clinic", "media", "photos/thumbs")
    watching = Route("photos", PHOTOS.lane, prefix="photos/thumbs")
    findings, good = await found(
        twin, watching, Route("scans", Lane("globex", "rest", "clinic"), prefix="ct")
    )

    assert good == ["scans"]
    (loop,) = [finding for finding in findings if finding.level == "wrong"]
    assert "where Darwin writes what it makes for storage 'clinic'" in loop.text


async def test_what_a_route_reads_in_s3_and_that_it_is_paused_are_notes(twin: RunningTwin) -> None:
    route = Route("scenes", PHOTOS.lane, prefix="scenes", group=Group(slots=("front", "back")), slot="{stem}")
    paused = Route("later", PHOTOS.lane, prefix="later", paused=True)
    findings, _ = await found(twin, route, paused)

    notes = [finding for finding in findings if finding.level == "note"]
    assert notes == [
        note(
            "route",
            "'later' registers s3://media/later in dataset 'intake' of team acme, but is paused: until it is not, what it "
            "takes waits in the queue",
        ),
        note(
            "s3",
            "route 'scenes' reads bucket media, which is not tried here. The worker's role needs there: s3:ListBucket (to "
            "see the parts of a group)",
        ),
    ]

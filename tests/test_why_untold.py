"""`why` where not all that were asked tell: they are named, and the others answer; and how answers look otherwise."""

import asyncio
import json
from dataclasses import replace

import pytest

from tests.fakes.rig import START, lane
from tests.fakes.tracing import TracedRig
from worker.commands import why_shown
from worker.core.errors import Refused, Unavailable
from worker.core.model import OnOverwrite
from worker.core.routes import Group, Route, Sidecars
from worker.core.tracing import Trace

pytestmark = pytest.mark.looptime

Said = pytest.CaptureFixture[str]

ALL = Route("all", lane(), prefix="in")
PAIRS = Route("pairs", lane(), prefix="pairs", slot="{stem}", group=Group(slots=("left", "right")))
TOLD = Route("told", lane(), prefix="told", path="/{metadata.site}")
ROUTES = [PAIRS, TOLD, ALL]
AWAY = Unavailable("connection refused")


async def registered(*keys: str) -> TracedRig:
    """A rig on which these are registered."""
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put(*keys)
        await rig.queue.until_empty()
    return rig


def line(trace: Trace, about: str) -> str:
    return " / ".join(text for whom, text in trace.lines if whom == about)


async def test_darwin_away_the_ledger_tells_what_is_registered() -> None:
    rig = await registered("in/a.jpg")
    rig.darwin["acme"].unreachable = True
    trace = await rig.trace("in/a.jpg", assumed="Darwin does not answer /api/teams/acme/storage: 0")
    assert trace.sentence == (
        "It is registered as /a.jpg in dataset intake, but Darwin did not say what it has made of it since; ask again later (Darwin "
        "did not tell)."
    )
    assert line(trace, "route") == (
        "2 before it look at other buckets or prefixes / all takes it / Darwin did not tell where its storages are, so that is "
        "taken from the routes"
    )
    assert trace.unknown == {"Darwin": "Darwin does not answer /api/datasets: 0"}


async def test_the_ledger_away_darwin_tells_what_it_holds() -> None:
    rig = await registered("in/a.jpg")
    rig.failing["ledger"] = AWAY
    trace = await rig.trace("in/a.jpg")
    assert (trace.standing, line(trace, "ledger")) == ("unknown", "not told: connection refused")
    assert line(trace, "Darwin") == "complete, inserted 2027-01-15T08:00:00Z"
    assert trace.unknown == {"ledger": "connection refused"}


async def test_s3_away_what_needs_no_listing_is_told() -> None:
    rig = await registered("in/a.jpg", "pairs/1/left.jpg", "pairs/1/right.jpg")
    rig.failing["S3"] = Refused("no credentials")
    trace = await rig.trace("in/a.jpg")
    assert trace.standing == "registered"
    assert trace.unknown == {"S3": "no credentials"}
    part = await rig.trace("pairs/1/left.jpg")
    assert part.standing == "registered"
    assert line(part, "route") == "pairs takes it / what it asks of S3 was not told: no credentials"
    assert line(part, "item") == "it would be /1 in dataset intake of team acme"


async def test_s3_away_what_its_route_asks_of_it_cannot_be_told() -> None:
    rig = TracedRig(ROUTES)
    rig.put("told/a.jpg")
    rig.failing["S3"] = AWAY
    trace = await rig.trace("told/a.jpg")
    assert trace.sentence == (
        "What becomes of it cannot be told, for S3 does not say what its route asks; see what S3 said, and ask again."
    )
    assert (line(trace, "item"), line(trace, "ledger")) == (
        "cannot be told",
        "not asked, for no item is known",
    )


async def test_who_does_not_answer_in_half_a_minute_is_not_waited_for() -> None:
    rig = await registered("in/a.jpg")
    rig.ledger.faults.seconds["look_up"] = 3600
    began = asyncio.get_running_loop().time()
    trace = await rig.trace("in/a.jpg")
    assert trace.unknown == {"ledger": "no answer within 30 s"}
    assert 30 <= asyncio.get_running_loop().time() - began < 32


async def test_with_nobody_there_everybody_is_named() -> None:
    rig = TracedRig(ROUTES)
    rig.failing = dict.fromkeys(["S3", "ledger", "dead letters", "queue", "Darwin"], AWAY)
    trace = await rig.trace("in/a.jpg", assumed="connection refused")
    assert trace.sentence == (
        "Nobody who answered knows it as /a.jpg in dataset intake, but the ledger, Darwin and the dead letters could not be asked; "
        "see why, and ask again."
    )
    assert list(trace.unknown) == ["S3", "ledger", "dead letters", "queue", "Darwin"]


async def test_a_look_at_a_part_of_the_dead_letters_is_called_a_sample() -> None:
    rig = TracedRig(ROUTES)
    async with rig.running():
        rig.put(*(f"in/{n}.xyz" for n in range(40)))
        await rig.queue.until_empty()
    rig.most = 5
    rig.objects.put("in/a.jpg", modified=START)
    trace = await rig.trace("in/a.jpg")
    assert line(trace, "dead letters") == (
        "none of it among 10 that were looked at: a sample, for there are more"
    )
    assert trace.sentence.startswith("No claim, no item and no dead letter that was looked at tells of it")


async def test_a_new_version_is_looked_for_under_its_own_name() -> None:
    versions = replace(ALL, on_overwrite=OnOverwrite.REGISTER)
    rig = TracedRig([versions])
    async with rig.running():
        rig.put("in/a.jpg")
        await rig.queue.until_empty()
        rig.put("in/a.jpg", content=b"new")
        await rig.queue.until_empty()
    trace = await rig.trace("in/a.jpg")
    assert trace.standing == "registered"
    assert line(trace, "item") == "/a (22af645d1859).jpg in dataset intake of team acme"


async def test_an_absent_thumbnail_is_waited_for() -> None:
    sidecars = Sidecars(thumbnail="{folder}/{stem}.thumb.png", width="640", height="480")
    rig = TracedRig([Route("small", lane(), prefix="in", extensions=(".jpg",), sidecars=sidecars)])
    rig.put("in/1/a.jpg")
    trace = await rig.trace("in/1/a.jpg")
    assert trace.sentence == (
        "It waits for the thumbnail 1/a.thumb.png; upload what is missing, and it goes on by itself."
    )
    assert line(trace, "item") == "it would be /1/a.jpg in dataset intake of team acme"


# How it looks


async def test_a_hostile_key_does_nothing_to_a_terminal(
    capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    key = "in/\x1b[2J\x07\u202egpj.exe\n[red]x[/red].jpg"
    rig = TracedRig(ROUTES)
    rig.objects.put(key)
    why_shown.show([(await rig.trace(key)).as_json()], as_json=False)
    said = capsys.readouterr().out
    assert "s3://media/in/\\x1b[2J\\x07\\u202egpj.exe\\n[red]x[/red].jpg" in said
    assert "\x1b[2J" not in said
    assert not {"\x07", "\u202e"} & set(said)


async def test_for_machines_there_is_one_line_of_json_each_with_the_facts(capsys: Said) -> None:
    rig = await registered("in/a.jpg")
    answers = [(await rig.trace(key)).as_json() for key in ("in/a.jpg", "in/\ud800.jpg")]
    capsys.readouterr()
    why_shown.show(answers, as_json=True)
    one, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert other["standing"] == "not_in_s3"
    assert {name: one[name] for name in one if name not in ("lines", "sentence")} == {
        "object": "s3://media/in/a.jpg",
        "bucket": "media",
        "key": "in/a.jpg",
        "standing": "registered",
        "unknown": {},
        "route": "all",
        "passed_over": {},
        "outcome": "item",
        "detail": "",
        "group": "",
        "parts": [],
        "item": {"team": "acme", "dataset": "intake", "path": "/", "name": "a.jpg"},
        "s3": {
            "size": 1,
            "etag": "9dd4e461268c8034f5c8564e155c67a6",
            "version": None,
            "modified": "2027-01-15T07:59:00Z",
            "storage_class": "STANDARD",
        },
        "ledger": {
            "registered": True,
            "bucket": "media",
            "key": "in/a.jpg",
            "version": None,
            "etag": "9dd4e461268c8034f5c8564e155c67a6",
            "size": 1,
            "since": "2027-01-15T08:00:00Z",
            "at": "2027-01-15T08:00:00Z",
            "expires": None,
        },
        "dead_letters": {"own": [], "looked_at": 0, "sampled": False},
        "queue": {"waiting": 0, "in_flight": 0, "delayed": 0},
        "darwin": {
            "id": one["darwin"]["id"],
            "processing": "complete",
            "trouble": "",
            "archived": False,
            "inserted": "2027-01-15T08:00:00Z",
        },
    }


async def test_no_secret_is_shown(capsys: Said) -> None:
    """Law 9."""
    key = "abcdefg.0123456789abcdef0123456789abcdef"
    rig = TracedRig(ROUTES)
    rig.objects.put("in/a.jpg")
    rig.failing["Darwin"] = Refused(f"401: {key}")
    trace = await rig.trace("in/a.jpg")
    for as_json in (False, True):
        why_shown.show([trace.as_json()], as_json=as_json)
    assert key not in capsys.readouterr().out

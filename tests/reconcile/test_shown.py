"""What a person sees: a table on a terminal, and nothing that a key could do to it."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.commands.reconcile_shown import Bars, Shown, show
from worker.commands.reconcile_store import Store, open_store_of_both
from worker.core.differences import Difference, Kind
from worker.core.model import Identity, Reason, S3Object

LOOKED = Shown(1_000, 0, Counter(), {("acme", "intake"): True})


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store_of_both() as store:
        yield store


def missing(key: str) -> Difference:
    identity = Identity("acme", "intake", "/in", key)
    return Difference(Kind.MISSING, identity, "line", S3Object("media", key, None, "e1", 7), 0.0)


def test_on_a_terminal_a_table_tells_what_each_kind_is_with_the_first_three(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("d", "c", "b", "a"):
        store.tell(missing(name))
    store.tell(Difference(Kind.STRAY, Identity("acme", "intake", "/", "gone")))
    assert show(store, list(Kind), LOOKED, csv_file=None, json_file=None)
    out = capsys.readouterr().out
    for words in (
        "a route makes an item of the object, and Darwin does not hold it:",
        "s3://media/a (intake:/in/a)",
        "s3://media/c (intake:/in/c)",
        "intake:/gone",
        "1,000 objects and the items of 1 dataset were compared: 5 differences.",
    ):
        assert words in out
    assert "s3://media/d" not in out


def test_a_key_cannot_steer_a_terminal_nor_break_a_line(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.tell(missing("a\x1b[2J\n\ud800[red]\u202e.png"))
    show(store, list(Kind), LOOKED, csv_file=str(tmp_path / "csv"), json_file=str(tmp_path / "json"))
    shown = "a\\x1b[2J\\n\\ud800[red]\\u202e.png"
    assert capsys.readouterr().out.splitlines()[0] == f"missing\t1\ts3://media/{shown} (intake:/in/{shown})"
    assert json.loads((tmp_path / "json").read_text())["key"] == "a\x1b[2J\n\ud800[red]\u202e.png"
    assert "\\ud800[red]" in (tmp_path / "csv").read_text()


def test_where_machines_read_the_answer_people_have_it_on_standard_error(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.tell(missing("a"))
    show(store, list(Kind), LOOKED, csv_file="-", json_file=None)
    captured = capsys.readouterr()
    assert captured.out == (
        "kind,team,dataset,path,name,route,bucket,key,etag,size,time,item,detail\r\n"
        "missing,acme,intake,/in,a,line,media,a,e1,7,1970-01-01T00:00:00Z,,\r\n"
    )
    assert captured.err.startswith("missing\t1\ts3://media/a (intake:/in/a)\n")


def test_what_was_looked_at_and_what_was_not_is_said_where_nothing_differs(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = {("acme", "intake"): False, ("acme", "rig"): True}
    looked = Shown(2, 1, Counter({Reason.NO_ROUTE: 3, Reason.ROUTE_PAUSED: 0}), datasets)
    assert not show(store, list(Kind), looked, csv_file=None, json_file=None)
    assert capsys.readouterr().out.splitlines() == [
        "2 objects and the items of 2 datasets were compared: nothing differs.",
        "1 is on its way still, and so not missing yet.",
        "Of some objects no item is made now, as `darwin-worker why` tells of each: 3 no_route.",
        "Strays were not looked for in acme/intake: not all that may be in there was listed.",
    ]


def test_bars_are_drawn_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        bars.bar("listing s3://media/")(1_000)
    assert capsys.readouterr().err == ""

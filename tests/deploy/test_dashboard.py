"""Grafana's dashboard: every panel in its place, and every query asked of a real Prometheus that scrapes a real worker."""

import json
import math
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.watching import JOB, RULES, dashboard, program, recorded, strangers, targets
from tests.system.conftest import Start
from tests.system.outside import Cloud, TooLate, until
from tests.system.processes import DATASET, HOST, STORAGE, Twin, ask, free_port

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
"""Of Grafana's grid, in columns."""

ROUTES = {"routes": [{"name": "all", "dataset": DATASET, "storage": STORAGE, "head": True}]}
"""S3 is asked about each object, so that its calls are counted too."""


def panels() -> list[Mapping[str, Any]]:
    return list(dashboard()["panels"])


def test_every_panel_has_an_id_of_its_own_and_a_place_of_its_own() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    places = {panel["title"] + str(panel["id"]): panel["gridPos"] for panel in panels()}
    assert all(place["x"] + place["w"] <= WIDTH for place in places.values())
    over = [
        (one, other)
        for (one, a), (other, b) in combinations(places.items(), 2)
        if a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    ]
    assert over == []


def test_every_panel_asks_the_prometheus_that_is_chosen_and_says_what_it_shows() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "most"]
    assert variables["datasource"]["query"] == "prometheus"
    asking = [panel for panel in panels() if panel["type"] != "row"]
    assert all(panel["datasource"] == SOURCE and panel["description"] for panel in asking)
    for panel in asking:
        asked = panel["targets"]
        assert [target["refId"] for target in asked] == list("ABCD"[: len(asked)])
        assert all(target["datasource"] == SOURCE and target["expr"] for target in asked)


def test_the_queries_name_only_what_a_worker_shows() -> None:
    assert [(title, found) for title, expr in targets() if (found := strangers(expr))] == []


class Prometheus:
    """What it answers to a query, right now."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ready(self) -> bool:
        try:
            return ask(f"{self.url}/-/ready")[0] == 200
        except OSError:
            return False

    def get(self, path: str) -> Any:
        status, text = ask(f"{self.url}/api/v1/{path}")
        assert status == 200, f"{path}: {text}"
        return json.loads(text)["data"]

    def answers(self, query: str) -> bool:
        """Whether there is a number at least."""
        told = self.get(f"query?query={urllib.parse.quote(query)}")
        return any(not math.isnan(float(series["value"][1])) for series in told["result"])


@contextmanager
def running_prometheus(folder: Path, worker_port: int) -> Iterator[Prometheus]:
    """A Prometheus of our own with our rules, that looks at the worker every second."""
    port = free_port()
    scrape = {"job_name": JOB, "static_configs": [{"targets": [f"{HOST}:{worker_port}"]}]}
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,  # noqa: S603 - no shell
    ):
        try:
            yield Prometheus(f"http://{HOST}:{port}")
        finally:
            process.terminate()


def queries(worker_port: int) -> dict[str, str]:
    """Those of the dashboard and of the recording rules, as Grafana would send them, by what they are for."""
    chosen = {
        "$__rate_interval": "1m",
        "$job": JOB,
        "$instance": f"{HOST}:{worker_port}",
        "$most": "163",
    }
    asked = dict(recorded())
    for title, expression in targets():
        query = expression
        for variable, value in chosen.items():
            query = query.replace(variable, value)
        assert "$" not in query
        asked[f"{title}: {query}"] = query
    return asked


def test_every_query_and_every_recorded_rule_returns_data(
    cloud: Cloud, twin: Twin, start: Start, tmp_path: Path
) -> None:
    port = free_port()
    own, routes = tmp_path / "prometheus", tmp_path / "routes.yaml"
    own.mkdir()
    routes.write_text(yaml.safe_dump(ROUTES))
    cloud.notify_queue()
    with running_prometheus(own, port) as prometheus:
        start(
            WORKER_WEB__PORT=str(port),
            WORKER_ROUTES_FILE=str(routes),
            WORKER_DARWIN__DATASET=None,
            WORKER_DARWIN__STORAGE=None,
        )

        def upload(name: str, so_far: int) -> None:
            """What becomes an item at its second request, and what becomes a dead letter; until Prometheus has seen both."""
            twin.control("faults", {"kind": "429", "endpoint": "register", "times": 1})
            cloud.upload(f"{name}.jpg", f"{name}.docx")
            seen = f'sum(darwin_worker_records_total{{outcome=~"registered|rejected"}}) == {so_far}'
            until(f"Prometheus has seen what became of {name}", lambda: prometheus.answers(seen))

        until("Prometheus answers", prometheus.ready)
        # Twice, because a rate is seen only of a series that was there before.
        upload("first", 2)
        upload("second", 4)
        silent = queries(port)

        def all_answered() -> bool:
            for name in [name for name, query in silent.items() if prometheus.answers(query)]:
                del silent[name]
            return not silent

        with suppress(TooLate):
            until("data has come for all", all_answered, 20)
        assert list(silent) == []
        groups = prometheus.get("rules")["groups"]
        health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
        assert set(health.values()) == {"ok"}, health

"""What the Dockerfile and docker-compose.yml promise. `make image-check` builds the image and runs it."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.settings import SERVICE_FOLDER, Settings, Web

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DOCKERFILE = re.sub(r" \\\n\s*", " ", (ROOT / "Dockerfile").read_text())
STEPS = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
FINAL = STEPS[STEPS.index("FROM ${BASE}") :]
"""The steps of the stage that becomes the image."""

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]


def said(word: str) -> str:
    """What the one instruction *word* of the image says."""
    (found,) = (step.removeprefix(word).strip() for step in FINAL if step.startswith(word + " "))
    return found


def run(*words: str | Path) -> None:
    """Nothing is found fault with."""
    ended = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # noqa: S603 - linters
    assert ended.returncode == 0, ended.stdout.decode()


# The image


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    run(BIN / "hadolint", "Dockerfile")


def test_the_image_runs_as_a_numbered_user_who_is_not_root_and_owns_the_ledgers_folder_only() -> None:
    assert said("USER") == "10001:10001"
    assert said("VOLUME") == str(SERVICE_FOLDER)
    assert re.findall(r"-o worker -g worker (\S+)", said("RUN")) == [str(SERVICE_FOLDER)]


def test_the_image_says_its_port_its_signal_and_its_command() -> None:
    assert said("EXPOSE") == str(Web().port)
    assert said("STOPSIGNAL") == "SIGTERM"
    assert json.loads(said("ENTRYPOINT")) == ["/opt/worker/bin/darwin-worker"]
    assert json.loads(said("CMD")) == ["run"]


def test_the_image_is_labelled_with_the_projects_version() -> None:
    assert f'org.opencontainers.image.version="{VERSION}"' in said("LABEL")


def test_every_package_in_the_image_is_one_that_was_locked_by_its_hash() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install (.*?)(?: &&|\n)", DOCKERFILE)
    assert installs == [
        "--no-cache-dir --require-hashes -r requirements/build.txt",
        "--no-cache-dir --no-compile --require-hashes --only-binary :all: -r requirements/run.txt",
        "--no-cache-dir --no-compile --no-index --no-deps dist/*.whl",
    ]
    assert "pip wheel --no-cache-dir --no-build-isolation --no-deps" in DOCKERFILE


def test_the_build_sees_what_the_dockerfile_copies_and_nothing_else() -> None:
    copied = [step.split()[1:-1] for step in STEPS if step.startswith("COPY ") and "--from" not in step]
    wanted = {name for names in copied for name in names}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == wanted
    assert "*" in lines
    assert [name for name in wanted if not (ROOT / name).exists()] == []


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a worker that answers /healthz with *status*, and whatever else with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_image_is_healthy_when_healthz_says_so_at_the_port_that_is_set(status: int, code: int) -> None:
    _, _, command = said("HEALTHCHECK").partition(" CMD ")
    python, *words = json.loads(command)
    assert python == "/opt/worker/bin/python"
    with answering(status) as port:
        environment = os.environ | {"WORKER_WEB__PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        ended = subprocess.run([sys.executable, *words], env=environment, check=False)  # noqa: S603 - our own words
    assert ended.returncode == code


# The compose file


def test_the_compose_file_is_one_by_its_schema() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_every_service_that_is_waited_for_is_there_and_says_when_it_is_well() -> None:
    for service in SERVICES.values():
        for name in service.get("depends_on", []):
            assert name in SERVICES
        if isinstance(service.get("depends_on"), dict):
            for name, how in service["depends_on"].items():
                assert how == {"condition": "service_healthy"}
                assert "healthcheck" in SERVICES[name]


def mounts_of(name: str) -> dict[str, Path]:
    """The files that a service gets from the repository, by where it finds them; all are read-only."""
    words = [volume.split(":") for volume in SERVICES[name].get("volumes", []) if volume.startswith("./")]
    assert all(rest == ["ro"] for _, _, *rest in words)
    return {target: ROOT / source for source, target, *_ in words}


def test_every_file_that_a_service_mounts_is_there() -> None:
    files = [file for name in SERVICES for file in mounts_of(name).values()]
    files += [ROOT / secret["file"] for secret in COMPOSE["secrets"].values()]
    assert [file for file in files if not file.is_file()] == []


def test_every_port_is_open_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", ["worker", "darwin"])
def test_what_runs_our_image_can_write_to_tmp_only_and_has_no_capability(name: str) -> None:
    service = SERVICES[name]
    assert service["image"] == f"darwin-worker:{VERSION}"
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - its own
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_worker_is_given_more_time_to_stop_than_it_takes() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "40s"
    assert Settings.model_fields["drain_seconds"].default == 25
    assert "WORKER_DRAIN_SECONDS" not in SERVICES["worker"]["environment"]


def test_the_worker_has_the_key_that_the_twin_takes() -> None:
    words = SERVICES["darwin"]["command"]
    environment = SERVICES["worker"]["environment"]
    (secret,) = SERVICES["worker"]["secrets"]
    assert environment["DARWIN_API_KEY_FILE"] == f"/run/secrets/{secret}"
    key = (ROOT / COMPOSE["secrets"][secret]["file"]).read_text().strip()
    assert words[words.index("--key") + 1] == key


def test_the_ledger_in_redis_is_kept_on_disk_and_never_evicted() -> None:
    assert SERVICES["worker"]["environment"]["WORKER_LEDGER__URL"] == "redis://redis:6379/0"
    assert " ".join(SERVICES["redis"]["command"][:3]) == "redis-server --appendonly yes"
    assert SERVICES["redis"]["command"][-2:] == ["--maxmemory-policy", "noeviction"]
    assert SERVICES["redis"]["volumes"] == ["ledger:/data"]


def test_prometheus_takes_its_settings_with_our_rules(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool is not None, "There is no promtool: install it (Debian: apt-get install prometheus)"
    for target, file in mounts_of("prometheus").items():
        shutil.copy(file, tmp_path / Path(target).name)
    run(promtool, "check", "config", tmp_path / "prometheus.yml")


def test_grafana_is_provisioned_with_our_dashboard_and_this_prometheus() -> None:
    mounted = mounts_of("grafana")

    def provisioned(what: str) -> Any:
        return yaml.safe_load(mounted[f"/etc/grafana/provisioning/{what}/darwin-worker.yaml"].read_text())

    (source,) = provisioned("datasources")["datasources"]
    (provider,) = provisioned("dashboards")["providers"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert str(Path(home).parent) == provider["options"]["path"]
    assert json.loads(mounted[home].read_text())["title"]

"""deploy/kubernetes as kubectl renders it: the worker can live with it, and the objects fit each other."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.deploy.manifests import (
    FOLDER,
    OVERLAYS,
    ROOT,
    Object,
    Objects,
    container,
    environment,
    of_kind,
    one,
    reconcile,
    rendered,
    volumes,
    worker,
)
from tests.docs.page import sections_of
from tests.web.viewed import Worker, served
from worker.cli import COMMANDS
from worker.metrics import Metrics
from worker.routes_file import read_routes
from worker.settings import Settings, load_settings

REDIS_URL = "rediss://user:password@redis.internal:6379/0"
SECRETS = {("darwin-worker-ledger", "url"): REDIS_URL}
OF_ALL = {"app.kubernetes.io/name": "darwin-worker"}
OF_WORKERS = {**OF_ALL, "app.kubernetes.io/component": "worker"}
OF_RECONCILE = {**OF_ALL, "app.kubernetes.io/component": "reconcile"}

Template = Callable[[Objects], Object]
both = pytest.mark.parametrize("overlay", OVERLAYS)
of_both_pods = pytest.mark.parametrize("template_of", [worker, reconcile], ids=["worker", "reconcile"])


def settings_of(objects: Objects, template: Object, folder: Path) -> Settings:
    """As the container gets them, but for the place of the key file, which is in *folder*."""
    key = folder / "api-key"
    key.write_text("a.key\n")
    environ = environment(objects, template, SECRETS)
    return load_settings({**environ, "DARWIN_API_KEY_FILE": str(key)})


# -- what the worker gets ---------------------------------------------------------------------------------------------


@both
@of_both_pods
def test_the_worker_takes_the_settings_as_they_are_rendered(
    overlay: str, template_of: Template, tmp_path: Path
) -> None:
    objects = rendered(overlay)
    settings = settings_of(objects, template_of(objects), tmp_path)
    place = {"dynamodb": "dynamodb://darwin-ledger", "redis": REDIS_URL}[overlay]
    assert settings.ledger.url.get_secret_value() == place
    assert (settings.replicas, settings.darwin.team, settings.web.token) == (2, "acme", None)


@of_both_pods
def test_the_files_that_the_settings_name_are_mounted(template_of: Template) -> None:
    objects = rendered("dynamodb")
    template = template_of(objects)
    environ = environment(objects, template, {})
    mounted = volumes(template)
    assert environ["WORKER_ROUTES_FILE"] == "/etc/darwin-worker/routes.yaml"
    assert environ["DARWIN_API_KEY_FILE"] == "/run/secrets/darwin-worker/api-key"
    routes = one(objects, "ConfigMap", mounted["/etc/darwin-worker"]["configMap"]["name"])
    assert list(routes["data"]) == ["routes.yaml"]
    # Readable by the group that fsGroup names, and so by the worker, which is in it.
    assert mounted["/run/secrets/darwin-worker"]["secret"] == {
        "secretName": "darwin-worker-keys",
        "defaultMode": 0o440,
    }


def test_the_routes_that_are_mounted_can_be_used(tmp_path: Path) -> None:
    objects = rendered("dynamodb")
    routes = one(objects, "ConfigMap", volumes(worker(objects))["/etc/darwin-worker"]["configMap"]["name"])
    file = tmp_path / "routes.yaml"
    file.write_text(routes["data"]["routes.yaml"])
    wanted = read_routes(file, "acme", {})
    assert ([route.name for route in wanted.routes], wanted.cautions) == (["intake"], ())


@of_both_pods
def test_each_container_runs_a_command_of_the_image_of_this_release(template_of: Template) -> None:
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    only = container(template_of(rendered("dynamodb")))
    assert only["image"] == f"darwin-worker:{release}"
    [command] = only["args"]
    assert command in COMMANDS


def test_the_page_gets_its_token_where_its_secret_is_there() -> None:
    objects = rendered("redis")
    token = {("darwin-worker-page", "token"): "a-token-of-the-tests"}
    assert (
        environment(objects, worker(objects), SECRETS | token)["WORKER_WEB__TOKEN"] == "a-token-of-the-tests"
    )


@both
def test_no_secret_is_in_the_files_and_the_page_says_how_to_make_each(overlay: str) -> None:
    objects = rendered(overlay)
    page = (FOLDER / "README.md").read_text()
    wanted = set(re.findall(r"'(?:secretName|secretKeyRef)': (?:{'[^}]*'name': )?'([^']+)'", str(objects)))
    keys = {"darwin-worker-keys", "darwin-worker-page"}
    assert wanted == (keys | {"darwin-worker-ledger"} if overlay == "redis" else keys)
    assert of_kind(objects, "Secret") == []
    for name in wanted:
        assert f"create secret generic {name} --from-" in page


# -- what Kubernetes asks of it ---------------------------------------------------------------------------------------


def test_probes_ask_what_is_alive_and_what_is_ready_on_the_port_of_the_settings(tmp_path: Path) -> None:
    objects = rendered("dynamodb")
    only = container(worker(objects))
    settings = settings_of(objects, worker(objects), tmp_path)
    assert only["ports"] == [{"name": "http", "containerPort": settings.web.port}]
    assert {name: only[name]["httpGet"] for name in only if name.endswith("Probe")} == {
        "startupProbe": {"path": "/healthz", "port": "http"},
        "livenessProbe": {"path": "/healthz", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }


async def test_every_path_that_is_probed_or_scraped_is_served() -> None:
    objects = rendered("dynamodb")
    only = container(worker(objects))
    probed = {only[name]["httpGet"]["path"] for name in only if name.endswith("Probe")}
    [scraped] = one(objects, "ServiceMonitor", "darwin-worker")["spec"]["endpoints"]
    async with served(Worker()) as client:
        for path in {*probed, scraped["path"]}:
            async with client.get(path) as answer:
                assert (path, answer.status) == (path, 200)


def test_kubernetes_waits_longer_than_a_stop_takes(tmp_path: Path) -> None:
    objects = rendered("dynamodb")
    settings = settings_of(objects, worker(objects), tmp_path)
    assert (settings.drain_seconds, worker(objects)["spec"]["terminationGracePeriodSeconds"]) == (25, 40)


def test_a_worker_is_replaced_when_another_is_ready_and_keda_alone_says_how_many_there_are() -> None:
    spec = one(rendered("dynamodb"), "Deployment", "darwin-worker")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in spec


def test_a_node_may_be_drained_while_one_worker_stays_or_none_is_ready() -> None:
    objects = rendered("dynamodb")
    budget = one(objects, "PodDisruptionBudget", "darwin-worker")["spec"]
    assert (budget["minAvailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert one(objects, "ScaledObject", "darwin-worker")["spec"]["minReplicaCount"] == 2


def test_resources_are_those_of_the_benchmark() -> None:
    objects = rendered("dynamodb")
    assert container(worker(objects))["resources"] == {
        "requests": {"cpu": "250m", "memory": "160Mi"},
        "limits": {"memory": "256Mi"},
    }


def test_reconcile_runs_once_a_night_and_what_it_finds_is_a_job_that_failed() -> None:
    spec = one(rendered("dynamodb"), "CronJob", "darwin-worker-reconcile")["spec"]
    assert (spec["concurrencyPolicy"], spec["timeZone"]) == ("Forbid", "Etc/UTC")
    job = spec["jobTemplate"]["spec"]
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 6 * 3600)
    assert job["template"]["spec"]["restartPolicy"] == "Never"


# -- what it may do ---------------------------------------------------------------------------------------------------


@both
@of_both_pods
def test_each_pod_is_restricted_as_the_pod_security_standards_say(
    overlay: str, template_of: Template
) -> None:
    template = template_of(rendered(overlay))
    spec, only = template["spec"], container(template)
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds == {"configMap", "secret", "emptyDir"}
    assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec) == set()
    assert "hostPort" not in str(only.get("ports"))
    namespace = one(rendered(overlay), "Namespace", "darwin-worker")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@of_both_pods
def test_nothing_can_be_written_but_the_temporary_folder(template_of: Template) -> None:
    template = template_of(rendered("dynamodb"))
    writable = [
        mount["mountPath"] for mount in container(template)["volumeMounts"] if not mount.get("readOnly")
    ]
    assert writable == ["/tmp"]  # noqa: S108 - the container's
    assert volumes(template)["/tmp"]["emptyDir"]["sizeLimit"] in ("1Gi", "2Gi")  # noqa: S108 - the container's


@of_both_pods
def test_no_pod_gets_a_token_of_kubernetes_nor_variables_of_its_services(template_of: Template) -> None:
    spec = template_of(rendered("dynamodb"))["spec"]
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    account = one(rendered("dynamodb"), "ServiceAccount", spec["serviceAccountName"])
    assert account["automountServiceAccountToken"] is False
    assert list(account["metadata"]["annotations"]) == ["eks.amazonaws.com/role-arn"]


def ports_of(rules: list[Object]) -> set[tuple[str, int]]:
    return {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]}


@both
def test_pods_reach_names_aws_darwin_and_their_ledger_and_are_reached_by_prometheus(overlay: str) -> None:
    policies = of_kind(rendered(overlay), "NetworkPolicy")
    anywhere = [rule for policy in policies for rule in policy["spec"]["egress"] if "to" not in rule]
    redis = {("TCP", 6379)} if overlay == "redis" else set()
    assert ports_of(anywhere) == {("UDP", 53), ("TCP", 53), ("TCP", 443)} | redis
    policy = one(rendered(overlay), "NetworkPolicy", "darwin-worker")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    [agent] = [rule for rule in policy["egress"] if "to" in rule]
    assert [block["ipBlock"]["cidr"] for block in agent["to"]] == ["169.254.170.23/32", "fd00:ec2::23/128"]
    [ingress] = policy["ingress"]
    assert ports_of([ingress]) == {("TCP", 8080)}
    assert ingress["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
    ]


# -- that the objects fit each other ----------------------------------------------------------------------------------


@both
def test_what_is_for_the_workers_selects_them_and_not_reconcile(overlay: str) -> None:
    objects = rendered(overlay)
    assert worker(objects)["metadata"]["labels"] == OF_WORKERS
    assert reconcile(objects)["metadata"]["labels"] == OF_RECONCILE
    assert one(objects, "Deployment", "darwin-worker")["spec"]["selector"] == {"matchLabels": OF_WORKERS}
    assert one(objects, "PodDisruptionBudget", "darwin-worker")["spec"]["selector"] == {
        "matchLabels": OF_WORKERS
    }
    assert one(objects, "Service", "darwin-worker")["spec"]["selector"] == OF_WORKERS
    spread = worker(objects)["spec"]["topologySpreadConstraints"]
    assert [one["labelSelector"] for one in spread] == [{"matchLabels": OF_WORKERS}] * 2
    for policy in of_kind(objects, "NetworkPolicy"):
        assert policy["spec"]["podSelector"] == {"matchLabels": OF_ALL}


def test_prometheus_finds_the_service_by_its_labels_and_the_job_has_its_name() -> None:
    objects = rendered("dynamodb")
    service = one(objects, "Service", "darwin-worker")
    assert service["spec"]["ports"] == [{"name": "http", "port": 8080, "targetPort": "http"}]
    spec = one(objects, "ServiceMonitor", "darwin-worker")["spec"]
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [endpoint["port"] for endpoint in spec["endpoints"]] == ["http"]
    # The job is the Service's name then, which the alerts ask for.
    assert "jobLabel" not in spec


def test_no_label_of_our_metrics_is_pushed_aside_by_one_that_the_operator_gives_to_targets() -> None:
    [endpoint] = one(rendered("dynamodb"), "ServiceMonitor", "darwin-worker")["spec"]["endpoints"]
    [dropping] = endpoint["relabelings"]
    assert dropping["action"] == "labeldrop"
    given = {"job", "instance", "namespace", "service", "pod", "container", "endpoint"}
    metrics = vars(Metrics(CollectorRegistry())).values()
    ours = {label for metric in metrics for label in metric._labelnames}  # noqa: SLF001 - the library tells it nowhere else
    assert given & ours == {dropping["regex"]}


@both
def test_every_object_is_in_the_one_namespace(overlay: str) -> None:
    namespaces = {
        each["metadata"].get("namespace") for each in rendered(overlay) if each["kind"] != "Namespace"
    }
    assert namespaces == {"darwin-worker"}


def test_keda_scales_by_the_backlog_between_two_and_what_the_settings_say(tmp_path: Path) -> None:
    objects = rendered("dynamodb")
    settings = settings_of(objects, worker(objects), tmp_path)
    spec = one(objects, "ScaledObject", "darwin-worker")["spec"]
    assert spec["scaleTargetRef"] == {"name": "darwin-worker"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, settings.replicas)
    [trigger] = spec["triggers"]
    a_minute = scale_figures()["a_minute"]
    assert trigger["type"] == "aws-sqs-queue"
    assert trigger["metadata"] == {
        "queueURL": settings.queue.url,
        "awsRegion": "eu-west-1",
        "queueLength": f"{a_minute:.0f}",
        "scaleOnInFlight": "true",
    }
    # What a worker holds never asks for another one by itself.
    assert settings.limits.open_records < a_minute
    name = trigger["authenticationRef"]["name"]
    assert one(objects, "TriggerAuthentication", name)["spec"] == {"podIdentity": {"provider": "aws"}}


def scale_figures() -> Mapping[str, float]:
    """What docs/scale.md works out of replicas."""
    rows = sections_of(ROOT / "docs" / "scale.md")["Replicas, and what to watch"].rows
    return {row["name"].strip("`"): float(row["result"].replace(",", "")) for row in rows}


def test_the_ceiling_is_what_one_key_can_use_and_no_less_than_two() -> None:
    most = max(2, scale_figures()["most_of_one"])
    assert one(rendered("dynamodb"), "ScaledObject", "darwin-worker")["spec"]["maxReplicaCount"] == most


def test_workers_are_taken_away_slowly_each_gone_before_the_next_is_asked() -> None:
    objects = rendered("dynamodb")
    grace = worker(objects)["spec"]["terminationGracePeriodSeconds"]
    spec = one(objects, "ScaledObject", "darwin-worker")["spec"]
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    [policy] = down["policies"]
    assert (policy["type"], policy["value"]) == ("Pods", 1)
    assert policy["periodSeconds"] > grace
    assert down["stabilizationWindowSeconds"] >= 300
    assert spec["cooldownPeriod"] > grace

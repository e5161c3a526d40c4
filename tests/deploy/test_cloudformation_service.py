"""deploy/cloudformation/service.yaml, which no emulator here can make: held to what the worker needs and says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.templates import FOLDER, imported, made, template
from tests.docs.test_scale_page import FIGURES
from worker.core.conditions import Name
from worker.logs import Event
from worker.settings import Settings, load_settings

DEPLOY = FOLDER.parent
FORTNIGHT = 1_209_600

NEEDED = {
    "Image": "acme/darwin-worker:0.1.0",
    "Team": "acme",
    "Subnets": "subnet-1",
    "SecurityGroups": "sg-1",
}
"""The parameters that have no default."""


def service(**given: str) -> dict[str, Any]:
    return made("service.yaml", **NEEDED | given)


# --- what the worker may do


def statements(role: str, **given: str) -> dict[str, Any]:
    """By their Sid."""
    (policy,) = service(**given)[role]["Properties"]["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def actions(statement: Any) -> set[str]:
    written = statement["Action"]
    return {written} if isinstance(written, str) else set(written)


def test_the_task_may_do_what_the_documents_of_deploy_iam_say_on_its_own_things_alone() -> None:
    documents = [
        json.loads((DEPLOY / "iam" / name).read_text())
        for name in ("worker.json", "dynamodb.json", "check.json", "kms.json")
    ]
    documented = {each["Sid"]: each for document in documents for each in document["Statement"]}
    given = statements("TaskRole", CustomerKey="yes")
    things = {
        "ReceiveSettleAndPostpone": "QueueArn",
        "StoreDeadLetters": "DeadLetterQueueArn",
        "KeepClaimsAndTokens": "LedgerTableArn",
        "SeeWhomTheBucketTells": "BucketArn",
        "TheQueuesKey": "KeyArn",
    }
    assert {sid: list(imported(statement["Resource"])) for sid, statement in given.items()} == {
        sid: [thing] for sid, thing in things.items()
    }
    assert {sid: actions(each) for sid, each in given.items()} == {
        sid: actions(documented[sid]) for sid in things
    }
    assert given["TheQueuesKey"]["Condition"] == {
        "StringEquals": {"kms:ViaService": {"Fn::Sub": "sqs.${AWS::Region}.amazonaws.com"}}
    }
    assert statements("TaskRole").keys() == things.keys() - {"TheQueuesKey"}


def test_the_task_takes_the_policies_that_its_routes_need() -> None:
    properties = service(TaskPolicies="arn:aws:iam::1:policy/routes")["TaskRole"]["Properties"]
    assert properties["ManagedPolicyArns"] == "arn:aws:iam::1:policy/routes"
    assert "ManagedPolicyArns" not in service()["TaskRole"]["Properties"]


def test_the_execution_role_may_read_the_one_secret_write_the_one_log_and_pull_the_one_image() -> None:
    given = statements("ExecutionRole")
    assert {sid: (actions(statement), statement["Resource"]) for sid, statement in given.items()} == {
        "ApiKey": (
            {"secretsmanager:GetSecretValue"},
            {"Fn::ImportValue": {"Fn::Sub": "${DataStack}-ApiKeySecretArn"}},
        ),
        "Logs": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {"Fn::GetAtt": "Logs.Arn"}),
        "Image": (
            {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
            {"Fn::Sub": "arn:${AWS::Partition}:ecr:*:*:repository/*darwin-worker"},
        ),
        "Registry": ({"ecr:GetAuthorizationToken"}, "*"),
    }


@pytest.mark.parametrize("role", ["TaskRole", "ExecutionRole"])
def test_only_tasks_of_this_account_have_the_roles(role: str) -> None:
    (statement,) = service()[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnLike": {
            "aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:*"}
        },
    }


# --- how it runs


def container(**given: str) -> dict[str, Any]:
    (only,) = service(**given)["Task"]["Properties"]["ContainerDefinitions"]
    return dict(only)


def settings_of(**given: str) -> Settings:
    """What the worker reads from the container's environment; the secret and what is imported stand for themselves."""
    known = {
        "WORKER_QUEUE__URL": "https://sqs.us-east-1.amazonaws.com/1/darwin-data-events",
        "WORKER_LEDGER__URL": "dynamodb://table",
        "AWS_REGION": "us-east-1",
    }
    environ = {
        each["Name"]: known.get(each["Name"], each["Value"]) for each in container(**given)["Environment"]
    }
    return load_settings({name: str(value) for name, value in environ.items()} | {"DARWIN_API_KEY": "key"})


def test_the_worker_takes_the_settings_that_the_task_gives_it() -> None:
    settings = settings_of(
        Dataset="intake", Storage="prod", Tasks="2", MaxTasks="21", RequestsPerMinute="300"
    )
    assert (settings.darwin.team, settings.darwin.dataset, settings.darwin.storage) == (
        "acme",
        "intake",
        "prod",
    )
    assert (settings.darwin.prefix, settings.routes_file) == ("incoming/", None)
    assert (settings.replicas, settings.quota.requests_per_minute) == (21, 300)
    assert settings.ledger.scheme == "dynamodb"


def test_with_a_routes_file_the_task_gives_no_dataset_storage_or_prefix() -> None:
    settings = settings_of(RoutesFile="/etc/routes.yaml")
    assert settings.routes_file == Path("/etc/routes.yaml")
    assert (settings.darwin.dataset, settings.darwin.storage, settings.darwin.prefix) == (None, None, "")


def test_the_api_key_comes_from_the_secret_and_no_other_value_does() -> None:
    assert container()["Secrets"] == [
        {
            "Name": "DARWIN_API_KEY",
            "ValueFrom": {"Fn::ImportValue": {"Fn::Sub": "${DataStack}-ApiKeySecretArn"}},
        }
    ]


def test_a_stop_may_take_longer_than_the_workers_own_deadline() -> None:
    settings = settings_of(Dataset="intake", Storage="prod")
    assert (settings.drain_seconds, container()["StopTimeout"]) == (25, 40)


def test_the_container_cannot_write_but_to_its_state_and_has_no_capabilities() -> None:
    assert container()["ReadonlyRootFilesystem"] is True
    assert container()["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}}
    assert container()["MountPoints"] == [
        {"SourceVolume": "state", "ContainerPath": "/var/lib/darwin-worker"}
    ]
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    assert re.search(r"^VOLUME .*/var/lib/darwin-worker", dockerfile, re.MULTILINE)


def test_the_health_check_asks_healthz_with_the_python_of_the_image() -> None:
    check = container()["HealthCheck"]
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    assert check["Command"][:3] == ["CMD", "/opt/worker/bin/python", "-c"]
    assert "/opt/worker" in dockerfile
    code = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"
    assert check["Command"][3:] == [code]
    assert check["Timeout"] == 5


def test_a_release_that_does_not_start_is_rolled_back_while_the_old_one_works() -> None:
    assert service()["Service"]["Properties"]["DeploymentConfiguration"] == {
        "MinimumHealthyPercent": 100,
        "MaximumPercent": 200,
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
    }


def test_log_lines_are_not_kept_for_ever() -> None:
    assert service()["Logs"]["Properties"]["RetentionInDays"] == 30


# --- scaling


def test_one_key_has_two_tasks_and_no_scaling() -> None:
    resources = service()
    assert resources["Service"]["Properties"]["DesiredCount"] == 2
    assert not [name for name, each in resources.items() if "AutoScaling" in each["Type"]]
    assert resources["NewCluster"]["Properties"]["ClusterSettings"] == [
        {"Name": "containerInsights", "Value": "disabled"}
    ]


def test_several_keys_have_a_task_for_each_minutes_work_that_waits_within_what_the_quota_can_use() -> None:
    resources = service(MaxTasks="21")
    assert "DesiredCount" not in resources["Service"]["Properties"]
    bounds = resources["ScalableTasks"]["Properties"]
    assert (bounds["MinCapacity"], bounds["MaxCapacity"]) == (2, "21")
    policy = resources["BacklogOfEachTask"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    assert policy["TargetValue"] == int(FIGURES["a_minute"])
    assert policy["DisableScaleIn"], "which takes away as many at once as it likes"
    less = resources["OneTaskLess"]["Properties"]["StepScalingPolicyConfiguration"]
    assert less["StepAdjustments"] == [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}]
    assert less["Cooldown"] > policy["ScaleOutCooldown"]
    visible, running, backlog = policy["CustomizedMetricSpecification"]["Metrics"]
    assert visible["MetricStat"]["Metric"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert running["MetricStat"]["Metric"]["MetricName"] == "RunningTaskCount"
    assert backlog["Expression"] == f"{visible['Id']} / {running['Id']}"
    assert [each["ReturnData"] for each in (visible, running, backlog)] == [False, False, True]
    assert resources["NewCluster"]["Properties"]["ClusterSettings"] == [
        {"Name": "containerInsights", "Value": "enabled"}
    ]


def test_the_most_tasks_are_told_by_the_formula_of_the_page() -> None:
    """`most` of docs/scale.md: ceil(keys * a_key / one_dynamodb)."""
    told = template("service.yaml")["Parameters"]["MaxTasks"]["Description"]
    formula = f"the number of keys * {FIGURES['a_key']:.1f} (records a second of one key) / {FIGURES['one_dynamodb']:.0f}"
    assert formula in told


def test_a_cluster_that_is_given_is_used_and_none_is_made() -> None:
    resources = service(Cluster="shared")
    assert "NewCluster" not in resources
    assert resources["Service"]["Properties"]["Cluster"] == "shared"


# --- alarms

ALARMS = {
    "DarwinWorkerDown",
    "DarwinWorkerNotReady",
    "DarwinWorkerNotReadyCondition",
    "DarwinWorkerLanePaused",
    "DarwinWorkerNoProgress",
    "DarwinWorkerDeadLetters",
    "DarwinWorkerQueueOld",
}


def alarms(**given: str) -> dict[str, Any]:
    return {
        each["Properties"]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): each["Properties"]
        for each in service(**given).values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_every_alarm_says_where_to_read_on() -> None:
    assert alarms().keys() == ALARMS
    headings = re.findall(r"^#+ (\w+)$", (DEPLOY.parent / "docs" / "operations.md").read_text(), re.MULTILINE)
    for name, alarm in alarms().items():
        page, _, anchor = alarm["AlarmDescription"].split()[-1].partition("#")
        assert page == "docs/operations.md"
        assert anchor in {heading.lower() for heading in headings}
        assert name.lower().startswith(anchor)


def test_the_page_lists_every_alarm() -> None:
    page = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"^\| `(DarwinWorker\w+)`", page, re.MULTILINE)) == ALARMS


def test_the_topic_is_told_of_every_alarm_and_of_its_end() -> None:
    told = alarms(AlarmTopic="arn:aws:sns:us-east-1:1:people").values()
    assert {(*each["AlarmActions"], *each["OKActions"]) for each in told} == {
        ("arn:aws:sns:us-east-1:1:people", "arn:aws:sns:us-east-1:1:people")
    }
    assert not any("AlarmActions" in each for each in alarms().values())


def test_the_oldest_message_alarms_at_half_of_what_the_queue_keeps() -> None:
    alarm = alarms()["DarwinWorkerQueueOld"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("ApproximateAgeOfOldestMessage", "Maximum")
    assert alarm["Threshold"] * 2 == FORTNIGHT


def test_one_dead_letter_alarms() -> None:
    alarm = alarms()["DarwinWorkerDeadLetters"]
    assert list(imported(alarm["Dimensions"])) == ["DeadLetterQueueName"]
    assert (alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "ApproximateNumberOfMessagesVisible",
        "GreaterThanThreshold",
        0,
    )


@pytest.mark.parametrize("name", ["DarwinWorkerDown", "DarwinWorkerNotReady"])
def test_silence_alarms_where_a_worker_would_be_heard(name: str) -> None:
    alarm = alarms()[name]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"


def filtered(name: str) -> tuple[str, set[str]]:
    """The event of a log filter, and its conditions."""
    event, *conditions = re.findall(
        '"([^"]+)"', template("service.yaml")["Resources"][name]["Properties"]["FilterPattern"]
    )
    return event, set(conditions)


def test_each_condition_is_seen_in_its_line_or_in_the_silence_of_the_queue() -> None:
    """A worker that has one of the last raised, and no other team to work for, asks the queue for nothing."""
    event, somebody_must_mend = filtered("ConditionLines")
    assert filtered("LanePausedLines") == (event, {"lane_paused"})
    assert event == Event.CONDITION_RAISED
    silent = {"starting", "stopping", "sqs_unreachable", "ledger_unreachable", "darwin_down"}
    assert somebody_must_mend | {"lane_paused"} | silent == set(Name)
    assert not somebody_must_mend & silent

"""The main job under a crash: a thousand objects, by every way that S3 has to tell of them, one tenth told of twice."""

import json
import random

from tests.system.conftest import Start
from tests.system.outside import CREATED, Cloud, until
from tests.system.processes import Twin, Worker

WAYS = {"direct": 600, "topic": 150, "raw-topic": 100, "bus": 100, "bus-topic": 50}
"""The folders of the bucket, by how the queue hears of their objects, and how many objects go there."""

ODD_NAME = "a photo + 100% é"
NAMES = {"bus": "photo", "bus-topic": "photo"}
"""LocalStack encodes the keys that it tells EventBridge of; AWS does not."""

BATCH = 20


def test_a_thousand_objects_are_registered_once_each_though_the_worker_is_killed_half_way(
    cloud: Cloud, twin: Twin, start: Start
) -> None:
    """Laws 1 and 3; rows ALREADY_EXISTS (claim lapsed) and "broken connection".

    The kill comes while Darwin has done the work of some requests and not answered: nobody but Darwin knows then.
    """
    connect_every_way(cloud)
    keys = [
        f"{way}/{n % 7}/{NAMES.get(way, ODD_NAME)}-{n}.jpg"
        for way, count in WAYS.items()
        for n in range(count)
    ]
    random.Random(1000).shuffle(keys)  # noqa: S311 - no secret
    cloud.upload(*keys)
    copies = cloud.peek(100)
    cloud.send(copies[:50])

    first = start(WORKER_QUOTA__REQUESTS_PER_MINUTE="600", WORKER_BATCH__MAX_ITEMS=str(BATCH))
    until("Darwin holds 400 items", lambda: len(twin.items()) >= 400)
    twin.control("faults", {"kind": "slow-answer", "seconds": 60, "endpoint": "register"})
    until(
        "what Darwin answered is settled and other requests are under way",
        lambda: settled(first) == answered(first) < twin.counters()["items_received"],
    )
    first.kill()
    cut = twin.counters()["items_received"] - answered(first)
    assert 0 < cut < 600, "the kill was to come half-way, with requests under way"
    twin.control("faults", {}, "DELETE")
    cloud.send(copies[50:])

    second = start()
    until("Darwin holds a thousand items", lambda: len(twin.items()) >= 1000, seconds=90)
    until("the queue is empty", cloud.emptied, seconds=60)

    assert twin.items() == {(f"/{key.rpartition('/')[0]}", key.rpartition("/")[2]): key for key in keys}
    counters = twin.counters()
    assert counters["items_resent"] <= cut
    assert (counters["extensions"], counters["collisions"], counters["items_registered"]) == (0, 0, 1000)
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)
    assert second.stop() == 0
    assert cloud.emptied()
    outcomes = first.outcomes() + second.outcomes()
    assert sum(n for (kind, _), n in outcomes.items() if kind == "registered") == 1000
    assert {kind for kind, _ in outcomes} == {"registered", "duplicate", "ignored"}
    # The line about a copy may be lost with the first worker; those sent after its end all met the second one.
    assert second.outcomes()["duplicate", "in_ledger"] >= 50


def settled(worker: Worker) -> int:
    """How many records it registered and settled, as far as its log tells."""
    return worker.outcomes()["registered", "accepted"]


def answered(worker: Worker) -> int:
    """How many items were in the requests that it had an answer for."""
    return sum(line["items"] for line in worker.lines("request answered") if line["status"] is not None)


def connect_every_way(cloud: Cloud) -> None:
    """One bucket, five ways to one queue: S3, SNS in its envelope and raw, EventBridge, and EventBridge through SNS."""
    sns, bus = cloud.client("sns"), cloud.client("events")
    queue = cloud.arn(cloud.queue_url)
    topics = {way: sns.create_topic(Name=way)["TopicArn"] for way in ("topic", "raw-topic", "bus-topic")}
    for way, topic in topics.items():
        raw = {"RawMessageDelivery": "true"} if way == "raw-topic" else {}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)
    for way, target in (("bus", queue), ("bus-topic", topics["bus-topic"])):
        created = {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [cloud.bucket]}, "object": {"key": [{"prefix": f"{way}/"}]}},
        }
        bus.put_rule(Name=way, EventPattern=json.dumps(created))
        bus.put_targets(Rule=way, Targets=[{"Id": way, "Arn": target}])
    cloud.notify(
        {
            "QueueConfigurations": [below("direct") | {"QueueArn": queue}],
            "TopicConfigurations": [below(way) | {"TopicArn": topics[way]} for way in ("topic", "raw-topic")],
            "EventBridgeConfiguration": {},
        }
    )


def below(folder: str) -> dict[str, object]:
    return {
        "Events": [CREATED],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{folder}/"}]}},
    }

"""The Lambda of V7's page "Streaming Files From AWS S3 into Darwin": ``python -m tests.bench.peers.lambda_flow``.

The handler does what the page's does: the first record of the event, the page's thirteen codes put right in its key and
no other, one POST with one item, an answer that nobody looks at. So a 429 loses the object.

AWS's part is played by a loop: it receives ten messages, hands each of them to the handler as S3 would, and deletes
those whose handler did not raise. It runs in THREADS threads, where Lambda begins with five functions side by side and
adds up to 300 a minute (AWS, "Configuring scaling behavior for SQS event source mappings"). More would be nearer to
AWS, but they would share one core here, and ten already ask for more than the quota.

In the peer's favour: no start of a function is counted, and its connections to Darwin are kept, where the page opens one
for each object. The page posts with requests, which is not installed here; urllib3 is what requests sends with.
"""

import json
import os
from collections.abc import Mapping
from threading import Thread
from typing import Any

import urllib3
from botocore.session import get_session

THREADS = 10
FUNCTION_SECONDS = 3.0
"""AWS's default time for a function, which the page leaves as it is."""

CODES = {f"%{ord(character):02X}": character for character in "!\"$&'()*,:;=@"}

Sqs = Any  # botocore makes the client's methods as it runs
Json = Any


def main() -> None:
    sqs = get_session().create_client("sqs", region_name=os.environ["AWS_REGION"])
    darwin = urllib3.PoolManager(maxsize=THREADS, retries=False, timeout=FUNCTION_SECONDS)
    for _ in range(THREADS):
        Thread(target=map_events, args=(sqs, darwin)).start()


def map_events(sqs: Sqs, darwin: urllib3.PoolManager) -> None:
    queue = os.environ["QUEUE_URL"]
    while True:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        handled = [
            {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
            for place, message in enumerate(received.get("Messages", []))
            if invoke(json.loads(message["Body"]), darwin)
        ]
        if handled:
            sqs.delete_message_batch(QueueUrl=queue, Entries=handled)


def invoke(event: Mapping[str, Json], darwin: urllib3.PoolManager) -> bool:
    """Whether the handler came to its end."""
    try:
        handle(event, darwin)
    except urllib3.exceptions.HTTPError:
        return False
    return True


def handle(event: Mapping[str, Json], darwin: urllib3.PoolManager) -> None:
    key = event["Records"][0]["s3"]["object"]["key"]
    for code, character in CODES.items():
        key = key.replace(code, character)
    darwin.request(
        "POST",
        f"{os.environ['DARWIN_BASE_URL']}/api/v2/teams/{os.environ['DARWIN_TEAM']}/items/register_existing",
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Authorization": f"ApiKey {os.environ['DARWIN_API_KEY']}",
        },
        json={
            "items": [{"path": "/", "storage_key": key, "name": key.rsplit("/", 1)[-1]}],
            "dataset_slug": os.environ["DARWIN_DATASET"],
            "storage_slug": os.environ["DARWIN_STORAGE"],
        },
    )


if __name__ == "__main__":
    main()

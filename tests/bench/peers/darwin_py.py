"""A script on darwin-py, V7's own client: ``.venv-peers/bin/python tests/bench/peers/darwin_py.py``.

It receives up to a hundred messages, calls ``register`` of the dataset with their keys, deletes the messages, and begins
again: one thing after the other. All that becomes of a request is darwin-py's own: ten items in each, and at a 429 or
5xx a wait of a minute and more, ten tries in all. What it raises then ends the script, as nobody catches it; what it
returns of blocked items is not looked at.

In the peer's favour: SQS is asked by hand over one kept connection, without an SDK's models and signatures. Nothing of
ours is imported here.
"""

import json
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

import requests
from darwin.client import Client  # type: ignore[import-not-found]  # in .venv-peers, where mypy does not look

RECEIVES = 10
CALL_SECONDS = 30.0

Json = Any


def main() -> None:
    client = Client.from_api_key(os.environ["DARWIN_API_KEY"])
    dataset = client.get_remote_dataset(f"{os.environ['DARWIN_TEAM']}/{os.environ['DARWIN_DATASET']}")
    storage = client.get_external_storage(os.environ["DARWIN_TEAM"], os.environ["DARWIN_STORAGE"])
    with requests.Session() as session:
        while True:
            if messages := receive(session):
                dataset.register(storage, [key for message in messages for key in keys_of(message)])
                delete(session, messages)


def receive(session: requests.Session) -> list[Json]:
    """At most RECEIVES times ten messages; waits a second for the first of them."""
    messages = list[Json]()
    for _ in range(RECEIVES):
        asked = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 0 if messages else 1}
        received = call(session, "ReceiveMessage", asked).get("Messages", [])
        if not received:
            break
        messages += received
    return messages


def keys_of(message: Json) -> list[str]:
    return [unquote_plus(record["s3"]["object"]["key"]) for record in json.loads(message["Body"])["Records"]]


def delete(session: requests.Session, messages: Sequence[Json]) -> None:
    for first in range(0, len(messages), 10):
        entries = [
            {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
            for place, message in enumerate(messages[first : first + 10])
        ]
        call(session, "DeleteMessageBatch", {"Entries": entries})


def call(session: requests.Session, name: str, asked: dict[str, Json]) -> Json:
    answer = session.post(
        os.environ["AWS_ENDPOINT_URL"],
        data=json.dumps({"QueueUrl": os.environ["QUEUE_URL"]} | asked),
        headers={"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{name}"},
        timeout=CALL_SECONDS,
    )
    answer.raise_for_status()
    return answer.json()


if __name__ == "__main__":
    main()

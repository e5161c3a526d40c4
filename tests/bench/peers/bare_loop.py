"""The floor: ``python -m tests.bench.peers.bare_loop`` receives ten messages and deletes them, over and over.

What no worker on this SDK can do without: the client is made as the worker's is and asks for the same. LOOPS of them
run side by side in one process, so that it never waits for one answer alone. No body is read, nothing is registered.
"""

import asyncio
import os
from typing import TYPE_CHECKING

import aioboto3
from aiobotocore.config import AioConfig

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

LOOPS = 8


async def main() -> None:
    config = AioConfig(
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=50,
        retries={"max_attempts": 2, "mode": "standard"},
    )
    session = aioboto3.Session(region_name=os.environ["AWS_REGION"])
    async with session.client("sqs", config=config) as sqs, asyncio.TaskGroup() as loops:
        for _ in range(LOOPS):
            loops.create_task(receive_and_delete(sqs, os.environ["QUEUE_URL"]))


async def receive_and_delete(sqs: "SQSClient", queue: str) -> None:
    while True:
        received = await sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            VisibilityTimeout=120,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        if messages := received.get("Messages"):
            await sqs.delete_message_batch(
                QueueUrl=queue,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                    for place, message in enumerate(messages)
                ],
            )


if __name__ == "__main__":
    asyncio.run(main())

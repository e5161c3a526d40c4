"""What the queue of a bench tells of: objects by number, in the forms that S3's events come in."""

import json
from enum import StrEnum
from urllib.parse import quote

BUCKET = "media"
TEAM, DATASET, STORAGE = "acme", "intake", "prod"
ROUTES = 1_000
SLOTS = ("back", "front", "left", "right")


class Load(StrEnum):
    """S3: one prefix. SNS: the same inside SNS. ROUTES: a thousand prefixes in turn. GROUPS: scenes of four slots."""

    S3 = "s3"
    SNS = "sns"
    ROUTES = "routes"
    GROUPS = "groups"


def key_of(load: Load, number: int) -> str:
    if load is Load.ROUTES:
        return f"in/r{number % ROUTES:04d}/{number:08d}.png"
    if load is Load.GROUPS:
        scene, slot = divmod(number, len(SLOTS))
        return f"in/scene_{scene:08d}/{SLOTS[slot]}.png"
    return f"in/{number // 1_000:05d}/{number:08d}.png"


def body_of(load: Load, number: int) -> str:
    """A message as SQS delivers it: one record, as S3 sends it."""
    event = (
        '{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":'
        '"2031-02-01T09:00:00.000Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"AWS:AIDAEXAMPLE"},'
        '"requestParameters":{"sourceIPAddress":"192.0.2.1"},"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810",'
        '"x-amz-id-2":"FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"},"s3":{"s3SchemaVersion":"1.0",'
        f'"configurationId":"darwin","bucket":{{"name":"{BUCKET}","ownerIdentity":{{"principalId":"A3NL1KOZZKExample"}},'
        f'"arn":"arn:aws:s3:::{BUCKET}"}},"object":{{"key":"{quote(key_of(load, number))}","size":{1_000 + number},'
        f'"eTag":"{number:032x}","sequencer":"{number:016X}"}}}}}}]}}'
    )
    return _in_sns(event) if load is Load.SNS else event


def _in_sns(event: str) -> str:
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "5f8c3b2e-0000-4000-8000-000000000000",
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:uploads",
            "Subject": "Amazon S3 Notification",
            "Message": event,
            "Timestamp": "2031-02-01T09:00:00.123Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE" * 48,
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
            "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
        }
    )


def listing_of(prefix: str) -> str:
    """S3's answer to ListObjectsV2 for the folder of a scene: all four parts are there."""
    scene = prefix.rstrip("/").rpartition("_")[2]
    first = int(scene) * len(SLOTS) if scene.isdigit() else 0
    contents = "".join(
        f"<Contents><Key>{key_of(Load.GROUPS, number)}</Key><LastModified>2031-02-01T09:00:00.000Z</LastModified>"
        f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{1_000 + number}</Size><StorageClass>STANDARD</StorageClass>"
        "</Contents>"
        for number in range(first, first + len(SLOTS))
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(SLOTS)}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
    )

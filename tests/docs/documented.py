"""What a row of the documented payloads holds, and the events that S3 sends of its objects."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from tests.docs.world import Told
from worker.core.model import Mode

Json = Mapping[str, object]

BUCKET = "your-s3-bucket-name"
HERE = {"dataset_slug": "your-dataset-slug-here", "storage_slug": "your-storage-bucket-name-here"}
INTAKE = {"dataset_slug": "intake", "storage_slug": "acme-prod-media"}


@dataclass(frozen=True)
class Put:
    """An object that is put into the bucket. *key* is as S3 sends it, form-encoded."""

    key: str
    content: bytes = b"x"

    @property
    def told(self) -> Told:
        return Told(BUCKET, unquote_plus(self.key), message(self.key, len(self.content)), self.content)


@dataclass(frozen=True)
class Documented:
    """A payload that V7 documents. *where*: its page and heading, or the section of darwin-api.md. *routes*: the file that
    makes it of these *objects*. *bodies*: what is sent.

    *v7*: the payloads as they stand there, where ours say the same in another documented form; *differs* then is a sentence
    that names each field that differs.
    """

    where: str
    routes: str
    objects: Sequence[Put]
    bodies: Sequence[Json]
    v7: Sequence[Json] = ()
    differs: str = ""
    mode: Mode = Mode.READ_WRITE


def message(key: str, size: int) -> str:
    """The body of a message, with every field that S3 sends
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
    """
    return json.dumps(
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "eu-west-1",
                    "eventTime": "2031-02-01T09:00:00.250Z",
                    "eventName": "ObjectCreated:Put",
                    "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
                    "requestParameters": {"sourceIPAddress": "192.0.2.3"},
                    "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": "darwin",
                        "bucket": {
                            "name": BUCKET,
                            "ownerIdentity": {"principalId": "A3NL1"},
                            "arn": f"arn:aws:s3:::{BUCKET}",
                        },
                        "object": {
                            "key": key,
                            "size": size,
                            "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                            "sequencer": "0055AED6DCD90281E5",
                        },
                    },
                }
            ]
        }
    )


def puts(*keys: str) -> list[Put]:
    return [Put(key) for key in keys]

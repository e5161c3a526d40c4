"""The part of `check` that tries the archive. Whether an object may be put there, a bucket's policy and key included, only a
put tells.
"""

from worker.adapters.aws_session import aws_session
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_archive import S3Archive
from worker.core.checks import Finding, in_the_way, ok
from worker.core.errors import OutsideError
from worker.core.receipts import Place
from worker.metrics import Metrics

TRIED = "_check"
"""The name of the object that is put, over the one of the last check. What reads a folder of files leaves out those whose
names begin with an underscore (Athena, Spark), and this one is empty.
"""


async def look_at_archive(place: Place | None, metrics: Metrics) -> list[Finding]:
    if place is None:
        return []
    try:
        async with open_bucket_client(aws_session()) as client:
            await S3Archive(client, place, metrics).put(TRIED, b"")
    except OutsideError as error:
        return [in_the_way("archive", error, "WORKER_ARCHIVE__URL and AWS_REGION (or AWS_ENDPOINT_URL)")]
    return [ok("archive", f"receipts may be put below {place}: the empty object {TRIED} was")]

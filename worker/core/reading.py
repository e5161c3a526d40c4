"""What a route reads in S3, and so what the worker's role must be allowed."""

from collections.abc import Iterator

from worker.core.checks import Finding, note
from worker.core.routes import OnRemoved
from worker.core.rules import Rule

LIST, GET, TAGS = "s3:ListBucket", "s3:GetObject", "s3:GetObjectTagging"


def permissions(rule: Rule) -> dict[str, list[str]]:
    """The permissions that the route needs on its storage's bucket, and for each what it is for."""
    needed: dict[str, list[str]] = {}
    for permission, purpose in _needs(rule):
        needed.setdefault(permission, []).append(purpose)
    if needed and LIST not in needed:
        # Without it S3 answers 403 for an object that is not there
        # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
        needed[LIST] = ["to tell what is not there from what may not be read"]
    return needed


def judge_reading(rule: Rule, bucket: str) -> list[Finding]:
    """A note for a route that reads S3: whether it may, shows with the first object."""
    needed = [f"{permission} ({', '.join(purposes)})" for permission, purposes in permissions(rule).items()]
    if not needed:
        return []
    text = f"route {rule.route.name!r} reads bucket {bucket}, which is not tried here. The worker's role needs there: "
    return [note("s3", text + ", ".join(needed))]


def _needs(rule: Rule) -> Iterator[tuple[str, str]]:
    route = rule.route
    if route.group is not None:
        yield LIST, "to see the parts of a group"
        if route.group.manifest:
            yield GET, f"to read {route.group.manifest}"
    if route.head:
        yield GET, "to see that an object is there"
    if rule.asks_metadata:
        yield GET, "to read metadata"
    if rule.asks_tags:
        yield TAGS, "to read tags"
    if route.on_removed is OnRemoved.ARCHIVE:
        yield GET, "to see that a removed object did not come back"
    sidecars = route.sidecars
    if sidecars is None:
        return
    yield GET, "to see that the thumbnail is there"
    if sidecars.width is None or sidecars.height is None:
        yield GET, "to read the size of a picture"
    if sidecars.frames_high is not None:
        yield LIST, "to see a video's frames"

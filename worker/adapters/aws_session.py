"""Where AWS clients get credentials and region from: the SDK's own variables and files."""

import os

import aioboto3
from botocore.exceptions import ProfileNotFound

from worker.core.errors import Refused


def aws_session() -> aioboto3.Session:
    """A session that knows ``AWS_REGION``, as AWS's other SDKs and its container platforms do.

    Python's SDK knows only ``AWS_DEFAULT_REGION`` and the profile, which come second here. Refused for a profile that
    does not exist.
    """
    try:
        return aioboto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    except ProfileNotFound as error:
        raise Refused(f"{error}. Set AWS_PROFILE right, or unset it.") from error

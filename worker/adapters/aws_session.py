"""Where AWS clients come from: credentials, region and endpoint are the SDK's own variables and files."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import TypeVar

import aioboto3
from aiobotocore.session import get_session
from botocore import exceptions
from botocore.utils import parse_timestamp

from worker.core.errors import Refused

C = TypeVar("C")


def aws_session() -> aioboto3.Session:
    """A session that knows ``AWS_REGION``, as AWS's other SDKs and its container platforms do.

    Python's SDK knows only ``AWS_DEFAULT_REGION`` and the profile, which come second here. Refused for a profile that
    does not exist.
    """
    session = get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment_of)
    try:
        return aioboto3.Session(botocore_session=session, region_name=os.environ.get("AWS_REGION") or None)
    except exceptions.ProfileNotFound as error:
        raise Refused(f"{error}. Set AWS_PROFILE right, or unset it.") from error


def moment_of(value: str | float) -> datetime:
    """What the SDK makes of a time. Its own parser takes any form of a date, and most of what reading a listing costs."""
    if isinstance(value, str) and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    moment: datetime = parse_timestamp(value)  # type: ignore[arg-type]  # it takes numbers too
    return moment


@asynccontextmanager
async def opened(service: str, opening: Callable[[], AbstractAsyncContextManager[C]]) -> AsyncIterator[C]:
    """The client that *opening* makes for AWS's *service*; Refused when none can be made."""
    try:
        context = opening()
        client = await context.__aenter__()
    except exceptions.NoRegionError as error:
        raise Refused(f"The {service} client has no region: set AWS_REGION.") from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise Refused(f"The {service} client cannot be made: {error}. Check the AWS settings.") from error
    try:
        yield client
    finally:
        await context.__aexit__(None, None, None)

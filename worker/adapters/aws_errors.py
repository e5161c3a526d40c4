"""What botocore raises, as our two errors, with a text that says which call, on what, why, and what to do.

Words of AWS are quoted, except about signatures: there AWS repeats the signed request, session token included.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from botocore import exceptions
from botocore.parsers import ResponseParserError

from worker.core.denials import advice
from worker.core.errors import OutsideError, Refused, Unavailable

LONGEST_QUOTE = 300
FIRST_SERVER_ERROR = 500

CREDENTIALS_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
CREDENTIALS_WRONG = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
FORBIDDEN = "403"  # to a HEAD S3 gives no reason
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccessDeniedFault",
        "KmsAccessDenied",
        "UnauthorizedOperation",
        FORBIDDEN,
    }
)
IN_FLIGHT = "OverLimit"
WHAT_IN_FLIGHT = (
    "SQS hands out nothing while 120,000 messages of a queue are in flight: see what keeps the workers from finishing "
    "theirs, and keep WORKER_LIMITS__OPEN_RECORDS times the replicas below that."
)
NO_SUCH_QUEUE = frozenset({"NonExistentQueue", "QueueDoesNotExist"})
NO_SUCH_TABLE = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
# Of whole requests, and of single statements in DynamoDB's BatchExecuteStatement, whose codes have no "Exception".
TRY_LATER = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KmsThrottled",
        "LimitExceededException",
        "OverLimit",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
    }
)


@asynccontextmanager
async def aws_call(call: str, target: str, action: str, within: float) -> AsyncIterator[None]:
    """Around one request to AWS: at most *within* seconds, and every failure of AWS or the way to it is ours.

    *call* and *target* open the text ("SQS ReceiveMessage on https://…"), *action* is the permission it needs.
    """
    doing = f"{call} on {target}"
    try:
        async with asyncio.timeout(within):
            yield
    except TimeoutError as error:
        raise Unavailable(f"{doing}: no answer within {within:g} s") from error
    except exceptions.ClientError as error:
        raise _refusal(doing, action, error) from error
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.SSOError,
    ) as error:
        raise Refused(
            f"{doing}: {error}. Give the worker AWS credentials (a role, a profile or a key)."
        ) from error
    except (
        exceptions.HTTPClientError,
        exceptions.ConnectionError,
        exceptions.IncompleteReadError,
        exceptions.CredentialRetrievalError,
        exceptions.MetadataRetrievalError,
        exceptions.TokenRetrievalError,
        ResponseParserError,
        aiohttp.ClientError,
        OSError,
    ) as error:
        raise Unavailable(
            f"{doing}: {_quote(str(error))} Check the network, the region and AWS_ENDPOINT_URL."
        ) from error
    except RuntimeError as error:
        # The SDK has no class of its own for credentials that were renewed and have ended all the same.
        if "credentials are still expired" not in str(error):
            raise
        raise Refused(f"{doing}: {error} Renew them where they come from.") from error


def short_code(code: str) -> str:
    """AWS's error code without its service: ``AWS.SimpleQueueService.NonExistentQueue`` is ``NonExistentQueue``."""
    return code.rsplit(".", maxsplit=1)[-1]


def _refusal(doing: str, action: str, error: exceptions.ClientError) -> OutsideError:
    details = error.response.get("Error", {})
    full_code = str(details.get("Code", "unknown"))
    code = short_code(full_code)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in CREDENTIALS_EXPIRED:
        return Refused(f"{doing}: {code}. The AWS credentials have expired: renew them.")
    if code in CREDENTIALS_WRONG:
        return Refused(
            f"{doing}: {code}. AWS does not accept the credentials: check key, secret, token and clock."
        )
    message = str(details.get("Message", ""))
    text = f"{doing}: {full_code}: {_quote(message)}"
    if code == IN_FLIGHT:
        text += f" {WHAT_IN_FLIGHT}"
    if code in TRY_LATER or status >= FIRST_SERVER_ERROR:
        return Unavailable(text)
    if code in DENIED:
        denied = f"{text.rstrip('.: ')}. {advice(action, full_code, _flat(message))}"
        return Refused(
            f"{denied} If that is allowed, check the AWS credentials." if code == FORBIDDEN else denied
        )
    if code in NO_SUCH_QUEUE:
        return Refused(f"{text} Check the queue's name, account and region.")
    if code in NO_SUCH_TABLE:
        return Refused(
            f"{text} Check the table's name, account and region, or make it with `darwin-worker check --create`."
        )
    return Refused(text)


def _quote(text: str) -> str:
    return _flat(text)[:LONGEST_QUOTE]


def _flat(text: str) -> str:
    return " ".join(text.split())

"""AWS's errors as ours: what may work later, what needs somebody, and what the text says to them."""

import asyncio

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from worker.adapters.aws_errors import aws_call
from worker.core.errors import OutsideError, Refused, Unavailable

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/events"


def client_error(code: str, status: int = 400, message: str = "words of AWS") -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "ReceiveMessage")  # type: ignore[arg-type]  # the stub wants more of the metadata


async def translated(error: Exception) -> OutsideError:
    with pytest.raises(OutsideError) as caught:
        async with aws_call("SQS ReceiveMessage", QUEUE, "sqs:ReceiveMessage", 5):
            raise error
    return caught.value


@pytest.mark.parametrize(
    ("code", "help_"),
    [
        ("AccessDenied", "Allow sqs:ReceiveMessage to the worker's role"),
        ("AccessDeniedException", "Allow sqs:ReceiveMessage"),
        ("KMS.AccessDeniedException", "Allow kms:Decrypt and kms:GenerateDataKey"),
        ("AWS.SimpleQueueService.NonExistentQueue", "Check the queue's name, account and region"),
        ("QueueDoesNotExist", "Check the queue's name, account and region"),
        ("ResourceNotFoundException", "make it with `darwin-worker check --create`"),
        ("ExpiredToken", "have expired: renew them"),
        ("ExpiredTokenException", "have expired: renew them"),
        ("InvalidClientTokenId", "check key, secret, token and clock"),
        ("UnrecognizedClientException", "check key, secret, token and clock"),
        ("SignatureDoesNotMatch", "check key, secret, token and clock"),
        ("InvalidAddress", "InvalidAddress: words of AWS"),
    ],
)
async def test_what_somebody_must_change_is_refused_and_says_what(code: str, help_: str) -> None:
    error = await translated(client_error(code))
    assert isinstance(error, Refused)
    assert str(error).startswith(f"SQS ReceiveMessage on {QUEUE}: ")
    assert help_ in str(error)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("ThrottlingException", 400),
        ("RequestThrottled", 403),
        ("AWS.SimpleQueueService.OverLimit", 403),
        ("KMS.ThrottlingException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("ThrottlingError", 200),
        ("TransactionConflictException", 400),
        ("InternalServerError", 500),
        ("ServiceUnavailable", 503),
        ("InternalError", 500),
        ("504", 504),
    ],
)
async def test_throttling_and_server_errors_may_pass(code: str, status: int) -> None:
    error = await translated(client_error(code, status))
    assert isinstance(error, Unavailable)
    assert code in str(error)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectTimeoutError(endpoint_url=QUEUE),
        exceptions.ReadTimeoutError(endpoint_url=QUEUE),
        exceptions.EndpointConnectionError(endpoint_url=QUEUE),
        exceptions.ConnectionClosedError(endpoint_url=QUEUE),
        exceptions.SSLError(endpoint_url=QUEUE, error=ValueError("certificate")),
        exceptions.CredentialRetrievalError(provider="container-role", error_msg="no answer"),
        ResponseParserError("<html>"),
        ConnectionResetError("reset"),
    ],
)
async def test_trouble_on_the_way_may_pass(error: Exception) -> None:
    assert isinstance(await translated(error), Unavailable)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NoCredentialsError(),
        exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        exceptions.UnauthorizedSSOTokenError(),
    ],
)
async def test_missing_credentials_are_refused(error: Exception) -> None:
    ours = await translated(error)
    assert isinstance(ours, Refused)
    assert "Give the worker AWS credentials" in str(ours)


@pytest.mark.looptime
async def test_every_call_ends_in_time() -> None:
    with pytest.raises(Unavailable, match="no answer within 5 s"):
        async with aws_call("SQS ReceiveMessage", QUEUE, "sqs:ReceiveMessage", 5):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() == 5


async def test_what_aws_says_of_a_signature_is_not_repeated() -> None:
    """Law 9: it repeats the signed request, with the session token."""
    error = await translated(client_error("SignatureDoesNotMatch", 403, "x-amz-security-token:very secret"))
    assert "very secret" not in str(error)


async def test_bugs_are_let_through() -> None:
    for bug in (KeyError("x"), exceptions.ParamValidationError(report="Unknown parameter")):
        with pytest.raises(type(bug)):
            async with aws_call("SQS ReceiveMessage", QUEUE, "sqs:ReceiveMessage", 5):
                raise bug

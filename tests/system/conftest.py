"""What the system tests share: an engine for the session; for each test an account, a twin and workers of its own.

The suite runs on MiniStack, which it starts. With ``ENGINE=localstack`` it runs on the LocalStack that is up already,
where localstack-client finds it (``LOCALSTACK_HOST``, or localhost:4566).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from localstack_client.config import get_service_endpoint  # type: ignore[import-untyped]  # it ships no types

from tests.system.outside import AWS_SECRET, Cloud
from tests.system.processes import KEY, Twin, Worker, running_twin, settings_for

Start = Callable[..., Worker]


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    """The endpoint of S3, SQS, SNS and EventBridge."""
    match os.environ.get("ENGINE", "ministack"):
        case "localstack":
            endpoint = get_service_endpoint("sqs")
            assert endpoint is not None
            return str(endpoint)
        case "ministack":
            return str(request.getfixturevalue("ministack"))
        case other:
            pytest.fail(f"ENGINE is {other!r}; it takes ministack or localstack")


@pytest.fixture
def cloud(engine: str) -> Iterator[Cloud]:
    with closing(Cloud(engine)) as made:
        yield made


@pytest.fixture
def twin(cloud: Cloud) -> Iterator[Twin]:
    with running_twin(cloud.bucket) as running:
        yield running


@pytest.fixture
def start(cloud: Cloud, twin: Twin, tmp_path: Path) -> Iterator[Start]:
    """Start a worker with the usual settings but for those given; None unsets one. All share one ledger.

    Whatever a test is about: no worker ever writes a secret.
    """
    settings = settings_for(cloud, twin.url, tmp_path)
    with ExitStack() as stack:

        def started(**changes: str | None) -> Worker:
            folder = tmp_path / f"worker-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            changed: dict[str, str | None] = {**settings, **changes}
            worker = Worker({name: value for name, value in changed.items() if value is not None}, folder)
            stack.callback(_end, worker)
            return worker

        yield started


def _end(worker: Worker) -> None:
    worker.kill()
    for secret in (KEY, AWS_SECRET):
        assert secret not in worker.output()

"""The worker and the command of a soak as processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.soak.darwin_stub import DATASET, STORAGE, TEAM
from tests.system.processes import HOST, OURS, free_port


def environ_for(url: str, folder: Path, port: int = 0) -> dict[str, str]:
    """What the worker and the commands read: everything is at *url*, and no quota is in the way."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return own | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "DARWIN_API_KEY": "key",
        "DARWIN_TEAM": TEAM,
        "DARWIN_BASE_URL": url,
        "WORKER_DARWIN__DATASET": DATASET,
        "WORKER_DARWIN__STORAGE": STORAGE,
        "WORKER_DARWIN__PREFIX": "in",
        "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "5",
        "WORKER_QUEUE__URL": f"{url}/000000000000/events",
        "WORKER_QUEUE__WAIT_SECONDS": "1",
        "WORKER_QUEUE__VISIBILITY_SECONDS": "30",
        "WORKER_QUOTA__REQUESTS_PER_MINUTE": "600000",
        "WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE": "600000",
        "WORKER_LEDGER__URL": f"sqlite://{folder}/ledger.sqlite3",
        "WORKER_WEB__HOST": HOST,
        "WORKER_WEB__PORT": str(port),
        "WORKER_LOG__LEVEL": "error",
        "WORKER_LOG__FORMAT": "json",
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder),
    }


@contextmanager
def running_worker(url: str, folder: Path, log_file: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A worker's own address, and its process."""
    port = free_port()
    command = [sys.executable, "-m", "worker", "run"]
    with (
        log_file.open("wb") as log,
        subprocess.Popen(command, env=environ_for(url, folder, port), stdout=log, stderr=log) as worker,  # noqa: S603 - our own program
    ):
        try:
            yield f"http://{HOST}:{port}", worker
        finally:
            if worker.poll() is None:
                worker.kill()

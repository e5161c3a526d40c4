"""Starts the emulator of S3 and SQS, MiniStack, as a process of its own.

It lives in an environment of its own too (``.venv-engines`` beside this package, or the folder that
``DEMO_ENGINES_DIR`` names), because it pins another botocore than aioboto3 does.
"""

import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

START_SECONDS = 30.0
STOP_SECONDS = 5.0
HOST = "127.0.0.1"


class EngineError(Exception):
    """The emulator could not be started; the text says why and what to do."""


@contextmanager
def running_ministack(port: int = 0) -> Iterator[str]:
    """Answer the endpoint URL of a MiniStack of our own, empty, on *port* if that is free; stop it at the end."""
    program = _engines_dir() / "bin" / "ministack"
    if not program.exists():
        raise EngineError(
            f"{program} does not exist: run `make demo` or `make test`, which install the engines"
        )
    gateway = nice_port(port)
    endpoint = f"http://{HOST}:{gateway}"
    settings = {"BIND_HOST": HOST, "GATEWAY_PORT": str(gateway), "LOG_LEVEL": "ERROR"}
    with (
        tempfile.TemporaryFile() as output,
        # A session of its own: Ctrl-C on the terminal is for the demo, which stops its engine last.
        subprocess.Popen(  # noqa: S603 - our own program, no shell
            [program],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            _wait_until_healthy(process, endpoint, output)
            yield endpoint
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()


def _engines_dir() -> Path:
    if named := os.environ.get("DEMO_ENGINES_DIR"):
        return Path(named)
    return Path(__file__).resolve().parents[2] / ".venv-engines"


def nice_port(wanted: int) -> int:
    """The port *wanted* when it is free, so that addresses look the same each time; else (or for 0) any free one."""
    for port in (wanted, 0):
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            return int(listener.getsockname()[1])
    raise EngineError(f"no port is free on {HOST}")


def _wait_until_healthy(process: subprocess.Popen[bytes], endpoint: str, output: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if _is_healthy(endpoint):
            return
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(0.05)
            raise EngineError(f"MiniStack ended with code {code} before it was up. It said: {_tail(output)}")
    raise EngineError(f"MiniStack was not up after {START_SECONDS:.0f} s. It said: {_tail(output)}")


def _is_healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):  # noqa: S310 - http, our own
            return True
    except OSError:
        return False


def _tail(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read()[-2000:].decode(errors="replace").strip() or "nothing"

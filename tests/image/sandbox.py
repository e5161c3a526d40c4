"""An image's files as a container, by bubblewrap: as Docker runs it with ``--read-only --cap-drop ALL --tmpfs /tmp`` and
``--security-opt no-new-privileges``, a volume for the ledger, and the network of the machine.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.image.building import Image

TMP, LEDGER = "/tmp", "/var/lib/darwin-worker"  # noqa: S108 - the sandbox's own
LONGEST = 60.0
"""Seconds for a command that ends by itself."""


class Started(NamedTuple):
    """*pid* is the one that this machine knows the sandbox's first process by."""

    process: "subprocess.Popen[bytes]"
    pid: int


class Sandbox:
    """Runs *image* with *environment*; *ledger* is the folder that is its volume."""

    def __init__(self, image: Image, ledger: Path, environment: Mapping[str, str]) -> None:
        self._image = image
        user, group = image.config["User"].split(":")
        os.chown(ledger, int(user), int(group))
        variables = dict(word.split("=", 1) for word in image.config["Env"]) | dict(environment)
        self._words = ["--die-with-parent", "--unshare-pid", "--as-pid-1", "--unshare-ipc", "--clearenv"]
        for name, value in variables.items():
            self._words += ["--setenv", name, value]
        self._words += ["--ro-bind", str(image.root), "/", "--proc", "/proc", "--dev", "/dev"]
        self._words += ["--perms", "1777", "--tmpfs", TMP, "--bind", str(ledger), LEDGER, "--"]
        # bubblewrap's own --uid would be root outside, whom no file of the image refuses anything.
        self._words += ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]
        self._words += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]

    def entry(self, *words: str) -> list[str]:
        """The image's own program with *words*; without any, with its own command."""
        return [*self._image.config["Entrypoint"], *(words or self._image.config["Cmd"])]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """What came of a command that ends by itself."""
        command = ["bwrap", *self._words, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)  # noqa: S603 - no shell

    def healthy(self) -> bool:
        """What the image's own HEALTHCHECK says."""
        how, *words = self._image.config["Healthcheck"]["Test"]
        assert how == "CMD"
        return self.run(*words).returncode == 0

    @contextmanager
    def started(self, *words: str, output: Path) -> Iterator[Started]:
        """A command under way, which is killed at the end if it still runs; what it writes goes to *output*."""
        read, write = os.pipe()
        command = ["bwrap", "--info-fd", str(write), *self._words, *words]
        with (
            output.open("wb") as out,
            subprocess.Popen(command, pass_fds=[write], stdout=out, stderr=subprocess.STDOUT) as process,  # noqa: S603 - no shell
        ):
            os.close(write)
            try:
                with os.fdopen(read) as told:
                    yield Started(process, json.load(told)["child-pid"])
            finally:
                process.kill()

# ruff: noqa: T201 - a command prints its answer
"""``make image-check``: the Dockerfile, built and run for real where there is no Docker engine.

Shown is that the Dockerfile makes an image which does the whole job read-only, as its own user, without capabilities and
as process number one. Not shown is Docker's or a kubelet's own part, nor the base image of the Dockerfile: a Debian with
its own Python stands in for it.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.image.building import Image, built
from tests.image.sandbox import Sandbox
from tests.system.outside import Cloud, until
from tests.system.processes import ask, running_twin, settings_for
from worker.demo.engines import running_ministack

PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap", "bwrap": "bubblewrap"}
TOLD = ("User", "Entrypoint", "Cmd", "ExposedPorts", "Volumes", "StopSignal", "Healthcheck", "Labels")
STOP_SECONDS = 40.0
MEBIBYTE = 2**20

PROBE = """
import errno, os
print("user", os.getuid(), "group", os.getgid(), "groups", os.getgroups())
print(*[line.strip() for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd", "NoNewPrivs"))])
for place in ("/", "/etc", "/opt/worker", "/usr/local", "/var/lib/darwin-worker", "/tmp"):
    try:
        open(place + "/probe", "w").close()
    except OSError as error:
        print(place, errno.errorcode[error.errno])
    else:
        os.remove(place + "/probe")
        print(place, "writable")
"""
EXPECTED = """\
user 10001 group 10001 groups []
CapEff:\t0000000000000000 CapBnd:\t0000000000000000 NoNewPrivs:\t1
/ EROFS
/etc EROFS
/opt/worker EROFS
/usr/local EROFS
/var/lib/darwin-worker writable
/tmp writable
"""


def main() -> int:
    """The exit code: 2 when this machine cannot run it."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if os.getuid() != 0 or missing:
        wanted = " and ".join(["root", *missing])
        print(f"image-check needs {wanted}: apt-get install {' '.join(PROGRAMS.values())}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was mounted and started is to be ended
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        storage, ledger = folder / "buildah", folder / "ledger"
        ledger.mkdir()
        with built(storage) as image:
            _tell(image)
            with running_ministack() as endpoint, closing(Cloud(endpoint)) as cloud:
                _work(image, cloud, ledger)
    print("all is well")
    return 0


def _tell(image: Image) -> None:
    added = (image.size - image.base_size) / MEBIBYTE
    print(f"size: {added:.0f} MiB of files on top of the base's {image.base_size / MEBIBYTE:.0f} MiB")
    for word in TOLD:
        print(f"{word}: {image.config[word]}")


def _work(image: Image, cloud: Cloud, ledger: Path) -> None:
    cloud.notify_queue()
    with running_twin(cloud.bucket) as twin:
        settings = settings_for(cloud, twin.url, ledger)
        del settings["WORKER_LEDGER__URL"]  # where it is by default is what the image has a folder for
        sandbox = Sandbox(image, ledger, settings)
        _look_around(sandbox)
        port = settings["WORKER_WEB__PORT"]
        assert port != "8080"
        output = ledger.parent / "output"
        began = time.monotonic()
        with sandbox.started(*sandbox.entry(), output=output) as (process, pid):
            for page in ("healthz", "readyz"):
                until(f"/{page} answers 200", partial(_answers, port, page))
                print(f"/{page} answers 200 after {time.monotonic() - began:.1f} s, on port {port}")
            assert sandbox.healthy(), "the HEALTHCHECK says that it is not well"
            print("the HEALTHCHECK says that it is well")
            cloud.upload("incoming/line 3/weld.jpg")
            until("the object is registered", lambda: len(twin.items()) == 1)
            print(f"registered: {twin.items()}")
            os.kill(pid, signal.SIGTERM)
            code = process.wait(STOP_SECONDS)
        assert code == 0, f"it ended with {code}:\n{output.read_text()}"
        assert cloud.emptied(), "a message was left in the queue"
        assert not sandbox.healthy(), "the HEALTHCHECK says that a worker which has ended is well"
        print(f"SIGTERM: exit code {code}; the HEALTHCHECK says that it is not well any more")
        print(f"the ledger's folder holds {sorted(file.name for file in ledger.iterdir())}")


def _look_around(sandbox: Sandbox) -> None:
    for word in ("--version", "--help"):
        told = sandbox.run(*sandbox.entry(word))
        assert told.returncode == 0, told.stderr
        print(f"darwin-worker {word}: {told.stdout.splitlines()[0]}")
    seen = sandbox.run("python", "-c", PROBE)
    print(seen.stdout, end="")
    assert seen.stdout == EXPECTED, seen.stderr
    loaded = sandbox.run("python", "-v", "-c", "import worker.commands.run, worker.service").stderr
    sources = re.findall(r"^# code object from '?(/\S+\.py)'?$", loaded, re.MULTILINE)
    assert sources == [], f"these modules come without compiled ones: {sources}"
    count = len(re.findall(r"^# code object from '/\S+\.pyc'$", loaded, re.MULTILINE))
    print(f"{count} modules are loaded, none is compiled for it")


def _answers(port: str, page: str) -> bool:
    """Whether it is 200; nobody may listen yet."""
    try:
        return ask(f"http://127.0.0.1:{port}/{page}")[0] == 200
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())

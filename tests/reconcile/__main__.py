# ruff: noqa: T201 - a command prints its answer
"""``python -m tests.reconcile``: `reconcile` over the wire with a hundred thousand objects and items, or any number: does it
find exactly what was planted, how long does it take, and how much memory?
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.reconcile.planted import settings_for
from tests.reconcile.stub import PLANTED
from tests.system.processes import running_stub

MEBIBYTE_IN_KIBIBYTES = 1024
DIFFERENT = 3


def main() -> int:
    """The exit code: 1 when it found anything else than what was planted."""
    parser = argparse.ArgumentParser(prog="python -m tests.reconcile", description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    objects = parser.parse_args().objects
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stub("tests.reconcile.stub", "--objects", str(objects)) as url,
    ):
        command = [sys.executable, "-m", "worker", "reconcile", "--json", "-"]
        began = time.monotonic()
        ended = subprocess.run(  # noqa: S603 - our own program
            command, env=os.environ | settings_for(url, Path(folder)), stdout=subprocess.PIPE, check=False
        )
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = Counter(json.loads(line)["kind"] for line in ended.stdout.splitlines())
    print(
        f"{objects:,} objects against as many items: {seconds:.1f} s, {objects / seconds:,.0f} objects/s, "
        f"{peak.ru_utime + peak.ru_stime:.1f} s of CPU, at most {peak.ru_maxrss / MEBIBYTE_IN_KIBIBYTES:.0f} MiB"
    )
    well = ended.returncode == DIFFERENT and found == PLANTED
    print(f"found {dict(found)}: {'all is well' if well else 'NOT WELL'}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

# ruff: noqa: T201 - a command prints its answer
"""``python -m tests.bench``: the worker beside its peers, in one run, against the same stubs.

What was found is written to ``tests/bench/results/``: ``table.md``, ``figures.json``, and a plot for each curve. The
figures are this machine's; the ratios between the lines are what they are for.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import quotas, smallness, speed
from tests.bench.figures import Found, plain, table
from tests.plot import svg

RESULTS = Path(__file__).parent / "results"
TITLES = {
    1: "The quota, behind a backlog",
    2: "The quota, when it is not what was told",
    3: "The quota of a fleet",
    4: "CPU for each record",
    5: "Records a second without a quota",
    6: "Memory",
    7: "A lone record, and the start",
    8: "Calls and money",
}
SECTIONS: dict[int, Sequence[Callable[[Path], Found]]] = {
    1: (quotas.quota,),
    2: (quotas.unknown,),
    3: (quotas.fleet,),
    4: (speed.cpu,),
    5: (speed.throughput,),
    6: (smallness.memory,),
    7: (smallness.lone,),
    8: (smallness.idle,),
}


def main() -> int:
    """The exit code: 1 when a bar is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", type=int, nargs="*", default=list(SECTIONS), help="sections, by their numbers"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    arguments = parser.parse_args()
    results: Path = arguments.results
    results.mkdir(parents=True, exist_ok=True)
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        for section in arguments.only:
            for bench in SECTIONS[section]:
                _add(found, bench(Path(folder)))
                _write(results, found)
    if {"cpu SQLite", "cpu DynamoDB", "sqs calls", "MiB"} <= found.measured.keys():
        _add(found, smallness.bills(found.measured))
    _write(results, found)
    missed = [line for line in found.lines if line.met is False]
    print(f"{len(missed)} bars are not met; table and plots are in {results}")
    return 1 if missed else 0


def _add(found: Found, more: Found) -> None:
    found.lines += more.lines
    found.plots |= more.plots
    found.measured |= more.measured
    print(table(more.lines, TITLES), flush=True)


def _write(results: Path, found: Found) -> None:
    when = datetime.now(UTC).date().isoformat()
    head = (
        f"# The bench of {when}\n\n{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}. Made by `make bench`.\n"
    )
    (results / "table.md").write_text(head + table(found.lines, TITLES))
    (results / "figures.json").write_text(json.dumps(plain(found), indent=1) + "\n")
    for name, (title, left, right) in found.plots.items():
        (results / f"{name}.svg").write_text(svg(title, left, right))


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)

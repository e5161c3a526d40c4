# ruff: noqa: T201 - a command prints its answer
"""``python -m tests.fuzz``: a million mutated bodies through parsing, routing and dead letters.

Body *n* of a seed is always the same: ``--seed S --only n`` shows it and judges it alone.
"""

import argparse
import multiprocessing
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from tests.fuzz.judging import judge
from tests.fuzz.mutator import Mutator, corpus

CHUNK = 5_000
SLOWEST = 10


@dataclass
class Told:
    """What a stretch of bodies told. Times are CPU seconds of one body, all checks included."""

    words: Counter[str] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)
    """Bodies by their whole microseconds."""
    slowest: list[tuple[float, int, str]] = field(default_factory=list)
    """Seconds, number and origin, the slowest first."""
    failed: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, other: "Told") -> None:
        self.words += other.words
        self.times += other.times
        self.slowest = sorted(self.slowest + other.slowest, reverse=True)[:SLOWEST]
        self.failed += other.failed
        self.count += other.count

    def percentile(self, share: float) -> float:
        """The milliseconds that *share* of the bodies stay below."""
        left = share * self.count
        for micros in sorted(self.times):
            left -= self.times[micros]
            if left <= 0:
                return micros / 1000
        return 0.0


@cache
def _mutator(seed: int) -> Mutator:
    return Mutator(seed)


def run(stretch: tuple[int, int, int]) -> Told:
    """Judge the bodies from one number up to another: (seed, first, end)."""
    seed, first, end = stretch
    told = Told(count=end - first)
    for number in range(first, end):
        body = _mutator(seed).body(number)
        before = time.thread_time()
        try:
            told.words[judge(body)] += 1
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            told.failed.append((number, traceback.format_exc(limit=-3)))
        took = time.thread_time() - before
        told.times[round(took * 1e6)] += 1
        told.slowest.append((took, number, body.origin))
        if len(told.slowest) > 100 * SLOWEST:
            told.slowest = sorted(told.slowest, reverse=True)[:SLOWEST]
    told.slowest = sorted(told.slowest, reverse=True)[:SLOWEST]
    return told


def _stretches(seed: int, bodies: int) -> Iterator[tuple[int, int, int]]:
    for first in range(0, bodies, CHUNK):
        yield seed, first, min(bodies, first + CHUNK)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--bodies", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None, help="without it, another one each time")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="show and judge this one body of the seed")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(10**9)
    return arguments


def _show(seed: int, number: int) -> None:
    body = _mutator(seed).body(number)
    print(f"body {number} of seed {seed}, from {body.origin}, attributes {dict(body.attributes)!r}:")
    print(ascii(body.text))
    print(judge(body))


def main() -> int:
    """The exit code: 1 when any body was judged badly."""
    arguments = _arguments()
    if arguments.only is not None:
        _show(arguments.seed, arguments.only)
        return 0
    began = shown = time.monotonic()
    print(f"{arguments.bodies:,} bodies, seed {arguments.seed}", flush=True)
    whole = Told()
    for body in corpus():
        judge(body)
    with multiprocessing.Pool(arguments.processes) as pool:
        for told in pool.imap_unordered(run, _stretches(arguments.seed, arguments.bodies)):
            whole.add(told)
            for number, why in told.failed[:SLOWEST]:
                print(f"\nbody {number} of seed {arguments.seed}:\n{why}", flush=True)
            now = time.monotonic()
            if now - shown >= 10:
                shown = now
                print(f"{whole.count:>12,}  {whole.count / (now - began):,.0f}/s", flush=True)
    seconds = time.monotonic() - began
    print(f"{whole.count:,} bodies in {seconds:.0f} s, {whole.count / seconds:,.0f}/s, seed {arguments.seed}")
    print(
        "CPU of one body, checks included: "
        f"half below {whole.percentile(0.5):.3f} ms, 99.9 % below {whole.percentile(0.999):.2f} ms, "
        f"the most {whole.slowest[0][0] * 1000:.0f} ms"
    )
    for took, number, origin in whole.slowest:
        print(f"  {took * 1000:7.0f} ms  body {number}, from {origin}")
    for word, count in whole.words.most_common():
        print(f"{count:>12,}  {word}")
    print(f"{len(whole.failed):>12,}  failed")
    return 1 if whole.failed else 0


if __name__ == "__main__":
    sys.exit(main())

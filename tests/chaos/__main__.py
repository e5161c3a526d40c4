"""``python -m tests.chaos``: a storm over a fleet on Redis and one on DynamoDB, and what was counted after each. Ends with
1 when something is wrong; the logs are kept then.

With ``--story KEY --logs FOLDER`` it tells what the logs of a storm say of one key.
"""

# ruff: noqa: T201 - it talks to a person
import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.balance import story
from tests.chaos.stores import STORES
from tests.chaos.storm import Plan, ride_out
from worker.demo.engines import running_ministack

RECORDS = {"sqlite": 2000, "redis": 20_000, "dynamodb": 5000}
FLEETS = ("redis", "dynamodb")
SHOWN = 20


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Storms over a fleet.")
    parser.add_argument("--store", choices=STORES, help="one store in place of those that serve a fleet")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--records", type=int, help=f"in place of {RECORDS}")
    parser.add_argument("--workers", type=int, help="in place of 3; SQLite serves 1")
    parser.add_argument("--lease", type=int, default=Plan.lease, help="seconds of visibility")
    parser.add_argument("--feeding-seconds", type=float, default=Plan.feeding_seconds, help="at least")
    parser.add_argument("--keep", action="store_true", help="keep the logs although nothing is wrong")
    parser.add_argument("--story", metavar="KEY", help="tell what the logs of a storm say of this key")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="the logs of that storm")
    return parser.parse_args()


def _main(arguments: argparse.Namespace) -> int:
    if arguments.story is not None:
        print("\n".join(story(arguments.logs, arguments.story)))
        return 0
    stores = [arguments.store] if arguments.store else FLEETS
    return max(_storm(_plan(store, arguments), keep=arguments.keep) for store in stores)


def _plan(store: str, arguments: argparse.Namespace) -> Plan:
    return Plan(
        store=store,
        seed=arguments.seed,
        records=arguments.records or RECORDS[store],
        workers=arguments.workers or (1 if store == "sqlite" else Plan.workers),
        lease=arguments.lease,
        feeding_seconds=arguments.feeding_seconds,
    )


def _storm(plan: Plan, *, keep: bool) -> int:
    again = (
        f"--store {plan.store} --seed {plan.seed} --records {plan.records} --workers {plan.workers} "
        f"--lease {plan.lease} --feeding-seconds {plan.feeding_seconds:g}"
    )
    print(f"chaos: {again}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    try:
        with running_ministack() as engine:
            report = ride_out(plan, engine, folder, tell)
    except BaseException:
        print(f"chaos broke off; the logs are in {folder}; again with {again}", flush=True)
        raise
    print()
    for name, value in report.table.items():
        print(f"  {name:24} {value}")
    print()
    if report.wrong:
        print(f"{len(report.wrong)} things are wrong; the logs are in {folder}; again with {again}")
        print("\n".join(report.wrong[:SHOWN]))
        return 1
    print("nothing lost, nothing twice\n")
    if keep:
        print(f"the logs are in {folder}")
    else:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    # So that whoever ends it ends its processes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(_main(_arguments()))

# ruff: noqa: T201 - a command prints its answer
"""``python -m tests.autoscaling``: the recorded day under the rules that ``deploy/`` ships, as ``docs/autoscaling.svg``.

With ``--record`` the day is recorded anew, which takes ten minutes: :mod:`tests.autoscaling.recording`.
"""

import argparse

from tests.autoscaling.day import PLATFORMS, shipped_day
from tests.autoscaling.picture import PICTURE, picture
from tests.autoscaling.recording import record
from tests.autoscaling.simulation import changes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autoscaling", description=__doc__)
    parser.add_argument("--record", action="store_true", help="record the day anew first")
    if parser.parse_args().record:
        record()
    for platform in PLATFORMS:
        day = shipped_day(platform)
        numbers = {step.workers for step in day}
        given_back = sum(step.given_back for step in day)
        told = sum(step.done for step in day)
        print(
            f"{platform}: {min(numbers)} to {max(numbers)} workers, {len(changes(day))} changes, "
            f"{given_back:,.0f} of {told:,.0f} records given back by workers that were stopped"
        )
    PICTURE.write_text(picture())
    print(f"the plot is in {PICTURE}")


if __name__ == "__main__":
    main()

"""``darwin-worker run``: the service."""

import argparse
import os

from worker import logs
from worker.settings import load_settings


def declare(_parser: argparse.ArgumentParser) -> None:
    """No arguments: all that it needs are settings."""


def main(_arguments: argparse.Namespace) -> int:
    settings = load_settings(os.environ)
    logs.configure(settings.log.level, settings.log.format)
    # What serves takes most of the start to import: what is wrong with the settings is told before.
    import uvloop  # noqa: PLC0415

    from worker import service  # noqa: PLC0415

    uvloop.run(service.run(settings))
    return 0

"""``darwin-worker run``: the service."""

import argparse
import os

import uvloop

from worker import logs, service
from worker.settings import load_settings


def declare(_parser: argparse.ArgumentParser) -> None:
    """No arguments: all that it needs are settings."""


def main(_arguments: argparse.Namespace) -> int:
    settings = load_settings(os.environ)
    logs.configure(settings.log.level, settings.log.format)
    uvloop.run(service.run(settings))
    return 0

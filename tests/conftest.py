"""What holds for all tests."""

import asyncio
from functools import cache

import pytest
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import settings

# On Python 3.11 the event-loop plugins ask for "the" event loop in tests that have none; the policy would then make one
# that nobody closes, and that warning is an error here.
asyncio.set_event_loop(None)

# Speed is measured by benchmarks: a machine under load must not fail a property.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# The SDK reads its descriptions of AWS's services, megabytes of JSON, anew for each session; tests make hundreds.
_descriptions = JSONFileLoader()
_descriptions.load_file = cache(_descriptions.load_file)  # type: ignore[method-assign]
Loader.FILE_LOADER_CLASS = staticmethod(lambda: _descriptions)  # type: ignore[assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On virtual time nobody waits for a socket: time goes on as soon as nothing is left to run, without the 42 idle
    turns of the loop that looptime makes before each step by default.
    """
    for item in items:
        if item.get_closest_marker("looptime"):
            item.add_marker(pytest.mark.looptime(noop_cycles=0))

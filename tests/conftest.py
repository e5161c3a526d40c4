"""What holds for all tests."""

import asyncio
import gc
from collections.abc import Iterator
from functools import cache

import pytest
import structlog
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import settings

from worker.demo.engines import running_ministack

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

# A history of the pipeline writes thousands of lines, and to write them for people costs more than all else in it.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))


@pytest.fixture(scope="session")
def ministack() -> Iterator[str]:
    """The endpoint of a MiniStack of this test session; an account there, an access key of twelve digits, sees nothing of
    the others. Fails, and says what to do, where MiniStack is not installed.
    """
    with running_ministack() as endpoint:
        yield endpoint


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On virtual time nobody waits for a socket: time goes on as soon as nothing is left to run, without the 42 idle
    turns of the loop that looptime makes before each step by default.
    """
    for item in items:
        if item.get_closest_marker("looptime"):
            item.add_marker(pytest.mark.looptime(noop_cycles=0))


def pytest_collection_finish() -> None:
    _spare_the_collector()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is None or nextitem.path != item.path:
        _spare_the_collector()


def _spare_the_collector() -> None:
    """Thousands of tests and their reports stay to the end. To look through all of them again and again is a tenth of the
    CPU, and holds a twin that runs in this process up for more than a second.
    """
    gc.collect()
    gc.freeze()

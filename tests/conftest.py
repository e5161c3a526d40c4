"""What holds for all tests."""

import asyncio

from hypothesis import settings

# On Python 3.11 the event-loop plugins ask for "the" event loop in tests that have none; the policy would then make one
# that nobody closes, and that warning is an error here.
asyncio.set_event_loop(None)

# Speed is measured by benchmarks: a machine under load must not fail a property.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

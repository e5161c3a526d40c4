"""Failures that a test switches on in a fake."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Faults:
    """What a fake's calls are to suffer. *calls* counts every call by name, failed ones too."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}  # how long each call takes, on the loop's clock
        self._failures: defaultdict[str, deque[tuple[Exception, bool]]] = defaultdict(deque)
        self._gates: dict[str, asyncio.Event] = {}
        self._outages: dict[str, Exception] = {}

    def fail_next(self, call: str, error: Exception, times: int = 1, *, done: bool = False) -> None:
        """Let the next *times* calls raise *error*; *done*: after the work, like an answer lost on its way."""
        self._failures[call].extend([(error, done)] * times)

    def fail(self, call: str, error: Exception) -> None:
        """Let every call raise *error* until :meth:`heal`."""
        self._outages[call] = error

    def heal(self) -> None:
        """End everything that is switched on."""
        self._outages.clear()
        self._failures.clear()
        self.seconds.clear()
        for gate in self._gates.values():
            gate.set()
        self._gates.clear()

    def hold(self, call: str) -> asyncio.Event:
        """Let calls wait, before they do anything, until the returned event is set."""
        if call not in self._gates or self._gates[call].is_set():
            self._gates[call] = asyncio.Event()
        return self._gates[call]

    @asynccontextmanager
    async def around(self, call: str) -> AsyncIterator[None]:
        """What a fake wraps each of its calls in."""
        self.calls[call] += 1
        if gate := self._gates.get(call):
            await gate.wait()
        await asyncio.sleep(self.seconds.get(call, 0))
        if error := self._outages.get(call):
            raise error
        failures = self._failures[call]
        failure = failures.popleft() if failures else None
        if failure and not failure[1]:
            raise failure[0]
        yield
        if failure:
            raise failure[0]

"""Several processes in one event loop, on virtual time: each may be frozen (SIGSTOP) or killed (SIGKILL) at any await.

What a process schedules carries the process in its context. Of a frozen one nothing runs: its callbacks and timers are
held back until it thaws, and then come all at once, as after a SIGCONT. The servers have no process and always run.
"""

import asyncio
import contextvars
import heapq
from collections.abc import Callable
from typing import Any, TypeVarTuple, Unpack, cast

import looptime

_Arguments = TypeVarTuple("_Arguments")


class Process:
    """One worker's process. *thawed_at* on the loop's clock. A *dead* one runs on to the end of its cleaning up, but nobody hears it any more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.thawed_at = float("-inf")
        self._held_back: list[asyncio.Handle] = []
        self._thaws: asyncio.TimerHandle | None = None

    def context(self) -> contextvars.Context:
        """What the tasks of the process are to run in."""
        context = contextvars.Context()
        context.run(_PROCESS.set, self)
        return context

    def hold_back(self, handle: asyncio.Handle) -> None:
        self._held_back.append(handle)

    def freeze(self, seconds: float) -> None:
        """Nothing of the process runs for so many seconds, from the next await on."""
        self.thaw()
        self.frozen = True
        self._thaws = asyncio.get_running_loop().call_later(seconds, self.thaw, context=SERVERS)

    def thaw(self) -> None:
        if self._thaws is not None:
            self._thaws.cancel()
            self._thaws = None
        self.frozen = False
        self.thawed_at = asyncio.get_running_loop().time()
        held_back, self._held_back = self._held_back, []
        for handle in held_back:
            # As the loop itself does with what is ready; a handle that was cancelled meanwhile is passed over there.
            cast("ModelLoop", asyncio.get_running_loop()).run_soon(handle)


_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)

SERVERS = contextvars.Context()
"""The context of whatever is no worker's."""


def _held_back(handle: asyncio.Handle, context: contextvars.Context) -> bool:
    process = context.get(_PROCESS)
    if process is None or not process.frozen:
        return False
    process.hold_back(handle)
    return True


class _Handle(asyncio.Handle):
    def _run(self) -> None:
        if not _held_back(self, cast("contextvars.Context", self._context)):  # type: ignore[attr-defined]  # typeshed leaves it out
            super()._run()


class _TimerHandle(asyncio.TimerHandle):
    def _run(self) -> None:
        if not _held_back(self, cast("contextvars.Context", self._context)):  # type: ignore[attr-defined]  # typeshed leaves it out
            super()._run()


class ModelLoop(asyncio.SelectorEventLoop):
    """Asks before each callback whether its process may run. Only what BaseEventLoop itself does with handles."""

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def run_soon(self, handle: asyncio.Handle) -> None:
        self._ready.append(handle)

    def _call_soon(
        self,
        callback: Callable[..., object],
        args: tuple[object, ...],
        context: contextvars.Context | None,
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - as BaseEventLoop.call_at does
        return timer


def new_loop() -> asyncio.AbstractEventLoop:
    """On virtual time, without the idle turns that other users of looptime need."""
    made = looptime.make_event_loop_class(ModelLoop)(noop_cycles=0)
    return cast("asyncio.AbstractEventLoop", made)

"""The end of the process: one deadline, in steps (law 6)."""

import asyncio

SENDING = 0.5
"""The share of the deadline in which new requests may leave."""

ANSWERING = 0.75
"""The share of the deadline after which no answer is waited for any more."""

SETTLING = 0.9
"""The share of the deadline after which whatever is open is given back."""

RELEASING = 0.95
"""The share of the deadline after which no claim is released any more: the messages are given back in any case."""


class Stop:
    """Asked for once; before that every deadline is infinitely far. Times are on the event loop's clock."""

    def __init__(self, drain_seconds: float) -> None:
        self._drain = drain_seconds
        self._asked = asyncio.Event()
        self._since = float("inf")

    def ask(self) -> None:
        if not self._asked.is_set():
            self._since = asyncio.get_running_loop().time()
            self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self, seconds: float) -> None:
        """Until the stop is asked for, at most *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            pass

    async def pause(self, seconds: float) -> None:
        """So many seconds, cut short when the stop is asked for or the time for sending ends."""
        if self.asked:
            left = self.sending_ends - asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, min(seconds, left)))
        else:
            await self.wait(seconds)

    @property
    def sending_ends(self) -> float:
        return self._since + self._drain * SENDING

    @property
    def answering_ends(self) -> float:
        return self._since + self._drain * ANSWERING

    @property
    def settling_ends(self) -> float:
        return self._since + self._drain * SETTLING

    @property
    def releasing_ends(self) -> float:
        return self._since + self._drain * RELEASING

    @property
    def ends(self) -> float:
        return self._since + self._drain

"""The sign of life of every part, for /healthz (law 11)."""

import asyncio


class Heartbeats:
    """Each part beats whenever its loop comes round. A part that ended says so, and is not missed."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}

    def beat(self, part: str) -> None:
        self._beats[part] = asyncio.get_running_loop().time()

    def ended(self, part: str) -> None:
        self._beats.pop(part, None)

    def ages(self) -> dict[str, float]:
        """Seconds since each part's last beat."""
        now = asyncio.get_running_loop().time()
        return {part: now - beat for part, beat in self._beats.items()}

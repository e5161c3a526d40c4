"""A ledger in memory, with an injected clock; for the pipeline's tests and as the model of the real ledgers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tests.fakes.faults import Faults
from worker.core.claims import Claim, Denied, Entry, Granted, decide, forgettable
from worker.core.model import Identity


@dataclass
class MemoryLedger:
    """Implements the Ledger port. *now* gives Unix seconds. *entries* hold, beside each entry, when its claim ends."""

    now: Callable[[], float]
    faults: Faults = field(default_factory=Faults)
    entries: dict[Identity, tuple[Entry, float]] = field(default_factory=dict)
    _written: float = -math.inf

    async def look_up(self, identities: Sequence[Identity]) -> list[Entry | None]:
        async with self.faults.around("look_up"):
            return [self.entry(identity) for identity in identities]

    async def claim(self, claims: Sequence[Claim], token: str, seconds: float) -> list[Granted | Denied]:
        async with self.faults.around("claim"):
            return [self._claim(claim, token, seconds) for claim in claims]

    async def register(self, claims: Sequence[Claim], token: str) -> None:
        async with self.faults.around("register"):
            for claim in claims:
                held = self.entry(claim.identity)
                since = held.since if held else self.now()
                self.entries[claim.identity] = (
                    Entry(claim.object, registered=True, token=token, since=since, at=self._stamp()),
                    0.0,
                )

    async def release(self, identities: Sequence[Identity], token: str) -> None:
        async with self.faults.around("release"):
            for identity in identities:
                held = self.entry(identity)
                if held and not held.registered and held.token == token:
                    del self.entries[identity]

    async def forget(self, identity: Identity, seen: Entry) -> bool:
        async with self.faults.around("forget"):
            if forgettable(self.entry(identity), seen):
                del self.entries[identity]
            return identity not in self.entries

    def entry(self, identity: Identity) -> Entry | None:
        """What the ledger says of *identity* now, without a call."""
        if identity not in self.entries:
            return None
        entry, ends_at = self.entries[identity]
        return entry if entry.registered else replace(entry, expires_in=ends_at - self.now())

    def lapse_all(self) -> None:
        """Let every claim lapse, as if their holders had been gone for long."""
        for identity, (entry, ends_at) in self.entries.items():
            self.entries[identity] = entry, min(ends_at, self.now())

    def _claim(self, claim: Claim, token: str, seconds: float) -> Granted | Denied:
        held = self.entry(claim.identity)
        granted = decide(held, claim, token, self.now())
        if isinstance(granted, Denied):
            return granted
        entry = Entry(claim.object, registered=False, token=token, since=granted.since, at=self._stamp())
        self.entries[claim.identity] = entry, self.now() + seconds
        return granted

    def _stamp(self) -> float:
        self._written = max(self.now(), math.nextafter(self._written, math.inf))
        return self._written

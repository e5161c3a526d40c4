"""All that one twin holds: its teams, and how it behaves at the moment. The twin and its control calls share it."""

from collections.abc import Sequence

from worker.demo.twin.counters import Counters
from worker.demo.twin.faults import Faults
from worker.demo.twin.limits import Limiter, limiter
from worker.demo.twin.state import Team
from worker.demo.twin.switches import Switches


class World:
    """*teams* by slug; *switches*, *faults* and *counters* of the whole twin."""

    def __init__(self, teams: Sequence[Team], switches: Switches) -> None:
        self.teams = {team.slug: team for team in teams}
        self.switches = switches
        self.faults = Faults()
        self.counters = Counters()
        self._limiters: dict[tuple[str, str], Limiter] = {}

    def switched(self, switches: Switches) -> None:
        """Behave by *switches* from now on. Limits that changed start afresh."""
        old, self.switches = self.switches, switches
        if (old.limiter, old.requests_per_minute, old.general_per_minute) != (
            switches.limiter,
            switches.requests_per_minute,
            switches.general_per_minute,
        ):
            self._limiters.clear()

    def wait(self, key: str, now: float, *, registers: bool) -> float:
        """Count one request of *key*; the seconds until it may try again, 0 when it may go on.

        A registration takes its place among all requests first, and among registrations then.
        """
        limits = [("all", self.switches.general_per_minute)]
        if registers:
            limits.append(("register", self.switches.requests_per_minute))
        for name, limit in limits:
            if (key, name) not in self._limiters:
                self._limiters[key, name] = limiter(self.switches.limiter, limit)
            if wait := self._limiters[key, name].take(now):
                return wait
        return 0.0

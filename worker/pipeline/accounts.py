"""One team, its key, and what belongs to them."""

from dataclasses import dataclass, field

from worker.core.lanes import TeamLanes
from worker.pipeline.channel import Bell
from worker.pipeline.ports import Darwin, Probes, Quota


@dataclass(slots=True)
class Account:
    """*quota* is the registration bucket; the adapter takes the tokens of the general one itself. *probes*: the turns of
    the fleet to ask a Darwin that is down or refuses the key; *plan_probes*: to try whether a full plan has room.
    *datasets*: ids by slug, as of the last look. *news* rings when there may be something to send; *troubled* when a request failed in a
    way that somebody should look into.
    """

    team: str
    darwin: Darwin
    quota: Quota
    lanes: TeamLanes
    probes: Probes
    plan_probes: Probes
    datasets: dict[str, int] = field(default_factory=dict)
    news: Bell = field(default_factory=Bell)
    troubled: Bell = field(default_factory=Bell)

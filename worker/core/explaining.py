"""What the routes make of an object, and why, as values: for people who ask before, or after, something runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.core.model import Item, Later, Outcome, S3Object
from worker.core.naming import under
from worker.core.registration import ENDPOINTS, body_of
from worker.core.routing import Routes
from worker.core.rules import Found


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Why a route does not take the object."""

    route: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of an object. *route*: the one that takes it, empty where none does; *passed_over*: those before it that
    look at its bucket and prefix and do not take it; *elsewhere*: how many before it look at others. *group*: what the
    keys of its group begin with, empty where it makes an item by itself. *unknown*: why it cannot be told.
    """

    held: S3Object
    route: str
    passed_over: tuple[PassedOver, ...]
    elsewhere: int
    decided: Item | Outcome | Later | None = None
    group: str = ""
    unknown: str = ""

    @property
    def endpoint(self) -> str:
        """The address that the item's request goes to, below Darwin's; empty where there is none."""
        if not isinstance(self.decided, Item):
            return ""
        lane = self.decided.lane
        return f"/api/v2/teams/{lane.team}/items/{ENDPOINTS[lane.mode]}"

    @property
    def body(self) -> Mapping[str, object] | None:
        """What is sent for the item alone; items of one lane go together. None where nothing is sent."""
        return body_of(self.decided.lane, [self.decided]) if isinstance(self.decided, Item) else None

    @property
    def outcome(self) -> Outcome | None:
        """What becomes of the record where it makes no item."""
        if isinstance(self.decided, Later):
            return self.decided.outcome
        return self.decided if isinstance(self.decided, Outcome) else None

    @property
    def in_a_word(self) -> str:
        """``item``, or the outcome and its reason."""
        if self.outcome is not None:
            return f"{self.outcome.kind.value}: {self.outcome.reason.value}"
        return "unknown" if self.decided is None else "item"

    @property
    def detail(self) -> str:
        """The sentence that belongs to the outcome; empty for an item."""
        return self.unknown if self.outcome is None else self.outcome.detail


def passed_over(
    routes: Routes, held: S3Object, event: str, found: Found | None
) -> tuple[tuple[PassedOver, ...], int]:
    """Those before the route that takes the object, or all where none does, and how many of them look elsewhere."""
    told = list[PassedOver]()
    elsewhere = 0
    for rule in routes.rules:
        if found is not None and rule is found.rule:
            break
        route = rule.route
        why = rule.why_not(held, event)
        if route.bucket not in (None, held.bucket) or not under(route.prefix, held.key):
            elsewhere += 1
        elif why is not None:
            told.append(PassedOver(route.name, why))
    return tuple(told), elsewhere

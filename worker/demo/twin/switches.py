"""What Darwin's documentation leaves open, or may change, as switches (numbers are of darwin-api.md's last section)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from worker.demo.twin.limits import Form
from worker.demo.twin.replies import RetryAfter

_Positive = Annotated[int, Field(ge=1)]


class Switches(BaseModel):
    """How the twin behaves. The defaults are what the documentation says, or else its most likely reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_items: _Positive = 100
    """Items in one registration (5)."""
    too_many: Literal[422, 413] = 422
    """The answer to more items than that."""
    requests_per_minute: _Positive = 100
    """Registrations of both kinds, per key (5)."""
    general_per_minute: _Positive = 1000
    """All requests, registrations too, per key."""
    limiter: Form = "sliding"
    retry_after: RetryAfter = "seconds"
    """What a 429 for too many requests carries (6)."""
    invalid_items: Literal["refuse-batch", "block-item"] = "refuse-batch"
    """Whether one invalid item refuses the batch, or is blocked as INVALID_REQUEST (8)."""
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    """(8)"""
    echo_path: Literal["canonical", "bare", "as-sent"] = "canonical"
    """The path in an answer: ``/dir``, ``dir``, or as it came (10)."""
    reason_case: Literal["upper", "lower", "missing"] = "upper"
    """(1)"""
    archived_names: Literal["held", "free"] = "held"
    """Whether the name of an item that is archived from now on stays taken, or is free for a new item (3)."""
    plan_full_as: Literal["blocked", "429"] = "blocked"
    items_processing: bool = False
    """Whether the item list shows all items as still processing: no slots, but uploads."""


class TeamSwitches(BaseModel):
    """What may change for one team while the twin runs. What is not set stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan_full: bool | None = None
    plan_items: Annotated[int, Field(ge=0)] | None = None
    """How many items the plan takes over all datasets."""
    paused: bool | None = None
    """The team answers 403 to its own key."""
    key_revoked: bool | None = None
    """The key answers 401."""
    key: str | None = None
    add_dataset: str | None = None
    remove_dataset: str | None = None
    """The dataset answers 404 and keeps its items until it is added again."""
    remove_storage: str | None = None
    add_tags: tuple[str, ...] = ()

"""Values that pass between the pipeline and a queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one entry of a batch call was not carried out. *lost*: the handle is no longer ours; no use to try again."""

    lost: bool
    text: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send; *attributes* become SQS message attributes of type String; *delay* in seconds."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    delay: int = 0

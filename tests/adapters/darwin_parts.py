"""What the tests of the Darwin adapter share: its key, its lane, its tokens, and how it is made."""

from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from worker.adapters.darwin import DarwinApi
from worker.core.model import Lane
from worker.metrics import Metrics

KEY = "abcdefg.0123456789abcdef0123456789abcdef"
LANE = Lane("acme", "intake", "media")


@dataclass
class Tokens:
    """What the adapter was given for its general requests."""

    taken: int = 0
    refused: list[float | None] = field(default_factory=list)

    async def take(self) -> None:
        self.taken += 1

    async def refuse(self, retry_after: float | None) -> None:
        self.refused.append(retry_after)


def api_at(
    session: aiohttp.ClientSession, url: str, tokens: Tokens, key: SecretStr | Path | None = None
) -> DarwinApi:
    return DarwinApi(
        session, url, "acme", key or SecretStr(KEY), tokens.take, tokens.refuse, Metrics(CollectorRegistry())
    )

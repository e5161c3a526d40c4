"""The stores that a fleet may share, each empty and for one storm only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import running_redis

STORES = ("sqlite", "redis", "dynamodb")


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a ledger. A table in DynamoDB is still to be made, for that takes the worker's settings."""
    match kind:
        case "sqlite":
            yield f"sqlite://{folder}/ledger.sqlite3"
        case "redis":
            with running_redis() as server:
                yield f"{server.url}/0"
        case "dynamodb":
            yield "dynamodb://chaos"
        case _:
            raise ValueError(f"there is no store {kind!r}; there are {', '.join(STORES)}")

"""The settings that lead to the stub, and what is said of what it holds."""

from collections.abc import Mapping
from pathlib import Path

from tests.reconcile.stub import ROUTES, TEAM

HOST = "127.0.0.1"


def settings_for(url: str, folder: Path) -> Mapping[str, str]:
    """With a quota that nothing has to wait for."""
    file = folder / "routes.yaml"
    file.write_text(ROUTES)
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "DARWIN_API_KEY": "key",
        "DARWIN_TEAM": TEAM,
        "DARWIN_BASE_URL": url,
        "WORKER_ROUTES_FILE": str(file),
        "WORKER_QUEUE__URL": f"{url}/000000000000/events",
        "WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE": "6000000",
        "WORKER_LEDGER__URL": f"sqlite://{folder}/ledger.sqlite3",
    }

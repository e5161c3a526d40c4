"""Calls darwin-py as its users do. Run by ``.venv-peers/bin/python``; nothing of ours is imported here.

On stdin ``{"key": …, "calls": […]}``, each call with

- ``base_url``, ``dataset``, ``storage``: Darwin, and what to look up there;
- ``method`` of the dataset, and its ``arguments`` beside the storage;
- ``extracted``: what ``darwin extract video-artifacts`` would write down of a video, the ``registration_payload`` of
  its ``metadata.json``. It stands in for ffmpeg, and nothing is uploaded; all else is darwin-py's own.

On stdout a list: for each call what the method returned, or ``{"refused": <the exception>, "said": <its text>}``.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

# darwin-py is in .venv-peers, where mypy does not look.
from darwin.client import Client  # type: ignore[import-not-found]
from darwin.dataset import remote_dataset_v2  # type: ignore[import-not-found]
from darwin.exceptions import ValidationError  # type: ignore[import-not-found]


def main() -> None:
    asked = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):  # where darwin-py tells of its progress
        told = [answer(asked["key"], call) for call in asked["calls"]]
    json.dump(told, sys.stdout)


def answer(key: str, call: Mapping[str, Any]) -> object:
    os.environ["DARWIN_BASE_URL"] = call["base_url"]
    client = Client.from_api_key(key)
    dataset = client.get_remote_dataset(call["dataset"])
    storage = client.get_external_storage(name=call["storage"])

    def extract_artifacts(*, output_dir: str, **_: object) -> None:
        metadata = {"registration_payload": call["extracted"]}
        Path(output_dir, "metadata.json").write_text(json.dumps(metadata))

    def upload_artifacts(**_: object) -> None:
        """There is nothing to upload."""

    with patch.multiple(
        remote_dataset_v2, extract_artifacts=extract_artifacts, upload_artifacts=upload_artifacts
    ):
        try:
            return getattr(dataset, call["method"])(storage, **call["arguments"])
        except (TypeError, ValueError, ValidationError) as refusal:
            return {"refused": type(refusal).__name__, "said": str(refusal)}


if __name__ == "__main__":
    main()

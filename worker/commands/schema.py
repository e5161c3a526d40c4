"""``darwin-worker schema``: the JSON Schema of the routes file, with which editors complete and check it as it is written.

It needs no settings, and tells less than `check`: not whether a template, a pattern or an example can be used.
"""

import argparse
import json

from pydantic.json_schema import GenerateJsonSchema

from worker.routes_fields import RoutesFile


def declare(_parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def main(_: argparse.Namespace) -> int:
    print(json.dumps(schema(), indent=2))
    return 0


def schema() -> dict[str, object]:
    return {"$schema": GenerateJsonSchema.schema_dialect, **RoutesFile.model_json_schema()}

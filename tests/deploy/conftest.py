"""What is deployed is tried from outside, as in the system tests: their fixtures serve here too."""

from tests.system.conftest import cloud, engine, start, twin

__all__ = ["cloud", "engine", "start", "twin"]

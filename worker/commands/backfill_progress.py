"""The file that keeps how far a backfill has come."""

import os
from collections.abc import Mapping
from pathlib import Path

from worker.core.backfill import InvalidProgress, Progress, read_progress
from worker.core.errors import Refused
from worker.settings import SettingsError, reason_of


class ProgressFile:
    """Of the backfill that *named* tells from every other."""

    def __init__(self, path: Path, named: Mapping[str, object]) -> None:
        self._path = path
        self._named = named

    def read(self) -> Progress | None:
        """What an earlier run left; None when there was none. Raises :class:`SettingsError` for any other file."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return read_progress(self._path.read_text(), self._named)
        except FileNotFoundError:
            return None
        except InvalidProgress as why:
            raise SettingsError(
                [f"{self._path} cannot be used: {why}; name another file with --progress, or remove it"]
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                [f"{self._path} cannot be used: {reason_of(error)}; name another file with --progress"]
            ) from None

    def write(self, progress: Progress) -> None:
        """Wholly, or not at all. Raises :class:`Refused`."""
        beside = self._path.with_name(self._path.name + ".new")
        try:
            with beside.open("w") as opened:
                opened.write(progress.written(self._named))
                opened.flush()
                os.fsync(opened.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise Refused(
                f"The progress cannot be kept in {self._path}: {reason_of(error)}. Make room, or name another file with "
                "--progress."
            ) from error

    def remove(self) -> None:
        """It is done: the same command begins anew."""
        self._path.unlink(missing_ok=True)

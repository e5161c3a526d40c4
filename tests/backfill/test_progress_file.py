"""The file that keeps how far a backfill has come."""

from pathlib import Path

import pytest

from worker.commands.backfill_progress import ProgressFile
from worker.core.backfill import Progress, Range
from worker.core.errors import Refused
from worker.settings import SettingsError

NAMED = {"bucket": "media", "prefix": "in/"}


def test_what_is_written_is_read_again_and_gone_when_it_is_done(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "state" / "progress.json", NAMED)
    assert file.read() is None
    file.write(Progress(ranges={0: Range("in/a", "in/b")}))
    file.write(Progress(ranges={0: Range("in/aa", "in/b")}))
    assert file.read() == Progress(ranges={0: Range("in/aa", "in/b")})
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["progress.json"]
    file.remove()
    file.remove()
    assert file.read() is None


def test_a_write_that_is_broken_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    ProgressFile(path, NAMED).write(Progress())
    path.with_name("progress.json.new").write_text("half of")
    assert ProgressFile(path, NAMED).read() == Progress()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{}", "it was not written by a backfill, or not wholly"),
        (b"\xff", "it is not text"),
        (
            Progress().written({**NAMED, "prefix": "out/"}).encode(),
            "it belongs to another backfill, which differs in prefix; name another file with --progress, or remove it",
        ),
    ],
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "progress.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        ProgressFile(path, NAMED).read()
    assert why in str(refused.value)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="--progress"):
        ProgressFile(tmp_path / "file" / "progress.json", NAMED).read()
    with pytest.raises(SettingsError, match="Is a directory"):
        ProgressFile(tmp_path, NAMED).read()
    with pytest.raises(Refused, match=r"The progress cannot be kept in .*: No such file or directory"):
        ProgressFile(tmp_path / "absent" / "progress.json", NAMED).write(Progress())

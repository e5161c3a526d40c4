# ruff: noqa: T201 - a command prints its answer
"""The Dockerfile carried out by Debian's buildah, on a Debian that debootstrap makes: no Docker engine, no image registry."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent.parent
BASE, IMAGE = "localhost/base", "localhost/darwin-worker"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"

OF_PIP = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""What tells this machine's pip where packages come from and whom to trust."""


class Image(NamedTuple):
    """*root* holds its files, *config* is what Docker knows of it; sizes are those of its files, in bytes."""

    root: Path
    config: Mapping[str, Any]
    size: int
    base_size: int


class _Buildah:
    """Keeps all that it makes in *folder*."""

    def __init__(self, folder: Path) -> None:
        places = ["--root", f"{folder}/storage", "--runroot", f"{folder}/run"]
        self._program = ["buildah", *places, "--storage-driver", "vfs"]

    def __call__(self, *words: str) -> str:
        environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
        command = [*self._program, *words]
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603 - no shell
        return said.strip()

    def mounted(self, image: str, name: str) -> Path:
        """The files of a new container *name* of *image*."""
        self("from", "--pull-never", "--name", name, image)
        return Path(self("mount", name))


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """The image, made in *folder*, which must be empty; at the end nothing below it is mounted any more.

    Raises CalledProcessError where a step of buildah fails, which has told why on stderr.
    """
    buildah = _Buildah(folder)
    try:
        base_size = _make_base(buildah)
        form = ("--format", "docker", "--build-arg", f"BASE={BASE}", "--tag", IMAGE)
        said = buildah("bud", "--pull-never", *form, str(ROOT))
        print("\n".join(line for line in said.splitlines() if "STEP " in line), flush=True)
        root = buildah.mounted(IMAGE, "image")
        config = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
        yield Image(root, config, _size(root), base_size)
    finally:
        _unmount_all_below(folder)


def _make_base(buildah: _Buildah) -> int:
    """A stand-in for python:3.13-slim, with this machine's Debian and its Python; the size of its files."""
    root = buildah.mounted("scratch", "base")
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(root)]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603 - no shell
    assert made.returncode == 0, f"debootstrap failed:\n{made.stdout[-2000:]}"
    # As in the official image: `python` in /usr/local/bin, pip that installs, no compiled modules.
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for compiled in root.glob("usr/lib/python3*/**/*.pyc"):
        compiled.unlink()
    shutil.rmtree(root / "var/cache/apt")
    shutil.rmtree(root / "var/lib/apt/lists")
    size = _size(root)
    for name in OF_PIP:
        if (file := Path(name).expanduser()).is_file():
            target = root / name.replace("~", "root").removeprefix("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    buildah("config", "--env", f"PATH={PATH}", "base")
    buildah("commit", "--quiet", "--format", "docker", "base", BASE)
    return size


def _size(root: Path) -> int:
    return sum(file.lstat().st_size for file in root.rglob("*") if not file.is_symlink() and file.is_file())


def _unmount_all_below(folder: Path) -> None:
    """What a step that failed has left, such as the /proc and /dev of debootstrap: whoever removes the folder must not reach
    through them.
    """
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in reversed(places):
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", place], check=True)  # noqa: S603, S607 - no shell, the system's own

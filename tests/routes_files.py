"""Routes files as operators write them, and what is said of those that cannot be used."""

from pathlib import Path

import pytest

from worker.routes_file import Wanted, read_routes
from worker.settings import SettingsError

ONE = "routes:\n  - {name: line, dataset: line, storage: media}\n"

FULL = r"""
teams:
  beta: {api_key_file: /run/secrets/beta}
  gamma: {api_key_variable: GAMMA_KEY}
types: {".SCAN": dicom}
routes:
  - name: rig
    bucket: acme-media
    prefix: incoming/rig/
    regex: '(?P<scene>[^/]+)/(?P<camera>[^/]+)\.mp4'
    exclude: ["**/tmp/**", "*.part"]
    extensions: [mp4, .MOV]
    size: {min: 1KiB, max: 5GB}
    team: beta
    dataset: line
    storage: acme-media
    path: "/{scene}"
    item_name: "{scene} by night"
    type: video
    slot: {by: "{camera}", values: {front: "0", back: "1"}, otherwise: "2"}
    fps: 5
    as_frames: false
    tags: [night, "{scene}"]
    layout: {version: 3, slots_grid: [[["0"], ["1"]], [["2"]]]}
    metadata: {camera: "{camera}", lens: {mm: 35, coated: true}, parts: [1, null]}
    group:
      by: "{scene}/"
      complete: {slots: ["0", "1", "2"]}
      within: 6h
    on_existing: accept
    on_overwrite: dead_letter
    paused: true
    examples:
      - {key: incoming/rig/s1/front.mp4, dataset: line, path: /s1, name: s1 by night, slot: "0", size: 2KiB}
      - {key: incoming/rig/s1/roof.mp4, slot: "2", size: 5GB}
  - name: seen
    bucket: acme-seen
    glob: "**/*.{mp4,jpg}"
    exclude: "**/old/**"
    events: [Put, Post, Copy, CompleteMultipartUpload]
    team: gamma
    dataset: {by: "{filename[:2]}", values: {"12": dataset-1, "13": dataset-2}, otherwise: s3-integration}
    storage: acme-seen
    slot: "{stem}"
    fps: native
    tags: {camera: "{metadata.camera}"}
    layout: {version: 2, type: grid, slots: ["1", "2"], layout_shape: [2, 1]}
    thumbnail: "thumbs/{folder}/{stem}.jpg"
    frames: {high: "frames/{stem}/hq/", low: "frames/{stem}/lq/", quiet: 90s}
    width: "{metadata.width}"
    height: "{metadata.height}"
    sidecars_within: 2d
    on_overwrite: register
    versioned_name: "{stem} ({version}).{ext}"
    on_removed: ignore
    head: true
    examples:
      - {key: a/12x.mp4, dataset: dataset-1, path: /a, name: 12x.mp4, metadata: {camera: front}, tags: {a: b}}
      - {key: b/99.jpg, bucket: acme-seen, dataset: s3-integration}
  - name: scans
    prefix: scans
    dataset: "scans-{folder}"
    storage: acme-media
    type: dicom
    slot: "0"
    extract_views: true
    layout: {version: 1, type: simple, slots: ["0"]}
    options: {ignore_dicom_layout: true}
    on_removed: archive
otherwise:
  dataset: rest
  storage: acme-media
  path: /rest/{folder}
  on_existing: accept
"""
"""Every field of the routes file at least once."""

ENVIRON = {"GAMMA_KEY": "abcdefg.0123456789abcdef0123456789abcdef"}
"""What :data:`FULL` asks of the environment."""


def read(folder: Path, text: str) -> Wanted:
    file = folder / "routes.yaml"
    file.write_text(text)
    return read_routes(file, "acme", ENVIRON)


def refused(folder: Path, text: str) -> list[str]:
    """What is said of *text*, without the file's name, which begins each line."""
    with pytest.raises(SettingsError) as error:
        read(folder, text)
    file = str(folder / "routes.yaml")
    assert all(line.startswith(file) for line in error.value.lines)
    return [line.removeprefix(file) for line in error.value.lines]


def route(**fields: str) -> str:
    """A routes file with one route *a*, whose fields are these in YAML, besides a dataset and a storage."""
    written = {"name": "a", "dataset": "d", "storage": "s", **fields}
    return "routes:\n  - " + "\n    ".join(f"{name}: {value}" for name, value in written.items()) + "\n"

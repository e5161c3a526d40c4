"""The routes file: what people write becomes routes. What is wrong with it: test_routes_file_refused.py."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from tests.routes_files import FULL, ONE, read, route
from worker.core.examples import Example
from worker.core.model import ItemType, Lane, OnExisting, OnOverwrite
from worker.core.routes import Fallback, Group, OnRemoved, Route, Sidecars
from worker.core.templates import Table
from worker.routes_file import Wanted, load_routes
from worker.settings import load_settings

TYPES = {"scan": ItemType.DICOM}


def test_all_fields_become_routes(tmp_path: Path) -> None:
    wanted = read(tmp_path, FULL)

    rig, seen, scans = wanted.routes
    assert rig == Route(
        "rig",
        Lane("beta", "line", "acme-media"),
        bucket="acme-media",
        prefix="incoming/rig/",
        regex=r"(?P<scene>[^/]+)/(?P<camera>[^/]+)\.mp4",
        exclude=("**/tmp/**", "*.part"),
        extensions=("mp4", "mov"),
        smallest=1024,
        largest=5_000_000_000,
        path="/{scene}",
        item_name="{scene} by night",
        type=ItemType.VIDEO,
        types=TYPES,
        slot=Table("{camera}", {"front": "0", "back": "1"}, "2"),
        fps=5,
        as_frames=False,
        tags=("night", "{scene}"),
        layout={"version": 3, "slots_grid": [[["0"], ["1"]], [["2"]]]},
        metadata={"camera": "{camera}", "lens": {"mm": 35, "coated": True}, "parts": [1, None]},
        group=Group("{scene}/", slots=("0", "1", "2"), within=21_600),
        on_existing=OnExisting.ACCEPT,
        on_overwrite=OnOverwrite.DEAD_LETTER,
        paused=True,
    )
    assert seen == Route(
        "seen",
        Lane("gamma", "", "acme-seen"),
        bucket="acme-seen",
        glob="**/*.{mp4,jpg}",
        exclude=("**/old/**",),
        events=("Put", "Post", "Copy", "CompleteMultipartUpload"),
        dataset=Table("{filename[:2]}", {"12": "dataset-1", "13": "dataset-2"}, "s3-integration"),
        types=TYPES,
        slot="{stem}",
        fps="native",
        tags={"camera": "{metadata.camera}"},
        layout={"version": 2, "type": "grid", "slots": ["1", "2"], "layout_shape": [2, 1]},
        sidecars=Sidecars(
            "thumbs/{folder}/{stem}.jpg",
            frames_high="frames/{stem}/hq/",
            frames_low="frames/{stem}/lq/",
            frames_quiet=90,
            width="{metadata.width}",
            height="{metadata.height}",
            within=172_800,
        ),
        on_overwrite=OnOverwrite.REGISTER,
        versioned_name="{stem} ({version}).{ext}",
        head=True,
    )
    assert scans == Route(
        "scans",
        Lane("acme", "", "acme-media", options=(("ignore_dicom_layout", True),)),
        prefix="scans",
        dataset="scans-{folder}",
        type=ItemType.DICOM,
        types=TYPES,
        slot="0",
        extract_views=True,
        layout={"version": 1, "type": "simple", "slots": ["0"]},
        on_removed=OnRemoved.ARCHIVE,
    )
    assert wanted.otherwise == Route(
        "otherwise",
        Lane("acme", "rest", "acme-media"),
        path="/rest/{folder}",
        types=TYPES,
        on_existing=OnExisting.ACCEPT,
    )


def test_the_keys_of_further_teams_are_in_files_or_in_the_environment(tmp_path: Path) -> None:
    assert read(tmp_path, FULL).teams == {
        "beta": Path("/run/secrets/beta"),
        "gamma": SecretStr("abcdefg.0123456789abcdef0123456789abcdef"),
    }


def test_examples_are_told_with_their_routes(tmp_path: Path) -> None:
    assert read(tmp_path, FULL).examples == (
        Example(
            "rig",
            "incoming/rig/s1/front.mp4",
            dataset="line",
            path="/s1",
            name="s1 by night",
            slot="0",
            size=2048,
        ),
        Example("rig", "incoming/rig/s1/roof.mp4", slot="2", size=5_000_000_000),
        Example(
            "seen",
            "a/12x.mp4",
            dataset="dataset-1",
            path="/a",
            name="12x.mp4",
            metadata={"camera": "front"},
            tags={"a": "b"},
        ),
        Example("seen", "b/99.jpg", bucket="acme-seen", dataset="s3-integration"),
    )


def test_name_dataset_and_storage_are_enough_and_the_rest_is_dead_lettered(tmp_path: Path) -> None:
    assert read(tmp_path, ONE) == Wanted(
        (Route("line", Lane("acme", "line", "media")),), Fallback.DEAD_LETTER
    )


def test_what_matches_no_route_may_be_ignored(tmp_path: Path) -> None:
    assert read(tmp_path, ONE + "otherwise: ignore\n").otherwise is Fallback.IGNORE


def test_routes_keep_their_order(tmp_path: Path) -> None:
    wanted = read(
        tmp_path,
        "routes:\n  - {name: b, prefix: b, dataset: d, storage: s}\n  - {name: a, prefix: a, dataset: d, storage: s}\n",
    )

    assert [each.name for each in wanted.routes] == ["b", "a"]


def test_anchors_and_merges_may_be_used(tmp_path: Path) -> None:
    wanted = read(
        tmp_path,
        """
        routes:
          - &common {name: a, prefix: a, dataset: d, storage: s}
          - {<<: *common, name: b, prefix: b}
        """,
    )

    assert [(each.name, each.lane.dataset) for each in wanted.routes] == [("a", "d"), ("b", "d")]


def one(folder: Path, **fields: str) -> Route:
    """The only route of a file, which has these fields."""
    (only,) = read(folder, route(**fields)).routes
    return only


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("6h", 21_600), ("2d", 172_800), ("'1 h'", 3600)],
)
def test_a_duration_is_seconds_or_a_number_with_its_unit(tmp_path: Path, written: str, seconds: int) -> None:
    assert one(tmp_path, group=f"{{complete: {{quiet: {written}}}, within: 3d}}").group == Group(
        quiet=seconds, within=259_200
    )


@pytest.mark.parametrize(
    ("complete", "group"),
    [
        ("slots: ['0']", Group(slots=("0",))),
        ("count: 4", Group(count=4)),
        ("marker: _SUCCESS", Group(marker="_SUCCESS")),
        ("manifest: manifest.json", Group(manifest="manifest.json")),
        ("quiet: 10m", Group(quiet=600)),
    ],
)
def test_a_group_is_complete_by_one_of_five_rules_within_a_day(
    tmp_path: Path, complete: str, group: Group
) -> None:
    assert one(tmp_path, group=f"{{complete: {{{complete}}}}}").group == group


@pytest.mark.parametrize(
    ("written", "size"), [("2048", 2048), ("2 KiB", 2048), ("2kb", 2000), ("1.5MB", 1_500_000), ("'7'", 7)]
)
def test_a_size_is_bytes_or_a_number_with_its_unit(tmp_path: Path, written: str, size: int) -> None:
    assert one(tmp_path, size=f"{{max: {written}}}").largest == size


@pytest.mark.parametrize(("written", "fps"), [("0", 0), ("29.97", 29.97), ("native", "native")])
def test_fps_is_a_number_or_native(tmp_path: Path, written: str, fps: float | str) -> None:
    assert one(tmp_path, fps=written).fps == fps


def test_a_route_names_its_frames_and_sizes_beside_a_thumbnail_or_not(tmp_path: Path) -> None:
    assert one(tmp_path, thumbnail="t/{stem}").sidecars == Sidecars("t/{stem}")
    assert one(tmp_path, thumbnail="t/{stem}", frames="{high: f/}").sidecars == Sidecars(
        "t/{stem}", frames_high="f/"
    )


def test_an_option_that_is_false_is_one_too(tmp_path: Path) -> None:
    """It is sent as it was written, and makes a lane of its own."""
    assert one(tmp_path, options="{ignore_dicom_layout: false}").lane.options == (
        ("ignore_dicom_layout", False),
    )


def test_a_field_without_a_value_is_one_that_was_left_out(tmp_path: Path) -> None:
    assert one(tmp_path, bucket="", glob="", layout="") == one(tmp_path)


def test_a_slug_with_escaped_braces_is_a_template(tmp_path: Path) -> None:
    assert one(tmp_path, dataset='"a{{b}}"').dataset == "a{{b}}"


def test_what_routes_may_not_be_meant_to_do_is_a_caution_and_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, route(path="/flat")).cautions == (
        (
            "Route 'a' loses the folders of its keys: path '/flat' and name '{filename}' are the same for a/1.jpg and "
            "b/1.jpg, and the second one would be a dead letter (name_collision). Use {folder} in one of them."
        ),
    )


def test_a_file_without_the_parser_in_c_is_read_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyYAML is not built with libyaml everywhere."""
    with_it = read(tmp_path, FULL)
    monkeypatch.setattr("worker.routes_file._Loader", yaml.SafeLoader)

    assert read(tmp_path, FULL) == with_it


ENVIRONMENT = {
    "WORKER_QUEUE__URL": "https://sqs.eu-west-1.amazonaws.com/1/q",
    "DARWIN_API_KEY": "abcdefg.0123456789abcdef0123456789abcdef",
    "DARWIN_TEAM": "acme",
}


def loaded(environ: Mapping[str, str]) -> Wanted:
    return load_routes(load_settings({**ENVIRONMENT, **environ}))


def test_without_a_file_the_environment_tells_of_one_route() -> None:
    wanted = loaded(
        {
            "WORKER_DARWIN__DATASET": "line",
            "WORKER_DARWIN__STORAGE": "media",
            "WORKER_DARWIN__PREFIX": "incoming/",
        }
    )

    assert wanted == Wanted(
        (Route("environment", Lane("acme", "line", "media"), prefix="incoming/"),), Fallback.IGNORE
    )


def test_with_a_file_the_routes_are_the_files(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(ONE)

    assert loaded({"WORKER_ROUTES_FILE": str(file)}).routes == (Route("line", Lane("acme", "line", "media")),)


def test_keys_of_further_teams_are_looked_for_in_the_process_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(ONE + "teams: {beta: {api_key_variable: BETA_KEY}}\n")
    monkeypatch.setenv("BETA_KEY", " betabet.0123456789abcdef0123456789abcdef\n")

    assert loaded({"WORKER_ROUTES_FILE": str(file)}).teams == {
        "beta": SecretStr("betabet.0123456789abcdef0123456789abcdef")
    }


def test_five_hundred_routes_and_a_table_of_ten_thousand_lines_are_read(tmp_path: Path) -> None:
    routes = "".join(
        f"  - {{name: r{number}, prefix: p{number}, dataset: d, storage: s}}\n" for number in range(500)
    )
    lines = ", ".join(f'"{number}": d{number % 7}' for number in range(10_000))
    table = f"  - {{name: table, dataset: {{by: '{{stem}}', values: {{{lines}}}}}, storage: s}}\n"

    wanted = read(tmp_path, f"routes:\n{routes}{table}")

    assert len(wanted.routes) == 501
    assert len(wanted.cautions) == 499  # each but the first can meet another one's name in dataset d

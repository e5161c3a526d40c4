"""What cannot be used of a routes file: one line for each problem, with file, route, field and what would be right."""

from pathlib import Path

import pytest

from tests.routes_files import ONE, refused, route

TARGET = (
    "team, dataset, storage, path, item_name, type, slot, fps, as_frames, extract_views, tags, layout, metadata, options, "
    "thumbnail, frames, width, height, sidecars_within, on_existing, on_overwrite, versioned_name, on_removed, paused, head"
)
CHOOSING = "name, bucket, prefix, glob, regex, exclude, extensions, size, events"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "routes:\n  - {name: line, datset: line, storage: media}\n",
            [
                ": route 'line': dataset is missing; write `dataset:` and a value",
                ": route 'line': there is no field 'datset'; did you mean 'dataset'?",
            ],
        ),
        (
            "routes:\n  - {dataset: line, storage: media, zzz: red}\n",
            [
                ": route 1: name is missing; write `name:` and a value",
                f": route 1: there is no field 'zzz'; there are: {CHOOSING}, {TARGET}, group, examples",
            ],
        ),
        (
            route(**{"12": "x"}),
            [f": route 'a': there is no field '12'; there are: {CHOOSING}, {TARGET}, group, examples"],
        ),
        (ONE + "otherwize: ignore\n", [": there is no field 'otherwize'; did you mean 'otherwise'?"]),
        (
            ONE + "otherwise: {dataset: a, storage: b, prefix: c}\n",
            [f": otherwise: there is no field 'prefix'; there are: {TARGET}"],
        ),
        (
            ONE + "otherwise: {dataset: a, storage: b, layout: {version: 3, slots_gird: 1}}\n",
            [
                ": otherwise: layout.slots_grid is missing; write `slots_grid:` and a value",
                ": otherwise: layout: there is no field 'slots_gird'; did you mean 'slots_grid'?",
            ],
        ),
        (
            ONE + "otherwise: drop\n",
            [": otherwise is 'drop'; write ignore, dead_letter, or a dataset and a storage"],
        ),
    ],
)
def test_an_unknown_or_missing_field_is_named_with_its_route(
    tmp_path: Path, text: str, lines: list[str]
) -> None:
    assert refused(tmp_path, text) == lines


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        (
            "group",
            "{complete: {slotz: ['0']}}",
            "group.complete: there is no field 'slotz'; did you mean 'slots'?",
        ),
        ("group", "{compleet: {count: 1}}", "group: there is no field 'compleet'; did you mean 'complete'?"),
        ("group", "{by: '{stem}'}", "group.complete is missing; write `complete:` and a value"),
        (
            "dataset",
            "{by: x, values: {a: b}, othrwise: c}",
            "dataset: there is no field 'othrwise'; did you mean 'otherwise'?",
        ),
        ("slot", "{bye: x, values: {a: b}}", "slot: there is no field 'bye'; did you mean 'by'?"),
        ("size", "{mni: 1}", "size: there is no field 'mni'; did you mean 'min'?"),
        (
            "options",
            "{ignore_dicom_layot: true}",
            "options: there is no field 'ignore_dicom_layot'; did you mean 'ignore_dicom_layout'?",
        ),
        (
            "layout",
            "{version: 1, typo: grid, slots: ['0']}",
            "layout: there is no field 'typo'; did you mean 'type'?",
        ),
        (
            "examples",
            "[{key: a}, {key: b, nam: c}]",
            "examples.2: there is no field 'nam'; did you mean 'name'?",
        ),
        ("examples", "[{path: /a}]", "examples.1.key is missing; write `key:` and a value"),
    ],
)
def test_a_field_within_a_field_is_named_with_the_way_to_it(
    tmp_path: Path, field: str, value: str, line: str
) -> None:
    assert f": route 'a': {line}" in refused(tmp_path, route(**{field: value}))


SIZE = "a size is a number of bytes, or a text such as 1KiB or 5GB"
DURATION = "a duration is a number of seconds, or a text such as 90s, 5m, 6h or 2d; at most 365d"
SLUG = "a slug has no spaces and no slashes, as in the address of its page in Darwin"
FPS = 'it is a number from 0 on, or "native"'
LAYOUT = "a layout is a mapping with version: 1, 2 or 3"
ONE_RULE = "write one of slots, count, marker, manifest and quiet"
NO_TEXT = "which is no text; put it in quotes"
THUMBNAIL = "it needs `thumbnail`, for it is of read-only storages, and those need one"


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        # which objects
        ("bucket", "''", "bucket is '': String should have at least 1 character"),
        ("prefix", "2024", f"prefix is 2024, {NO_TEXT}"),
        ("prefix", "", "prefix has no value; write one, or leave the field out"),
        ("exclude", "[5]", f"exclude.1 is 5, {NO_TEXT}"),
        ("extensions", "mp4", "extensions is 'mp4': should be a valid list"),
        (
            "extensions",
            "[a/b]",
            "extensions.1 is 'a/b': an extension is what follows a dot of the name, such as .jpg",
        ),
        ("size", "5", "size must be a mapping of fields"),
        ("size", "{min: -1}", f"size.min is -1: {SIZE}"),
        ("size", "{min: 1.5}", f"size.min is 1.5: {SIZE}"),
        ("size", "{max: 99999999999999999999}", f"size.max is 99999999999999999999: {SIZE}"),
        ("size", "{max: big}", f"size.max is 'big': {SIZE}"),
        ("size", "{max: 5XB}", "size.max is '5XB': could not interpret byte unit: XB"),
        (
            "events",
            "[Putt]",
            "events.1 is 'Putt': should be 'Put', 'Post', 'Copy' or 'CompleteMultipartUpload'",
        ),
        # where they go
        ("dataset", "acme/line", f"dataset is 'acme/line': {SLUG}"),
        ("dataset", "'{folder} x'", f"dataset is '{{folder}} x': {SLUG}"),
        ("dataset", "7", f"dataset is 7, {NO_TEXT}"),
        ("dataset", "[a]", "dataset is ['a']: should be a valid string"),
        (
            "dataset",
            "{by: '{ext}', values: {12: a}}",
            "dataset.values: the key 12 is no text; put it in quotes",
        ),
        ("dataset", "{by: '{ext}', values: {a: 12}}", f"dataset.values.a is 12, {NO_TEXT}"),
        ("dataset", "{by: '{ext}', values: {a: b c}}", f"dataset.values.a is 'b c': {SLUG}"),
        ("dataset", "{by: '{ext}', values: {}}", "dataset.values is {}: it must hold at least 1"),
        ("path", "", "path has no value; write one, or leave the field out"),
        # as what
        ("type", "img", "type is 'img': should be 'image', 'video', 'pdf' or 'dicom'"),
        ("slot", "0", f"slot is 0, {NO_TEXT}"),
        ("fps", "-1", f"fps is -1: {FPS}"),
        ("fps", ".inf", f"fps is inf: {FPS}"),
        ("fps", ".nan", f"fps is nan: {FPS}"),
        ("fps", "true", f"fps is True: {FPS}"),
        ("fps", "fast", f"fps is 'fast': {FPS}"),
        ("as_frames", "'yes'", "as_frames is 'yes': should be a valid boolean"),
        ("tags", "night", "tags is 'night': should be a valid list"),
        ("tags", "[5]", f"tags.1 is 5, {NO_TEXT}"),
        ("tags", "{a b: 5}", f"tags.'a b' is 5, {NO_TEXT}"),
        ("layout", "grid", f"layout is 'grid': {LAYOUT}"),
        ("layout", "{version: 4}", f"layout is {{'version': 4}}: {LAYOUT}"),
        (
            "layout",
            "{version: 1, type: gird, slots: [a]}",
            "layout.type is 'gird': should be 'grid', 'horizontal', 'vertical' or 'simple'",
        ),
        ("layout", "{version: 1, type: grid, slots: []}", "layout.slots is []: it must hold at least 1"),
        (
            "layout",
            "{version: 2, type: grid, slots: [a]}",
            "layout.layout_shape is missing; write `layout_shape:` and a value",
        ),
        (
            "layout",
            "{version: 2, type: grid, slots: [a], layout_shape: [1, 0]}",
            "layout.layout_shape.2 is 0: should be greater than or equal to 1",
        ),
        ("layout", "{version: 3, slots_grid: [[[0]]]}", f"layout.slots_grid.1.1.1 is 0, {NO_TEXT}"),
        (
            "metadata",
            "{when: 2024-01-01}",
            "metadata.when is datetime.date(2024, 1, 1): it holds 2024-01-01, which JSON does not know; put it in quotes",
        ),
        (
            "metadata",
            "{x: [.nan]}",
            "metadata.x is [nan]: it holds nan, which JSON does not know; put it in quotes",
        ),
        ("metadata", "{x: {1: a}}", "metadata.x is {1: 'a'}: the key 1 is no text; put it in quotes"),
        ("metadata", "&m {x: *m}", "metadata.x is {'x': {...}}: it is nested more than 20 levels deep"),
        (
            "options",
            "{ignore_dicom_layout: 1}",
            "options.ignore_dicom_layout is 1: should be a valid boolean",
        ),
        # groups
        ("group", "{complete: {}}", f"group.complete is {{}}: {ONE_RULE}"),
        (
            "group",
            "{complete: {count: 2, quiet: 60}}",
            f"group.complete is {{'count': 2, 'quiet': 60}}: {ONE_RULE}",
        ),
        ("group", "{complete: {slots: []}}", "group.complete.slots is []: it must hold at least 1"),
        (
            "group",
            "{complete: {count: 0}}",
            "group.complete.count is 0: should be greater than or equal to 1",
        ),
        (
            "group",
            "{complete: {count: 10001}}",
            "group.complete.count is 10001: should be less than or equal to 10000",
        ),
        ("group", "{complete: {quiet: 5x}}", f"group.complete.quiet is '5x': {DURATION}"),
        ("group", "{complete: {quiet: 1.5}}", f"group.complete.quiet is 1.5: {DURATION}"),
        ("group", "{complete: {count: 2}, within: 0}", f"group.within is 0: {DURATION}"),
        ("group", "{complete: {count: 2}, within: 366d}", f"group.within is '366d': {DURATION}"),
        # read-only storages
        ("frames", "{high: f/}", f"frames is {{'high': 'f/'}}: {THUMBNAIL}"),
        ("width", "'{metadata.w}'", f"width is '{{metadata.w}}': {THUMBNAIL}"),
        ("height", "'{metadata.h}'", f"height is '{{metadata.h}}': {THUMBNAIL}"),
        ("sidecars_within", "5m", f"sidecars_within is '5m': {THUMBNAIL}"),
        ("thumbnail", "t\n    width: 1920", f"width is 1920, {NO_TEXT}"),
        ("thumbnail", "t\n    frames: {low: f/}", "frames.high is missing; write `high:` and a value"),
        # what if
        ("on_existing", "skip", "on_existing is 'skip': should be 'block' or 'accept'"),
        (
            "on_overwrite",
            "replace",
            "on_overwrite is 'replace': should be 'ignore', 'dead_letter' or 'register'",
        ),
        ("on_removed", "delete", "on_removed is 'delete': should be 'ignore' or 'archive'"),
        (
            "versioned_name",
            "x",
            "versioned_name is 'x': it needs `on_overwrite: register`; without that no version gets a name of its own",
        ),
        ("paused", "1", "paused is 1: should be a valid boolean"),
        ("examples", "[{key: x, size: 0}]", "examples.1.size is 0: should be greater than or equal to 1"),
        ("examples", "[{key: x, metadata: {a: 1}}]", f"examples.1.metadata.a is 1, {NO_TEXT}"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_route_and_field(
    tmp_path: Path, field: str, value: str, line: str
) -> None:
    assert refused(tmp_path, route(**{field: value})) == [f": route 'a': {line}"]


PLACEHOLDERS = "there are: bucket, ext, filename, folder, key, metadata.NAME, stem, tags.NAME"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"glob": "/x"}, "glob: The glob '/x' can match nothing: it is compared with the key below the route's prefix, which is not empty and starts without a slash."),
        ({"exclude": "['**/x', '/x']"}, "exclude: The glob '/x' can match nothing: it is compared with the key below the route's prefix, which is not empty and starts without a slash."),
        ({"path": "'/{date}'"}, f"path: there is no placeholder {{date}} here; {PLACEHOLDERS}"),
        ({"item_name": "'{filenam}'"}, "item_name: there is no placeholder {filenam} here; did you mean {filename}?"),
        ({"dataset": "'{folder'"}, "dataset: a brace '{' stands alone; write '{{' for one that is meant"),
        ({"dataset": "{by: '{filename[2]}', values: {a: b}}"}, "dataset: [2] is no part of a text; write [:2] for its first two characters, [-4:] for its last four"),
        ({"slot": "'{camera}'"}, f"slot: there is no placeholder {{camera}} here; {PLACEHOLDERS}"),
        ({"tags": "['{fodler}']"}, "tags: there is no placeholder {fodler} here; did you mean {folder}?"),
        ({"metadata": "{a: '{stme}'}"}, "metadata: there is no placeholder {stme} here; did you mean {stem}?"),
        ({"thumbnail": "'{stme}'"}, "thumbnail: there is no placeholder {stme} here; did you mean {stem}?"),
        ({"thumbnail": "t", "frames": "{high: '{stme}'}"}, "frames.high: there is no placeholder {stme} here; did you mean {stem}?"),
        ({"on_overwrite": "register", "versioned_name": "'{versoin}'"}, "versioned_name: there is no placeholder {versoin} here; did you mean {version}?"),
        ({"group": "{by: '{flename}', complete: {count: 2}}"}, "group.by: there is no placeholder {flename} here; did you mean {filename}?"),
        ({"regex": "'(?P<key>.*)'"}, "regex: a group may not be named 'key', which every key has a value for already"),
        ({"regex": "'(a'"}, "regex: the regular expression cannot be used: missing ): (a. It is read as RE2 does, which matches in linear time and has no look-around and no back-references"),
        ({"regex": r"'(.)\1'"}, r"regex: the regular expression cannot be used: invalid escape sequence: \1. It is read as RE2 does, which matches in linear time and has no look-around and no back-references"),
    ],
)  # fmt: skip
def test_a_template_or_pattern_that_cannot_be_used_is_told_with_its_route_and_field(
    tmp_path: Path, fields: dict[str, str], line: str
) -> None:
    assert refused(tmp_path, route(**fields)) == [f": route 'a': {line}"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"size": "{min: 5, max: 2}"}, "size: nothing is larger than 5 bytes and smaller than 2."),
        ({"glob": "'*'", "regex": "'.*'"}, "glob and regex both choose keys; write one of them."),
        ({"type": "image", "fps": "5"}, "fps is for videos, and the route's type is image."),
        ({"group": "{complete: {quiet: 10m}, within: 600}"}, "group: it can never be quiet for 600 seconds within 600."),
        ({"slot": "'0'", "group": "{complete: {slots: ['0', '1']}}"}, "group: no file ever goes to slot '1', so the group can never be complete; slot makes '0'."),
    ],
)  # fmt: skip
def test_a_route_that_contradicts_itself_is_refused(
    tmp_path: Path, fields: dict[str, str], sentence: str
) -> None:
    assert refused(tmp_path, route(**fields)) == [f": Route 'a': {sentence}"]


def test_the_problems_of_all_routes_are_told_at_once(tmp_path: Path) -> None:
    text = (
        "routes:\n"
        "  - {name: a, dataset: d, storage: s, regex: '('}\n"
        "  - {name: b, dataset: d, storage: s, path: '{x}', type: img}\n"
        "  - {name: c, dataset: d, storage: s, item_name: '{x'}\n"
        "otherwise: {dataset: d, storage: s, path: '{'}\n"
    )

    assert [line.rpartition(";")[0] or line for line in refused(tmp_path, text)] == [
        (
            ": route 'a': regex: the regular expression cannot be used: missing ): (. It is read as RE2 does, which matches "
            "in linear time and has no look-around and no back-references"
        ),
        ": route 'b': type is 'img': should be 'image', 'video', 'pdf' or 'dicom'",
        ": route 'c': item_name: a brace '{' stands alone",
        ": otherwise: path: a brace '{' stands alone",
    ]


def test_two_routes_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "routes:\n  - {name: a, prefix: x, dataset: d, storage: s}\n  - {name: a, prefix: y, dataset: d, storage: s}\n"

    assert refused(tmp_path, text) == [": Two routes are named 'a': give each a name of its own."]


def test_an_example_that_does_not_hold_is_refused_with_its_route(tmp_path: Path) -> None:
    text = route(glob="'*.mp4'", examples="[{key: a.mp4, path: /a}, {key: a.jpg}]")

    assert refused(tmp_path, text) == [
        ": Route 'a': example 'a.mp4': its path is '/', and not '/a'.",
        ": Route 'a': example 'a.jpg': the route does not take it, for the key below the prefix does not match the glob *.mp4.",
    ]


@pytest.mark.parametrize(
    ("types", "line"),
    [
        ("{.foo: img}", ": types.'.foo' is 'img': should be 'image', 'video', 'pdf' or 'dicom'"),
        ("{a/b: image}", ": types: 'a/b': an extension is what follows a dot of the name, such as .jpg"),
        ("{7: image}", ": types: the key 7 is no text; put it in quotes"),
    ],
)
def test_a_wrong_type_by_extension_is_named(tmp_path: Path, types: str, line: str) -> None:
    assert refused(tmp_path, f"{ONE}types: {types}\n") == [line]

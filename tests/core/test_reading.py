"""What a route reads in S3, told as permissions that the worker's role needs."""

import pytest

from worker.core.checks import note
from worker.core.model import Lane
from worker.core.reading import judge_reading, permissions
from worker.core.routes import Group, OnRemoved, Route, Sidecars
from worker.core.rules import Rule
from worker.core.templates import Table

LANE = Lane("acme", "intake", "media")
ABSENT = "to tell what is not there from what may not be read"
SEEN = "to see that the thumbnail is there"
SIZE = "to read the size of a picture"


def needed(**fields: object) -> dict[str, list[str]]:
    return permissions(Rule(Route("all", LANE, **fields)))  # type: ignore[arg-type]  # written out by each test


def test_a_route_that_reads_nothing_needs_nothing() -> None:
    rule = Rule(
        Route("all", LANE, path="/{folder}", tags=("{ext}",), dataset=Table("{stem[:2]}", {"a": "b"}))
    )

    assert permissions(rule) == {}
    assert judge_reading(rule, "acme-media") == []


@pytest.mark.parametrize(
    ("fields", "permissions"),
    [
        ({"group": Group(slots=("front",))}, {"s3:ListBucket": ["to see the parts of a group"]}),
        (
            {"group": Group(manifest="manifest.json")},
            {
                "s3:ListBucket": ["to see the parts of a group"],
                "s3:GetObject": ["to read manifest.json"],
            },
        ),
        ({"head": True}, {"s3:GetObject": ["to see that an object is there"], "s3:ListBucket": [ABSENT]}),
        (
            {"metadata": {"site": "{metadata.site}"}},
            {"s3:GetObject": ["to read metadata"], "s3:ListBucket": [ABSENT]},
        ),
        (
            {"dataset": "{tags.project}"},
            {"s3:GetObjectTagging": ["to read tags"], "s3:ListBucket": [ABSENT]},
        ),
        (
            {"on_removed": OnRemoved.ARCHIVE},
            {"s3:GetObject": ["to see that a removed object did not come back"], "s3:ListBucket": [ABSENT]},
        ),
        (
            {"sidecars": Sidecars("thumbs/{stem}.jpg")},
            {"s3:GetObject": [SEEN, SIZE], "s3:ListBucket": [ABSENT]},
        ),
        (
            {"sidecars": Sidecars("thumbs/{stem}.jpg", width="640", height="{metadata.height}")},
            {"s3:GetObject": ["to read metadata", SEEN], "s3:ListBucket": [ABSENT]},
        ),
        (
            {"sidecars": Sidecars("thumbs/{stem}.jpg", frames_high="frames/{stem}/")},
            {"s3:GetObject": [SEEN, SIZE], "s3:ListBucket": ["to see a video's frames"]},
        ),
    ],
)
def test_what_is_read_tells_what_must_be_allowed_and_what_for(
    fields: dict[str, object], permissions: dict[str, list[str]]
) -> None:
    assert needed(**fields) == permissions


def test_the_note_names_the_route_the_bucket_and_each_permission() -> None:
    rule = Rule(Route("scenes", LANE, group=Group(manifest="scene.json")))

    assert judge_reading(rule, "acme-media") == [
        note(
            "s3",
            "route 'scenes' reads bucket acme-media, which is not tried here. The worker's role needs there: "
            "s3:ListBucket (to see the parts of a group), s3:GetObject (to read scene.json)",
        )
    ]

"""Frames of both kinds in one folder: a ``*`` stands between what their keys begin and end with."""

import pytest

from tests.core.sample_routes import LANE
from worker.core.model import ItemType, S3Object
from worker.core.objects import Listed
from worker.core.routes import Route, Sidecars
from worker.core.rules import FieldError, Rule
from worker.core.sidecars import Wanted, first_frame, wanted

HIGH, LOW = "frames/{stem}/*_hq.png", "frames/{stem}/*_lq.png"


def rule_of(high: str, low: str | None = None) -> Rule:
    sidecars = Sidecars("thumbs/{stem}.jpg", high, low, width="1", height="1")
    return Rule(Route("videos", LANE, prefix="in", sidecars=sidecars))


def asked_of(rule: Rule, key: str) -> Wanted:
    return wanted(rule, key, rule.values(S3Object("b", key), {}), ItemType.VIDEO)


def listed(*names: str) -> list[Listed]:
    return [Listed(f"frames/drive/{name}", "e", 1) for name in names]


def test_s3_is_asked_for_what_the_keys_begin_with() -> None:
    asked = asked_of(rule_of(HIGH, LOW), "in/drive.mp4")
    assert (asked.high, asked.high_ending) == ("frames/drive/", "_hq.png")
    assert (asked.low, asked.low_ending) == ("frames/drive/", "_lq.png")


def test_without_a_star_all_that_begins_so_is_a_frame() -> None:
    asked = asked_of(rule_of("frames/{stem}/"), "in/drive.mp4")
    assert (asked.high, asked.high_ending) == ("frames/drive/", "")


def test_a_star_in_the_name_of_an_object_is_no_star_of_the_route() -> None:
    asked = asked_of(rule_of(HIGH), "in/a*b.mp4")
    assert (asked.high, asked.high_ending) == ("frames/a*b/", "_hq.png")


def test_the_first_frame_is_the_first_of_those_that_end_so() -> None:
    asked = asked_of(rule_of("frames/{stem}/*_small.png"), "in/drive.mp4")
    there = listed("1_big.png", "1_small.png", "2_small.png", "10_small.png")
    assert first_frame(asked, there) == "frames/drive/1_small.png"
    assert first_frame(asked, listed("1_big.png")) is None


def test_both_kinds_are_sidecars_of_the_route() -> None:
    sidecars = rule_of(HIGH, LOW).sidecars
    assert sidecars is not None
    assert sidecars.own("frames/drive/1_hq.png")
    assert sidecars.own("frames/drive/1_lq.png")
    assert not sidecars.own("frames/drive/1.png")


@pytest.mark.parametrize("text", ["*_hq.png", "a/*_*.png"])
def test_a_star_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="may stand in it once"):
        rule_of(text)

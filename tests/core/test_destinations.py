"""Which lanes the routes file names literally."""

from worker.core.destinations import destinations
from worker.core.model import Lane
from worker.core.routes import Route
from worker.core.templates import Table

OPTIONS = (("ignore_dicom_layout", True),)


def lane(dataset: str) -> Lane:
    return Lane("acme", dataset, "media", options=OPTIONS)


def test_a_route_with_one_dataset_has_one_lane() -> None:
    assert destinations(Route("all", lane("intake"))) == [lane("intake")]


def test_a_table_has_a_lane_for_each_dataset_that_it_names_and_each_once() -> None:
    table = Table("{filename[:2]}", {"al": "alpha", "be": "beta", "al2": "alpha"}, "rest")

    assert destinations(Route("all", lane(""), dataset=table)) == [lane("alpha"), lane("beta"), lane("rest")]


def test_a_table_without_otherwise_names_its_lines_only() -> None:
    assert destinations(Route("all", lane(""), dataset=Table("{ext}", {"png": "alpha"}))) == [lane("alpha")]


def test_where_each_object_names_its_dataset_no_lane_is_known_before() -> None:
    assert destinations(Route("all", lane(""), dataset="{folder}")) == []

"""How a bench reckons, by hand."""

import pytest

from tests.bench.figures import Found, Line, Use, over_time, table, use_of

LATE_AND_HALF_FULL = [
    (10.0, 200, 40),
    (10.1, 200, 100),
    (10.2, 429, 100),
    (10.3, 200, 100),
    (10.4, 200, 50),
    (10.6, 200, 100),
    (10.9, 200, 7),
]


def test_a_quota_counts_between_the_first_and_the_last_full_request() -> None:
    """In half a second five requests of ten a second were allowed; three more than the first passed, one of four half full."""
    use = use_of(LATE_AND_HALF_FULL, per_second=10)
    assert use.used == pytest.approx(3 / 5)
    assert use.fullness == pytest.approx(350 / 400)
    assert use.refused == pytest.approx(1 / 5)
    assert use.items_per_second == pytest.approx(250 / 0.5)


@pytest.mark.parametrize("answered", [[], [(1.0, 200, 100)], [(1.0, 200, 9), (2.0, 200, 9)]])
def test_without_two_full_requests_nothing_was_used(answered: list[tuple[float, int, int]]) -> None:
    assert use_of(answered, per_second=10) == Use(0.0, 0.0, 0.0, 0.0)


def test_what_was_registered_is_told_every_half_second_and_at_the_end() -> None:
    assert over_time(LATE_AND_HALF_FULL, began=9.9) == [
        (0.0, 0.0),
        (pytest.approx(0.5), 240.0),
        (pytest.approx(1.0), 390.0),
        (pytest.approx(1.0), 397.0),
    ]


def test_a_table_says_what_was_wanted_and_whether_it_was_met() -> None:
    lines = [
        Line(2, "one", "worker", {"a": "1", "b": "2 %"}, "at most 3", met=True),
        Line(2, "two", "worker", {"a": "4"}, "at most 3", met=False),
        Line(2, "three", "peer", {"a": "5"}),
    ]
    assert table(Found(lines).lines, {1: "None of it", 2: "Some"}) == (
        "\n## 2. Some\n\n"
        "| what | who | figures | wanted | |\n|---|---|---|---|---|\n"
        "| one | worker | a: 1, b: 2 % | at most 3 | met |\n"
        "| two | worker | a: 4 | at most 3 | **not met** |\n"
        "| three | peer | a: 5 |  |  |\n"
    )

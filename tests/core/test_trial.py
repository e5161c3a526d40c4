"""Finding the guilty item: the rows "413, 414, 422, 400" and "5xx" of the answer table."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from worker.core.backlog import OpenItem
from worker.core.model import Item, Lane, RecordId, S3Object
from worker.core.trial import UNCLEAR, Findings, Piece, Trial

LANE = Lane("acme", "intake", "prod")


def items(count: int) -> list[OpenItem]:
    return [
        OpenItem(Item(LANE, "/", f"{n}.jpg", S3Object("media", f"{n}.jpg"), "all"), RecordId(n, 0))
        for n in range(count)
    ]


def numbers(found: list[OpenItem]) -> list[int]:
    return [item.record.message for item in found]


def sent(trial: Trial, now: float = 0.0) -> Piece:
    piece = trial.next(now)
    assert piece is not None
    return piece


def run(trial: Trial, refuses: Callable[[list[int]], bool]) -> tuple[list[list[int]], list[int], str | None]:
    """Send pieces until the trial halts: what was sent, who was found guilty, and what the lane is at fault for. Who
    stood alone last is guilty too, when something passed before.
    """
    requests, guilty = [], list[int]()
    while not trial.halted:
        piece = sent(trial)
        requests.append(numbers(piece.items))
        found = (
            trial.refused(piece, piece.items, "422") if refuses(requests[-1]) else trial.lane_passed(piece)
        )
        guilty += numbers(found.guilty)
        if found.lane_at_fault is not None:
            return requests, guilty, found.lane_at_fault
    if trial.passed:
        guilty += numbers([item for item, _ in trial.alone])
        trial.alone = []
    return requests, guilty, None


@given(st.integers(0, 99))
def test_one_guilty_item_among_100_needs_at_most_15_requests(guilty: int) -> None:
    """Row: 422, split until the guilty item stands alone; the refused request itself is the first of the 15."""
    trial, all_ = Trial(), items(100)
    assert trial.refused(None, all_, "422") == Findings()
    requests, found, fault = run(trial, lambda batch: guilty in batch)
    assert (found, fault) == ([guilty], None)
    assert 1 + len(requests) <= 15
    passed = [number for batch in requests if guilty not in batch for number in batch]
    assert sorted(passed) == [number for number in range(100) if number != guilty]


def test_the_first_and_the_last_item_of_100_need_no_more_than_15_requests() -> None:
    """The edges, of which the first has no neighbour that passes before it."""
    for guilty in (0, 99):
        trial = Trial()
        trial.refused(None, items(100), "422")
        requests, found, _ = run(trial, lambda batch, guilty=guilty: guilty in batch)  # type: ignore[misc]  # the default binds the loop's value
        assert (found, len(requests) <= 14) == ([guilty], True)


@given(st.integers(3, 100))
def test_a_lane_that_refuses_everything_is_at_fault_after_12_requests(count: int) -> None:
    """Row: 422, down to three singles with the same answer: the fault is the lane's."""
    trial, all_ = Trial(), items(count)
    trial.refused(None, all_, "422")
    requests, guilty, fault = run(trial, lambda _: True)
    assert (guilty, fault) == ([], "422")
    assert 1 + len(requests) <= 12
    assert sorted(numbers(trial.end())) == list(range(count))


def test_the_witnesses_come_from_the_far_end_and_from_the_middle() -> None:
    trial = Trial()
    trial.refused(None, items(16), "422")
    requests, _, _ = run(trial, lambda _: True)
    assert requests == [[*range(8)], [*range(4)], [0, 1], [0], [15], [11]]


def test_bad_neighbours_at_one_end_do_not_condemn_the_lane() -> None:
    trial = Trial()
    trial.refused(None, items(100), "422")
    _, guilty, fault = run(trial, lambda batch: any(number < 10 for number in batch))
    assert (sorted(guilty), fault) == ([*range(10)], None)


@given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_exactly_the_guilty_are_found_or_the_lane_is_at_fault_and_nobody_is_lost(
    case: tuple[int, set[int]],
) -> None:
    count, bad = case
    trial, all_ = Trial(), items(count)
    trial.refused(None, all_, "422")
    requests, guilty, fault = run(trial, lambda batch: not bad.isdisjoint(batch))
    alone = numbers([item for item, _ in trial.alone])
    passed = [n for batch in requests if bad.isdisjoint(batch) for n in batch]
    assert set(guilty) <= bad
    if fault is not None:
        assert len(bad) >= (6 if passed else 3)
        assert sorted(numbers(trial.end()) + guilty + passed) == list(range(count))
    else:
        assert sorted(guilty + passed + alone) == list(range(count))
        assert sorted(guilty + alone) == sorted(bad)


def test_answers_that_differ_do_not_condemn_the_lane() -> None:
    """Row: with the same answer."""
    trial = Trial()
    for item, signature in zip(items(3), ("422 name", "422 path", "400"), strict=True):
        assert trial.refused(None, [item], signature) == Findings()
    assert trial.halted
    assert [said for _, said in trial.alone] == ["422 name", "422 path", "400"]


def test_items_that_stood_alone_are_guilty_as_soon_as_anything_of_the_lane_passes() -> None:
    trial = Trial()
    first, second = items(2)
    trial.refused(None, [first], "422")
    assert trial.waits()
    assert trial.lane_passed(None).guilty == [first]
    assert not trial.waits()
    trial.hear([second])
    assert trial.refused(sent(trial), [second], "422").guilty == []
    assert trial.lane_passed(None).guilty == [second]


def test_a_refusal_from_outside_asks_anew_whether_it_is_the_lane() -> None:
    """A long trial must not judge by what passed before the lane went bad."""
    trial = Trial()
    first, second = items(2)
    trial.failed(None, [first], 0.0)
    trial.lane_passed(None)
    assert trial.refused(None, [second], "422").guilty == []
    assert trial.waits()


def test_what_passed_before_does_not_speak_against_six_who_stand_alone_one_after_the_other() -> None:
    """Row: the fault is the lane's, which went bad while the trial went on."""
    trial = Trial()
    trial.refused(None, items(100), "422")
    answered = 0

    def refuses(batch: list[int]) -> bool:
        nonlocal answered
        answered += 1
        return answered > 2 or 99 in batch

    requests, guilty, fault = run(trial, refuses)
    assert (guilty, fault) == ([], "422")
    assert requests[0] == [*range(50)]
    assert len(requests) <= 20
    assert sorted(numbers(trial.end())) == [*range(50, 100)]


def test_the_answers_of_earlier_trials_count_until_something_passes() -> None:
    trial = Trial(["422", "422"])
    assert trial.refused(None, items(1), "422").lane_at_fault == "422"
    trial = Trial(["422", "422"])
    trial.lane_passed(None)
    assert trial.refused(None, items(1), "422") == Findings()


# No clear answer


def test_a_failed_batch_is_tried_again_whole_and_at_half_size_from_the_second_time() -> None:
    """Row: 5xx."""
    trial, all_ = Trial(), items(4)
    trial.failed(None, all_, 10.0)
    assert (trial.next(9.9), trial.next_at()) == (None, 10.0)
    piece = sent(trial, 10.0)
    assert (numbers(piece.items), piece.failures, trial.next_at()) == ([0, 1, 2, 3], 1, None)
    trial.failed(piece, piece.items, 12.0)
    piece = sent(trial, 12.0)
    assert (numbers(piece.items), piece.failures) == ([0, 1], 2)
    trial.lane_passed(piece)
    assert numbers(sent(trial, 12.0).items) == [2, 3]


def test_an_item_alone_is_tried_five_times() -> None:
    """Row: 5xx, an item that failed alone five times while others pass."""
    trial, (item,) = Trial(), items(1)
    assert trial.failed(None, [item], 0.0) == Findings()
    trial.lane_passed(None)
    for _ in range(3):
        assert trial.failed(sent(trial), [item], 0.0) == Findings()
    assert trial.alone == []
    assert trial.failed(sent(trial), [item], 0.0) == Findings()
    assert (trial.alone, trial.halted) == ([(item, UNCLEAR)], True)


def test_a_lane_whose_items_all_fail_alone_is_at_fault_for_no_clear_answer() -> None:
    trial = Trial()
    fault = None
    for item in items(3):
        trial.failed(None, [item], 0.0)
    for _ in range(12):
        piece = sent(trial)
        fault = trial.failed(piece, piece.items, 0.0).lane_at_fault
    assert fault == UNCLEAR
    assert sorted(numbers(trial.end())) == [0, 1, 2]


def test_an_item_that_is_refused_alone_does_not_fail_any_more() -> None:
    trial, (item,) = Trial(), items(1)
    trial.failed(None, [item], 0.0)
    trial.refused(sent(trial), [item], "422")
    assert (item.failures_alone, trial.alone) == (0, [(item, "422")])


# One piece at a time


def test_one_piece_is_under_way_at_a_time() -> None:
    trial = Trial()
    trial.refused(None, items(4), "422")
    piece = sent(trial)
    assert (trial.next(0.0), trial.next_at(), len(trial)) == (None, None, 4)
    assert trial.put_back(piece, piece.items)
    assert numbers(sent(trial).items) == numbers(piece.items)


def test_an_answer_for_a_piece_of_another_trial_leaves_the_one_under_way_alone() -> None:
    old, trial = Trial(), Trial()
    old.failed(None, items(2), 0.0)
    stray = sent(old)
    trial.refused(None, items(4), "422")
    piece = sent(trial)
    trial.failed(stray, stray.items, 0.0)
    assert not trial.put_back(stray, stray.items)
    assert trial.next(0.0) is None
    assert trial.put_back(piece, [])
    assert trial.next(0.0) is not None


def test_what_is_left_of_a_piece_goes_first_again_with_the_failures_it_had() -> None:
    trial = Trial()
    all_ = items(4)
    trial.failed(None, all_, 0.0)
    trial.put_back(sent(trial), all_[2:], 3.0)
    assert trial.next_at() == 3.0
    piece = sent(trial, 3.0)
    assert (numbers(piece.items), piece.failures) == ([2, 3], 1)


def test_a_trial_whose_last_piece_is_gone_has_come_to_a_halt() -> None:
    trial = Trial()
    first, second = items(2)
    trial.refused(None, [first, second], "422")
    trial.refused(sent(trial), [first], "422")
    trial.put_back(sent(trial), [])
    assert (trial.halted, trial.end()) == (True, [first])

"""Groups: which of the records that one listing judges goes on."""

from typing import Any

import pytest

from tests.core.sample_groups import NOW, Groups, listed, member
from worker.core.grouping import Lacking, Seen, Verdicts, carrier, fingerprint, incomplete, not_quiet, waiting
from worker.core.model import Kind, Later, Notes, Outcome, Reason
from worker.core.routes import Group

RIG = Groups(Group(slots=("front", "back"), within=3_600), slot="{stem}")
QUIET = Groups(Group(quiet=60, within=3_600))

LACKING = Lacking("no file for slot 'back' is there")


def judged(groups: Groups, seen: Seen, *members: Any, now: float = NOW) -> Verdicts:
    return incomplete(groups.of("in/s1/a.mp4"), seen, LACKING, members, now)


def test_the_record_of_the_first_key_is_the_witness_and_the_others_wait() -> None:
    first, other, third = member("in/s1/a", 1), member("in/s1/b", 2), member("in/s1/c", 3)
    seen = RIG.seen("in/s1/a", "in/s1/b", "in/s1/c")
    assert judged(RIG, seen, other, first, third) == Verdicts(
        first,
        Later(
            Outcome(
                Kind.POSTPONED,
                Reason.GROUP_INCOMPLETE,
                "Of the group, no file for slot 'back' is there.",
                "rig",
            ),
            900,
            Notes(NOW),
        ),
        [other, third],
    )
    assert judged(RIG, seen, other, third) == Verdicts(None, None, (other, third))


def test_a_record_whose_object_has_gone_is_a_witness_too() -> None:
    """Nobody knows any more whose witness it was."""
    gone, also_gone, there = member("in/s1/a", 1), member("in/s1/x", 2), member("in/s1/c", 3)
    seen = RIG.seen("in/s1/b", "in/s1/c")
    assert judged(RIG, seen, there, gone).one == gone
    assert judged(RIG, seen, also_gone, there).one == also_gone
    first = member("in/s1/b", 4)
    verdicts = judged(RIG, seen, gone, first, also_gone)
    assert (verdicts.one, verdicts.others) == (first, [gone, also_gone])


def test_of_several_whose_objects_have_gone_the_one_goes_on_whose_key_sorts_first() -> None:
    """However long the other has waited: should both come back, the other would be no witness."""
    gone, also_gone = member("in/s1/a", 1), member("in/s1/x", 2, Notes(NOW - 20))
    assert judged(RIG, RIG.seen("in/s1/b"), also_gone, gone).one == gone


def test_of_several_witnesses_the_one_goes_on_that_has_waited_longest() -> None:
    young, old = member("in/s1/a", 1, Notes(NOW - 10)), member("in/s1/a", 2, Notes(NOW - 20))
    new = member("in/s1/a", 3)
    verdicts = judged(RIG, RIG.seen("in/s1/a"), new, young, old)
    assert (verdicts.one, verdicts.others) == (old, [new, young])
    assert isinstance(verdicts.later, Later)
    assert verdicts.later.notes == Notes(NOW - 20)


def test_a_witness_past_the_routes_limit_is_dead_lettered_and_names_what_is_missing() -> None:
    witness = member("in/s1/a", 1, Notes(NOW - 3_600))
    assert judged(RIG, RIG.seen("in/s1/a"), witness).later == Outcome(
        Kind.BLOCKED,
        Reason.MISSING_PARTS,
        "Of the group 'in/s1/', no file for slot 'back' is there within 3600 seconds.",
        "rig",
    )


@pytest.mark.parametrize(
    ("waited", "delay"), [(0, 900), (2_699.5, 900), (2_700.5, 900), (3_000, 601), (3_599.5, 1)]
)
def test_a_witness_comes_again_no_later_than_its_limit(waited: float, delay: int) -> None:
    later = judged(RIG, RIG.seen("in/s1/a"), member("in/s1/a", 1, Notes(NOW - waited))).later
    assert isinstance(later, Later)
    assert later.delay == delay


def test_where_nothing_is_left_of_a_group_nobody_goes_on() -> None:
    one, other = member("in/s1/a", 1), member("in/s1/b", 2)
    gone = Outcome(
        Kind.IGNORED, Reason.OBJECT_GONE, "Nothing of the group is there any more but empty objects.", "rig"
    )
    assert judged(RIG, RIG.seen(of="in/s1/a"), one, other) == Verdicts(one, gone, (other,))


def test_the_item_of_a_group_belongs_to_the_record_that_would_be_its_witness() -> None:
    """The marker's comes last: it is a witness only where there is no part."""
    groups = Groups(Group(marker="M", within=3_600), slot="{stem}")
    marker, first, other = member("in/s1/M", 1), member("in/s1/a", 2), member("in/s1/b", 3, again=True)
    assert carrier(groups.of("in/s1/a"), [marker, other, first]) == first
    assert carrier(groups.of("in/s1/a"), [marker, other]) == other
    assert carrier(groups.of("in/s1/a"), [marker]) == marker


def test_who_does_not_go_on_waits_and_is_told_why() -> None:
    group = RIG.of("in/s1/a")
    assert waiting(group, Reason.IN_ONE_ITEM) == Outcome(
        Kind.WAITING,
        Reason.IN_ONE_ITEM,
        "Another record of the group goes on for it, with this part in it.",
        "rig",
    )
    assert waiting(group, Reason.GROUP_INCOMPLETE) == Outcome(
        Kind.WAITING,
        Reason.GROUP_INCOMPLETE,
        "The group is not complete; the part that completes it will list this one again.",
        "rig",
    )


# -- a quiet period ---------------------------------------------------------------------------------------------------

MARK = fingerprint([listed("in/s1/a"), listed("in/s1/b")])


def quieted(*members: Any, now: float = NOW, groups: Groups = QUIET) -> Any:
    return not_quiet(groups.of("in/s1/a"), groups.seen("in/s1/a", "in/s1/b"), members, now)


def test_a_group_that_is_seen_for_the_first_time_is_looked_at_again_after_the_quiet_period() -> None:
    one, other = member("in/s1/a", 1), member("in/s1/b", 2)
    assert quieted(one, other) == Verdicts(
        one,
        Later(
            Outcome(
                Kind.POSTPONED,
                Reason.GROUP_QUIETING,
                "Of the group, it was not quiet for 60 seconds.",
                "rig",
            ),
            61,
            Notes(NOW, MARK, NOW),
        ),
        [other],
    )


def test_a_group_whose_listing_stayed_the_same_for_the_quiet_period_is_complete() -> None:
    noted = member("in/s1/b", 2, Notes(NOW - 70, MARK, NOW - 60))
    assert quieted(member("in/s1/a", 1), noted) == noted
    still = member("in/s1/b", 2, Notes(NOW - 70, MARK, NOW - 59))
    assert quieted(member("in/s1/a", 1), still).later == Later(
        Outcome(
            Kind.POSTPONED, Reason.GROUP_QUIETING, "Of the group, it was not quiet for 60 seconds.", "rig"
        ),
        2,
        Notes(NOW - 70, MARK, NOW - 59),
    )


@pytest.mark.parametrize("mark", ["", fingerprint([listed("in/s1/a")])])
def test_a_group_that_changed_is_waited_for_anew(mark: str) -> None:
    verdicts = quieted(member("in/s1/a", 1, Notes(NOW - 500, mark, NOW - 400)))
    assert verdicts.later.delay == 61
    assert verdicts.later.notes == Notes(NOW - 500, MARK, NOW)


def test_of_those_that_saw_as_little_the_one_goes_on_that_has_waited_longest() -> None:
    """Else a part every now and then would begin the route's limit anew for ever."""
    new, old = member("in/s1/b", 1), member("in/s1/a", 2, Notes(NOW - 500, "other", NOW - 10))
    assert quieted(new, old).one == old
    assert quieted(old, new).later.notes.waiting_since == NOW - 500


def test_an_operators_record_goes_on_with_what_the_others_have_seen() -> None:
    """Else nobody would ask Darwin for an item that the ledger has as registered."""
    again = member("in/s1/a", 1, again=True)
    still = quieted(again, member("in/s1/b", 2, Notes(NOW - 70, MARK, NOW - 59)))
    assert (still.one, still.later.notes) == (again, Notes(NOW - 70, MARK, NOW - 59))
    assert quieted(again, member("in/s1/b", 2, Notes(NOW - 70, MARK, NOW - 60))) == again


def test_a_group_that_never_is_quiet_is_dead_lettered_after_the_routes_limit() -> None:
    never = member("in/s1/a", 1, Notes(NOW - 3_600, "other", NOW - 10))
    assert quieted(never).later == Outcome(
        Kind.BLOCKED,
        Reason.MISSING_PARTS,
        "Of the group 'in/s1/', it was not quiet for 60 seconds within 3600 seconds.",
        "rig",
    )


def test_a_quiet_period_may_be_longer_than_one_message_can_be_delayed() -> None:
    groups = Groups(Group(quiet=2_000, within=9_000))
    assert quieted(member("in/s1/a"), groups=groups).later.delay == 900

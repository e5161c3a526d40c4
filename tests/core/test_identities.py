"""The identities that a process has open: law 1."""

from collections import deque

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.core.backlog import OpenItem
from worker.core.identities import Identities
from worker.core.model import Item, Lane, RecordId, S3Object

LANE = Lane("acme", "intake", "prod")


def open_item(name: str, number: int) -> OpenItem:
    return OpenItem(Item(LANE, "/", name, S3Object("media", name), "all"), RecordId(number, 0))


class OneAtATime(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.identities = Identities()
        self.queues: dict[str, deque[OpenItem]] = {name: deque() for name in "abc"}
        self.last = 0

    @rule(name=st.sampled_from("abc"))
    def an_item_arrives(self, name: str) -> None:
        self.last += 1
        item = open_item(name, self.last)
        assert self.identities.admit(item) == (not self.queues[name])
        self.queues[name].append(item)

    @precondition(lambda self: any(self.queues.values()))
    @rule(data=st.data())
    def the_item_that_was_let_through_leaves(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([name for name, queue in self.queues.items() if queue]))
        queue = self.queues[name]
        following = self.identities.leave(queue.popleft())
        assert following is (queue[0] if queue else None)

    @precondition(lambda self: any(len(queue) > 1 for queue in self.queues.values()))
    @rule(data=st.data())
    def a_waiting_item_cannot_leave(self, data: st.DataObject) -> None:
        queue = data.draw(st.sampled_from([queue for queue in self.queues.values() if len(queue) > 1]))
        assert self.identities.leave(queue[-1]) is None

    @invariant()
    def one_item_of_each_identity_is_open(self) -> None:
        assert len(self.identities) == sum(1 for queue in self.queues.values() if queue)


TestOneAtATime = OneAtATime.TestCase


def test_two_records_of_one_item_never_travel_side_by_side() -> None:
    """Law 1."""
    identities = Identities()
    first, second = open_item("a.jpg", 1), open_item("a.jpg", 2)
    assert identities.admit(first)
    assert not identities.admit(second)
    assert identities.leave(first) is second
    assert identities.leave(second) is None
    assert identities.admit(open_item("a.jpg", 3))


def test_an_item_that_was_let_through_may_be_admitted_again() -> None:
    identities = Identities()
    item = open_item("a.jpg", 1)
    assert identities.admit(item)
    assert identities.admit(item)


def test_equal_records_are_still_two_items() -> None:
    """The same record in two places of one message."""
    identities = Identities()
    assert identities.admit(open_item("a.jpg", 1))
    assert not identities.admit(open_item("a.jpg", 1))

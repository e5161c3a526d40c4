"""What many listings do to one group, in any order and at once on several workers: S3 is its only state.

A model of S3, of the queue and of the ledger, in which each put sends a record, each judgement begins with a listing and
ends when it likes, and every verdict is carried out as the worker does.
"""

from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.core.sample_groups import Groups, drafts
from worker.core.forms import CannotBe
from worker.core.grouping import Member, Verdicts, carrier, same_keys
from worker.core.judging import Ready, judge
from worker.core.model import ItemType, Kind, Later, RecordId, S3Object
from worker.core.objects import Listed
from worker.core.routes import Group
from worker.core.routing import PartOf

WITHIN = 3_600
KINDS = {
    "slots": Groups(Group(slots=("a", "b", "c"), within=WITHIN), slot="{stem}"),
    "count": Groups(Group(count=3, within=WITHIN), type=ItemType.DICOM),
    "marker": Groups(Group(marker="_SUCCESS", within=WITHIN), slot="{stem}"),
    "manifest": Groups(Group(manifest="M.json", within=WITHIN), slot="{stem}"),
    "quiet": Groups(Group(quiet=60, within=WITHIN), slot="{stem}"),
}
MANIFEST = b'{"slots": [{"slot": "0", "file": "a.png"}, {"slot": "1", "file": "c.png"}]}'
FOLDERS = ("in/s1/", "in/s2/")
NAMES = {"marker": ("a.png", "c.png", "_SUCCESS"), "manifest": ("a.png", "b.png", "c.png", "M.json")}
"""Of the manifest, b.png is not named."""


@dataclass(frozen=True)
class Judgement:
    """Under way: some records, and what the listing showed that began after they were received."""

    part: PartOf
    members: tuple[Member, ...]
    listed: tuple[Listed, ...]
    began: float


class Histories(RuleBasedStateMachine):
    """The events that bring a part of a group about are delivered at least once, and until a verdict deletes them."""

    kind: str

    def __init__(self) -> None:
        super().__init__()
        self.groups = KINDS[self.kind]
        self.names = NAMES.get(self.kind, ("a.png", "b.png", "c.png"))
        self.now = 1_000_000.0
        self.sent = 0
        self.there: dict[str, Listed] = {}
        self.queue: list[tuple[float, Member]] = []
        self.under_way: list[Judgement] = []
        self.ledger: dict[str, S3Object] = {}
        self.dead: set[str] = set()

    # -- what happens -------------------------------------------------------------------------------------------------

    @rule(data=st.data(), copies=st.sampled_from([1, 1, 1, 2]))
    def put(self, data: st.DataObject, copies: int) -> None:
        """An object comes or is overwritten; its event is delivered, once or twice, when it likes."""
        key = data.draw(st.sampled_from(FOLDERS)) + data.draw(st.sampled_from(self.names))
        for _ in range(copies):
            self.sent += 1
            self.queue.append((self.now, Member(RecordId(self.sent, 0), key)))
        self.there[key] = Listed(key, f"etag {self.sent}", 7)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        del self.there[data.draw(st.sampled_from(sorted(self.there)))]

    @rule(seconds=st.sampled_from([1, 59, 61, 900, WITHIN]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self._due())
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """A worker has received some records of one group, and lists it."""
        due = self._due()
        folder = data.draw(st.sampled_from(sorted({_folder(member) for member in due})))
        of_group = [member for member in due if _folder(member) == folder]
        self._begin(data.draw(st.lists(st.sampled_from(of_group), min_size=1, unique=True)))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self._finish(self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1))))

    # -- as the worker does it ----------------------------------------------------------------------------------------

    def _due(self) -> list[Member]:
        return [member for at, member in self.queue if at <= self.now]

    def _begin(self, members: list[Member]) -> None:
        self.queue = [(at, member) for at, member in self.queue if member not in members]
        part = self.groups.part(members[0].key)
        listed = tuple(self.there[key] for key in sorted(self.there) if key.startswith(part.group.beginning))
        self.under_way.append(Judgement(part, tuple(members), listed, self.now))

    def _finish(self, judgement: Judgement) -> None:
        folder, members = _folder(judgement.members[0]), judgement.members
        seen = self.groups.routes.seen(judgement.part.group, judgement.listed)
        content = MANIFEST if seen.marker is not None and seen.marker.key.endswith("M.json") else None
        try:
            found = judge(judgement.part, seen, content, members, judgement.began)
            if isinstance(found, Ready):
                item = found.item(drafts(found.parts))
        except CannotBe:
            self.dead.add(folder)
            return
        if isinstance(found, Verdicts):
            goes_on = [] if found.one is None else [found.one]
            assert sorted([*goes_on, *found.others]) == sorted(members)
            self._carry_out(folder, found)
            return
        assert sorted([found.one, *found.others]) == sorted(members)
        named = [member for member in members if not found.leaves_out(member)] or members
        assert found.one == carrier(judgement.part.group, named) or self.kind == "quiet"
        left_out = folder + "b.png" if self.kind == "manifest" else ""
        assert {slot.key for slot in item.slots} == {
            each.key for each in judgement.listed if each.key.endswith(".png") and each.key != left_out
        }
        known = self.ledger.setdefault(folder, item.object)
        if not same_keys(known, item.object):
            self.dead.add(folder)  # a late part

    def _carry_out(self, folder: str, verdicts: Verdicts) -> None:
        match verdicts.later:
            case Later(delay=delay, notes=notes) if verdicts.one is not None:
                assert 1 <= delay <= 900
                self.queue.append((self.now + delay, verdicts.one._replace(notes=notes)))
            case None:
                pass
            case outcome:
                assert not isinstance(outcome, Later)
                if outcome.kind is Kind.BLOCKED:
                    self.dead.add(folder)

    # -- what holds ---------------------------------------------------------------------------------------------------

    @invariant()
    def no_group_is_forgotten(self) -> None:
        """It is registered, or a dead letter tells of it, or a record is there that will judge it again."""
        known = self.ledger.keys() | self.dead
        coming = {_folder(member) for _, member in self.queue}
        coming |= {_folder(judgement.members[0]) for judgement in self.under_way}
        assert {_folder(each) for each in self.there.values()} <= known | coming

    def teardown(self) -> None:
        """With time enough all records are judged, and each group has its end; one record for each is enough for that."""
        while self.queue or self.under_way:
            while self.under_way:
                self._finish(self.under_way.pop())
            self.now = max(self.now, min((at for at, _ in self.queue), default=0.0))
            for folder in FOLDERS:
                if members := [member for member in self._due() if _folder(member) == folder]:
                    self._begin(members)
            assert self.now < 1_000_000 + 10**6
        complete = {_folder(each) for each in self.there.values()}
        assert complete <= self.ledger.keys() | self.dead


def _folder(of: Member | Listed) -> str:
    return of.key.rpartition("/")[0] + "/"


class BySlots(Histories):
    kind = "slots"


class ByCount(Histories):
    kind = "count"


class ByMarker(Histories):
    kind = "marker"


class ByManifest(Histories):
    kind = "manifest"


class ByQuiet(Histories):
    kind = "quiet"


for machine in (BySlots, ByCount, ByMarker, ByManifest, ByQuiet):
    machine.TestCase.settings = settings(stateful_step_count=30)

TestBySlots = BySlots.TestCase
TestByCount = ByCount.TestCase
TestByMarker = ByMarker.TestCase
TestByManifest = ByManifest.TestCase
TestByQuiet = ByQuiet.TestCase


def test_two_groups_are_judged_apart_though_their_records_come_interleaved() -> None:
    groups = KINDS["slots"]
    there = [Listed(f"in/{scene}/{name}.png", "e", 7) for scene in ("s1", "s10") for name in "abc"]
    for scene in ("s1", "s10"):
        part = groups.part(f"in/{scene}/a.png")
        found = judge(part, groups.routes.seen(part.group, there), None, [Member(RecordId(1, 0), "k")], 0.0)
        assert isinstance(found, Ready)
        assert [each.listed.key for each in found.parts] == [f"in/{scene}/{name}.png" for name in "abc"]


def test_a_series_of_a_thousand_slices_is_one_item_of_one_slot_in_the_order_of_their_numbers() -> None:
    groups = Groups(Group(count=1_000), type=ItemType.DICOM)
    there = [Listed(f"in/ct/slice-{number}.dcm", "e", 7) for number in range(1, 1_001)]
    part = groups.part(there[0].key)
    members = [Member(RecordId(number, 0), each.key) for number, each in enumerate(there)]
    in_order_of_keys = sorted(there, key=lambda each: each.key)
    found = judge(part, groups.routes.seen(part.group, in_order_of_keys), None, members, 0.0)
    assert isinstance(found, Ready)
    assert len(found.others) == 999
    item = found.item(drafts(found.parts))
    assert (item.path, item.name, item.grouped) == ("/", "ct", True)
    assert [slot.key for slot in item.slots] == [each.key for each in there]
    assert {slot.name for slot in item.slots} == {"0"}


def test_the_record_that_would_be_the_witness_carries_the_item() -> None:
    """Else the group would be forgotten where it loses a part before its item is sent."""
    groups = KINDS["count"]
    there = [Listed(f"in/s1/{name}.png", "e", 7) for name in "abc"]
    part = groups.part(there[0].key)
    first, other = Member(RecordId(2, 0), there[0].key), Member(RecordId(1, 0), there[1].key, again=True)
    found = judge(part, groups.routes.seen(part.group, there), None, [other, first], 0.0)
    assert isinstance(found, Ready)
    assert (found.one, found.others) == (first, [other])

"""Finding the guilty item of a batch that Darwin would not take (answer table: 413 to 422, and 5xx).

A trial belongs to one lane and sends one piece at a time. A refused piece is halved, depth first, until an item
stands alone. Whether a lone refused item is guilty, or its lane is, shows in what comes after it: once anything of
the lane passes, every item refused alone is guilty; when the third item alone gets the same answer and nothing has
passed between, the fault is the lane's. Where something of the trial passed before, it takes the sixth: guilty
neighbours are likely then, and a lane that went bad since is still found out before its items are blamed. The next
witnesses are single items from far away, so that a few bad neighbours do not condemn the lane.

A piece that failed without a clear answer is tried again whole once, then halved; an item alone five times.

A trial that has come to a halt has nothing left to send. What it holds then stood alone, and it is for the caller to
call another witness (:meth:`Trial.hear`) or to decide without one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.core.backlog import OpenItem

TRIES_ALONE = 5
WITNESSES, WITNESSES_AFTER_A_PASS = 3, 6

UNCLEAR = "no clear answer"
"""What an item stood alone with when it was not refused but failed."""


@dataclass(slots=True, eq=False)
class Piece:
    """Items that go in one request of the trial, not before *not_before*."""

    items: list[OpenItem]
    failures: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What a trial found out by one answer.

    *guilty*: these items are alone at fault. *lane_at_fault*: the answer that all witnesses got; the trial is over
    and :meth:`Trial.end` gives all items back.
    """

    guilty: list[OpenItem] = field(default_factory=list)
    lane_at_fault: str | None = None


class Trial:
    """The trial of one lane: a stack of pieces, the one under way, and the items that stood alone.

    *earlier*: the answers to the items that stood alone in the trials before, if nothing of the lane passed since.
    An answer may come for a piece of an earlier trial: it counts as one to a batch from outside.
    """

    def __init__(self, earlier: Iterable[str] = ()) -> None:
        self.passed = False
        self.refusing = False
        self.alone: list[tuple[OpenItem, str]] = []
        self._earlier = list(earlier)
        self._stack: list[Piece] = []
        self._under_way: Piece | None = None

    @property
    def halted(self) -> bool:
        return not self._stack and self._under_way is None

    def __len__(self) -> int:
        pieces = sum(len(piece.items) for piece in self._stack)
        return pieces + len(self.alone) + (len(self._under_way.items) if self._under_way else 0)

    def waits(self) -> bool:
        """Whether the lane's other items must wait: Darwin refuses, and nothing shows yet that it is not the lane."""
        return self.refusing and not self.passed

    def next_at(self) -> float | None:
        """When the next piece may go; None while one is under way, or none is left."""
        if self._under_way is not None or not self._stack:
            return None
        return min(piece.not_before for piece in self._stack)

    def next(self, now: float) -> Piece | None:
        """The piece to send now; it is under way until it is named in an answer or put back."""
        if self._under_way is not None:
            return None
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at].not_before <= now:
                self._under_way = self._stack.pop(at)
                return self._under_way
        return None

    def hear(self, witnesses: list[OpenItem]) -> None:
        """Items from outside the trial go next, in one request."""
        self._stack.append(Piece(witnesses))

    def put_back(self, piece: Piece | None, items: list[OpenItem], not_before: float = 0.0) -> bool:
        """Nothing was said about the piece: what is left of it goes on top again. False when it is not under way here."""
        if not self._answered(piece):
            return False
        if items:
            self._stack.append(Piece(items, piece.failures if piece is not None else 0, not_before))
        return True

    def refused(self, piece: Piece | None, items: list[OpenItem], signature: str) -> Findings:
        """Darwin refused a request with these *items*. One from outside the trial asks anew whether it is the lane."""
        ours = self._answered(piece)
        self.refusing = True
        self.passed = self.passed and ours
        if len(items) == 1:
            items[0].failures_alone = 0
            return self._stood_alone(items[0], signature)
        if items:
            halves = _halved(items)
            self._stack = self._stack + halves if ours else halves + self._stack
        return Findings()

    def failed(self, piece: Piece | None, items: list[OpenItem], not_before: float) -> Findings:
        """A request with these *items* got no clear answer; one from outside the trial is tried again as it is."""
        failures = 1 + (piece.failures if piece is not None and self._answered(piece) else 0)
        if len(items) == 1:
            items[0].failures_alone += 1
            if items[0].failures_alone >= TRIES_ALONE:
                return self._stood_alone(items[0], UNCLEAR)
        if len(items) > 1 and failures > 1:
            self._stack += _halved(items, failures, not_before)
        elif items:
            self._stack.insert(0, Piece(items, failures, not_before))
        return Findings()

    def lane_passed(self, piece: Piece | None) -> Findings:
        """A request of this lane was taken, whatever Darwin said of its single items: those that stood alone did so
        through their own fault.
        """
        self._answered(piece)
        self.passed, self._earlier = True, []
        guilty, self.alone = [item for item, _ in self.alone], []
        return Findings(guilty=guilty)

    def end(self) -> list[OpenItem]:
        """Every item that the trial still holds and that is not under way, in order."""
        items = [item for item, _ in self.alone] + [i for piece in reversed(self._stack) for i in piece.items]
        self._stack, self.alone = [], []
        return items

    def _answered(self, piece: Piece | None) -> bool:
        """Whether it was the piece under way, which it is no more."""
        ours = piece is not None and piece is self._under_way
        if ours:
            self._under_way = None
        return ours

    def _stood_alone(self, item: OpenItem, signature: str) -> Findings:
        self.alone.append((item, signature))
        needed = WITNESSES_AFTER_A_PASS if self.passed else WITNESSES
        if [*self._earlier, *(said for _, said in self.alone)].count(signature) >= needed:
            return Findings(lane_at_fault=signature)
        if not self.passed or len(self.alone) > 1:
            self._call_witness()
        return Findings()

    def _call_witness(self) -> None:
        """Let a single item go next: first the one farthest from the item that stood alone, then one of a middle."""
        if not self._stack:
            return
        far = self._stack[0] if len(self.alone) == 1 else max(self._stack, key=lambda p: len(p.items))
        if len(far.items) == 1:
            self._stack.remove(far)
            self._stack.append(far)
            return
        witness = far.items.pop(-1 if len(self.alone) == 1 else len(far.items) // 2)
        self._stack.append(Piece([witness], far.failures, far.not_before))


def _halved(items: list[OpenItem], failures: int = 0, not_before: float = 0.0) -> list[Piece]:
    """Two pieces, the first half on top. It is the smaller one: the way down the left edge is the only one that needs
    an additional witness, and so it should be the shortest.
    """
    half = len(items) // 2
    return [Piece(items[half:], failures, not_before), Piece(items[:half], failures, not_before)]

"""Finding the guilty item of a batch that Darwin would not take (answer table: 413 to 422, and 5xx).

A trial belongs to one lane and sends one piece at a time. A refused piece is halved, depth first, until an item
stands alone. Whether a lone refused item is guilty, or its lane is, shows in the others: once anything of the lane
passes, every item refused alone is guilty; when the third item alone gets the same answer and nothing has passed,
the fault is the lane's. After the first lone refusal the next witnesses are single items from the far ends, so that
a few bad neighbours at one end do not condemn the lane.

A piece that failed without a clear answer is tried again whole once, then halved; an item alone five times.
"""

from dataclasses import dataclass, field

from worker.core.backlog import OpenItem

TRIES_ALONE = 5
WITNESSES = 3


@dataclass(slots=True, eq=False)
class Piece:
    """Items that go in one request of the trial, not before *not_before*."""

    items: list[OpenItem]
    failures: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What a trial found out by one answer.

    *guilty*: these items are alone at fault. *lane_at_fault*: the answer that three witnesses got; the trial is over
    and :meth:`Trial.end` gives all items back. *left*: items that failed alone while nothing passed: undecided.
    """

    guilty: list[OpenItem] = field(default_factory=list)
    lane_at_fault: str | None = None
    undecided: list[OpenItem] = field(default_factory=list)


class Trial:
    """The trial of one lane: a stack of pieces, the one under way, and the items that stood alone."""

    def __init__(self) -> None:
        self.passed = False
        self.refusing = False
        self._stack: list[Piece] = []
        self._under_way: Piece | None = None
        self.alone: list[tuple[OpenItem, str]] = []

    @property
    def over(self) -> bool:
        return not self._stack and self._under_way is None and not self.alone

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
        """The piece to send now; it is under way until :meth:`refused`, :meth:`failed` or :meth:`pass_piece`."""
        if self._under_way is not None:
            return None
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at].not_before <= now:
                self._under_way = self._stack.pop(at)
                return self._under_way
        return None

    def add_refused(self, items: list[OpenItem], signature: str) -> Findings:
        """A batch from outside the trial was refused."""
        return self._refuse(Piece(items), signature, bottom=True)

    def add_failed(self, items: list[OpenItem], not_before: float) -> None:
        """A batch from outside the trial failed: it is tried again as it is."""
        self._stack.insert(0, Piece(items, 1, not_before))

    def put_back(self, items: list[OpenItem], not_before: float = 0.0) -> Findings:
        """Nothing was said about the piece under way (429, key refused): what is left of it goes on top again."""
        failures = self._answered()
        if items:
            self._stack.append(Piece(items, failures, not_before))
        return self._rest()

    def refused(self, items: list[OpenItem], signature: str) -> Findings:
        """Darwin refused the piece under way. *items*: those of it that were really sent."""
        self._answered()
        return self._refuse(Piece(items), signature)

    def failed(self, items: list[OpenItem], not_before: float) -> Findings:
        """The piece under way got no clear answer."""
        failures = self._answered() + 1
        if not items:
            return self._rest()
        if len(items) == 1:
            items[0].failures_alone += 1
            if items[0].failures_alone >= TRIES_ALONE:
                return self._stood_alone(items[0], "no clear answer")
            self._stack.insert(0, Piece(items, failures, not_before))
            return Findings()
        half = (len(items) + 1) // 2
        self._stack += [Piece(items[half:], failures, not_before), Piece(items[:half], failures, not_before)]
        return Findings()

    def pass_piece(self) -> Findings:
        """Darwin took the piece under way as a request, whatever it said of the single items."""
        self._answered()
        return self.lane_passed()

    def lane_passed(self) -> Findings:
        """A request of this lane was taken: items that stood alone did so through their own fault."""
        self.passed = True
        guilty, self.alone = [item for item, _ in self.alone], []
        return Findings(guilty=guilty)

    def end(self) -> list[OpenItem]:
        """Every item that the trial still holds and that is not under way, in order."""
        items = [item for item, _ in self.alone] + [i for piece in reversed(self._stack) for i in piece.items]
        self._stack, self.alone = [], []
        return items

    def _answered(self) -> int:
        """Nothing is under way any more; how often the piece had failed before."""
        failures = self._under_way.failures if self._under_way is not None else 0
        self._under_way = None
        return failures

    def _refuse(self, piece: Piece, signature: str, *, bottom: bool = False) -> Findings:
        self.refusing = True
        if not piece.items:
            return self._rest()
        if len(piece.items) == 1:
            return self._stood_alone(piece.items[0], signature)
        half = (len(piece.items) + 1) // 2
        halves = [Piece(piece.items[half:]), Piece(piece.items[:half])]
        self._stack = halves + self._stack if bottom else self._stack + halves
        return Findings()

    def _stood_alone(self, item: OpenItem, signature: str) -> Findings:
        if self.passed:
            return Findings(guilty=[item])
        self.alone.append((item, signature))
        if sum(same == signature for _, same in self.alone) >= WITNESSES:
            return Findings(lane_at_fault=signature)
        self._call_witness()
        return self._rest()

    def _call_witness(self) -> None:
        """Let a single item go next: first the one farthest from the item that stood alone, then one of the middle."""
        if not self._stack:
            return
        far = self._stack[0] if len(self.alone) == 1 else max(self._stack, key=lambda p: len(p.items))
        if len(far.items) == 1:
            self._stack.remove(far)
            self._stack.append(far)
            return
        witness = far.items.pop(-1 if len(self.alone) == 1 else len(far.items) // 2)
        self._stack.append(Piece([witness], far.failures, far.not_before))

    def _rest(self) -> Findings:
        """Nothing left to try: fewer than three stood alone, and nothing speaks for or against the lane."""
        if self._stack or self._under_way is not None or not self.alone:
            return Findings()
        undecided, self.alone = [item for item, _ in self.alone], []
        return Findings(undecided=undecided)

"""Plain mutations of bodies: a number and a seed always make the same body.

The corpus is what senders really send and what they never should, one body a file; the hostile ones that are too large
for that come from :mod:`tests.fuzz.hostile`.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz.hostile import ATTRIBUTES, BIG, FATAL_VALUES, LARGEST, RAW_VALUES

CORPUS = Path(__file__).parent / "corpus"

_WELL_MEANT = ("s3-", "eventbridge-", "sns-s3", "sns-eventbridge", "our-", "key-", "time-", "bucket-")
_BIG_ONE_IN = 2_000
_ATTRIBUTES_ONE_IN = 5
_CARRIED = (
    *("first_seen", "attempts", "again", "reason", "detail"),
    *("waiting_since", "fingerprint", "unchanged_since"),
)


class Body(NamedTuple):
    """What a queue might hand us. *origin* is for people."""

    text: str
    attributes: Mapping[str, str]
    origin: str


class Mutator:
    """Makes body *number* of the run *seed*, whatever was made before."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._names, self._small = zip(*_files(), strict=True)
        self._documents = _documents()
        self._good = [at for at, name in enumerate(self._names) if name.startswith(_WELL_MEANT)]

    def body(self, number: int) -> Body:
        draw = random.Random(f"{self._seed}/{number}")  # noqa: S311 - a seeded draw is the point
        if draw.randrange(_BIG_ONE_IN) == 0:
            origin = draw.choice(list(BIG))
            data, document = _big(origin), None
        else:
            at = draw.choice(self._good if draw.random() < 0.7 else range(len(self._small)))
            data, origin, document = self._small[at], self._names[at], self._documents[at]
        by_value = document is not None and draw.random() < 0.8
        if by_value:
            data = _structural(draw, document).encode("utf-8", "surrogatepass")
            origin += " with other values"
        if not by_value or draw.random() < 0.15:
            for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
                data = draw.choice(_BYTEWISE)(draw, data, self._small)
        attributes = _attributes(draw) if draw.randrange(_ATTRIBUTES_ONE_IN) == 0 else {}
        return Body(text(data[:LARGEST]), attributes, origin)


@cache
def _files() -> tuple[tuple[str, bytes], ...]:
    return tuple((path.name, path.read_bytes()) for path in sorted(CORPUS.iterdir()))


@cache
def _documents() -> tuple[Any, ...]:
    return tuple(_document(text(data)) for _, data in _files())


@cache
def _big(name: str) -> bytes:
    return BIG[name]().encode("utf-8", "surrogatepass")


def origins() -> list[str]:
    """What the bodies of the corpus are called, the large ones too."""
    return [*dict(_files()), *BIG]


def as_it_stands(origin: str) -> Body:
    """The body of the corpus that is called so."""
    return Body(BIG[origin]() if origin in BIG else text(dict(_files())[origin]), {}, origin)


def corpus() -> list[Body]:
    """Every body as it stands, the large ones too."""
    return [as_it_stands(origin) for origin in origins()]


def text(data: bytes) -> str:
    """As a body that an emulator lets through: bytes that are no UTF-8 become lone surrogates."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def _attributes(draw: random.Random) -> dict[str, str]:
    return {name: draw.choice(ATTRIBUTES) for name in _CARRIED if draw.getrandbits(1)}


# -- by value -------------------------------------------------------------------------------------------------------


def _document(body: str) -> Any:
    """The JSON of the body; None for one that has none, and for one that is only a value."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict | list) else None


def _structural(draw: random.Random, document: Any) -> str:
    """The document with one to three of its values replaced, doubled, moved or taken away."""
    changed = json.loads(json.dumps(document))
    values = [
        draw.choice(FATAL_VALUES if draw.randrange(40) == 0 else RAW_VALUES)
        for _ in range(draw.choice((1, 1, 2, 3)))
    ]
    for number in range(len(values)):
        _change(draw, changed, f"@hostile {number}@")
    written = json.dumps(changed, ensure_ascii=draw.getrandbits(1) == 1)
    for number, value in enumerate(values):
        written = written.replace(f'"@hostile {number}@"', value)
        # The same within a text that is JSON itself, as SNS carries it.
        written = written.replace(rf"\"@hostile {number}@\"", json.dumps(value)[1:-1])
    return written


def _change(draw: random.Random, node: Any, mark: str) -> None:
    """Walk down from *node* to a random value and change it there."""
    while True:
        places = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not places:
            return
        place = draw.choice(places)
        below = node[place]
        if isinstance(below, str) and (inner := _document(below)) and draw.random() < 0.8:
            _change(draw, inner, mark)
            node[place] = json.dumps(inner)
            return
        if not isinstance(below, dict | list) or not below or draw.random() < 0.15:
            break
        node = below
    how = draw.randrange(6)
    if how == 0 and isinstance(node, dict):
        del node[place]
    elif how == 1 and isinstance(node, list):
        node.extend([node[place]] * draw.choice((1, 3, 1_000)))
    elif how == 2 and isinstance(node, dict):
        node[draw.choice(places)] = node[place]
    else:
        node[place] = mark


# -- by byte --------------------------------------------------------------------------------------------------------


def _slice(draw: random.Random, data: bytes) -> tuple[int, int]:
    start = draw.randint(0, len(data))
    return start, min(len(data), start + draw.choice((1, 2, 4, 16, 64, 256)))


def _flip_bit(draw: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def _set_byte(draw: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = draw.randint(0, len(data))
    return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]


def _cut(draw: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _slice(draw, data)
    return data[:start] + data[end:]


def _double(draw: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _slice(draw, data)
    return data[:end] + data[start:end] * draw.choice((1, 2, 10, 100)) + data[end:]


def _truncate(draw: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: draw.randint(0, len(data))]


def _splice(draw: random.Random, data: bytes, corpus_: Sequence[bytes]) -> bytes:
    other = draw.choice(corpus_)
    return data[: draw.randint(0, len(data))] + other[draw.randint(0, len(other)) :]


def _insert(draw: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = draw.randint(0, len(data))
    return data[:at] + draw.choice(RAW_VALUES + FATAL_VALUES).encode() + data[at:]


_Bytewise = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
_BYTEWISE: tuple[_Bytewise, ...] = (_flip_bit, _set_byte, _cut, _double, _truncate, _splice, _insert)

"""A page in Markdown, taken apart: sections, fenced blocks and tables, so that tests can hold it to its word."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROUTES_PAGE = Path(__file__).parent.parent.parent / "docs" / "routes.md"

_HEADING = re.compile(r"(#+) (.*)")
_CELLS = re.compile(r"(?<!\\)\|")

Row = Mapping[str, str]
"""The cells of a table's line by the words of its head."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. *before* is the last line of text that stands above it in its section."""

    language: str
    text: str
    before: str


@dataclass(slots=True)
class Section:
    """What stands below a heading, up to the next one of any level. *within*: the headings that it stands under."""

    title: str
    within: tuple[str, ...]
    blocks: list[Block] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    text: str = ""

    def blocks_of(self, language: str) -> list[str]:
        return [block.text for block in self.blocks if block.language == language]


def sections_of(path: Path) -> dict[str, Section]:
    """The sections by their titles, in their order. No two have one title."""
    found: dict[str, Section] = {}
    above: list[str] = []
    for title, depth, lines in _split(path.read_text().splitlines()):
        above[depth - 1 :] = [title]
        assert title not in found, title
        found[title] = _section(title, tuple(above[:-1]), lines)
    return found


def _split(lines: list[str]) -> Iterator[tuple[str, int, list[str]]]:
    title, depth, held = "", 1, list[str]()
    fenced = False
    for line in lines:
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is None:
            held.append(line)
            continue
        if title:
            yield title, depth, held
        title, depth, held = heading[2], len(heading[1]), []
    yield title, depth, held


def _section(title: str, within: tuple[str, ...], lines: list[str]) -> Section:
    section = Section(title, within)
    before, language = "", ""
    head: list[str] = []
    held: list[str] | None = None
    prose: list[str] = []
    for line in lines:
        if held is not None and line == "```":
            section.blocks.append(Block(language, "\n".join(held) + "\n", before))
            held = None
        elif held is not None:
            held.append(line)
        elif line.startswith("```"):
            held, language = [], line.removeprefix("```")
        elif line.startswith("|"):
            cells = [cell.strip().replace("\\|", "|") for cell in _CELLS.split(line)[1:-1]]
            if not head:
                head = cells
            elif set("".join(cells)) - set("-:"):
                assert len(cells) == len(head), line
                section.rows.append(dict(zip(head, cells, strict=True)))
        else:
            head = []
            prose.append(line)
            before = line or before
    section.text = "\n".join(prose)
    return section

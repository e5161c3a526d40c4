"""Every payload that V7 documents comes of a routes file and of S3's events, exactly, and the twin takes it.

Left out, because routes do not build them: videos with HLS segments (darwin-api.md section 7, for darwin-py), tiles and
DICOM in a read-only storage (section 1.7, shown by third parties and refused by V7's own page).
"""

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.docs.documented import BUCKET, Documented
from tests.docs.documented_groups import GROUPS
from tests.docs.documented_read_only import READ_ONLY
from tests.docs.documented_read_write import READ_WRITE
from tests.docs.documented_sections import SECTIONS
from tests.docs.world import Request, as_sent, assert_taken, needless, routes_of, sent_for
from worker.core.model import Mode

pytestmark = pytest.mark.looptime

ROWS = [*READ_WRITE, *SECTIONS, *GROUPS, *READ_ONLY]
ENDPOINTS = {Mode.READ_WRITE: "register_existing", Mode.READ_ONLY: "register_existing_readonly"}


def requests_of(row: Documented) -> list[Request]:
    return [Request(f"/api/v2/teams/acme/items/{ENDPOINTS[row.mode]}", body) for body in row.bodies]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.where)
async def test_a_documented_payload_comes_of_a_routes_file(row: Documented, tmp_path: Path) -> None:
    routes = routes_of(
        tmp_path / "routes.yaml", dedent(row.routes), BUCKET, lambda _: row.mode is Mode.READ_ONLY
    )

    sent = await sent_for(routes, [put.told for put in row.objects])

    assert as_sent(sent.requests) == as_sent(requests_of(row))
    assert needless(sent) == [], "no object of a row becomes a dead letter"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.where)
def test_the_twin_takes_it(row: Documented) -> None:
    for request in requests_of(row):
        storage = str(request.body["storage_slug"])
        assert_taken(request, readonly=[storage] if row.mode is Mode.READ_ONLY else [])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.where)
def test_where_it_is_said_in_another_form_a_sentence_says_how(row: Documented) -> None:
    differing = set(_differing(list(row.v7 or row.bodies), list(row.bodies)))
    assert {field for field in differing if f"`{field}`" not in row.differs} == set()
    assert bool(differing) == bool(row.differs) == bool(row.v7)


def _differing(one: object, other: object, name: str = "") -> Iterator[str]:
    """The names of the fields that are not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for field in {**one, **other}:
            if field in one and field in other:
                yield from _differing(one[field], other[field], field)
            else:
                yield field
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for each, its in zip(one, other, strict=True):
            yield from _differing(each, its, name)
    elif one != other:
        yield name

"""darwin-py against the twin, and beside us: what it sends, what it does not send at all, what the twin takes, and how
that differs from what we send for the same objects.
"""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from urllib.parse import quote_plus

import pytest

from tests.docs.documented import BUCKET, Put
from tests.docs.world import Request, assert_taken, needless, sent_for
from tests.peers import darwin_py
from tests.peers.alike import ALIKE
from tests.peers.darwin_py import NAMED, READ_ONLY, Call, Done, Json, carried_out
from tests.peers.different import DIFFERENT
from tests.peers.different_read_only import DIFFERENT_READ_ONLY
from tests.peers.intents import Intent, differences
from tests.system.processes import STORAGE, TEAM
from worker.core.darwin import Storage
from worker.core.model import Mode
from worker.core.routing import Routes
from worker.opening import with_storages
from worker.routes_file import read_routes

INTENTS = [*ALIKE, *DIFFERENT, *DIFFERENT_READ_ONLY]
OURS = [intent for intent in INTENTS if intent.ours is not None]

STORAGES = [
    Storage(STORAGE, STORAGE, Mode.READ_WRITE, "aws", BUCKET, "darwin"),
    Storage(READ_ONLY, READ_ONLY, Mode.READ_ONLY, "aws", BUCKET, "thumbs"),
    Storage(NAMED, "night-shift", Mode.READ_WRITE, "aws", BUCKET, "thumbs"),
]
"""What the twin lists, in the bucket of the objects."""

NOT_SENT = ["weld.PNG", "weld.Jpg", "cam.MP4", "slice.DCM", "leaf.gif", "leaf.heic", "no-extension"]
NO_ARGUMENT = ["tags", "layout", "metadata", "as_frames", "type", "path", "options"]

OTHERS = {
    "more than ten": Call({"storage_keys": [f"many/{number}.png" for number in range(11)]}),
    "an image, processed locally": Call(
        {"files": ["worker/demo/samples/panel.png"]}, READ_ONLY, "register_locally_processed"
    ),
    **{key: Call({"storage_keys": ["beside.png", key]}) for key in NOT_SENT},
    **{name: Call({"storage_keys": ["beside.png"], name: None}) for name in NO_ARGUMENT},
}


def in_rows(*intents: Intent) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("intent", intents, ids=lambda intent: intent.name)


@pytest.fixture(scope="module")
def done() -> Mapping[str, Done]:
    """What came of each call, by its name."""
    return carried_out({**{intent.name: intent.call for intent in INTENTS}, **OTHERS})


def their_request(done: Done) -> Json:
    """The one that darwin-py sent, as the tables have it; None where it sent none."""
    assert len(done.sent) <= 1
    return next(({"endpoint": endpoint, **body} for endpoint, body in done.sent), None)


def routes_of(intent: Intent, file: Path) -> Routes:
    file.write_text(dedent(intent.routes))
    return with_storages(read_routes(file, TEAM, {}), {TEAM: STORAGES})


async def our_request(intent: Intent, routes: Routes) -> Json:
    """The one that we send, as the tables have it. Of what makes no item becomes what the row says."""
    objects = [Put(quote_plus(key, safe="/"), intent.holding.get(key, b"x")).told for key in intent.keys]
    sent = await sent_for(routes, objects)
    assert dict(needless(sent)) == intent.dead
    (request,) = sent.requests
    address, _, endpoint = request.path.rpartition("/")
    assert address == f"/api/v2/teams/{TEAM}/items"
    return {"endpoint": endpoint, **request.body}


# -- darwin-py ----------------------------------------------------------------------------------------------------------


@in_rows(*INTENTS)
def test_darwin_py_sends_one_body_for_what_is_wanted_or_none(
    intent: Intent, done: Mapping[str, Done]
) -> None:
    assert their_request(done[intent.name]) == intent.their_request


@in_rows(*(intent for intent in INTENTS if not intent.refused))
def test_the_twin_registers_what_darwin_py_sends(intent: Intent, done: Mapping[str, Done]) -> None:
    told = done[intent.name].told
    assert [line.rpartition(" registered with item ID ")[0] for line in told["registered"]] == [
        f"Item {item['name']}" for item in intent.theirs
    ]
    assert told["blocked"] == []


@in_rows(*(intent for intent in INTENTS if intent.refused))
def test_darwin_py_refuses_a_call_or_the_twin_what_it_sends_against_the_documentation(
    intent: Intent, done: Mapping[str, Done]
) -> None:
    told = done[intent.name].told
    assert told["refused"] == ("TypeError" if intent.theirs is None else "ValidationError")
    assert intent.refused in told["said"]


@pytest.mark.parametrize("key", NOT_SENT)
def test_a_key_whose_extension_darwin_py_does_not_know_keeps_its_neighbours_back_too(
    key: str, done: Mapping[str, Done]
) -> None:
    """PNG is not png to it."""
    assert done[key].sent == []
    assert done[key].told["refused"] == "TypeError"
    assert done[key].told["said"].startswith(f"Unsupported file type for the following storage key: {key}.")


@pytest.mark.parametrize("name", NO_ARGUMENT)
def test_darwin_py_has_no_argument_for_what_a_route_can_say(name: str, done: Mapping[str, Done]) -> None:
    assert done[name].sent == []
    assert done[name].told["refused"] == "TypeError"
    assert f"unexpected keyword argument '{name}'" in done[name].told["said"]


def test_darwin_py_sends_ten_items_in_a_request_at_most(done: Mapping[str, Done]) -> None:
    names = [[item["name"] for item in body["items"]] for _, body in done["more than ten"].sent]
    assert names == [
        ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png", "8.png", "9.png"],
        ["10.png"],
    ]


def test_darwin_py_has_no_call_for_images_of_a_read_only_storage(done: Mapping[str, Done]) -> None:
    """``register`` sends them to the other endpoint, see the table."""
    image = done["an image, processed locally"]
    assert image.sent == []
    assert image.told["refused"] == "ValueError"
    assert image.told["said"].startswith("The file 'worker/demo/samples/panel.png' is not supported.")


def test_where_darwin_py_is_not_installed_the_tests_fail_and_say_what_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(darwin_py, "PEERS", tmp_path)
    with pytest.raises(AssertionError, match=r"run `make \.venv-peers/ready`"):
        carried_out({})


# -- and we -------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
@in_rows(*OURS)
async def test_we_send_one_body_for_the_same_objects(intent: Intent, tmp_path: Path) -> None:
    routes = routes_of(intent, tmp_path / "routes.yaml")
    assert await our_request(intent, routes) == intent.our_request


@in_rows(*OURS)
def test_the_twin_registers_what_we_send(intent: Intent) -> None:
    body = dict(intent.our_request)
    path = f"/api/v2/teams/{TEAM}/items/{body.pop('endpoint')}"
    assert_taken(Request(path, body), readonly=[READ_ONLY])


def test_only_a_video_as_hls_is_beyond_routes() -> None:
    beyond = [intent.name for intent in INTENTS if intent.ours is None]
    assert beyond == ["a video of a read-only storage at five frames a second, as HLS"]


@pytest.mark.looptime
@in_rows(*INTENTS)
async def test_each_difference_is_explained_and_each_explanation_explains_one(
    intent: Intent, done: Mapping[str, Done], tmp_path: Path
) -> None:
    theirs = their_request(done[intent.name])
    ours = None
    if intent.routes:
        ours = await our_request(intent, routes_of(intent, tmp_path / "routes.yaml"))

    explained = [change for changes in intent.differences.values() for change in changes.items()]

    assert dict(explained) == differences(theirs, ours)
    assert len(explained) == len(dict(explained)), "no difference is explained twice"
    assert all(intent.differences.values()), "no sentence explains nothing"

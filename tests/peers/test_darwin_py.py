"""darwin-py against the twin: what it sends, what it does not send at all, and what the twin takes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.peers import darwin_py
from tests.peers.darwin_py import READ_ONLY, Call, Done, carried_out
from tests.peers.intents import INTENTS, Intent

NOT_SENT = ["weld.PNG", "weld.Jpg", "cam.MP4", "slice.DCM", "leaf.gif", "leaf.heic", "no-extension"]

OTHERS = {
    "more than ten": Call({"storage_keys": [f"many/{number}.png" for number in range(11)]}),
    "an image, processed locally": Call(
        {"files": ["worker/demo/samples/panel.png"]}, READ_ONLY, "register_locally_processed"
    ),
    **{key: Call({"storage_keys": ["beside.png", key]}) for key in NOT_SENT},
}


@pytest.fixture(scope="module")
def done() -> Mapping[str, Done]:
    """What came of each call, by its name."""
    return carried_out({**{intent.name: intent.call for intent in INTENTS}, **OTHERS})


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
def test_darwin_py_sends_one_body_for_what_is_wanted(intent: Intent, done: Mapping[str, Done]) -> None:
    body = {"dataset_slug": "intake", "storage_slug": intent.call.storage, "items": intent.items}
    assert done[intent.name].sent == [(intent.endpoint, body)]


@pytest.mark.parametrize(
    "intent", [intent for intent in INTENTS if not intent.refused], ids=lambda intent: intent.name
)
def test_the_twin_registers_what_darwin_py_sends(intent: Intent, done: Mapping[str, Done]) -> None:
    told = done[intent.name].told
    assert [line.rpartition(" registered with item ID ")[0] for line in told["registered"]] == [
        f"Item {item['name']}" for item in intent.items
    ]
    assert told["blocked"] == []


@pytest.mark.parametrize(
    "intent", [intent for intent in INTENTS if intent.refused], ids=lambda intent: intent.name
)
def test_the_twin_refuses_what_darwin_py_sends_against_the_documentation(
    intent: Intent, done: Mapping[str, Done]
) -> None:
    told = done[intent.name].told
    assert told["refused"] == "ValidationError"
    assert intent.refused in told["said"]


@pytest.mark.parametrize("key", NOT_SENT)
def test_a_key_whose_extension_darwin_py_does_not_know_keeps_its_neighbours_back_too(
    key: str, done: Mapping[str, Done]
) -> None:
    """PNG is not png to it."""
    assert done[key].sent == []
    assert done[key].told["refused"] == "TypeError"
    assert done[key].told["said"].startswith(f"Unsupported file type for the following storage key: {key}.")


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

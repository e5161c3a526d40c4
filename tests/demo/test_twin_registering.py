"""What the twin does with items to register: uniqueness, extension, reasons, echo (darwin-api.md section 2)."""

import pytest

from tests.demo.twin_calls import KEY, REGISTER, REGISTER_READONLY, Calls, acme, names, photo, reasons
from worker.demo.twin.state import Storage, Team
from worker.demo.twin.switches import Switches


def test_a_new_item_is_echoed_with_its_slot_and_without_its_storage_key() -> None:
    status, body = Calls().register(photo("weld 07.jpg", "/line-3"))
    assert status == 200
    (item,) = body["items"]
    assert len(item.pop("id")) == 36
    assert item == {
        "name": "weld 07.jpg",
        "path": "/line-3",
        "slots": [
            {
                "slot_name": "0",
                "file_name": "weld 07.jpg",
                "type": "image",
                "as_frames": False,
                "extract_views": False,
            }
        ],
    }
    assert body["blocked_items"] == []


@pytest.mark.parametrize("path", ["dir", "/dir", "/dir/", "//dir//"])
def test_a_folder_is_the_same_however_it_is_written(path: str) -> None:
    calls = Calls()
    calls.register(photo(path="/dir"))
    _, body = calls.register(photo(path=path))
    assert reasons(body) == {"a.jpg": ["ALREADY_EXISTS"]}


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_the_root_is_one_slash_however_it_is_written(path: str) -> None:
    calls = Calls()
    assert calls.register(photo(path=path))[1]["items"][0]["path"] == "/"
    assert [item["path"] for item in calls.held()] == ["/"]


def test_an_item_without_a_path_lies_in_the_root() -> None:
    _, body = Calls().register({"name": "a.jpg", "storage_key": "in/a.jpg"})
    assert body["items"][0]["path"] == "/"


def test_the_same_path_name_and_slot_is_blocked_and_nothing_changes() -> None:
    calls = Calls()
    calls.register(photo())
    status, body = calls.register(photo())
    assert (status, names(body), reasons(body)) == (200, [], {"a.jpg": ["ALREADY_EXISTS"]})
    assert [item["storage_keys"] for item in calls.held()] == [["in/a.jpg"]]


def test_the_same_name_in_another_folder_or_dataset_is_another_item() -> None:
    calls = Calls()
    calls.register(photo())
    assert names(calls.register(photo(path="/other"))[1]) == ["a.jpg"]
    assert names(calls.register(photo(), dataset_slug="second")[1]) == ["a.jpg"]


def test_a_name_is_taken_as_it_is_written() -> None:
    calls = Calls()
    calls.register(photo("A.jpg"))
    assert names(calls.register(photo("a.jpg"))[1]) == ["a.jpg"]


def test_of_two_equal_items_in_one_request_the_second_exists_already() -> None:
    _, body = Calls().register(photo(), photo())
    assert names(body) == ["a.jpg"]
    assert reasons(body) == {"a.jpg": ["ALREADY_EXISTS"]}


def test_a_known_item_with_an_unknown_slot_is_silently_extended_and_counted() -> None:
    """Law 8 is why a client must never cause this."""
    calls = Calls()
    calls.register(photo())
    _, body = calls.register(photo(slot_name="1"))
    assert names(body) == ["a.jpg"]
    (item,) = calls.held()
    assert item["slots"] == ["0", "1"]
    assert item["extensions"] == 1
    assert calls.counters()["extensions"] == 1


def test_of_an_item_with_known_and_unknown_slots_only_the_known_ones_have_a_reason() -> None:
    calls = Calls()
    calls.register(photo())
    slots = [{"slot_name": name, "file_name": "a.jpg", "storage_key": f"in/{name}"} for name in ("0", "1")]
    _, body = calls.register({"name": "a.jpg", "slots": slots})
    assert reasons(body) == {"a.jpg": ["ALREADY_EXISTS", None]}
    assert calls.held()[0]["slots"] == ["0"]


def test_an_existing_name_under_another_storage_key_is_counted_as_a_collision() -> None:
    calls = Calls()
    calls.register(photo())
    calls.register(photo())
    assert calls.counters()["collisions"] == 0
    calls.register(photo(storage_key="elsewhere/a.jpg"))
    assert calls.counters()["collisions"] == 1


def test_a_partial_success_fills_both_lists() -> None:
    calls = Calls()
    calls.register(photo("old.jpg"))
    status, body = calls.register(photo("old.jpg"), photo("new.jpg"))
    assert (status, names(body), list(reasons(body))) == (200, ["new.jpg"], ["old.jpg"])


def test_a_blocked_entry_does_not_carry_the_id_of_the_item_that_is_there() -> None:
    calls = Calls()
    held = calls.register(photo())[1]["items"][0]["id"]
    assert calls.register(photo())[1]["blocked_items"][0]["id"] != held


def test_a_tag_that_the_team_does_not_have_blocks_the_item() -> None:
    calls = Calls()
    _, body = calls.register(photo("a.jpg", tags=["night-shift"]), photo("b.jpg", tags={"day-shift": "x"}))
    assert names(body) == ["a.jpg"]
    assert reasons(body) == {"b.jpg": ["UNKNOWN_TAGS"]}


def test_a_full_plan_blocks_new_items_and_still_knows_the_old_ones() -> None:
    calls = Calls()
    calls.register(photo("old.jpg"))
    calls.control("POST", "switch", teams={"acme": {"plan_full": True}})
    _, body = calls.register(photo("old.jpg"), photo("new.jpg"))
    assert reasons(body) == {"old.jpg": ["ALREADY_EXISTS"], "new.jpg": ["ITEM_COUNT_LIMIT_EXCEEDED"]}


def test_a_plan_takes_as_many_items_as_it_has_room_for() -> None:
    calls = Calls()
    calls.control("POST", "switch", teams={"acme": {"plan_items": 2}})
    _, body = calls.register(photo("a.jpg"), photo("b.jpg"), photo("c.jpg"))
    assert names(body) == ["a.jpg", "b.jpg"]
    assert reasons(body) == {"c.jpg": ["ITEM_COUNT_LIMIT_EXCEEDED"]}


def test_a_full_plan_can_be_told_as_429_with_the_quota_code() -> None:
    calls = Calls(Switches(plan_full_as="429"))
    calls.control("POST", "switch", teams={"acme": {"plan_full": True}})
    assert calls.register(photo()) == (429, {"errors": {"code": "INSUFFICIENT_REMAINING_STORAGE"}})
    assert calls.held() == []


def test_a_planted_block_gives_its_reason_to_the_names_that_match() -> None:
    calls = Calls()
    calls.control("POST", "blocks", item=r"^bad", reason="FILE_UPLOAD_FAILED")
    _, body = calls.register(photo("bad.jpg"), photo("good.jpg"))
    assert (names(body), reasons(body)) == (["good.jpg"], {"bad.jpg": ["FILE_UPLOAD_FAILED"]})
    calls.control("DELETE", "blocks")
    assert names(calls.register(photo("bad.jpg"))[1]) == ["bad.jpg"]


def test_a_planted_block_may_name_one_slot() -> None:
    calls = Calls()
    calls.control("POST", "blocks", item=".", reason="UNEXPECTED_ERROR", slot="1")
    slots = [{"slot_name": name, "file_name": "a.jpg", "storage_key": f"in/{name}"} for name in ("0", "1")]
    assert reasons(calls.register({"name": "rig", "slots": slots})[1]) == {"rig": [None, "UNEXPECTED_ERROR"]}


def test_a_series_of_dicom_files_shares_a_slot() -> None:
    slots = [{"slot_name": "0", "file_name": f"{n}.dcm", "storage_key": f"ct/{n}.dcm"} for n in (1, 2, 3)]
    calls = Calls()
    assert names(calls.register({"name": "ct-4410", "slots": slots})[1]) == ["ct-4410"]
    assert calls.held()[0]["storage_keys"] == ["ct/1.dcm", "ct/2.dcm", "ct/3.dcm"]


def test_the_storage_is_found_by_its_slug_or_its_name() -> None:
    calls = Calls()
    assert calls.register(photo("a.jpg"), storage_slug="acme-media")[0] == 200
    assert calls.register(photo("b.jpg"), storage_slug="Acme Media")[0] == 200


@pytest.mark.parametrize(
    ("word", "envelope"), [("dataset", {"dataset_slug": "none"}), ("storage", {"storage_slug": "none"})]
)
def test_an_unknown_dataset_or_storage_is_404(word: str, envelope: dict[str, str]) -> None:
    """Row: 404."""
    status, body = Calls().register(photo(), **envelope)
    assert (status, body["errors"]["detail"]) == (404, f"{word} none does not exist")


def test_the_endpoint_must_fit_the_mode_of_the_storage() -> None:
    calls = Calls()
    image = photo(type="image", width=1, height=1, storage_thumbnail_key="thumbs/a.jpg")
    wrong = {"errors": {"storage_slug": ["is read-only: use register_existing_readonly"]}}
    assert calls.register(photo(), storage_slug="archive") == (422, wrong)
    wrong = {"errors": {"storage_slug": ["is not read-only: use register_existing"]}}
    assert calls.register(image, path=REGISTER_READONLY, storage_slug="acme-media") == (422, wrong)
    assert calls.register(image, path=REGISTER_READONLY)[0] == 200


def test_one_invalid_item_refuses_the_whole_batch() -> None:
    calls = Calls()
    status, body = calls.register(photo("a.jpg"), photo("b/c.jpg"))
    assert status == 422
    assert list(body["errors"]["items"][1]) == ["name"]
    assert calls.held() == []


def test_by_switch_one_invalid_item_is_blocked_and_the_others_pass() -> None:
    calls = Calls(Switches(invalid_items="block-item"))
    status, body = calls.register(photo("a.jpg"), photo("b/c.jpg"))
    assert (status, names(body), reasons(body)) == (200, ["a.jpg"], {"b/c.jpg": ["INVALID_REQUEST"]})


@pytest.mark.parametrize(("switch", "status"), [(422, 422), (413, 413)])
def test_more_items_than_the_limit_are_refused(switch: int, status: int) -> None:
    """Rows: 413, 422."""
    calls = Calls(Switches.model_validate({"max_items": 2, "too_many": switch}))
    assert calls.register(photo("a.jpg"), photo("b.jpg"))[0] == 200
    assert calls.register(photo("c.jpg"), photo("d.jpg"), photo("e.jpg"))[0] == status
    assert len(calls.held()) == 2


def test_a_hundred_items_are_the_documented_limit() -> None:
    calls = Calls()
    assert calls.register(*[photo(f"{n}.jpg") for n in range(100)])[0] == 200
    assert calls.register(*[photo(f"{n}.png") for n in range(101)])[0] == 422


@pytest.mark.parametrize(("form", "echo"), [("canonical", "/dir"), ("bare", "dir"), ("as-sent", "dir/")])
def test_the_path_comes_back_in_the_form_of_the_switch(form: str, echo: str) -> None:
    calls = Calls(Switches.model_validate({"echo_path": form}))
    assert calls.register(photo(path="dir/"))[1]["items"][0]["path"] == echo


@pytest.mark.parametrize(
    ("case", "told"), [("upper", "ALREADY_EXISTS"), ("lower", "already_exists"), ("missing", None)]
)
def test_the_reason_comes_in_the_case_of_the_switch(case: str, told: str | None) -> None:
    calls = Calls(Switches.model_validate({"reason_case": case}))
    calls.register(photo())
    assert reasons(calls.register(photo())[1]) == {"a.jpg": [told]}


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_no_key_or_a_wrong_one_is_401(key: str | None) -> None:
    """Row: 401."""
    assert Calls().ask("POST", REGISTER, key=key).status == 401


def test_a_key_under_another_scheme_is_401() -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    twin = Calls().twin
    assert twin.handle("GET", "/api/datasets", query=(), headers=headers, body=b"", now=0.0).status == 401


def test_a_key_of_another_team_is_403_and_an_unknown_team_404() -> None:
    """Rows: 403, 404."""
    other = Team("umbra", "umbra.key", ["intake"], [Storage("umbra", "umbra")])
    calls = Calls(teams=[acme(), other])
    assert calls.ask("GET", "/api/v2/teams/umbra/items").status == 403
    assert calls.ask("GET", "/api/v2/teams/nobody/items").status == 404
    assert calls.ask("GET", "/api/v2/teams/umbra/items", key="umbra.key").status == 200


def test_a_revoked_key_is_401_and_a_paused_team_403_until_switched_back() -> None:
    calls = Calls()
    for switch, status in (("key_revoked", 401), ("paused", 403)):
        calls.control("POST", "switch", teams={"acme": {switch: True}})
        assert calls.register(photo())[0] == status
        calls.control("POST", "switch", teams={"acme": {switch: False}})
    assert calls.register(photo())[0] == 200


def test_a_body_that_is_no_json_is_400_and_one_of_another_type_415() -> None:
    calls = Calls()
    assert {calls.ask("POST", REGISTER, body=body).status for body in (b"", b"{", b"\xff", b"NaN")} == {400}
    headers = {"Authorization": f"ApiKey {KEY}", "Content-Type": "text/plain"}
    assert calls.twin.handle("POST", REGISTER, query=(), headers=headers, body=b"{}", now=0.0).status == 415


@pytest.mark.parametrize(
    "path", ["//api/datasets", "/api/v2/datasets", "/api/v2/teams/acme/items/register_existing/"]
)
def test_an_address_that_is_not_quite_right_is_404(path: str) -> None:
    assert Calls().ask("GET", path).status == 404


def test_registering_takes_post_alone() -> None:
    assert Calls().ask("PUT", REGISTER).status == 405


def test_an_item_sent_again_is_counted_whatever_became_of_it_first() -> None:
    calls = Calls()
    calls.control("POST", "faults", kind="drop-before-work", times=1)
    calls.send(photo())
    calls.send(photo())
    assert (calls.counters()["items_received"], calls.counters()["items_resent"]) == (2, 1)
    assert calls.counters()["items_resent_after_success"] == 0
    calls.send(photo())
    assert (calls.counters()["items_resent"], calls.counters()["items_resent_after_success"]) == (2, 1)


def test_equal_items_in_one_request_do_not_count_as_sent_again() -> None:
    calls = Calls()
    calls.send(photo(), photo())
    assert calls.counters()["items_resent"] == 0


def test_another_storage_key_under_a_name_does_not_count_as_sent_again() -> None:
    calls = Calls()
    calls.send(photo())
    calls.send(photo(storage_key="in/b.jpg"))
    assert calls.counters()["items_resent"] == 0

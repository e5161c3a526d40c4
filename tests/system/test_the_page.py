"""The page in a real browser, during one run of a worker that has its share of trouble; and what is never on it.

The tests share the run: each finds the worker well, leaves it so, and counts from what it found.
"""

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from tests.system.browsing import Seen, opened, running_chromium
from tests.system.outside import AWS_SECRET, Cloud, until
from tests.system.processes import KEY, OURS, Twin, Worker, running_twin, settings_for

TOKEN = "a-token-that-nobody-may-see"
NEXT_KEY = "the-next-key-that-nobody-may-see"
SECRETS = (KEY, NEXT_KEY, AWS_SECRET, TOKEN)
PAGE = {"WORKER_WEB__HOST": "0.0.0.0", "WORKER_WEB__TOKEN": TOKEN}  # noqa: S104 - as in a container
HOSTILE = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>.docx'


@dataclass
class Run:
    """One worker under way, and its surroundings."""

    cloud: Cloud
    twin: Twin
    folder: Path
    settings: Mapping[str, str]
    worker: Worker

    def asked(self, path: str) -> tuple[int, str]:
        """With the token."""
        request = urllib.request.Request(  # noqa: S310 - http, our own
            f"{self.worker.url}{path}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def object(self, key: str) -> str:
        return f"s3://{self.cloud.bucket}/{key}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def run(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The worker listens on all addresses, so that it wants its token. Some objects are done with already."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "key").write_text(KEY)
    with closing(Cloud(engine)) as cloud, running_twin(cloud.bucket) as twin:
        cloud.notify_queue()
        settings = settings_for(cloud, twin.url, folder) | PAGE
        del settings["DARWIN_API_KEY"]
        settings["DARWIN_API_KEY_FILE"] = str(folder / "key")
        run = Run(cloud, twin, folder, settings, Worker(settings, folder))
        try:
            cloud.upload("line/0.jpg", "line/1.jpg", HOSTILE)
            until("they are done with", lambda: sum(run.worker.outcomes().values()) >= 3)
            yield run
        finally:
            run.worker.kill()


@pytest.fixture
def seen(run: Run, browser: Browser) -> Iterator[Seen]:
    with opened(browser, f"{run.worker.url}/", password=TOKEN) as seen:
        yield seen


def test_the_page_is_live_while_darwin_fails_and_mends(run: Run, seen: Seen) -> None:
    seen.until_says("#link", "live")
    seen.until_says("#queue-note", "waiting")
    before = int(seen.text("#registered"))
    run.twin.control("faults", {"endpoint": "register", "kind": "429", "retry_after": 4, "times": 1})
    run.twin.control("faults", {"endpoint": "register", "kind": "status", "status": 503, "times": 2})
    run.cloud.upload(*(f"live/{n}.jpg" for n in range(30)))
    seen.until_says("#hand-note", "oldest")
    seen.until_says("#batches", "429")
    seen.until_says("#batches", "503")
    seen.until_says("#last-error", "503")
    seen.until("(wanted) => document.querySelector('#registered').innerText === String(wanted)", before + 30)
    seen.until_says("#last-registered", "intake: /live/")
    seen.until("() => document.body.dataset.state === 'idle'")
    seen.until("() => Number(document.querySelector('[data-curve=registered] .number').innerText) >= 30")
    assert "Nothing stands in the way." in seen.text("#sentence")
    assert seen.text("#lanes td .note") == "acme, from prod"
    assert "of 6,000 a minute" in (seen.page.text_content("#quota") or "")
    assert seen.complaints == []


def test_a_condition_is_shown_in_words_with_what_to_do(run: Run, seen: Seen) -> None:
    run.twin.change_team(key=NEXT_KEY)
    run.cloud.upload("condition.jpg")
    seen.until_says("#conditions", "key refused")
    assert seen.text("#state") == "Waiting"
    assert "Give the worker a key of this team" in seen.text("#conditions")
    seen.until_says("#lanes", "paused for")
    (run.folder / "key").write_text(NEXT_KEY)
    seen.until("() => document.body.dataset.state === 'idle'")
    assert seen.text("#conditions") == ""


def test_a_key_that_holds_markup_is_shown_as_text(seen: Seen) -> None:
    seen.until_says("#reasons", HOSTILE)
    seen.page.click("#look")
    seen.until_says("#letters-source", "The whole queue")
    seen.until_says("#reasons", HOSTILE)
    assert "unsupported type" in seen.text("#reasons")
    assert seen.page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    assert "darwin-worker" in seen.page.title()
    assert seen.complaints == []


def test_the_search_says_what_became_of_a_lost_file(run: Run, seen: Seen) -> None:
    seen.page.fill("#object", run.object("never/uploaded.jpg"))
    seen.page.press("#object", "Enter")
    seen.page.wait_for_selector("#answer .sentence")
    assert run.object("never/uploaded.jpg") in seen.text("#answer .object")
    assert seen.text("#answer .sentence").startswith("There is no such object in S3;")
    seen.page.fill("#object", run.object(HOSTILE))
    seen.page.click("text=Ask why")
    seen.until_says("#answer .sentence", "dead letter")
    assert HOSTILE in seen.text("#answer .object")
    assert seen.complaints == []


def test_what_cannot_be_asked_is_said_beside_the_search(seen: Seen) -> None:
    seen.page.fill("#object", "no object")
    seen.page.click("text=Ask why")
    seen.until_says("#answer", "Ask with ?object=s3://bucket/key")


def test_a_link_to_an_object_asks_by_itself(run: Run, browser: Browser) -> None:
    link = f"{run.worker.url}/#{quote(run.object('line/0.jpg'), safe='')}"
    with opened(browser, link, password=TOKEN) as seen:
        seen.page.wait_for_selector("#answer .sentence")
        assert seen.page.input_value("#object") == run.object("line/0.jpg")


def test_nothing_is_wider_than_the_window_of_a_phone_or_a_desk(run: Run, seen: Seen) -> None:
    seen.until_says("#reasons", HOSTILE)
    seen.page.fill("#object", run.object("x" * 1000 + ".jpg"))
    seen.page.click("text=Ask why")
    seen.page.wait_for_selector("#answer .sentence")
    for width in (320, 390, 820, 1280):
        seen.page.set_viewport_size({"width": width, "height": 800})
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width


def test_everything_that_can_be_used_has_a_name_and_can_be_reached_by_the_keyboard(seen: Seen) -> None:
    seen.until_says("#link", "live")
    reached = []
    for _ in range(4):
        seen.page.keyboard.press("Tab")
        reached.append(seen.page.evaluate("document.activeElement.id || document.activeElement.innerText"))
    assert reached == ["object", "Ask why", "look", "batches"]
    assert seen.page.get_by_label("What became of an object?").count() == 1
    assert seen.page.get_by_role("img", name=re.compile("Registered, fifteen minutes")).count() == 1


def test_status_on_the_command_line_says_the_same(run: Run) -> None:
    def status(*arguments: str, token: str = TOKEN) -> "subprocess.CompletedProcess[str]":
        own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return subprocess.run(  # noqa: S603 - our own program, no shell
            [sys.executable, "-m", "worker", "status", "--url", run.worker.url, *arguments],
            env=own | {"WORKER_WEB__TOKEN": token},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    until("it is ready", lambda: run.worker.page("readyz")[0] == 200)
    asked = status("--json")
    told = json.loads(asked.stdout)
    assert (asked.returncode, told["ready"], told["queue"]["delayed"]) == (0, True, 0)
    asked = status()
    assert asked.returncode == 0, asked.stderr
    assert re.search(r"dead letters +\d waiting, \d in flight", asked.stdout)
    assert "acme/intake from prod" in asked.stdout
    asked = status(token="a-token-that-is-not-it")
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "set WORKER_WEB__TOKEN to the token that the worker was started with" in asked.stderr


def test_no_key_is_too_hostile_to_be_asked_about(run: Run) -> None:
    for key in (HOSTILE, "a\nb\x00\x7f", "../" * 300, "\U0001f600\u202e.jpg", "%00%zz"):
        status, text = run.asked(f"/why?object={quote(run.object(key), safe='')}")
        assert status == 200, text
        assert json.loads(text)["key"] == key


def test_no_secret_is_on_any_page_nor_in_the_log(run: Run) -> None:
    """Law 9, where Darwin itself gives the key away."""
    run.twin.control("blocks", {"item": "^betrayed", "reason": f"ODDITY of {KEY}"})
    run.cloud.upload("betrayed.jpg")
    until("the dead letter is there", lambda: "betrayed" in run.asked("/status")[1])
    basic = base64.b64encode(f"x:{TOKEN}".encode()).decode()
    paths = [
        "/",
        "/page.js",
        "/page.css",
        "/page.svg",
        "/status",
        "/dead-letters",
        "/metrics",
        "/readyz",
        "/healthz",
    ]
    paths += [
        f"/why?object={quote(run.object(key), safe='')}" for key in ("betrayed.jpg", "line/0.jpg", "gone")
    ]
    shown = [run.asked(path)[1] for path in paths] + [run.worker.output()]
    shown += [run.worker.page(path.removeprefix("/"))[1] for path in paths]
    for secret in (*SECRETS, basic):
        assert not [text for text in shown if secret in text]


def test_a_lost_worker_is_told_and_found_again(run: Run, seen: Seen) -> None:
    seen.until_says("#link", "live")
    first = seen.text("#about")
    assert run.worker.stop() == 0
    seen.until_says("#link", "lost the worker; this is how it was at ")
    run.worker = Worker(run.settings, run.folder)
    seen.until_says("#link", "live")
    seen.until("(first) => document.querySelector('#about').innerText !== first", first)
    run.worker.wait_until_ready()

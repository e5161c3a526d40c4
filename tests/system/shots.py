"""Takes the pictures of the page that the docs show: ``python -m tests.system.shots``, on a machine with Chromium.

A worker runs for a quarter of an hour, with uploads that come and go and a Darwin that fails now and then, so that the
curves are what an operator would see.
"""

import argparse
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser

from tests.system.browsing import Seen, opened, running_chromium
from tests.system.outside import Cloud, until
from tests.system.processes import Twin, Worker, running_twin, settings_for
from worker.demo.engines import running_ministack

DOCS = Path(__file__).parents[2] / "docs"
LOST = "line/7/weld 0042.jpg.part"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--into", type=Path, default=DOCS)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_ministack() as endpoint,
        closing(Cloud(endpoint)) as cloud,
        running_twin(cloud.bucket) as twin,
        running_chromium() as browser,
    ):
        cloud.notify_queue()
        settings = settings_for(cloud, twin.url, Path(folder))
        settings |= {"WORKER_QUOTA__REQUESTS_PER_MINUTE": "40", "WORKER_QUEUE__VISIBILITY_SECONDS": "120"}
        worker = Worker(settings, Path(folder))
        try:
            worker.wait_until_ready()
            _live(cloud, twin, arguments.minutes * 60)
            _take(browser, worker, cloud, twin, arguments.into)
        finally:
            worker.kill()


def _live(cloud: Cloud, twin: Twin, seconds: float) -> None:
    twin.control("blocks", {"item": "^banned", "reason": "UNEXPECTED_ODDITY"})
    chance = random.Random(7)  # noqa: S311 - the same pictures each time
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        many = int(
            12 + 60 * chance.random() ** 3 + (90 if chance.random() > 0.92 else 0)
        )  # a rush now and then
        cloud.upload(*(f"line/{chance.randrange(1, 9)}/weld {number + n:04}.jpg" for n in range(many)))
        number += many
        match chance.randrange(24):
            case 0:
                cloud.upload(f"line/{number}/report.docx")
            case 1:
                cloud.upload(f"line/{number}/banned {number}.jpg")
            case 2:
                twin.control(
                    "faults",
                    {"endpoint": "register", "kind": "429", "retry_after": 8, "times": 1, "body": "json"},
                )
            case 3:
                twin.control(
                    "faults",
                    {"endpoint": "register", "kind": "status", "status": 502, "times": 2, "body": "json"},
                )
            case _:
                pass
        print(f"\r{passed:4.0f} s of {seconds:.0f} s, {number} uploads", end="", flush=True)  # noqa: T201 - for whoever waits
    print()  # noqa: T201 - as above


def _take(browser: Browser, worker: Worker, cloud: Cloud, twin: Twin, into: Path) -> None:
    url = f"{worker.url}/"
    with (
        opened(browser, url, width=1120, height=1460) as seen,
        opened(browser, url, width=390, height=844, fine=True) as phone,
    ):
        _ask(seen, f"s3://{cloud.bucket}/{LOST}")
        cloud.upload(*(f"line/9/weld {n:04}.jpg" for n in range(250)))
        for each in (seen, phone):
            each.until("() => document.body.dataset.state === 'running'")
        seen.shot(into / "page-light.png")
        phone.shot(into / "page-phone.png")
    fault = {"kind": "status", "status": 503, "body": "json"}
    for endpoint in ("register", "token_info"):
        twin.control("faults", fault | {"endpoint": endpoint})
    cloud.upload(*(f"line/10/weld {n:04}.jpg" for n in range(60)))
    until("Darwin is found to be down", lambda: "darwin_down" in worker.conditions(), 120)
    with opened(browser, url, width=1120, height=1460, dark=True) as seen:
        seen.until_says("#conditions", "darwin down")
        seen.until_says("#queue-note", "waiting")
        seen.shot(into / "page-dark.png")


def _ask(seen: Seen, object_: str) -> None:
    seen.page.fill("#object", object_)
    seen.page.click("text=Ask why")
    seen.page.wait_for_selector("#answer .sentence")


if __name__ == "__main__":
    main()

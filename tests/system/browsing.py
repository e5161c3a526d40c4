"""Debian's Chromium, driven by playwright: what a person sees of the page, and what the browser complains of."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

SECONDS = 30.0
"""The longest that a test waits for something on the page."""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None, (
        "There is no chromium on PATH: install it (Debian: apt-get install chromium); .ci/run does"
    )
    with sync_playwright() as playwright:
        # As root, in a container, there is no sandbox to be had; what is opened is our own page.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Seen:
    """A page, and all that the browser wrote to its console about it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def until(self, expression: str, argument: object = None) -> None:
        """Wait until the JavaScript *expression* holds."""
        self.page.wait_for_function(expression, arg=argument, timeout=SECONDS * 1000)

    def until_says(self, selector: str, words: str) -> None:
        """Wait until the element's text has *words* in it."""
        self.until(
            "([selector, words]) => document.querySelector(selector)?.innerText.includes(words)",
            [selector, words],
        )

    def shot(self, file: Path) -> None:
        """What the window shows, without moving parts."""
        self.page.screenshot(path=file, animations="disabled")


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    password: str | None = None,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    fine: bool = False,
) -> Iterator[Seen]:
    """*url* in a window of its own, with nothing kept from others. *fine*: as on a phone, with several dots to a pixel."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        device_scale_factor=2 if fine else 1,
        http_credentials=None if password is None else {"username": "operator", "password": password},
        timezone_id="UTC",
    )
    try:
        seen = Seen(context.new_page())

        def heard(message: ConsoleMessage) -> None:
            seen.complaints.append(message.text)

        seen.page.on("console", heard)
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("dialog", lambda dialog: seen.complaints.append(f"dialog: {dialog.message}"))
        seen.page.goto(url)
        yield seen
    finally:
        context.close()

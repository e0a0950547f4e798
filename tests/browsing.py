"""A browser for tests of pages: Debian's Chromium, or another that is installed, driven by Playwright."""

import contextlib
import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")


@contextlib.contextmanager
def launched():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser, address, link="", expected="", **options):
    """A page that has begun its run; at its end: it asked nothing of others, and nothing else has gone wrong in it."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    context.set_default_timeout(8_000)
    page, wrong, asked = context.new_page(), [], []
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(f"http://{address}/{link}")
    page.wait_for_selector("html[data-ready=true]")
    yield page
    assert [text for text in wrong if not expected or expected not in text] == []
    assert {urlsplit(url).netloc for url in asked} == {address}
    context.close()


def frames(page):
    """How many frames the page has shown."""
    return int(page.locator("html").get_attribute("data-frames"))


def wait_for_frames(page, more):
    page.wait_for_function("n => Number(document.documentElement.dataset.frames) >= n", arg=frames(page) + more)


def number(page, name):
    """A number that the page shows."""
    return float(page.locator(f"#{name}").inner_text().replace(",", "").replace("−", "-").rstrip(" %"))


def wait_for(page, name, text):
    """Waits until an element shows a text."""
    page.wait_for_function("([id, text]) => document.getElementById(id).textContent.includes(text)", arg=[name, text])


def digest(page):
    return page.locator("#digest").inner_text()

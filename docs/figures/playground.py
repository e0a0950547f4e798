"""Takes a picture of the playground after some training, in Debian's Chromium; needs playwright."""

import io
import shutil
import threading

import style
from PIL import Image
from playwright.sync_api import sync_playwright

from fastnn.playground import serving

SIZE = {"width": 1280, "height": 900}
FRAMES = 15  # of ten epochs each
COLOURS = 80  # so that the file is small


def screenshot(address):
    """Return the page as it stands after some training, as the bytes of a PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(address)
        page.wait_for_selector("html[data-ready=true]")
        page.select_option("#speed", "10")
        page.click("#play")
        page.wait_for_function("n => Number(document.documentElement.dataset.frames) > n", arg=FRAMES)
        page.click("#play")
        page.wait_for_function("() => document.querySelector('#status').textContent.startsWith('Paused')")
        page.hover(".unit >> nth=12")
        taken = page.screenshot(full_page=True)
        browser.close()
        return taken


def main(folder=style.PICTURES):
    ready = threading.Event()
    with serving.listening(0) as socket:
        server = serving.server(ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            ready.wait()
            taken = screenshot("http://{}:{}/".format(*socket.getsockname()))
        finally:
            server.should_exit = True
            thread.join()
    image = Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT)
    image.save(folder / "playground.png", optimize=True)


if __name__ == "__main__":
    main()

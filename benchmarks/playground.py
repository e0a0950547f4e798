"""How many frames a second the playground shows, its server and the browser on one core together.

Needs Chromium, playwright and the extra ``playground``: ``taskset --cpu-list 0 python -m benchmarks.playground``.
"""

import os
import shutil
import subprocess
import sys
import time

from playwright.sync_api import sync_playwright

RUNS = {
    "the usual network, 2-8-8-1": "",
    "the largest, 2-12-12-12-12-12-12-1": "#layers=12-12-12-12-12-12",
    "2,000 points, row by row": "#points=2000&batch=single",
}
FRAMES = 200
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1366, "height": 900}


def measured(page, address, link):
    """Return frames a second while it trains an epoch a frame."""
    page.goto("about:blank")
    page.goto(address + link)
    page.wait_for_selector("html[data-ready=true]")
    page.click("#play")
    shown = "n => Number(document.documentElement.dataset.frames) >= n"
    page.wait_for_function(shown, arg=FRAMES // 10)
    begun, first = time.perf_counter(), int(page.locator("html").get_attribute("data-frames"))
    page.wait_for_function(shown, arg=first + FRAMES)
    last = int(page.locator("html").get_attribute("data-frames"))
    return (last - first) / (time.perf_counter() - begun)


def main():
    if hasattr(os, "sched_getaffinity"):
        print(f"on {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores")
    command = [sys.executable, "-u", "-m", "fastnn.cli", "playground", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        address = server.stdout.readline().split()[4]
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for title, link in RUNS.items():
            for name, size in {"desk": DESK, "phone": PHONE}.items():
                page = browser.new_page(viewport=size)
                print(f"{title}, {name}: {measured(page, address, link):.0f} frames a second", flush=True)
                page.close()
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main()

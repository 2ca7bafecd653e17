"""How fast the pages are in a real Chromium: `python -m benchmarks.pages [--run RUN]`.

The first page is opened in a server that has just become healthy, with an empty browser cache; the time runs until
everything on it is drawn. A rerun is a step of the gallery's page on Comparison, with twelve faces, and a step to the
next face, and another quantile, on Attribution; the time runs from the key press until the new pictures are painted.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
RERUNS = 15


@contextmanager
def serving() -> Iterator[str]:
    """Give the address of a server that has just become healthy."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                break
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def settle(page: Page) -> None:
    """Wait until nothing is left to draw."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=300_000)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')", timeout=300_000)


def first_page(page: Page, address: str) -> dict[str, float]:
    """Return the seconds until the heading shows, and until all of the start page does."""
    started = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("h1")
    heading = time.perf_counter() - started
    page.get_by_role("link", name="Begin the tour").wait_for(timeout=60_000)
    settle(page)
    return {"heading_s": round(heading, 2), "whole_s": round(time.perf_counter() - started, 2)}


def step(page: Page, field: str, watched: str, keys: tuple[str, ...] = ("ArrowUp", "Enter")) -> float:
    """Press keys in a field, and return the seconds until the watched pictures are others and painted."""
    before = page.evaluate("s => [...document.querySelectorAll(s)].map(i => i.src).join()", watched)
    started = time.perf_counter()
    for key in keys:
        page.locator(field).press(key)
    page.wait_for_function(
        "([s, before]) => { const all = [...document.querySelectorAll(s)];"
        " return all.length && all.every(i => i.complete) && all.map(i => i.src).join() !== before }",
        arg=[watched, before],
        timeout=60_000,
    )
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    elapsed = time.perf_counter() - started
    settle(page)
    return elapsed


def summary(seconds: list[float]) -> dict[str, float]:
    return {"median_ms": round(1000 * statistics.median(seconds)), "slowest_ms": round(1000 * max(seconds))}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="a finished run whose gallery to step through; without it only maps are timed")
    run = parser.parse_args().run
    found = shutil.which("chromium")
    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1200})
        result: dict[str, object] = {"first_page": first_page(page, address)}
        page.goto(f"{address}/attribution?data=Drawn+faces")
        page.wait_for_selector(".st-key-face_overlay img.map", timeout=300_000)
        settle(page)
        maps = [step(page, ".st-key-face input", "[data-testid=stImage] img") for _ in range(RERUNS)]
        result["next_face"] = summary(maps)
        slider = ".st-key-quantile [role=slider]"
        result["quantile"] = summary(
            [step(page, slider, "[data-testid=stImage] img", ("ArrowLeft",)) for _ in range(RERUNS - 5)]
        )
        if run:
            page.goto(f"{address}/comparison?run={run}&outcome=All")
            page.wait_for_selector("[class*='st-key-gallery_page'] input", timeout=300_000)
            settle(page)
            faces = [step(page, "[class*='st-key-gallery_page'] input", "img[alt*='score']") for _ in range(RERUNS)]
            result["twelve_faces"] = summary(faces)
        browser.close()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

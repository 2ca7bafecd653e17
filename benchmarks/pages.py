"""How fast the pages are in a real Chromium: `python -m benchmarks.pages`.

The first page is opened in a server that has just become healthy, with an empty browser cache; the time runs until
everything on it is drawn. A rerun is a step of the gallery's page on Comparison, with twelve faces, the switch between clean and
treated test faces there, and a step to the next face, and another quantile, on Attribution; the time runs from the key press or
click until what is new is painted. Comparison is of a run with twelve variants, made in the workspace of the example that ships.
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

import pandas as pd
from playwright.sync_api import Page, sync_playwright

from fairsal_core.home import runs_folder
from fairsal_core.results import read_predictions, results_table
from fairsal_core.runs import RunFiles, example_run, seal_run

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


def twelve_variants() -> str:
    """Return the id of a run in the workspace that is the example's, with one scheme's predictions under ten names."""
    example = example_run()
    if example is None:
        raise SystemExit("The example that ships cannot be unpacked, so there is nothing to open on Comparison.")
    folder = runs_folder() / f"{example.id[:-4]}1212"
    if folder.is_dir():
        return folder.name
    shutil.copytree(example.path, folder)
    files, table = RunFiles(folder), read_predictions(example.path)
    scheme = table[table["variant"] == "general_mask@0.7"]
    names = [
        f"{kind}@{quantile}" for kind in ("general_mask", "specific_noise") for quantile in (0.5, 0.6, 0.7, 0.8, 0.9)
    ]
    parts = [table[table["variant"].isin(["original", "balanced"])], *(scheme.assign(variant=name) for name in names)]
    predictions = pd.concat(parts, ignore_index=True)
    predictions.to_parquet(files.predictions, index=False)
    results = results_table(predictions, str(example.config["target"]), str(example.config["confounder"]))
    results.to_parquet(files.results, index=False)
    seal_run(folder)
    return folder.name


def open_comparison(page: Page, address: str, run: str) -> float:
    """Return the seconds until Comparison's cards and chart are drawn."""
    page.goto("about:blank")
    started = time.perf_counter()
    page.goto(f"{address}/comparison?run={run}")
    page.wait_for_selector(".fs-card", timeout=300_000)
    page.wait_for_selector(".st-key-cells .main-svg", timeout=300_000)
    settle(page)
    return time.perf_counter() - started


def switch(page: Page, name: str) -> float:
    """Choose which test faces the table is of, and return the seconds until the page is drawn anew."""
    table = ".st-key-summary canvas table"
    before = page.locator(table).first.text_content()
    started = time.perf_counter()
    page.locator(".st-key-evaluation").get_by_text(name, exact=True).click()
    page.wait_for_function(
        "([s, before]) => { const one = document.querySelector(s); return one && one.textContent !== before }",
        arg=[table, before],
        timeout=60_000,
    )
    settle(page)
    return time.perf_counter() - started


def summary(seconds: list[float]) -> dict[str, float]:
    return {"median_ms": round(1000 * statistics.median(seconds)), "slowest_ms": round(1000 * max(seconds))}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    run = twelve_variants()
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
        slider = ".st-key-quantile input[type=range]"
        result["quantile"] = summary(
            [step(page, slider, "[data-testid=stImage] img", ("ArrowLeft",)) for _ in range(RERUNS - 5)]
        )
        result["comparison_first_s"] = round(open_comparison(page, address, run), 2)
        result["comparison_again"] = summary([open_comparison(page, address, run) for _ in range(RERUNS)])
        page.goto(f"{address}/comparison?run={run}&tab=Accuracy")
        page.locator(".st-key-summary canvas table").first.wait_for(state="attached", timeout=300_000)
        settle(page)
        result["clean_or_treated"] = summary([switch(page, name) for name in ("clean", "treated") * (RERUNS // 2)])
        page.goto(f"{address}/comparison?run={run}&tab=Faces&outcome=All")
        page.wait_for_selector("[class*='st-key-gallery_page'] input", timeout=300_000)
        settle(page)
        faces = [step(page, "[class*='st-key-gallery_page'] input", "img[alt*='score']") for _ in range(RERUNS)]
        result["twelve_faces"] = summary(faces)
        browser.close()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

"""Take the screenshots of README and guide: `python docs/make_screenshots.py ADDRESS RUN`, of an app on drawn faces.

RUN is a finished run of the app at ADDRESS, such as http://127.0.0.1:8501; the guide's is the one that the tour starts.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

IMAGES = Path(__file__).with_name("images")
SHOWN = {
    "attribution": (
        "attribution?attribute=Blond_Hair&face=4",
        ".st-key-difference_overlay, .st-key-second_mean_overlay",
    ),
    "comparison": ("comparison?run={run}", ".st-key-pareto"),
}


def main(address: str, run: str) -> None:
    """Write a picture of the top of each page, once what stands further below is drawn too."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (link, last) in SHOWN.items():
            page = browser.new_page(viewport={"width": 1440, "height": 1100}, color_scheme="light")
            page.goto(f"{address}/{link.format(run=run)}")
            expect(page.locator(last).first).to_be_attached(timeout=300_000)
            page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=300_000)
            page.wait_for_timeout(2_000)  # pictures fade in
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""How much room Comparison takes, with the example that ships: on a laptop and on a phone."""

import zipfile

import pytest
from playwright.sync_api import Page, expect

from fairsal_core.runs.example import ARCHIVE
from tests.browser.conftest import settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
TABS = ("Summary", "Accuracy", "Attention", "Faces", "Decide")
EXAMPLE = zipfile.ZipFile(ARCHIVE).namelist()[0].partition("/")[0]
LAPTOP, PHONE = (1366, 768), (390, 844)
REACHES = "() => { const main = document.querySelector('[data-testid=stMain]'); return [main.scrollHeight, main.scrollWidth] }"


@pytest.mark.parametrize(("size", "screens"), [(LAPTOP, 2.0), (PHONE, 3.5)], ids=["laptop", "phone"])
def test_every_tab_fits(page: Page, server: str, size: tuple[int, int], screens: float) -> None:
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    taken = {}
    for tab in TABS:
        page.goto(f"{server}/comparison?run={EXAMPLE}&tab={tab}")
        expect(page.get_by_role("tab", name=tab, selected=True)).to_be_visible(timeout=60_000)
        settled(page)
        high, wide = page.evaluate(REACHES)
        taken[tab] = round(high / height, 2)
        assert wide <= width, tab
    assert max(taken.values()) <= screens, taken


def test_worst_cell_and_shortcut_gap_are_in_sight_at_once(page: Page, server: str) -> None:
    page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})
    page.goto(f"{server}/comparison?run={EXAMPLE}")
    for question in ("worst cell", "shortcut gap"):
        row = page.get_by_role("rowheader", name=question).first
        expect(row).to_be_visible(timeout=60_000)
        settled(page)
        box = row.bounding_box()
        assert box and box["x"] >= 0 and box["y"] + box["height"] <= LAPTOP[1], question

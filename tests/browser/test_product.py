"""What a person meets: the keyboard reaches everything, links reproduce the view, the tour, the report on its own."""

import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from fairsal_core.reports import write_report
from tests.browser.conftest import settled
from tests.reports.conftest import MakeRun, make_run  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def wait(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    settled(page, 120)


def test_the_keyboard_reaches_the_ways_in_and_opens_one(page: Page) -> None:
    reached: list[str] = []
    while len(reached) < 40 and not (reached and "Open Comparison" in reached[-1]):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.closest('a')?.textContent ?? ''"))
    for way in ("Open Attribution", "Open Training", "Open Comparison"):
        assert any(way in text for text in reached), way
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Before and after, for each subgroup")).to_be_visible(timeout=60_000)


def test_the_map_s_opacity_is_in_the_link(page: Page, server: str) -> None:
    page.goto(f"{server}/attribution?attribute=Eyeglasses&opacity=25")
    slider = page.locator(".st-key-face_overlay input[type=range]")
    expect(slider).to_have_value("25", timeout=60_000)
    slider.focus()
    slider.press("ArrowRight")
    expect(page).to_have_url(re.compile("opacity=26"))
    assert "attribute=Eyeglasses" in page.url
    page.reload()
    expect(page.locator(".st-key-face_overlay input[type=range]")).to_have_value("26", timeout=60_000)


def test_the_whole_tour_takes_less_than_five_minutes(page: Page) -> None:
    begun = time.monotonic()
    page.get_by_role("link", name="Begin the tour").click()
    for number in range(1, 6):
        expect(page.get_by_text(f"Tour, step {number} of 5")).to_be_visible(timeout=60_000)
        settled(page)
        if number > 2:
            expect(page.get_by_text("This is the example that ships")).to_be_visible()
        page.get_by_role("link", name="Next" if number < 5 else "Train one of your own").click()
    expect(page.locator(".st-key-epochs input")).to_have_value("4", timeout=60_000)
    assert "tour=" not in page.url
    assert time.monotonic() - begun < 300  # what is promised where it begins


def test_a_link_opens_the_same_screen_in_another_browser(browser: Browser, page: Page, server: str) -> None:
    page.goto(f"{server}/attribution?attribute=Eyeglasses")
    wait(page)
    expect(page.get_by_text("the rest are drawn meanwhile")).to_have_count(0, timeout=240_000)
    page.get_by_role("slider", name="Quantile").press("ArrowRight")
    expect(page.get_by_text("25% changed").first).to_be_visible(timeout=60_000)
    page.locator(".st-key-by_sight label").first.click()
    expect(page.get_by_text("In this order")).to_be_visible(timeout=60_000)
    settled(page)
    assert {"data", "attribute", "quantile", "by_sight"} <= set(parse_qs(urlparse(page.url).query))
    other = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    other.goto(page.url)
    wait(other)
    said = "() => document.querySelector('[data-testid=stMain]').innerText"
    assert other.evaluate(said) == page.evaluate(said)
    other.context.close()


def test_a_slider_of_the_methods_moves_its_number(page: Page, server: str) -> None:
    page.goto(f"{server}/methods?topic=Subgroups")
    wait(page)
    gap = page.locator('[data-testid="stMetric"]').filter(has_text="Gap")
    before = gap.inner_text()
    slider = page.get_by_role("slider", name="Accuracy, blond men")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    expect(gap).not_to_have_text(before, timeout=30_000)
    expect(page.locator(".katex").first).to_be_visible()


def test_the_report_opens_from_disk_without_a_network_and_prints_whole_tables(
    browser: Browser,
    make_run: MakeRun,  # noqa: F811
    tmp_path: Path,
) -> None:
    written = write_report(make_run(), tmp_path / "report", faces=False)
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 900})
    page = context.new_page()
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(written.html.as_uri())
    expect(page.get_by_role("table").first).to_be_visible()
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1015, "height": 700})  # the width of A4 landscape between its margins
    cut = page.evaluate(
        "() => [...document.querySelectorAll('table')].filter(t => t.scrollWidth > document.body.clientWidth + 1)"
        ".map(t => t.caption.textContent)"
    )
    assert cut == []
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert failed == []
    context.close()

"""Every page in both themes, empty, with a run, with an unknown name in the link: what axe-core says, and who is asked."""

import re
import shutil
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import DRAWING_SECONDS, accessibility_faults, settled
from tests.browser.test_screens import EXAMPLE
from tests.reports.conftest import MakeRun, make_run  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
# Data last: it wants all drawn faces, which are drawn meanwhile.
EMPTY = (
    "",
    "attribution",
    "comparison",
    "methods",
    "scan",
    "training?run=20200101-000000-gone-0000",
    "training",
    "audit",
    "data",
)
WITH_A_RUN = (
    "",
    "attribution?tour=1",
    "attribution?by_sight=true&beside=One+patch",
    "attribution?origin=Example&attribute=Bangs",
    "training?run={run}",
    "comparison?run={run}",
    "comparison?run={run}&tab=Accuracy",
    "comparison?run={run}&tab=Attention",
    "comparison?run={run}&tab=Decide",
    "comparison?run={run}&tab=Decide&decide_view=Decision",
    "comparison?run={run}&review=1",
    "comparison?run={run}&outcome=All&face=000007.jpg",
)
VIEWS = (
    "tab=Summary&summary_view=The+paper%27s+groups+and+gap",
    "tab=Accuracy&accuracy_view=Groups+and+gap",
    "tab=Accuracy&accuracy_view=Against+fairness",
    "tab=Accuracy&accuracy_view=The+paper%27s+figures",
    "tab=Accuracy&accuracy_view=How+mitigation+ended",
    "tab=Attention",
    "tab=Attention&attention_view=Mean+maps",
    "tab=Attention&attention_view=Numbers",
    "tab=Attention&attention_view=For+the+right+reasons%3F",
    "tab=Decide&decide_view=Notes",
    "tab=Decide&decide_view=Report",
    "review=2&class=true",
    "review=3&class=true",
    "review=5",
)


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_count(1, timeout=60_000)
    if "face=" in address:
        opened = page.get_by_role("dialog").get_by_alt_text(re.compile("^Face 000007.jpg"))
        expect(opened.first).to_be_visible(timeout=60_000)
    settled(page, DRAWING_SECONDS)
    assert page.get_by_text("Traceback").count() == 0


def wear(page: Page, theme: Theme) -> None:
    """Change what the system prefers, which the app follows at once."""
    page.emulate_media(color_scheme=theme)
    expect(page.locator('[data-testid="stApp"]')).to_have_css("color-scheme", theme, timeout=60_000)
    settled(page)


def look(page: Page, address: str, link: str) -> list[str]:
    """Return what is wrong with a page in either theme."""
    open_page(page, f"{address}/{link}")
    faults = []
    for theme in THEMES:
        wear(page, theme)
        faults += [f"{link}, {theme}: {fault}" for fault in accessibility_faults(page)]
    return faults


@pytest.mark.parametrize("half", [0, 1])
def test_no_view_of_comparison_has_a_serious_fault(context: BrowserContext, drawn_server: str, half: int) -> None:
    page = context.new_page()
    faults = []
    for size, views in (
        ((1280, 1600), VIEWS[half::2]),
        ((390, 844), VIEWS[5 + half : 8 : 2]),
    ):  # what a phone scrolls too
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for view in views:
            faults += look(page, drawn_server, f"comparison?run={EXAMPLE}&{view}")
    page.close()
    assert faults == []


def test_no_page_has_a_serious_fault_and_not_one_request_leaves_the_machine(
    context: BrowserContext,
    drawn_server: str,
    server_home: Path,
    make_run: MakeRun,  # noqa: F811
) -> None:
    runs = server_home / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    run = make_run().path
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 1600})
    asked: set[str | None] = set()
    page.on("request", lambda request: asked.add(urlparse(request.url).hostname))
    faults: list[str] = []

    for link in EMPTY:
        faults += look(page, drawn_server, link)
    shutil.copytree(run, runs / run.name)
    for link in WITH_A_RUN:
        faults += look(page, drawn_server, link.format(run=run.name))
    page.close()
    assert faults == []
    assert asked - {None} == {"127.0.0.1"}  # none: what is in the page itself

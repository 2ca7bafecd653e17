"""What axe-core says of every page, in both themes: empty, with a run, and with a name in the link that is unknown."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import accessibility_faults, settled
from tests.reports.conftest import MakeRun, make_run  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
EMPTY = ("", "attribution", "training", "comparison", "methods", "training?run=20200101-000000-gone-0000")
WITH_A_RUN = (
    "",
    "attribution?tour=1",
    "training?run={run}",
    "comparison?run={run}&variants=original&variants=balanced",
    "comparison?run={run}&outcome=All&face=000007.jpg",
)


def faults_of(page: Page, address: str) -> list[str]:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_count(1, timeout=60_000)
    if "face=" in address:
        opened = page.get_by_role("dialog").get_by_alt_text(re.compile("^Face 000007.jpg"))
        expect(opened.first).to_be_visible(timeout=60_000)
    settled(page, 120)
    assert page.get_by_text("Traceback").count() == 0
    return accessibility_faults(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_fault(
    browser: Browser,
    drawn_server: str,
    server_home: Path,
    make_run: MakeRun,  # noqa: F811
    theme: str,
) -> None:
    runs = server_home / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    run = make_run().path
    context = browser.new_context(viewport={"width": 1280, "height": 1600}, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    faults = {link: faults_of(page, f"{drawn_server}/{link}") for link in EMPTY}
    shutil.copytree(run, runs / run.name)
    faults |= {link: faults_of(page, f"{drawn_server}/{link.format(run=run.name)}") for link in WITH_A_RUN}
    context.close()
    assert {link: found for link, found in faults.items() if found} == {}

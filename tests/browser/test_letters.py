"""What others wrote, in a real browser: it is read as it was written, and nothing is fetched for it."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from fairsal_core.reports import add_note
from tests.browser.conftest import settled
from tests.reports.conftest import MakeRun, make_run  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AUTHORS = [
    "![a](https://example.org/a.png)",
    "<img src='https://example.org/b.png'> &lt;i&gt; <i>c</i>",
    ":red[d] :material/home: :smile: **e** _f_ ~~g~~ `h` $i$",
    "# j | - k [l](https://example.org)",
]
CONFOUNDER = "<i>m</i> :smile: ![n](https://example.org/n.png) %{x} &lt;"


def test_names_are_read_as_they_were_written(
    context: BrowserContext,
    server: str,
    server_home: Path,
    make_run: MakeRun,  # noqa: F811
) -> None:
    run = make_run(name=AUTHORS[2], data="/not/on/offer", confounder=CONFOUNDER)
    for author in AUTHORS:
        add_note(run.path, "A note.", author)
    name = f"{run.id[:-4]}1e77"  # other tests here have a run of the same name
    shutil.copytree(run.path, server_home / "runs" / name)
    page = context.new_page()
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"{server}/comparison?run={name}&tab=Decide&decide_view=Notes")
    expect(page.get_by_role("heading", name="Reviewers' notes")).to_be_visible(timeout=120_000)
    settled(page)
    captions = [text.replace("\u2060", "") for text in page.get_by_test_id("stCaptionContainer").all_text_contents()]
    for written in (*AUTHORS, f"Male × {CONFOUNDER}"):
        assert [text for text in captions if text.startswith(f"{written} · ")], written
    page.goto(f"{server}/comparison?run={name}&tab=Accuracy&accuracy_view=Against+fairness")
    expect(page.locator(".st-key-pareto .xtitle")).to_be_visible(timeout=120_000)
    chart = page.locator(".st-key-pareto .xtitle")  # which plotly draws, with its own idea of HTML
    expect(chart).to_have_text(f"equalized odds difference by {CONFOUNDER}")
    page.goto(f"{server}/comparison?run={name}&tab=Accuracy")
    table = page.get_by_test_id("stDataFrame").first
    table.hover()
    expect(page.get_by_role("button", name="Search").first).to_be_visible()
    assert not page.get_by_role("button", name="Download as CSV").count()  # a formula would stand there as it is
    page.goto(f"{server}/")
    links = page.get_by_test_id("stPageLink").filter(has_text="finished")
    expect(links.first).to_be_visible(timeout=60_000)
    settled(page)
    assert [text for text in links.all_text_contents() if AUTHORS[2] in text.replace("\u2060", "")]
    page.close()
    shutil.rmtree(server_home / "runs" / name)
    assert [url for url in fetched if "example.org" in url] == []

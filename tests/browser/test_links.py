"""Links of every page, opened by somebody else: what the page made of the link shows the same screen in another browser."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DRAWING_SECONDS, settled
from tests.browser.test_screens import EXAMPLE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LINKS = {
    "attribution": (
        "attribute=Eyeglasses&quantile=0.85&face=3&beside=One+patch&patch=700&measure=negative_entropy",
        "origin=Example&attribute=Bangs&level=patches&opacity=25",
    ),
    "training": (
        "preset=tour",
        "preset=demo&settings=%7B%22confounder%22%3A%22Eyeglasses%22%2C%22seeds%22%3A%5B0%2C1%5D%7D",
    ),
    "comparison": (
        f"run={EXAMPLE}&reference=balanced&candidate=leace",
        f"run={EXAMPLE}&tab=Accuracy&evaluation=clean&variants=leace&columns=accuracy&columns=men",
        f"run={EXAMPLE}&tab=Attention&attention_view=Mean+maps&roi=30,84,60,24",
        f"run={EXAMPLE}&tab=Faces&outcome=Newly+wrong",
        f"run={EXAMPLE}&tab=Decide&decide_view=Report",
        f"run={EXAMPLE}&review=2&class=true&student=7",
    ),
    "methods": ("topic=Subgroups&mini_blond=300", "topic=Schemes&mini_quantile=0.9"),
    "audit": ("target=Eyeglasses",),
    "data": ("",),
}
ESTIMATED = ("training",)  # how long it will take is told anew each second
SEEN = """words => {
  const main = document.querySelector('[data-testid=stMain]')
  const controls = [...main.querySelectorAll('input, textarea')].map(one => `${one.ariaLabel} ${one.value} ${one.checked}`)
  const chosen = [...main.querySelectorAll('[aria-selected=true], [aria-checked=true]')].map(one => one.innerText)
  return [words ? main.innerText : '', ...controls, ...chosen]
}"""


def screen(page: Page, address: str, link: str) -> list[str]:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    settled(page, DRAWING_SECONDS)
    expect(page.get_by_text("the rest are drawn meanwhile")).to_have_count(0, timeout=DRAWING_SECONDS * 1000)
    settled(page, DRAWING_SECONDS)
    seen: list[str] = page.evaluate(SEEN, link not in ESTIMATED)
    return seen


@pytest.mark.parametrize("name", LINKS)
def test_links_of_a_page_show_another_browser_the_same(browser: Browser, page: Page, server: str, name: str) -> None:
    other = browser.new_context(viewport=page.viewport_size).new_page()
    for link in LINKS[name]:
        seen = screen(page, f"{server}/{name}?{link}", name)
        assert page.get_by_text("is shown instead").count() == 0, link
        assert screen(other, page.url, name) == seen, link
    other.context.close()

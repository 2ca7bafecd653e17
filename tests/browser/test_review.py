"""Review mode with the example that ships: five steps by the keys, a poll before the reveal, faces for each student."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import settled
from tests.browser.test_screens import EXAMPLE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
STEPS = ("1. The question", "2. Who was tested", "3. The verdict", "4. Where it looks", "5. The decision")


def at_step(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=60_000)
    settled(page)


def test_the_keys_lead_through_five_steps_and_out(page: Page, server: str) -> None:
    page.goto(f"{server}/comparison?run={EXAMPLE}")
    expect(page.get_by_text("On clean faces, as it would meet them")).to_be_visible(timeout=60_000)
    settled(page)
    page.get_by_role("button", name="Review mode").click()
    for step in STEPS:
        at_step(page, step)
        expect(page.get_by_test_id("stSidebar")).to_be_hidden()
        page.keyboard.press("ArrowRight")
    at_step(page, STEPS[-1])  # there is none after it
    page.keyboard.press("ArrowLeft")
    at_step(page, STEPS[-2])
    page.reload()  # a step has a link of its own
    at_step(page, STEPS[-2])
    page.keyboard.press("Escape")
    expect(page.get_by_role("tab", name="Summary")).to_be_visible(timeout=60_000)
    settled(page)
    assert "review=" not in page.url
    expect(page.get_by_test_id("stSidebar")).to_be_visible()


def test_a_class_guesses_before_it_sees_and_each_student_has_faces(page: Page, server: str) -> None:
    page.goto(f"{server}/comparison?run={EXAMPLE}&review=3&class=true")
    expect(page.get_by_text("Which subgroup fares worst under General mask, top 30%?")).to_be_visible(timeout=60_000)
    settled(page)
    expect(page.get_by_text("shortcut gap")).to_have_count(0)
    page.get_by_text("women with Blond_Hair", exact=True).click()
    page.get_by_role("button", name="That one").click()
    expect(page.get_by_text("What was guessed · women with Blond_Hair: 1")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("shortcut gap").first).to_be_visible()
    settled(page)

    page.keyboard.press("ArrowLeft")
    at_step(page, STEPS[1])
    faces = page.locator(".st-key-abreast2_student img")
    expect(faces).to_have_count(4, timeout=60_000)

    def drawn() -> list[str]:
        return [str(face.get_attribute("alt")) for face in faces.all()]

    first = drawn()
    number = page.get_by_label("Student")
    number.fill("7")
    number.press("Tab")
    expect(faces.first).not_to_have_attribute("alt", first[0], timeout=60_000)
    settled(page)
    assert "student=7" in page.url
    seventh = drawn()
    page.reload()
    at_step(page, STEPS[1])
    expect(faces).to_have_count(4, timeout=60_000)
    assert drawn() == seventh

"""What a person does: upload a face and see its map, train with a scheme, find the row in Comparison."""

import base64
import io

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from fairsal_core.drawing import draw_face
from fairsal_core.faces import find_faces, misplacement
from tests.browser.conftest import DRAWING_SECONDS, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def portrait() -> FilePayload:
    buffer = io.BytesIO()
    draw_face(seed=99, index=3).image.save(buffer, "PNG")
    return {"name": "portrait.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def set_number(page: Page, key: str, value: str) -> None:
    field = page.locator(f".st-key-{key} input")
    field.fill(value)
    field.press("Tab")
    settled(page)


def test_from_an_uploaded_face_to_a_row_in_comparison(page: Page) -> None:
    page.get_by_role("link", name="Open Attribution").click()
    expect(page.get_by_role("heading", name="Where does an attribute live?")).to_be_visible()
    page.get_by_role("radio", name="Upload").or_(page.get_by_role("button", name="Upload", exact=True)).first.click()
    page.locator('.st-key-upload input[type="file"]').set_input_files(portrait())
    overlay = page.locator(".st-key-face_overlay")
    expect(overlay.get_by_alt_text("Face portrait.png")).to_be_visible(timeout=60_000)
    expect(page.get_by_alt_text("portrait.png under specific noise at quantile 0.7")).to_be_visible(timeout=60_000)
    settled(page)

    # The slider works in the browser: the map fades, and no script runs.
    map_image = overlay.locator("img.map")
    overlay.locator('input[type="range"]').fill("0")
    assert float(map_image.evaluate("image => getComputedStyle(image).opacity")) == 0.0
    assert map_image.evaluate("image => image.naturalWidth") == 128

    page.get_by_role("link", name="Training").click()
    expect(page.get_by_role("heading", name="Train under a known bias")).to_be_visible()
    settled(page, DRAWING_SECONDS)  # Training wants all drawn faces
    for field, count in (("target_without", "60"), ("other_with", "40"), ("other_without", "20")):
        set_number(page, f"count_{field}", count)
    set_number(page, "epochs", "1")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("link", name="See the results")).to_be_visible(timeout=180_000)

    page.get_by_role("link", name="See the results").click()
    expect(page.get_by_role("heading", name="Before and after, for each subgroup")).to_be_visible()
    settled(page)
    page.get_by_role("tab", name="Accuracy").click()
    expect(page.get_by_role("button", name="gap (women - men)")).to_be_visible(timeout=60_000)
    settled(page)
    # The table is drawn on a canvas; what a screen reader finds beside it is a table too.
    rows = page.locator(".st-key-summary canvas table")
    for variant in ("Original", "Balanced", "General mask, top 30%"):
        expect(rows.get_by_text(variant, exact=True).first).to_be_attached()
    # Columns outside the view are not drawn; what can be chosen names them all.
    expect(page.get_by_role("button", name="gap (women - men)")).to_be_visible()


def wide_photo() -> FilePayload:
    """A scene of 1,000 x 560 with two drawn people in it, the nearer one leaning to the side and cut by the edge."""
    scene = Image.new("RGB", (1000, 560), "#778899")
    far = draw_face(seed=99, index=5).image.resize((120, 147))
    near = (
        draw_face(seed=99, index=3).image.resize((230, 282)).rotate(15, Image.Resampling.BICUBIC, fillcolor="#778899")
    )
    scene.paste(far, (120, 260))
    scene.paste(near, (600, -40))
    buffer = io.BytesIO()
    scene.save(buffer, "JPEG", quality=92)
    return {"name": "party.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}


def test_an_ordinary_wide_photo_ends_with_a_map_on_the_face(page: Page, server: str) -> None:
    page.goto(f"{server}/attribution?origin=Upload&attribute=Smiling")
    page.locator('.st-key-upload input[type="file"]').set_input_files(wide_photo())
    overlay = page.locator(".st-key-face_overlay")
    expect(overlay.get_by_alt_text("Face party.jpg")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("aligned photographs of celebrities")).to_be_visible()
    expect(page.get_by_text("2 faces in party.jpg")).to_be_visible()
    expect(page.get_by_text("All patches together say")).to_be_visible()
    settled(page)

    # What the map lies on is the nearer face, upright, where CelebA's frame has it.
    def shown() -> Image.Image:
        address = overlay.locator("img.face").get_attribute("src") or ""
        return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB").resize((178, 218))

    before = overlay.locator("img.face").get_attribute("src") or ""
    (face,) = find_faces(shown())
    assert misplacement(face.points) < 8
    expect(page.get_by_text("Striped: not from the photo")).to_be_visible()

    # The other one can be chosen.
    page.locator(".st-key-which_1").get_by_text("2", exact=True).click()
    expect(overlay.locator("img.face")).not_to_have_attribute("src", before, timeout=60_000)
    settled(page)
    assert misplacement(find_faces(shown())[0].points) < 10


def test_an_upload_that_is_no_image_is_one_clear_sentence(page: Page) -> None:
    page.get_by_role("link", name="Open Attribution").click()
    page.get_by_role("radio", name="Upload").or_(page.get_by_role("button", name="Upload", exact=True)).first.click()
    page.locator('.st-key-upload input[type="file"]').set_input_files(
        {"name": "page.png", "mimeType": "image/png", "buffer": b"<html>not an image</html>"}
    )
    expect(page.get_by_text("page.png is not a PNG, JPEG or WebP image.")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("How well calibrated is this region classifier?")).to_be_visible(timeout=60_000)


def test_a_link_into_the_app_opens_the_page_in_its_frame(page: Page, server: str) -> None:
    page.goto(f"{server}/attribution?attribute=Eyeglasses&quantile=0.9")
    expect(page.get_by_role("heading", name="Where does an attribute live?")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="Comparison")).to_be_visible()
    expect(page.get_by_text("10% changed").first).to_be_visible(timeout=60_000)


def test_a_link_to_a_run_that_is_gone_explains_itself(page: Page, server: str) -> None:
    page.goto(f"{server}/training?run=20200101-000000-gone-0000")
    expect(page.get_by_text("It may have been deleted")).to_be_visible(timeout=60_000)

"""What a review team does: bring predictions, see what was understood, audit them, find them in Comparison."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from fairsal_core.faces import load_celeba
from tests.browser.conftest import DRAWING_SECONDS, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def predictions(home: Path) -> bytes:
    """Scores of the drawn faces by two models, one of which follows hair."""
    (folder,) = (path for path in (home / "datasets").iterdir() if not path.name.endswith("-first"))
    faces = load_celeba(folder)
    generator = np.random.default_rng(0)
    lines = ["file_name,model,score"]
    for model, follows in (("careful", "Male"), ("shortcut", "Blond_Hair")):
        yes = faces.labels(follows) == (model == "careful")
        scores = np.clip(np.where(yes, 0.8, 0.2) + generator.normal(0, 0.15, len(faces)), 0, 1)
        lines += [f"{name},{model},{score:.3f}" for name, score in zip(faces.names, scores, strict=True)]
    return "\n".join(lines).encode()


def test_from_a_table_of_predictions_to_comparison(page: Page, server_home: Path) -> None:
    page.get_by_role("link", name="Audit", exact=True).click()
    expect(page.get_by_role("heading", name="Audit any classifier")).to_be_visible()
    # The drawn faces are all wanted here, and are perhaps drawn only now.
    expect(page.get_by_text("Nothing was brought yet")).to_be_visible(timeout=DRAWING_SECONDS * 1000)
    expect(page.get_by_role("button", name="Audit", exact=True)).to_be_disabled()
    page.locator('.st-key-audit_uploads input[type="file"]').set_input_files(
        {"name": "scores.csv", "mimeType": "text/csv", "buffer": predictions(server_home)}
    )
    expect(page.get_by_text("careful: yes above a score of 0.5.")).to_be_visible(timeout=60_000)
    settled(page)
    page.get_by_role("button", name="Audit", exact=True).click()
    expect(page.get_by_role("link", name="See the results")).to_be_visible(timeout=120_000)
    expect(page.get_by_role("button", name="Report (HTML)")).to_be_visible()

    page.get_by_role("link", name="See the results").click()
    expect(page.get_by_text("test faces in equal cells").first).to_be_visible(timeout=60_000)
    settled(page)
    page.get_by_role("tab", name="Attention").click()
    expect(page.get_by_text("These are predictions alone")).to_be_visible(timeout=60_000)

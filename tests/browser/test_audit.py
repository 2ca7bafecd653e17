"""What a review team does: bring predictions or a classifier, see what was understood, audit, find it in Comparison, file it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from fairsal_core.faces import FaceDataset, load_celeba, with_pixels
from tests.browser.conftest import DRAWING_SECONDS, settled
from tests.classifiers.imported.makers import SMALL, write_weights

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
SIDE = 64
MOST_CLICKS = 9


@dataclass
class Hand:
    """A hand on the mouse, which counts."""

    clicks: int = 0

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def choose(self, page: Page, key: str, option: str) -> None:
        self.click(page.locator(f".st-key-{key} input"))
        self.click(page.get_by_role("option", name=option))

    def give(self, upload: Locator, *files: Path) -> None:
        """Choose files for an upload, whose button would be clicked for it."""
        upload.set_input_files(files)
        self.clicks += 1


def drawn(home: Path) -> FaceDataset:
    (folder,) = (path for path in (home / "datasets").iterdir() if not path.name.endswith("-first"))
    return load_celeba(folder)


def predictions(home: Path) -> bytes:
    """Scores of the drawn faces by two models, one of which follows hair."""
    faces = drawn(home)
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


def taught(home: Path, folder: Path) -> list[Path]:
    """Return the files of a network of torchvision that was shown some drawn faces of the train split for a few seconds."""
    import torchvision

    faces = with_pixels(drawn(home).in_split("train").sample(384), folder / "packed")
    pixels = torch.from_numpy(np.array(faces.images)).permute(0, 3, 1, 2) / 255
    shown = (torch.nn.functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True) - 0.5) / 0.5
    labels = torch.from_numpy(faces.labels("Male").astype(np.int64))
    torch.manual_seed(0)
    network = torchvision.models.get_model(SMALL, num_classes=2)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    for rows in torch.randperm(3 * len(shown)).remainder(len(shown)).split(48):
        loss = torch.nn.functional.cross_entropy(network(shown[rows]), labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    write_weights(folder, network, {"architecture": SMALL, "label_names": ["not Male", "Male"]}, "face_net")
    (folder / "fairsal.json").write_text(json.dumps({"resize": SIDE, "crop": SIDE, "mean": 0.5, "std": 0.5}))
    return sorted(path for path in folder.iterdir() if path.is_file())


def test_a_classifier_from_elsewhere_ends_in_the_filed_report(page: Page, server_home: Path, tmp_path: Path) -> None:
    hand = Hand()
    hand.click(page.get_by_role("link", name="Audit", exact=True))
    expect(page.get_by_text("Nothing was brought yet")).to_be_visible(timeout=DRAWING_SECONDS * 1000)
    settled(page)
    files = taught(server_home, tmp_path / "model")
    hand.choose(page, "audit_split", "the test split")
    settled(page)

    hand.click(page.get_by_text("Import a classifier"))
    upload = page.locator('.st-key-import_upload input[type="file"]')
    hand.give(upload, *files)
    expect(page.get_by_text(f"{SIDE} × {SIDE} pixels, RGB")).to_be_visible(timeout=120_000)
    settled(page)
    hand.click(page.get_by_role("button", name="Store it"))
    expect(page.get_by_text("and chosen below")).to_be_visible(timeout=60_000)
    settled(page)

    hand.click(page.get_by_role("button", name="Audit", exact=True))
    report = page.get_by_role("button", name="Report (HTML)")
    expect(report).to_be_visible(timeout=240_000)
    expect(page.get_by_role("heading", name="What hiding changes")).to_be_visible()
    settled(page)
    with page.expect_download(timeout=60_000) as filed:
        hand.click(report)
    filed.value.save_as(tmp_path / "report.html")
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    for said in ("face_net", "What hiding changes", "worst cell"):
        assert said in written, said
    assert hand.clicks <= MOST_CLICKS

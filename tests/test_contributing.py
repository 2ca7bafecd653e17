"""The recipes of CONTRIBUTING.md are true: what they add works, and shows on every page, in a run, its report and its tables."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fairsal_core.drawing import draw_demo_faces
from fairsal_core.faces import load_celeba

ROOT = Path(__file__).resolve().parents[1]
DIFFS = re.findall(
    r"^```diff\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
KINDS = 8  # scheme, explainer, metric, measure, network, classifier, method, format
USE_THEM = """
import numpy as np
import torch
from fairsal_core.classifiers import build_classifier
from fairsal_core.faces import Roi
from fairsal_core.metrics import METRICS, SaliencyMetric, metrics_of
from fairsal_core.mitigation import METHODS, mitigate
from fairsal_core.regions import confidence
from fairsal_core.results import measure
from fairsal_core.saliency import explain
from fairsal_core.schemes import apply_scheme
from pages.components.methods.formulas import formulas_of
from tests.mitigation.networks import toy_faces, trained_toy

images = torch.rand(4, 3, 128, 128)
hidden = apply_scheme(images, torch.rand(128, 128), "general_blur", 0.7)
share = (hidden != images).any(dim=1).float().mean().item()
assert 0.25 < share < 0.31, share

classifier = build_classifier("two_conv")
assert classifier(images).shape == (4, 2)
relevance = explain(classifier, images, 1, "input_times_gradient").relevance
assert relevance.shape == (4, 128, 128) and relevance.any()

sure, unsure = confidence(torch.tensor([[9.0, -9.0], [0.0, 0.0]]), "purity").tolist()
assert sure > 0.999 and abs(unsure) < 1e-6

maps, roi = np.random.default_rng(0).random((50, 9, 14)), Roi(x=5, y=1, width=4, height=3)
maps[0] = 0
found = measure(None, maps, roi)["pointing_game"]
assert np.isnan(found[0]), found
mask = roi.mask((9, 14))
assert found[1:].tolist() == [float(mask[np.unravel_index(one.argmax(), one.shape)]) for one in maps[1:]]
assert 0 < np.nanmean(found) < 1
assert [metric.name for metric in metrics_of(SaliencyMetric)][-1] == "pointing_game"
assert [formula.title for formula in formulas_of("Attention")][3] == "Pointing game"

biased = trained_toy()
settings = METHODS["last_layer"].settings(epochs=5, learning_rate=0.01)
done = mitigate(biased, "last_layer", toy_faces(240, seed=1), toy_faces(160, seed=2), settings, seed=0)
assert done.outcome == "ok", done.reason
before, after = biased.state_dict(), done.classifier.state_dict()
changed = {name for name in before if not torch.equal(before[name], after[name])}
assert changed == {"15.weight", "15.bias"}, changed
"""
OPEN_PAGES = """
import os, sys
from streamlit.testing.v1 import AppTest

run, shown = sys.argv[1:]

from fairsal_core.errors import FairsalError
from pages.components.shared import estimate


def refuse(kind, content):
    raise FairsalError("Nothing is measured while pages are tested.")


estimate.probe_aside = refuse


def opened(page, **query):
    app = AppTest.from_file("app.py", default_timeout=120)
    app.query_params.update(query)
    app.run().switch_page(f"pages/{page}.py").run()
    assert not app.exception, (page, [each.value for each in app.exception])
    assert not app.error, (page, [each.value for each in app.error])
    return app

def texts(app):
    kinds = ("markdown", "caption", "subheader", "header", "title", "info", "warning")
    return "\\n".join(str(each.value) for kind in kinds for each in getattr(app, kind))

opened("start")
attribution = opened("attribution", data=shown, measure="purity")
assert "Purity" in attribution.selectbox(key="measure").options
assert "General blur" in texts(attribution)
training = opened("training", data=shown, run=run)
for key, name in (("schemes", "General blur"), ("explainers", "Input times gradient"), (f"mitigate_methods-{run}", "Last layer")):
    assert name in training.multiselect(key=key).options, key
for key, name in (("classifier", "Two conv"), ("run_measure", "Purity")):
    assert name in training.selectbox(key=key).options, key
comparison = opened("comparison", run=run, tab="Accuracy")
assert any("General blur, top 30%" in str(each.value.to_dict()) for each in comparison.dataframe)
comparison = opened("comparison", run=run, tab="Attention", attention_view="Numbers")
assert "Input times gradient" in comparison.selectbox(key="explainer").options
assert "pointing game" in "".join(chart.proto.spec for chart in comparison.get("plotly_chart"))
methods = opened("methods")
assert "Purity" in [each.label for each in methods.metric]
for topic in methods.segmented_control(key="topic").options:
    methods.segmented_control(key="topic").set_value(topic).run()
    assert not methods.exception, topic
"""
CONFIG: dict[str, Any] = {
    "target": "Male",
    "confounder": "Blond_Hair",
    "counts": "0,8,6,4",
    "schemes": ["general_blur@0.7"],
    "measure": "purity",
    "regions": {"network": "linear", "images": 40, "epochs": 1, "batch_size": 20, "validation_images": 8},
    "training": {"classifier": "two_conv", "epochs": 4, "batch_size": 8, "learning_rate": 0.003},
    "attention": {"explainers": ["input_times_gradient"], "explained_faces": 8, "roi": "10,10,108,50"},
    "mitigation": ["last_layer:epochs=2"],
    "mitigation_faces": 40,
    "test_per_cell": 2,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product with every recipe applied."""
    if shutil.which("git") is None:
        pytest.skip("applies diffs with git")
    assert len(DIFFS) == KINDS
    copy = tmp_path_factory.mktemp("product")
    for part in ("fairsal_core", "pages", "tests", "docs/images", ".streamlit"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", copy)
    for diff in DIFFS:
        subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=copy, check=True)
    return copy


def in_product(product: Path, *command: str, home: Path, faces: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(product), "FAIRSAL_HOME": str(home)}
    if faces is not None:
        environment["FAIRSAL_DATA_ROOTS"] = str(faces)
    done = subprocess.run(
        [sys.executable, *command], cwd=product, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_what_the_recipes_add_works(product: Path, tmp_path: Path) -> None:
    in_product(product, "-c", USE_THEM, home=tmp_path)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces in the recipe's format."""
    drawn = load_celeba(draw_demo_faces(tmp_path_factory.mktemp("drawn") / "faces", count=240, seed=0, workers=1))
    about = {
        name: {"has": [str(each) for each in row.index[row]], "split": drawn.split[name]}
        for name, row in drawn.attributes.iterrows()
    }
    folder = tmp_path_factory.mktemp("listed")
    for name in about:
        shutil.copy(drawn.image_folder / str(name), folder)
    (folder / "faces.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_a_run_its_report_its_tables_and_every_page_have_them(product: Path, listed: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "data": str(listed)}), encoding="utf-8")
    command = ["-m", "fairsal_core"]
    done = json.loads(
        in_product(product, *command, "run", "--config", str(tmp_path / "config.json"), "--json", home=tmp_path)
    )
    variants = {row["variant"] for row in done["results"]}
    assert variants == {"original", "balanced", "general_blur@0.7", "last_layer:epochs=2"}
    assert "general_blur@0.7" in in_product(product, *command, "runs", done["id"], home=tmp_path)
    report = json.loads(in_product(product, *command, "report", done["id"], "--json", home=tmp_path))
    html = Path(report["report"]).read_text(encoding="utf-8")
    for name in (
        "general_blur@0.7",
        "last_layer:epochs=2",
        "input_times_gradient",
        "two_conv",
        "purity",
        "pointing game",
    ):
        assert name in html, name
    in_product(product, "-c", OPEN_PAGES, done["id"], listed.name, home=tmp_path, faces=listed)

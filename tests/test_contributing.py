"""The diffs in CONTRIBUTING.md apply to the package as it is, and what they add works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DIFFS = re.findall(
    r"^```diff\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
USE_THEM = """
import torch
from fairsal_core.classifiers import build_classifier
from fairsal_core.mitigation import METHODS, mitigate
from fairsal_core.saliency import explain
from fairsal_core.schemes import apply_scheme
from tests.mitigation.networks import toy_faces, trained_toy

images = torch.rand(4, 3, 128, 128)
hidden = apply_scheme(images, torch.rand(128, 128), "general_blur", 0.7)
share = (hidden != images).any(dim=1).float().mean().item()
assert 0.25 < share < 0.31, share

classifier = build_classifier("three_conv")
relevance = explain(classifier, images, 1, "input_times_gradient").relevance
assert relevance.shape == (4, 128, 128) and relevance.any()

biased = trained_toy()
settings = METHODS["last_layer"].settings(epochs=5, learning_rate=0.01)
done = mitigate(biased, "last_layer", toy_faces(240, seed=1), toy_faces(160, seed=2), settings, seed=0)
assert done.outcome == "ok", done.reason
before, after = biased.state_dict(), done.classifier.state_dict()
changed = {name for name in before if not torch.equal(before[name], after[name])}
assert changed == {"15.weight", "15.bias"}, changed
"""


@pytest.mark.skipif(shutil.which("git") is None, reason="applies diffs with git")
def test_the_diffs_apply_and_what_they_add_works(tmp_path: Path) -> None:
    assert len(DIFFS) == 3
    for room in ("fairsal_core", "tests"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for diff in DIFFS:
        subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=tmp_path, check=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    used = subprocess.run(
        [sys.executable, "-c", USE_THEM], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert used.returncode == 0, used.stderr

"""The table of all patches."""

import numpy as np
import pytest

from fairsal_core.regions import PatchGrid, RegionClassifier
from fairsal_core.regions.classifier import build_network
from pages.components.attribution.patches import patch_table
from pages.components.attribution.reading import Mapped, Picked

GRID = PatchGrid()


def test_the_table_lists_every_patch_by_confidence() -> None:
    classifier = RegionClassifier(
        build_network("dense", 3, GRID, {"width": 4}), "Cue", ("a", "b", "c"), (0.2, 0.3, 0.5)
    )
    generator = np.random.default_rng(0)
    positions = generator.uniform(size=(49, 49)).astype(np.float16)
    probabilities = generator.dirichlet([1, 1, 1], size=(49, 49)).astype(np.float32)
    picked = Picked("x", np.zeros((128, 128, 3), np.uint8))
    one = Mapped(picked, positions, np.zeros((128, 128), np.float32), probabilities)
    table = patch_table(one, classifier)
    assert len(table) == 2401
    assert table["confidence"].is_monotonic_decreasing
    best = table.iloc[0]
    row, column = divmod(int(best["position"]), 49)
    assert (best["x"], best["y"]) == GRID.top_left(int(best["position"]))
    assert best["confidence"] == positions.max() == positions[row, column]
    assert best["P(b)"] == pytest.approx(probabilities[row, column, 1])

"""Outlines go around the pixels that the schemes hide."""

import numpy as np
import pytest
import torch

from fairsal_core.schemes import apply_scheme
from pages.components.attribution.schemes import hidden_pixels


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.7, 0.95])
@pytest.mark.parametrize("levels", [2, 7, 10_000])
def test_what_is_outlined_is_what_a_mask_hides(quantile: float, levels: int) -> None:
    values = np.random.default_rng(levels).integers(0, levels, (128, 128)).astype(np.float32) / levels
    images = torch.ones(1, 3, 128, 128)
    treated = apply_scheme(images, torch.from_numpy(values), "general_mask", quantile, fill=(0, 0, 0))
    hidden = (treated != images).any(dim=1)[0].numpy()
    np.testing.assert_array_equal(hidden_pixels(values, quantile), hidden)
    assert hidden.mean() <= 1 - quantile + 1e-3

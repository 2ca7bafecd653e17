"""Pooling: the largest takes all; of a mean, each takes what it adds."""

from collections.abc import Mapping

from fairsal_core.saliency.graph.rules.base import Rule, moved, shared

_WINNERS = (
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "adaptive_max_pool2d", "amax", "maximum",
    "minimum", "max", "fractional_max_pool2d",
)  # fmt: skip
_MEANS = (
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "mean", "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d",
)  # fmt: skip

RULES: Mapping[str, Rule] = {**dict.fromkeys(_WINNERS, moved), **dict.fromkeys(_MEANS, shared)}

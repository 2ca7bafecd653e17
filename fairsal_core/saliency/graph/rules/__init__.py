"""A rule for each operation: how what it gives hands its relevance back to what it took. One file a family."""

from collections.abc import Mapping

from fairsal_core.saliency.graph.rules import activations, gating, linear, moving, pooling, sums
from fairsal_core.saliency.graph.rules.base import Call, Rule, Shares

RULES: Mapping[str, Rule] = {
    **activations.RULES,
    **gating.RULES,
    **linear.RULES,
    **moving.RULES,
    **pooling.RULES,
    **sums.RULES,
}
PICTURE_RULES: Mapping[str, Rule] = {**moving.PICTURE_RULES, **activations.PICTURE_RULES}

__all__ = ["PICTURE_RULES", "RULES", "Call", "Rule", "Shares"]

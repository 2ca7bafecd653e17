"""Saliency of a classifier: which pixels its logit came from, by six explainers with one call."""

from fairsal_core.saliency.base import Attribution, ExplainerSettings
from fairsal_core.saliency.explain import Explanation, explain
from fairsal_core.saliency.gradient import GradientSettings
from fairsal_core.saliency.integrated_gradients import IntegratedGradientsSettings
from fairsal_core.saliency.lrp import LrpSettings
from fairsal_core.saliency.lrp_graph import LrpGraphSettings
from fairsal_core.saliency.occlusion import OcclusionSettings
from fairsal_core.saliency.registry import EXPLAINERS, Explainer
from fairsal_core.saliency.smoothgrad import SmoothGradSettings
from fairsal_core.saliency.trust import INSTEAD, why_no_lrp

__all__ = [
    "EXPLAINERS",
    "INSTEAD",
    "Attribution",
    "Explainer",
    "ExplainerSettings",
    "Explanation",
    "GradientSettings",
    "IntegratedGradientsSettings",
    "LrpGraphSettings",
    "LrpSettings",
    "OcclusionSettings",
    "SmoothGradSettings",
    "explain",
    "why_no_lrp",
]

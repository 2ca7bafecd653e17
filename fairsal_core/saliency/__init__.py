"""Saliency of a classifier: which pixels its logit came from, by five explainers with one call."""

from fairsal_core.saliency.base import ExplainerSettings
from fairsal_core.saliency.explain import Explanation, explain
from fairsal_core.saliency.gradient import GradientSettings
from fairsal_core.saliency.integrated_gradients import IntegratedGradientsSettings
from fairsal_core.saliency.lrp import LrpSettings
from fairsal_core.saliency.occlusion import OcclusionSettings
from fairsal_core.saliency.registry import EXPLAINERS, Explainer, find_explainer
from fairsal_core.saliency.smoothgrad import SmoothGradSettings

__all__ = [
    "EXPLAINERS",
    "Explainer",
    "ExplainerSettings",
    "Explanation",
    "GradientSettings",
    "IntegratedGradientsSettings",
    "LrpSettings",
    "OcclusionSettings",
    "SmoothGradSettings",
    "explain",
    "find_explainer",
]

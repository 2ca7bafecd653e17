"""The explainers by name. A new one is one file with its settings and function, and one entry here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from fairsal_core.registry import Registry
from fairsal_core.saliency import integrated_gradients, occlusion, smoothgrad
from fairsal_core.saliency.base import Attribute, ExplainerSettings
from fairsal_core.saliency.gradient import GradientSettings, prepare_gradient
from fairsal_core.saliency.lrp import LrpSettings, prepare_lrp
from fairsal_core.saliency.lrp_graph import LrpGraphSettings, prepare_lrp_graph


def _once(settings: ExplainerSettings, size: tuple[int, int]) -> int:
    return 1


@dataclass(frozen=True)
class Explainer:
    """A way to say which pixels a classifier's logit came from.

    Attributes
    ----------
    name, description : str
        For interface and tables; the description names its source.
    settings : type of ExplainerSettings
        Its settings model; made without arguments it holds the defaults.
    prepare : callable
        (network, settings, sample (1, 3, H, W)) -> function from a batch to its `Attribution`. The network is a copy of
        the classifier that is the explainer's own, in eval mode, float32, without parameter gradients.
    evaluations : callable
        (settings, (H, W)) -> how many times each image passes through the network.
    """

    name: str
    description: str
    settings: type[ExplainerSettings]
    prepare: Callable[[nn.Module, Any, Tensor], Attribute]
    evaluations: Callable[[Any, tuple[int, int]], int] = _once
    title: str = ""


EXPLAINERS = Registry(
    "explainer",
    "fairsal.explainers",
    Explainer,
    (
        Explainer(
            "lrp",
            "The logit handed back layer by layer until it reaches the pixels (Bach et al. 2015).",
            LrpSettings,
            prepare_lrp,
            title="Layer-wise relevance propagation",
        ),
        Explainer(
            "integrated_gradients",
            "The gradient summed along the way from a baseline to the image (Sundararajan et al. 2017).",
            integrated_gradients.IntegratedGradientsSettings,
            integrated_gradients.prepare_integrated_gradients,
            integrated_gradients.evaluations,
        ),
        Explainer(
            "gradient",
            "How much the logit changes with each pixel (Simonyan et al. 2014).",
            GradientSettings,
            prepare_gradient,
        ),
        Explainer(
            "smoothgrad",
            "The mean gradient over noisy copies of the image (Smilkov et al. 2017).",
            smoothgrad.SmoothGradSettings,
            smoothgrad.prepare_smoothgrad,
            smoothgrad.evaluations,
            title="SmoothGrad",
        ),
        Explainer(
            "occlusion",
            "How far the logit falls when a window is painted over (Zeiler and Fergus 2014).",
            occlusion.OcclusionSettings,
            occlusion.prepare_occlusion,
            occlusion.evaluations,
        ),
        Explainer(
            "lrp_graph",
            "LRP of any network, by a rule for each operation it does (Bach et al. 2015).",
            LrpGraphSettings,
            prepare_lrp_graph,
            title="Layer-wise relevance propagation by operations",
        ),
    ),
)

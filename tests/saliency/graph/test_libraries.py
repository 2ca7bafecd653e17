"""The classifiers that people bring, small and untrained: they are exported, every operation has a rule, relevance is kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fairsal_core.saliency import explain
from fairsal_core.tensors import Normalise
from tests.saliency.networks import images

pytestmark = pytest.mark.extras


class Brought(nn.Module):
    """A network from elsewhere behind the resize and the normalisation that it wants."""

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network, self.units, self.side = network, Normalise(), side

    def forward(self, pictures: Tensor) -> Tensor:
        larger = functional.interpolate(pictures, (self.side, self.side), mode="bilinear", antialias=True)
        given: Any = self.network(self.units(larger))
        logits: Tensor = getattr(given, "logits", given)
        return logits


def _torchvision(name: str, **options: Any) -> nn.Module:
    import torchvision

    network: nn.Module = getattr(torchvision.models, name)(num_classes=2, **options)
    return network


def _torchvision_swin() -> nn.Module:
    from torchvision.models import SwinTransformer

    network: nn.Module = SwinTransformer([4, 4], 12, [2, 1], [2, 2], [4, 4], num_classes=2)
    return network


def _timm(name: str, **options: Any) -> nn.Module:
    timm = pytest.importorskip("timm", reason="timm, an extra, is not installed")
    network: nn.Module = timm.create_model(name, num_classes=2, **options)
    return network


def _transformers(name: str, **options: Any) -> nn.Module:
    transformers = pytest.importorskip("transformers", reason="transformers, an extra, is not installed")
    config = getattr(transformers, f"{name}Config")(**options)
    network: nn.Module = getattr(transformers, f"{name}ForImageClassification")(config)
    return network


SMALL = {"embed_dim": 24, "depth": 2, "num_heads": 2, "img_size": 32, "patch_size": 8}
TOKENS = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "image_size": 32,
    "patch_size": 8, "initializer_range": 0.2,
}  # fmt: skip
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "torchvision mobilenet_v2": (lambda: _torchvision("mobilenet_v2", width_mult=0.25), 64),
    "torchvision mobilenet_v3_small": (lambda: _torchvision("mobilenet_v3_small", width_mult=0.5), 64),
    "torchvision regnet_x_400mf": (lambda: _torchvision("regnet_x_400mf"), 64),
    "torchvision efficientnet_b0": (lambda: _torchvision("efficientnet_b0"), 64),
    "torchvision swin": (_torchvision_swin, 32),
    "timm efficientnet_lite0": (lambda: _timm("tf_efficientnet_lite0"), 64),
    "timm convnext_atto": (lambda: _timm("convnext_atto", depths=(1, 1, 1, 1)), 64),
    "timm densenet121": (lambda: _timm("densenet121", block_config=(1, 1), growth_rate=8), 64),
    "timm vit": (lambda: _timm("vit_tiny_patch16_224", **SMALL), 32),
    "timm deit distilled": (lambda: _timm("deit_tiny_distilled_patch16_224", **SMALL), 32),
    "transformers ViT": (lambda: _transformers("ViT", **TOKENS), 32),
    "transformers DeiT": (lambda: _transformers("DeiT", **TOKENS), 32),
    "transformers ResNet": (
        lambda: _transformers("ResNet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]), 64,
    ),
    "transformers ConvNext": (
        lambda: _transformers("ConvNext", hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1]), 64,
    ),
    "transformers Swin": (
        lambda: _transformers("Swin", embed_dim=12, depths=[2, 1], num_heads=[2, 2], image_size=32, window_size=4), 32,
    ),
}  # fmt: skip


def calibrated(network: nn.Module) -> nn.Module:
    """Give batch norms the statistics of pictures, as training would: those of an untrained network let nothing through."""
    norms = [module for module in network.eval().modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad():
        network(images(8, 64, seed=4))
    return network.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_relevance_is_kept(name: str) -> None:
    make, side = NETWORKS[name]
    torch.manual_seed(0)
    explanation = explain(calibrated(Brought(make(), side)), images(2, 64), 1, "lrp_graph")
    kept = explanation.diagnostics["relevance_kept"]
    assert explanation.relevance.any()
    assert np.abs(kept - 1).max() <= 0.05, (kept, explanation.diagnostics["relevance_of_constants"])

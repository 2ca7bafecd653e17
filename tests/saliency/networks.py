"""Small networks to explain."""

import numpy as np
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import build_classifier
from fairsal_core.tensors import Normalise


def images(count: int, size: int = 64, seed: int = 0) -> Tensor:
    """Return random images (count, 3, size, size) in [0, 1]."""
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def small_network(seed: int = 0) -> nn.Module:
    """Return a network built like `three_conv`, for images of 32 pixels: 200 times as fast."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        Normalise(),
        nn.Conv2d(3, 5, 3, padding="same"),
        nn.Dropout(0.1),
        nn.BatchNorm2d(5),
        nn.MaxPool2d(2),
        nn.LeakyReLU(0.1),
        nn.Conv2d(5, 7, 3),
        nn.BatchNorm2d(7),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(7 * 14 * 14, 6),
        nn.LeakyReLU(0.1),
        nn.Dropout(0.5),
        nn.Linear(6, 2),
    )
    return trained_looking(network)


def three_conv(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return trained_looking(build_classifier("three_conv"))


def residual(name: str, seed: int = 0) -> nn.Module:
    """Return a torchvision ResNet behind a normalisation, as a classifier of faces."""
    import torchvision

    torch.manual_seed(seed)
    return trained_looking(nn.Sequential(Normalise(), getattr(torchvision.models, name)(num_classes=2)))


def trained_looking(network: nn.Module, seed: int = 1) -> nn.Module:
    """Give batch norms the statistics and weights of a trained network: random ones, not zeros and ones."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(count: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = uniform(module.num_features, -0.5, 0.5)
            module.running_var = uniform(module.num_features, 0.3, 2)
            module.weight.data = uniform(module.num_features, 0.5, 1.5)
            module.bias.data = uniform(module.num_features, -0.3, 0.3)
    return network.eval()


def looks_at(square: tuple[slice, slice], size: int = 32) -> nn.Module:
    """Return a linear network whose logit 1 is the sum of the pixels in a square, and whose logit 0 is 0."""
    weights = np.zeros((2, 3, size, size), dtype=np.float32)
    weights[1, :, square[0], square[1]] = 1
    linear = nn.Linear(3 * size * size, 2)
    linear.weight.data = torch.from_numpy(weights.reshape(2, -1))
    linear.bias.data = torch.zeros(2)
    return nn.Sequential(nn.Flatten(), linear).eval()

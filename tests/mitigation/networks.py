"""Small networks and faces for the tests of mitigation: quick, with a confounder that is there to be found."""

import numpy as np
import torch
from torch import nn

from fairsal_core.mitigation import LabelledFaces
from fairsal_core.mitigation.tuning import classification_loss
from fairsal_core.tensors import Normalise, to_unit

SIDE = 16


def toy_faces(count: int, seed: int = 0, bias: float = 0.0) -> LabelledFaces:
    """Noise with a brighter left half for the target, which is hard to tell, and a red right half for the confounder.

    `bias` is how much more often than by chance both come together, 0 to 1.
    """
    generator = np.random.default_rng(seed)
    target = generator.random(count) < 0.5
    confounder = np.where(generator.random(count) < bias, target, generator.random(count) < 0.5)
    images = generator.normal(110, 30, (count, SIDE, SIDE, 3))
    images[:, :, : SIDE // 2] += generator.normal(0, 14, (count, 1, 1, 1))
    images[target, :, : SIDE // 2] += 28
    images[confounder, :, SIDE // 2 :, 0] += 70
    return LabelledFaces(np.clip(images, 0, 255).astype(np.uint8), target, confounder.astype(bool))


def toy_network(seed: int = 0) -> nn.Module:
    """Like `three_conv` in small: normalise, conv, batch norm, pool, activation, twice; then two linear layers."""
    torch.manual_seed(seed)
    return nn.Sequential(
        Normalise(),
        nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.MaxPool2d(2), nn.LeakyReLU(0.1),
        nn.Conv2d(5, 7, 3, padding=1), nn.Dropout(0.1), nn.BatchNorm2d(7), nn.MaxPool2d(2), nn.LeakyReLU(0.1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(7, 12), nn.LeakyReLU(0.1), nn.Dropout(0.2),
        nn.Linear(12, 2),
    ).eval()  # fmt: skip


LAST_STAGE, FEATURES, OUTPUT = "9", "14", "15"


def trained_toy(seed: int = 0, epochs: int = 6) -> nn.Module:
    """A toy network that has learned biased faces, and so relies on the confounder."""
    network = toy_network(seed)
    faces = toy_faces(400, seed=99, bias=0.6)
    images, target = to_unit(torch.from_numpy(faces.images)), torch.from_numpy(faces.target)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    network.train()
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=order).split(40):
            optimiser.zero_grad()
            classification_loss(network(images[rows]), target[rows]).backward()
            optimiser.step()
    network.zero_grad(set_to_none=True)
    return network.eval()

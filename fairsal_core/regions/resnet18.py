"""`resnet18`: the paper's region classifier, one forward pass a patch.

A 32 x 32 patch and a learned embedding of its position, as a fourth channel, go through a ResNet-18 whose stem is a 3 x 3
convolution of stride 1 without max-pool (De Coninck et al. 2024; the stem is the authors' code's). At the paper's width that is
0.56 billion multiplications a patch, and 3,000 times `dense` an image.
"""

from collections.abc import Iterator
from copy import deepcopy

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fairsal_core.regions.grid import PatchGrid
from fairsal_core.tensors import Normalise

_CHUNK = 256  # patches: between 150 and 350 is fastest on a CPU
_CHUNK_ON_GPU = 8192


class ResNet18Settings(BaseModel):
    """Settings of `resnet18`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(64, ge=4, le=256, description="channels of the first stage; the last has eight times as many")


class PatchResNet(nn.Module):
    """A ResNet-18 for patches that know where they come from.

    Parameters
    ----------
    classes : int
        Number of classes C.
    grid : PatchGrid
        Any grid.
    settings : ResNet18Settings
        The width.
    """

    def __init__(self, classes: int, grid: PatchGrid, settings: ResNet18Settings) -> None:
        super().__init__()
        self._grid = grid
        self.normalise = Normalise()
        self.position = nn.Embedding(grid.count, grid.patch_size**2)
        self.trunk = _Trunk(4, settings.width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C, per_side, per_side) of images (N, 3, H, W) in [0, 1], some hundred patches at a time."""
        trunk = self.trunk if self.training or images.is_cuda else _folded(self.trunk)
        side = self._grid.per_side
        logits = [trunk(patches) for patches in self._all_patches(images)]
        return torch.cat(logits).view(len(images), side, side, -1).permute(0, 3, 1, 2)

    def draw(self, count: int) -> Tensor:
        """Return the position (count, 1) of one random patch of each image, drawn on the network's device."""
        return torch.randint(self._grid.count, (count,), device=self.position.weight.device)[:, None]

    def supervised(self, images: Tensor, positions: Tensor) -> Tensor:
        """Return logits (N, C, 1) of these images' patches at the positions (N, 1) that `draw` gave."""
        faces = torch.arange(len(images), device=images.device)
        logits: Tensor = self.trunk(self._cut(images, faces, positions[:, 0]))
        return logits[:, :, None]

    def _all_patches(self, images: Tensor) -> Iterator[Tensor]:
        count = self._grid.count
        chunk = _CHUNK_ON_GPU if images.is_cuda else _CHUNK
        for numbers in torch.arange(len(images) * count, device=images.device).split(chunk):
            yield self._cut(images, numbers // count, numbers % count)

    def _cut(self, images: Tensor, faces: Tensor, positions: Tensor) -> Tensor:
        """Return the patches (P, 4, k, k) at these positions of these faces: colour, and the position's embedding."""
        size, stride, side = self._grid.patch_size, self._grid.stride, self._grid.per_side
        windows = images.unfold(2, size, stride).unfold(3, size, stride)  # (N, 3, side, side, k, k), a view
        colours = self.normalise(windows[faces, :, positions // side, positions % side])
        place = self.position(positions).view(-1, 1, size, size).to(colours.dtype)
        return torch.cat([colours, place], dim=1).contiguous(memory_format=torch.channels_last)


class _Trunk(nn.Module):
    """torchvision's `resnet18` with another stem and any width; its names are torchvision's too."""

    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(_Block(width, width, 1), _Block(width, width, 1))
        self.layer2 = nn.Sequential(_Block(width, 2 * width, 2), _Block(2 * width, 2 * width, 1))
        self.layer3 = nn.Sequential(_Block(2 * width, 4 * width, 2), _Block(4 * width, 4 * width, 1))
        self.layer4 = nn.Sequential(_Block(4 * width, 8 * width, 2), _Block(8 * width, 8 * width, 1))
        self.fc = nn.Linear(8 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, patches: Tensor) -> Tensor:
        features = relu(self.bn1(self.conv1(patches)), inplace=True)
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


class _ShortCut(nn.Conv2d):
    """A 1 x 1 convolution of stride 2, computed as one of stride 1 of every second pixel.

    It is the same sum. What oneDNN (3.12, in torch 2.14) computes as the weights' gradient of the strided one is wrong, or never
    ends, or crashes, where there is AVX2 alone, channels come last and are fewer than eight (its issue 6035).
    """

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features[..., ::2, ::2])


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1:
            self.downsample = nn.Sequential(_ShortCut(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        hidden = relu(self.bn1(self.conv1(features)), inplace=True)
        return relu(self.bn2(self.conv2(hidden)).add_(self.downsample(features)), inplace=True)


def _folded(trunk: _Trunk) -> _Trunk:
    """Return a copy that computes the same faster, its batch norms folded into the convolutions before them.

    Made anew in every call, so that it is never out of date: that takes 0.1 s, an image some 17.
    """
    quick = deepcopy(trunk)
    _fold(quick, "conv1", "bn1")
    for layer in (quick.layer1, quick.layer2, quick.layer3, quick.layer4):
        for block in layer:
            _fold(block, "conv1", "bn1")
            _fold(block, "conv2", "bn2")
            if isinstance(block.downsample, nn.Sequential):
                _fold(block.downsample, "0", "1")
    return quick.to(memory_format=torch.channels_last)


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    """Fold a batch norm into the convolution before it, in place."""
    setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
    setattr(module, norm, nn.Identity())

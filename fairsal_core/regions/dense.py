"""`dense`: a region classifier that gives the logits of all patches of an image in one pass.

A network of valid convolutions whose receptive field is exactly one patch and whose stride is the grid's: each output
cell sees its patch and nothing else, so it equals the network applied to that patch alone.

Of patches further apart than its smallest stride, only what they are made of is computed: a dilated convolution whose outputs are
wanted two cells apart reads cells that are two apart, so that the layers before it can stride. The logits are the same, at a
quarter of the work for patches 4 pixels apart and a tenth for 8.
"""

from math import gcd

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import conv2d

from fairsal_core.errors import FairsalError
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.tensors import Normalise

_PATCH = 32  # 4 + 4 * (1 + 2 + 4): the receptive field of the layers below
_STRIDE = 2
# Stride and dilation of each convolution for outputs 1, 2 or 4 of the smallest strides apart.
_PLANS = {
    1: ((2, 1), (1, 1), (1, 2), (1, 4)),
    2: ((2, 1), (2, 1), (1, 1), (1, 2)),
    4: ((2, 1), (2, 1), (2, 1), (1, 1)),
}


class DenseSettings(BaseModel):
    """Settings of `dense`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(
        32, ge=4, le=256, description="channels of the first layer; later layers have up to four times as many"
    )
    position_width: int = Field(16, ge=1, le=256, description="numbers learned for each position")
    head: int | None = Field(
        None, ge=4, le=1024, description="channels of the layer before the classes; by default twice the width"
    )
    training_stride: int = Field(
        8,
        ge=2,
        le=32,
        description="pixels between the patches of a face that a step of training looks at, the first of them at random; no "
        "more than the grid's: all patches",
    )


class DenseNetwork(nn.Module):
    """conv 4x4 stride 2, three 3x3 with dilation 1, 2, 4, then 1x1s that also see a learned embedding of the position.

    Parameters
    ----------
    classes : int
        Number of classes C.
    grid : PatchGrid
        Patches of 32 pixels, at an even stride.
    settings : DenseSettings
        Widths.
    """

    def __init__(self, classes: int, grid: PatchGrid, settings: DenseSettings) -> None:
        super().__init__()
        if grid.patch_size != _PATCH or grid.stride % _STRIDE:
            raise FairsalError(
                f"`dense` sees patches of {_PATCH} pixels at an even stride, not {grid.patch_size} at {grid.stride}."
            )
        width = settings.width
        self._grid = grid
        self._apart = max(settings.training_stride // grid.stride, 1)
        self.body = _Body(
            Normalise(),
            *_convolution(3, width, kernel=4, stride=_STRIDE),
            *_convolution(width, 2 * width, kernel=3),
            *_convolution(2 * width, 2 * width, kernel=3, dilation=2),
            *_convolution(2 * width, 4 * width, kernel=3, dilation=4),
        )
        self.position = nn.Parameter(0.02 * torch.randn(1, settings.position_width, grid.per_side, grid.per_side))
        hidden = settings.head or 2 * width
        self.head = nn.Sequential(
            *_convolution(4 * width + settings.position_width, hidden, kernel=1),
            nn.Conv2d(hidden, classes, kernel_size=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C, per_side, per_side) of images (N, 3, H, W) in [0, 1]."""
        return self._classify(self.features(images), self.position)

    def draw(self, count: int) -> Tensor:
        """Return the positions (count, P) of the patches of each image that a step of training looks at, the same of all.

        They are `training_stride` pixels apart and begin at a random one, so that in time each is looked at.
        """
        side, apart = self._grid.per_side, self._apart
        first = torch.randint(apart, (2,)).tolist() if apart > 1 else (0, 0)
        rows, columns = (torch.arange(begin, side, apart, device=self.position.device) for begin in first)
        return (rows[:, None] * side + columns).flatten().expand(count, -1)

    def supervised(self, images: Tensor, positions: Tensor) -> Tensor:
        """Return logits (N, C, P) of these images' patches at the positions (N, P) that `draw` gave."""
        row, column = divmod(int(positions[0, 0]), self._grid.per_side) if len(positions) else (0, 0)
        seen = images[:, :, row * self._grid.stride :, column * self._grid.stride :]
        position = self.position[:, :, row :: self._apart, column :: self._apart]
        logits = self._classify(self._body_of(seen, self._apart), position).flatten(start_dim=2)
        return logits[:, :, : positions.shape[1]]

    def features(self, images: Tensor) -> Tensor:
        """Return what each patch shows, before its place is known: (N, F, per_side, per_side)."""
        return self._body_of(images, 1)

    def forward_patch(self, patches: Tensor, row: int, column: int) -> Tensor:
        """Return logits (N, C) of lone patches (N, 3, 32, 32) said to come from one position: what `forward` must equal."""
        place = self.position[:, :, row : row + 1, column : column + 1]
        return self._classify(self.body(patches), place)[:, :, 0, 0]

    def _body_of(self, images: Tensor, apart: int) -> Tensor:
        """Return the features of every `apart`-th position of a row or column."""
        features: Tensor = self.body(images, self._grid.stride // _STRIDE * apart)
        return features

    def _classify(self, features: Tensor, position: Tensor) -> Tensor:
        place = position.expand(len(features), -1, -1, -1).to(features.dtype)
        logits: Tensor = self.head(torch.cat([features, place], dim=1))
        return logits


class _Body(nn.Sequential):
    """Layers whose convolutions can stride where not all outputs are wanted."""

    def forward(self, images: Tensor, apart: int = 1) -> Tensor:
        """Return the outputs that are `apart` of the smallest strides from one another, in both directions."""
        plan = gcd(apart, 4)
        *first, (stride, dilation) = _PLANS[plan]
        steps = iter([*first, (stride * (apart // plan), dilation)])
        for layer in self:
            if isinstance(layer, nn.Conv2d) and apart > 1:
                stride, dilation = next(steps)
                images = conv2d(images, layer.weight, None, stride, 0, dilation)
            else:
                images = layer(images)
        return images


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, dilation=dilation, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)

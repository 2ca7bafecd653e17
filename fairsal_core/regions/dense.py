"""`dense`: a region classifier that gives the logits of all patches of an image in one pass.

A network of valid convolutions whose receptive field is exactly one patch and whose stride is the grid's: each output
cell sees its patch and nothing else, so it equals the network applied to that patch alone.
"""

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.tensors import Normalise

_PATCH = 32  # 4 + 4 * (1 + 2 + 4): the receptive field of the layers below
_STRIDE = 2


class DenseSettings(BaseModel):
    """Settings of `dense`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(
        32, ge=4, le=256, description="channels of the first layer; later layers have up to four times as many"
    )
    position_width: int = Field(16, ge=1, le=256, description="numbers learned for each position")


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
        self._step = grid.stride // _STRIDE
        self.body = nn.Sequential(
            Normalise(),
            *_convolution(3, width, kernel=4, stride=_STRIDE),
            *_convolution(width, 2 * width, kernel=3),
            *_convolution(2 * width, 2 * width, kernel=3, dilation=2),
            *_convolution(2 * width, 4 * width, kernel=3, dilation=4),
        )
        self.position = nn.Parameter(0.02 * torch.randn(1, settings.position_width, grid.per_side, grid.per_side))
        self.head = nn.Sequential(
            *_convolution(4 * width + settings.position_width, 2 * width, kernel=1),
            nn.Conv2d(2 * width, classes, kernel_size=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C, per_side, per_side) of images (N, 3, H, W) in [0, 1]."""
        return self._classify(self.features(images), self.position)

    def draw(self, count: int) -> Tensor:
        """Return the positions (count, P) of the patches of each image that a step of training looks at: all of them."""
        every = self.position.shape[-2] * self.position.shape[-1]
        return torch.arange(every, device=self.position.device).expand(count, -1)

    def supervised(self, images: Tensor, positions: Tensor) -> Tensor:
        """Return logits (N, C, P) of these images' patches at the positions (N, P) that `draw` gave."""
        return self(images).flatten(start_dim=2)  # type: ignore[no-any-return]

    def features(self, images: Tensor) -> Tensor:
        """Return what each patch shows, before its place is known: (N, F, per_side, per_side)."""
        body: Tensor = self.body(images)
        return body[:, :, :: self._step, :: self._step]

    def forward_patch(self, patches: Tensor, row: int, column: int) -> Tensor:
        """Return logits (N, C) of lone patches (N, 3, 32, 32) said to come from one position: what `forward` must equal."""
        place = self.position[:, :, row : row + 1, column : column + 1]
        return self._classify(self.body(patches), place)[:, :, 0, 0]

    def _classify(self, features: Tensor, position: Tensor) -> Tensor:
        place = position.expand(len(features), -1, -1, -1).to(features.dtype)
        logits: Tensor = self.head(torch.cat([features, place], dim=1))
        return logits


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, dilation=dilation, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)

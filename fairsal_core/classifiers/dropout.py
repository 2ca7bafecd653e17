"""Dropout for large feature maps on a CPU, where drawing the mask costs more than the convolution before it."""

import torch
from torch import Tensor, nn

_LEVELS = 1 << 16


def least_kept(share: float) -> int:
    """Return the least of the 65536 values of 16 random bits, read as a signed number, that is not dropped."""
    return round(share * _LEVELS) - _LEVELS // 2


class WideDropout(nn.Dropout):
    """`torch.nn.Dropout` that draws 16 bits an element instead of a Bernoulli variable; p is met to 1/65536.

    A quarter of a training step of `three_conv` went into `bernoulli_`, which draws one by one. The draws come from the same
    seeded generator. On a GPU, and in eval mode, it is `torch.nn.Dropout`.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        words = torch.randint(-(2**63), 2**63 - 1, (-(-input.numel() // 4),))
        draws = words.view(torch.int16)[: input.numel()].view(input.shape)
        kept = draws >= least_kept(self.p)
        return input * kept.to(input.dtype).mul_(1 / (1 - self.p))

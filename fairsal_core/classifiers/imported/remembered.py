"""What a network's first batch norm remembers of its training pictures, against what it sees of these.

Other colours or another range change the mean and variance of every channel behind the first convolution. So a way of
feeding that brings them near to what training left there is told from the others without a label, and where the scores
themselves hardly differ, as between RGB and BGR.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_TINY = 1e-12


@dataclass
class Seen:
    """What a batch norm was given, picture by picture, and what it keeps.

    Attributes
    ----------
    means, squares : list of tensors, (n, C)
        Of each picture and channel: mean, and mean of the squares.
    norm : torch.nn.BatchNorm2d
        The first one that a picture comes to.
    """

    norm: nn.BatchNorm2d | None = None
    means: list[Tensor] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)

    def note(self, norm: nn.BatchNorm2d, given: Tensor) -> None:
        """Take note of what a batch norm is given (n, C, h, w), if it is the first."""
        if self.norm is None:
            self.norm = norm
        if norm is self.norm:
            self.means.append(given.mean(dim=(2, 3)))
            self.squares.append(given.square().mean(dim=(2, 3)))

    def misfit(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far what was given is from what the norm keeps, for each row of weights (R, n) of the pictures: (R,) nats.

        Mean over channels of the divergence KL(N(m, v) || N(m', v')) of two normal distributions, m and v being what is
        given and m', v' what is kept.
        """
        assert self.norm is not None and self.norm.running_mean is not None and self.norm.running_var is not None
        kept_mean, kept_variance = (
            each.double().numpy() for each in (self.norm.running_mean, self.norm.running_var.clamp_min(_TINY))
        )
        means, squares = (torch.cat(each).double().numpy() for each in (self.means, self.squares))
        shares = weights / weights.sum(axis=1, keepdims=True)
        mean = shares @ means
        ratio = np.maximum(shares @ squares - mean**2, _TINY) / kept_variance
        divergence = ((mean - kept_mean) ** 2 / kept_variance + ratio - 1 - np.log(ratio)) / 2
        misfit: NDArray[np.float64] = divergence.mean(axis=1)
        return misfit


@contextmanager
def noting(network: nn.Module) -> Iterator[Seen]:
    """Note what the network's first batch norm is given within; nothing where it has none that keeps statistics."""
    seen = Seen()
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d) and each.track_running_stats]
    hooks = [each.register_forward_pre_hook(lambda norm, given: seen.note(norm, given[0])) for each in norms]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()

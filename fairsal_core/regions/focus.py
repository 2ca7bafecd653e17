"""Which positions count while a region network learns: those where something has been told of the attribute so far.

A mouth is seen by a few patches in a hundred. Trained on all patches alike, the gradients of the rest, which are label noise, drown
it. What a position counts depends on place and attribute and never on the label or the face, so what the network says at a
position still tends to the probability of the label given that patch; only how much of the network is spent on it changes.
"""

import torch
from torch import Tensor

from fairsal_core.device import process_count
from fairsal_core.regions import distributed
from fairsal_core.regions.grid import PatchGrid

_CELLS = 13  # along a side: neighbouring positions see much the same, and are judged together
_MEMORY = 0.995  # of a step, in the next one: some two hundred batches
_DOUBT = 1000.0  # patches that told nothing are added to each cell, so that chance is not taken for gain
_FLOOR = 0.01  # of the bits that there are to gain: below it on average, positions count nearly alike


class Focus:
    """Weights of the loss, of mean 1 over the positions, from what was gained at them of late.

    Parameters
    ----------
    grid : PatchGrid
        The positions.
    least : tensor, (A,)
        For each attribute the loss of whoever knows its base rate and nothing else.
    share : float
        How much of the weight goes by what was gained, 0 to 1; the rest is spread evenly.
    """

    def __init__(self, grid: PatchGrid, least: Tensor, share: float) -> None:
        self._share = share
        self._least = least
        side = torch.arange(grid.per_side, device=least.device) * min(_CELLS, grid.per_side) // grid.per_side
        self._cell = (side[:, None] * _CELLS + side).flatten()
        self._gained = least.new_zeros(len(least), _CELLS**2)
        self._count = least.new_zeros(len(least), _CELLS**2)

    def weights(self, positions: Tensor) -> Tensor:
        """Return the weights (N, A, P) of the losses at positions (N, P)."""
        gain = self._gained / (self._count + _DOUBT) / self._least[:, None]
        by_position = gain.clamp(min=0)[:, self._cell]
        relative = by_position / (by_position.mean(dim=1, keepdim=True) + _FLOOR)
        every = 1 - self._share + self._share * relative
        every = every / every.mean(dim=1, keepdim=True)
        return every[:, positions].transpose(0, 1)

    def learn(self, losses: Tensor, known: Tensor, positions: Tensor) -> None:
        """Remember losses (N, A, P), of which those count that are `known` (N, A), at positions (N, P)."""
        cells = self._cell[positions].flatten()
        found = ((self._least[:, None] - losses) * known[:, :, None]).transpose(0, 1).flatten(start_dim=1)
        counted = known.to(losses.dtype)[:, :, None].expand_as(losses).transpose(0, 1).flatten(start_dim=1)
        new = torch.zeros(2, *self._gained.shape, device=losses.device)
        new[0].index_add_(1, cells, found)
        new[1].index_add_(1, cells, counted)
        new = distributed.average(new) * process_count()
        self._gained = self._gained * _MEMORY + new[0]
        self._count = self._count * _MEMORY + new[1]

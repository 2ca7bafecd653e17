"""A linear probe of an untrained network: at which positions can the label be read off at all?

A small part, such as a mouth, is seen by a few patches in a hundred. Training on all patches alike, the rest drowns it: their
gradients are label noise, but there are many of them. Random convolutions already see enough for a linear probe to tell which
positions are worth starting with.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from fairsal_core.progress import Progress, silent
from fairsal_core.tensors import autocast, to_unit

FACES = 1000
_CHANNELS = 64
_RIDGE = 0.2  # of each standardised feature's variance: 64 features of 500 faces would otherwise fit noise
_BATCH = 32


@torch.no_grad()
def readability(
    network: nn.Module, pixels: Tensor, labels: Tensor, precision: str = "fp32", progress: Progress = silent
) -> Tensor:
    """Return how well a linear probe reads the label at each position, on faces that it was not fitted to.

    Parameters
    ----------
    network : torch.nn.Module
        Untrained, with `features(images) -> (N, F, per_side, per_side)`; put in training mode, for its batch statistics.
    pixels : tensor, (N, S, S, 3) uint8
        At least two training faces, in random order; the first thousand are used, one half to fit and one to judge.
    labels : tensor, (N,)
        Class numbers, 0 and up.
    precision : str
        As in `autocast`.
    progress : Progress
        Told of each batch, so that a job hears a stop: without matrix units it takes a minute.

    Returns
    -------
    tensor, (per_side, per_side)
        Pearson correlation of probe and label, at least 0; 0 where either is constant. With more than two classes the
        root mean square over one probe each.
    """
    network.train()
    half = min(len(labels), FACES) // 2
    classes = int(labels.max()) + 1
    wanted = one_hot(labels[: 2 * half].long(), max(classes, 2)).float()
    wanted = wanted[:, 1:] if classes <= 2 else wanted  # (n, K): of two classes one probe says it all
    batches = _Batches(network, pixels, wanted, precision, progress)
    mean, deviation, weights = _fit(batches, range(half))
    scores = torch.cat(
        [((features - mean) / deviation) @ weights for features, _ in batches.of(range(half, 2 * half))], dim=1
    )
    centred = scores - scores.mean(dim=1, keepdim=True)
    target = wanted[half:] - wanted[half:].mean(dim=0)
    correlation = (centred * target).sum(dim=1) / (centred.norm(dim=1) * target.norm(dim=0))
    side = round(len(correlation) ** 0.5)
    readable: Tensor = correlation.nan_to_num(0.0, 0.0, 0.0).clamp(min=0).square().mean(dim=1).sqrt()
    return readable.view(side, side)


@dataclass(frozen=True)
class _Batches:
    """Features and labels of faces, some at a time."""

    network: nn.Module
    pixels: Tensor
    labels: Tensor
    precision: str
    progress: Progress

    def of(self, rows: range) -> Iterator[tuple[Tensor, Tensor]]:
        """Give features (P, n, F) and labels (n, K) batch by batch, P positions apart."""
        for start in range(rows.start, rows.stop, _BATCH):
            self.progress(start, len(self.labels))
            stop = min(start + _BATCH, rows.stop)
            with autocast(self.pixels.device, self.precision):
                features = self.network.features(to_unit(self.pixels[start:stop]))  # type: ignore[operator]
            yield features[:, :_CHANNELS].float().flatten(start_dim=2).permute(2, 0, 1), self.labels[start:stop]


def _fit(batches: _Batches, rows: range) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and deviation (P, 1, F) of the features at each position, and the weights (P, F, K) of a ridge regression."""
    gram, total, cross = torch.zeros(()), torch.zeros(()), torch.zeros(())
    for features, target in batches.of(rows):
        gram = gram + features.transpose(1, 2) @ features
        total = total + features.sum(dim=1)
        cross = cross + features.transpose(1, 2) @ target
    n = len(rows)
    mean = total / n
    covariance = gram / n - mean[:, :, None] * mean[:, None, :]
    deviation = covariance.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt() + 1e-3
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :])
    with_label = (cross / n - mean[:, :, None] * batches.labels[rows.start : rows.stop].mean(dim=0)) / deviation[
        :, :, None
    ]
    ridge = _RIDGE * torch.eye(mean.shape[1], device=mean.device)
    weights = torch.linalg.solve(correlation + ridge, with_label)
    return mean[:, None], deviation[:, None], weights

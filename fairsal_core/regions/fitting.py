"""The training loop of region networks: every patch it looks at is asked for the labels of the whole face."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fairsal_core.errors import FairsalError
from fairsal_core.progress import Progress
from fairsal_core.regions import distributed
from fairsal_core.regions.classifier import build_network
from fairsal_core.regions.focus import Focus
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.regions.probe import readability
from fairsal_core.regions.settings import SCHEDULES, RegionTraining
from fairsal_core.tensors import autocast, resident, to_unit

_JUDGED_AT_ONCE = 64
_SHIFT = 0.25  # of the range of a channel: about its standard deviation in photographs


@dataclass(frozen=True)
class Examples:
    """Faces and what they are to be told apart by.

    Attributes
    ----------
    images : array, (N, S, S, 3) uint8
        The faces.
    labels : array, (N, A) int64
        Class numbers; -1 where a label is missing.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


class HeadLosses:
    """Cross-entropy of each head of a network's output.

    Parameters
    ----------
    priors : sequence of A sequences
        Class frequencies of each head in the training faces.
    settings : RegionTraining
        How class imbalance is dealt with, and label smoothing.
    device : torch.device
        Of the outputs.
    """

    def __init__(self, priors: Sequence[Sequence[float]], settings: RegionTraining, device: torch.device) -> None:
        self._smoothing = settings.label_smoothing
        sizes = [len(prior) for prior in priors]
        starts = np.cumsum([0, *sizes[:-1]])
        frequencies = [torch.tensor(prior, device=device) for prior in priors]
        self._offset = torch.cat(frequencies).log() if settings.imbalance == "prior" else None
        self._groups = []
        for size in dict.fromkeys(sizes):
            heads = [number for number, other in enumerate(sizes) if other == size]
            channels = torch.tensor([[starts[head] + each for each in range(size)] for head in heads], device=device)
            weights = torch.stack([1 / (size * frequencies[head]) for head in heads])
            self._groups.append((torch.tensor(heads, device=device), channels, weights))
        self._balanced = settings.imbalance == "balanced"
        self.least = torch.stack([self._of_base_rate(prior) for prior in frequencies])

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the losses (N, A, P) of logits (N, C, P) and labels (N, A); 0 where a label is missing."""
        shown = logits.float() if self._offset is None else logits.float() + self._offset[:, None]
        if len(self._groups) == 1:
            _, channels, weights = self._groups[0]
            return self._of_group(shown.unflatten(1, channels.shape), labels, weights)
        losses = shown.new_zeros(len(shown), labels.shape[1], shown.shape[2])
        for heads, channels, weights in self._groups:
            losses[:, heads] = self._of_group(shown[:, channels], labels[:, heads], weights)
        return losses

    def _of_group(self, logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Return the losses (N, H, P) of logits (N, H, C, P) and labels (N, H)."""
        wanted = labels[:, :, None].expand(-1, -1, logits.shape[-1])
        losses = cross_entropy(
            logits.transpose(1, 2), wanted, ignore_index=-1, reduction="none", label_smoothing=self._smoothing
        )
        if not self._balanced:
            return losses
        heads = torch.arange(len(weights), device=labels.device).expand_as(labels)
        return losses * weights[heads, labels.clamp(min=0)][:, :, None]

    def _of_base_rate(self, prior: Tensor) -> Tensor:
        """Return the loss of whoever knows the base rate and nothing else: an entropy."""
        seen = torch.full_like(prior, 1 / len(prior)) if self._balanced else prior
        smoothed = (1 - self._smoothing) * seen + self._smoothing / len(prior)
        return -(smoothed * smoothed.log()).sum()


class Average:
    """A copy of a network with the running mean of its weights and statistics: `network`; without a decay the network itself."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = deepcopy(network) if decay else network
        self._decay, self._steps = decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network after a step; early steps count for less, as they are soon out of date."""
        if self.network is network:
            return
        self._steps += 1
        rate = 1 - min(self._decay, (1 + self._steps) / (10 + self._steps))
        kept, now = self.network.state_dict(), network.state_dict()
        for name, value in kept.items():
            if value.is_floating_point():
                value.lerp_(now[name].to(value.dtype), rate)
            else:
                value.copy_(now[name])


def fit(
    network: nn.Module,
    grid: PatchGrid,
    priors: Sequence[Sequence[float]],
    train: Examples,
    validation: Examples | None,
    settings: RegionTraining,
    device: torch.device,
    progress: Progress,
    what: str,
) -> int:
    """Train a network in place, and return after how many epochs it was as it is now.

    Parameters
    ----------
    network : torch.nn.Module
        On its device; as `Network` describes it.
    grid : PatchGrid
        Its patches.
    priors : sequence of A sequences
        Class frequencies of each head in the training faces.
    train, validation : Examples
        What it learns from; what tells when to stop, if there is such.
    settings : RegionTraining
        How.
    device, progress
        As in `train_atlas`.
    what : str
        What it is trained for.
    """
    pixels, wanted = resident(train.images, device), torch.from_numpy(train.labels).to(device)
    count_of = len(train.labels)
    steps = settings.epochs * -(-count_of // settings.batch_size)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = SCHEDULES[settings.schedule](optimiser, settings.learning_rate, settings.epochs, steps)
    losses_of = HeadLosses(priors, settings, device)

    def looking(done: float, total: float, message: str = "") -> None:
        progress(0, steps, f"Looking where {what} can be read")

    start = _start_weights(network, grid, (pixels, wanted), settings, looking)
    focus = Focus(grid, losses_of.least, settings.focus)
    shuffle = torch.Generator().manual_seed(settings.seed)
    average = Average(network, settings.averaging)
    supervised = distributed.trainable(network)
    patience = Patience(settings.patience)
    step = 0
    network.train()
    for part in network.children() if settings.compile else ():
        part.compile()
    for epoch in range(settings.epochs):
        for whole in torch.randperm(count_of, generator=shuffle).split(settings.batch_size):
            count, positions = len(whole), distributed.share(network.draw(len(whole)))  # type: ignore[operator]
            known_share = float((wanted[whole.to(device)] >= 0).float().mean())
            rows = distributed.share(whole).to(device)
            images = to_unit(pixels[rows])
            if settings.mirror and bool(torch.rand((), generator=shuffle) < 0.5):
                images = images.flip(3)
            if settings.colour_jitter:
                images = recoloured(images, *map(distributed.share, _colours(count, settings.colour_jitter, shuffle)))
            with autocast(device, settings.precision):
                logits = supervised(images, positions)
            losses = losses_of(logits, wanted[rows])
            alike = _share_alike(step / steps, settings.warm_up)
            weights = torch.lerp(start, torch.ones_like(start), alike)[:, positions].transpose(0, 1)
            if settings.focus:
                weights = weights * focus.weights(positions)
                focus.learn(losses.detach(), wanted[rows] >= 0, positions)
            loss = distributed.mean_of_batch((losses * weights).flatten(1), count) / max(known_share, 1e-9)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            average.update(network)
            step += 1
            if step % 10 == 0 or step == steps:
                mean_loss = distributed.mean_of_batch(losses.flatten(1), count) / max(known_share, 1e-9)
                told = distributed.average(torch.stack([loss, mean_loss]).detach())
                _check_number(float(told[0]))
                where = f"epoch {epoch + 1} of {settings.epochs}"
                progress(step, steps, f"Training regions for {what}, {where}, loss {float(told[1]):.3f}")
        if validation is not None and patience.asks:
            judged = _mean_loss(average.network, losses_of, validation, settings, device)
            _check_number(judged)
            patience.note(average.network, judged)
            if patience.is_over:
                progress(steps, steps, f"No better on validation faces since epoch {patience.best_epoch}")
                break
            network.train()
    network.load_state_dict(patience.best or average.network.state_dict())
    return patience.best_epoch or settings.epochs


def _colours(count: int, much: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a contrast (count, 1, 1, 1) and a shift of each channel (count, 3, 1, 1) for each face of a batch."""
    return (
        1 + much * torch.randn(count, 1, 1, 1, generator=generator),
        much * _SHIFT * torch.randn(count, 3, 1, 1, generator=generator),
    )


def recoloured(images: Tensor, contrast: Tensor, shift: Tensor) -> Tensor:
    """Return images (N, 3, H, W) with another contrast about each channel's mean, and that mean shifted, in [0, 1] again."""
    middle = images.mean(dim=(2, 3), keepdim=True)
    return ((images - middle) * contrast.to(images.device) + middle + shift.to(images.device)).clamp(0, 1)


def _check_number(loss: float) -> None:
    if not math.isfinite(loss):
        raise FairsalError("The region classifier's loss is no longer a number; try a smaller learning rate.")


class Patience:
    """Remembers the best weights so far, and whether it is long since; without patience it asks for nothing."""

    def __init__(self, epochs: int) -> None:
        self._epochs, self._seen, self._least = epochs, 0, float("inf")
        self.best: dict[str, Tensor] | None = None
        self.best_epoch = 0

    @property
    def asks(self) -> bool:
        """Whether to be told of every epoch."""
        return self._epochs > 0

    def note(self, network: nn.Module, loss: float) -> None:
        """Take note of the network after an epoch and its loss on faces that it does not learn from."""
        self._seen += 1
        if loss < self._least:
            self._least, self.best_epoch = loss, self._seen
            self.best = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @property
    def is_over(self) -> bool:
        """Whether so many epochs were no better than the best."""
        return self._seen - self.best_epoch >= self._epochs


@torch.inference_mode()
def _mean_loss(
    network: nn.Module, losses_of: HeadLosses, faces: Examples, settings: RegionTraining, device: torch.device
) -> float:
    """Return the mean loss of the same patches of these faces each time."""
    network.eval()
    total = known = 0.0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        for start in range(0, len(faces.labels), _JUDGED_AT_ONCE):
            part = slice(start, start + _JUDGED_AT_ONCE)
            labels = torch.from_numpy(faces.labels[part]).to(device)
            positions = network.draw(len(labels))  # type: ignore[operator]
            with autocast(device, settings.precision):
                logits = network.supervised(to_unit(resident(faces.images[part], device)), positions)  # type: ignore[operator]
            total += float(losses_of(logits, labels).sum()) / positions.shape[1]
            known += float((labels >= 0).sum())
    return float(distributed.average(torch.tensor([total / max(known, 1.0)], device=device)))


def _start_weights(
    network: nn.Module, grid: PatchGrid, faces: tuple[Tensor, Tensor], settings: RegionTraining, progress: Progress
) -> Tensor:
    """Return the weight (A, positions), of mean 1 for each attribute, of each position's loss at the start."""
    pixels, labels = faces
    alike = torch.ones(labels.shape[1], grid.count, device=pixels.device)
    if settings.warm_up == 0:
        return alike
    # Where a label can be read is a question about the faces; an untrained `dense` answers it for the others too.
    probed = network if settings.network == "dense" else build_network("dense", 2, grid, {}).to(pixels.device)
    for number, column in enumerate(labels.T):
        known = column >= 0
        readable = readability(probed, pixels[known], column[known], settings.precision, progress)
        weights = readable.square().flatten()
        if bool(weights.any()):
            alike[number] = weights / weights.mean()
    return alike


def _share_alike(done: float, warm_up: float) -> float:
    """Return how much all positions count alike, 0 to 1, when this share of training is done."""
    return 1.0 if warm_up == 0 else min(max(done / warm_up - 1, 0.0), 1.0)

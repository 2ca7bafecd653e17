"""Corrections: small modules inside a classifier that change what it computes, or how its scores are decided.

A correction stands right behind the layer it belongs to and is part of the classifier: copied, saved, loaded and explained
with it. Nothing is hooked onto anything.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.errors import FairsalError, unknown_name

THRESHOLD = 0.5


def mean_activation(activations: Tensor) -> Tensor:
    """Return m(a): activations (N, C, H, W) averaged over positions, or (N, C) as they are."""
    return activations.flatten(2).mean(dim=2) if activations.ndim > 2 else activations


def everywhere(values: Tensor, activations: Tensor) -> Tensor:
    """Return values (N, C) or (C,) in a shape that adds to activations (N, C, ...) the same at every position."""
    return values.reshape(*values.shape, *[1] * (activations.ndim - 2))


class Correction(nn.Module, ABC):
    """Base of the modules that change activations (N, C, ...); each is affine in m(a), so it has a gradient.

    Never in half precision, whatever the layers around it do: a level would be met to three digits only.
    """

    def forward(self, activations: Tensor) -> Tensor:
        with torch.autocast(activations.device.type, enabled=False):
            half = activations.dtype in (torch.bfloat16, torch.float16)
            return self.correct(activations.float() if half else activations)

    @abstractmethod
    def correct(self, activations: Tensor) -> Tensor:
        """Return the corrected activations."""

    @abstractmethod
    def of_means(self) -> tuple[Tensor, Tensor] | None:
        """Return A (C, C) and b (C,) with m(a') = A m(a) + b, or None where there are none.

        A linear layer that sees nothing of the activations but m(a) can take the correction into its weights.
        """


class Shift(Correction):
    """a' = a + (level - m(a) . v) v: afterwards m(a') . v is `level` for every image (Anders et al. 2022, eq. 4).

    Parameters
    ----------
    direction : tensor, (C,)
        The concept activation vector v, |v| = 1.
    level : tensor, ()
        What m(a') . v becomes.
    """

    direction: Tensor
    level: Tensor

    def __init__(self, direction: Tensor, level: Tensor) -> None:
        super().__init__()
        self.register_buffer("direction", direction)
        self.register_buffer("level", level)

    def correct(self, activations: Tensor) -> Tensor:
        presence = mean_activation(activations) @ self.direction
        return activations + everywhere(torch.outer(self.level - presence, self.direction), activations)

    def of_means(self) -> tuple[Tensor, Tensor] | None:
        """Return A = 1 - v v^T and b = level v."""
        identity = torch.eye(len(self.direction), dtype=self.direction.dtype, device=self.direction.device)
        return identity - torch.outer(self.direction, self.direction), self.level * self.direction


class GatedShift(Shift):
    """`Shift` for the images whose concept is detected, m(a) . v > `threshold`; the others pass untouched."""

    threshold: Tensor

    def __init__(self, direction: Tensor, level: Tensor, threshold: Tensor) -> None:
        super().__init__(direction, level)
        self.register_buffer("threshold", threshold)

    def correct(self, activations: Tensor) -> Tensor:
        detected = mean_activation(activations) @ self.direction > self.threshold
        return torch.where(everywhere(detected[:, None], activations), super().correct(activations), activations)

    def of_means(self) -> None:
        """Return None: what becomes of a mean depends on whether the concept is detected."""


class Erasure(Correction):
    """a' = a - P (m(a) - mean), the same at every position.

    Parameters
    ----------
    projection : tensor, (C, C)
        P; after it m(a') no longer varies with the concept.
    mean : tensor, (C,)
        Mean of m(a) over the faces it was fitted to.
    """

    projection: Tensor
    mean: Tensor

    def __init__(self, projection: Tensor, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("projection", projection)
        self.register_buffer("mean", mean)

    def correct(self, activations: Tensor) -> Tensor:
        centred = mean_activation(activations) - self.mean
        return activations - everywhere(centred @ self.projection.T, activations)

    def of_means(self) -> tuple[Tensor, Tensor]:
        """Return A = 1 - P and b = P mean."""
        identity = torch.eye(len(self.mean), dtype=self.mean.dtype, device=self.mean.device)
        return identity - self.projection, self.projection @ self.mean


class Decision(nn.Identity):
    """Turns scores into decisions by thresholds, behind the output layer, whose logits pass unchanged.

    Parameters
    ----------
    rules : tensor, (G, 8) float64
        One rule per group: p_ignore, constant, then (weight, threshold, sign) of two thresholds. A face is decided
        positive with probability p_ignore * constant + (1 - p_ignore) * sum of weight * [sign * score > sign * threshold].
    groups : tensor, (G,) int64
        Value of each group; empty if there is one rule for everybody, and groups need not be known.
    """

    rules: Tensor
    groups: Tensor

    def __init__(self, rules: Tensor, groups: Tensor) -> None:
        super().__init__()
        self.register_buffer("rules", rules)
        self.register_buffer("groups", groups)

    @property
    def needs_groups(self) -> bool:
        """Whether it decides differently for different groups, and so has to know them."""
        return len(self.groups) > 0

    def probabilities(self, scores: NDArray[np.floating], groups: NDArray[Any] | None) -> NDArray[np.float64]:
        """Return the probability (N,) that each face is decided positive.

        Raises
        ------
        FairsalError
            If groups are needed and not given, or one was not there when the thresholds were chosen.
        """
        values = scores.astype(np.float64)
        rules = self.rules.double().cpu().numpy()
        if not self.needs_groups:
            return _apply(rules[0], values)
        if groups is None:
            raise FairsalError(
                "These thresholds differ between groups: give the group of each face, or audit by what they were chosen for."
            )
        known = self.groups.cpu().numpy()
        numbers = np.asarray(groups).astype(np.int64)
        if numbers.shape != values.shape:
            raise FairsalError(f"Expected one group for each of the {len(values)} scores, got shape {numbers.shape}.")
        unseen = np.setdiff1d(numbers, known)
        if len(unseen):
            raise FairsalError(
                f"No threshold was chosen for the group {unseen[0]}; the thresholds know {known.tolist()}. "
                "Choose them again on faces of every group."
            )
        result = np.empty_like(values)
        for rule, group in zip(rules, known, strict=True):
            members = numbers == group
            result[members] = _apply(rule, values[members])
        return result


def _apply(rule: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    ignore, constant, *thresholds = rule.tolist()
    chosen = np.zeros_like(scores)
    for weight, threshold, sign in (thresholds[:3], thresholds[3:]):
        chosen += weight * (sign * scores > sign * threshold)
    # In float64 the two weights may add up to a little more than 1.
    result: NDArray[np.float64] = np.clip(ignore * constant + (1 - ignore) * chosen, 0.0, 1.0)
    return result


CORRECTIONS: dict[str, type[nn.Module]] = {kind.__name__: kind for kind in (Shift, GatedShift, Erasure, Decision)}


class Corrected(nn.Sequential):
    """A layer (first) and the corrections behind it."""


def insert(classifier: nn.Module, layer: str, correction: nn.Module) -> None:
    """Put a correction behind the layer of this name, in place; behind the earlier ones if it has some."""
    module = find_layer(classifier, layer)
    if isinstance(module, Corrected):
        module.append(correction)
        return
    parent, _, name = layer.rpartition(".")
    setattr(classifier.get_submodule(parent), name, Corrected(module, correction))


def remove(classifier: nn.Module, layer: str) -> None:
    """Take the last correction of a layer out again, in place."""
    module = find_layer(classifier, layer)
    if not isinstance(module, Corrected):
        raise FairsalError(f"The layer '{layer}' has no correction.")
    if len(module) > 2:
        del module[-1]
        return
    parent, _, name = layer.rpartition(".")
    setattr(classifier.get_submodule(parent), name, module[0])


def find_layer(classifier: nn.Module, layer: str) -> nn.Module:
    """Return the layer of this name; an unknown one is an error that names the nearest."""
    modules: dict[str, nn.Module] = dict(classifier.named_modules())
    if not layer or layer not in modules:
        raise unknown_name("layer", layer, [name for name in modules if name])
    return modules[layer]


def decisions(
    classifier: nn.Module, scores: NDArray[np.floating], groups: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Return the probability (N,) that each face is decided to have the target: 0 or 1 unless thresholds are drawn.

    Parameters
    ----------
    classifier : torch.nn.Module
        Whose decisions they are.
    scores : array, (N,)
        From `predict_scores` of this classifier.
    groups : array, (N,), optional
        The protected group of each face; needed if the classifier's thresholds differ between groups.

    Raises
    ------
    FairsalError
        If groups are needed and not given, or unknown.
    """
    decision = _decision(classifier)
    if decision is None:
        certain: NDArray[np.float64] = (scores > THRESHOLD).astype(np.float64)
        return certain
    return decision.probabilities(scores, groups)


def has_thresholds(classifier: nn.Module) -> bool:
    """Return whether a classifier decides by thresholds of its own, and not by a score above one half."""
    return _decision(classifier) is not None


def _decision(classifier: nn.Module) -> Decision | None:
    return next((module for module in classifier.modules() if isinstance(module, Decision)), None)


def describe(classifier: nn.Module) -> list[dict[str, str]]:
    """Return what `rebuild` needs beside the weights: each correction's place and kind."""
    return [
        {"layer": layer, "place": f"{layer}.{index}", "kind": type(correction).__name__}
        for layer, module in classifier.named_modules()
        if isinstance(module, Corrected)
        for index, correction in enumerate(module)
        if index
    ]


def rebuild(classifier: nn.Module, described: list[dict[str, str]], state: dict[str, Tensor]) -> None:
    """Put the described corrections into a classifier, with their tensors from `state`."""
    for item in described:
        kind, prefix = CORRECTIONS[item["kind"]], f"{item['place']}."
        # Copied: a file's own memory is not aligned, and some processors' products differ by a bit there.
        tensors = {name.removeprefix(prefix): value.clone() for name, value in state.items() if name.startswith(prefix)}
        insert(classifier, item["layer"], kind(**tensors))

"""`leace`: least-squares concept erasure (Belrose et al. 2023), in closed form.

a' = a - W^+ P W (m(a) - mean), with W = cov(m(a))^(-1/2) and P the projection onto W cov(m(a), concept). Afterwards no linear
read-out of m(a') tells the concept better than its base rate, and nothing changes more than it has to for that.
"""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from fairsal_core.classifiers import Erasure, find_layer, insert
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import Applied, LabelledFaces, MitigationSettings, device_of
from fairsal_core.mitigation.layers import feature_layer, mean_activations, stages
from fairsal_core.mitigation.search import Search
from fairsal_core.progress import Progress, silent

_SMALLEST = 1e-10  # of the largest variance; directions with less are taken for rounding


class LeaceSettings(MitigationSettings):
    """Settings of `leace`."""

    layers: tuple[str, ...] = Field(
        (),
        description="layers to search; none given: the features before the output, and the last layer of every width",
    )


def leace(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: LeaceSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with the erasure behind the best of the layers; nothing in it is random."""
    for layer in settings.layers:
        find_layer(classifier, layer)
    layers = settings.layers or (feature_layer(classifier, fit.images), *stages(classifier, fit.images))
    means = mean_activations(classifier, layers, fit.images)
    search = Search(classifier, validation, settings)
    for done, layer in enumerate(layers):
        projection, mean = erasure(means[layer], fit.confounder)
        tensors = (
            torch.as_tensor(value, dtype=torch.float32, device=device_of(classifier)) for value in (projection, mean)
        )
        correction = Erasure(*tensors)
        search.attempt({"layer": layer}, partial(insert, layer=layer, correction=correction))
        progress(done + 1, len(layers), f"layer {layer}")
    corrected, _, trace = search.outcome()
    return Applied(corrected, trace)


def erasure(
    activations: NDArray[np.float64], concept: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix P (C, C) and the mean (C,) of a' = a - P (a - mean), after Belrose et al. (2023), theorem 4.3.

    Raises
    ------
    FairsalError
        If all faces have, or all lack, the concept.
    """
    if len(set(concept.tolist())) < 2:
        raise FairsalError("There is nothing to erase: all faces have, or all lack, the confounder.")
    mean = activations.mean(axis=0)
    centred = activations - mean
    covariance = centred.T @ centred / len(centred)
    with_concept = centred.T @ (concept - concept.mean()) / len(centred)
    variances, axes = np.linalg.eigh(covariance)
    kept = variances > _SMALLEST * variances.max()
    roots = np.sqrt(variances[kept])
    whitened = (axes[:, kept] / roots).T @ with_concept
    if not whitened.any():
        return np.zeros_like(covariance), mean
    unit = whitened / np.linalg.norm(whitened)
    projection: NDArray[np.float64] = np.outer((axes[:, kept] * roots) @ unit, (axes[:, kept] / roots) @ unit)
    return projection, mean

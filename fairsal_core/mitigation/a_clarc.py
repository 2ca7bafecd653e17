"""`a_clarc`: augmentive ClArC (Anders et al. 2022). While the layers behind it are fine-tuned, every image is given the
concept, a' = a + (z+ - m(a) . v) v, so that it stops telling anything; afterwards the correction is taken out again.

With every image given it, training cannot tell how the layers behind use it, and reliance that was there may stay. With half of
the images given it, whatever their label, using it costs accuracy. Both are tried.
"""

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.classifiers import Shift, insert, remove
from fairsal_core.mitigation.base import Applied, Batch, LabelledFaces, device_of
from fairsal_core.mitigation.cav import Cav
from fairsal_core.mitigation.clarc import TunedConceptSettings, about, concept_directions, concept_layers
from fairsal_core.mitigation.layers import layers_up_to
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.tuning import classification_loss, logits_of, tune
from fairsal_core.progress import Progress, silent


class AClarcSettings(TunedConceptSettings):
    """Settings of `a_clarc`."""

    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (1.0, 0.5),
        min_length=1,
        description="shares of the images given the concept, to search; 1 is the paper's",
    )


class RandomShift(Shift):
    """`Shift` for a random share of the images, drawn anew at each pass."""

    def __init__(self, direction: Tensor, level: Tensor, share: float) -> None:
        super().__init__(direction, level)
        self.share = share

    def correct(self, activations: Tensor) -> Tensor:
        given = torch.rand(len(activations)).to(activations.device) < self.share
        return torch.where(given.view(-1, *[1] * (activations.ndim - 1)), super().correct(activations), activations)


def a_clarc(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: AClarcSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the fine-tuned classifier for the best of the layers, without the correction it was trained with.

    Layers up to the CAV are frozen, as it would point elsewhere if they moved. The layer is searched with the first share,
    then the share in that layer.
    """
    layers = concept_layers(classifier, fit, settings)
    cavs = concept_directions(classifier, layers, fit, validation, settings.estimator)
    search = Search(classifier, validation, settings)
    first, *others = settings.shares
    steps = len(layers) + len(others)

    def attempt(layer: str, share: float, done: int) -> None:
        train = partial(
            train_augmented, layer=layer, cav=cavs[layer], share=share, fit=fit, settings=settings, seed=seed
        )
        search.attempt({"layer": layer, "share": share}, train)
        progress(done, steps, f"layer {layer}, share {share:g}")

    for done, layer in enumerate(layers, start=1):
        attempt(layer, first, done)
    for done, share in enumerate(others, start=len(layers) + 1):
        attempt(search.best_settings["layer"], share, done)
    tuned, _, trace = search.outcome()
    return Applied(tuned, trace, about(cavs[search.best_settings["layer"]]))


def train_augmented(
    candidate: nn.Module,
    layer: str,
    cav: Cav,
    share: float,
    fit: LabelledFaces,
    settings: AClarcSettings,
    seed: int,
) -> None:
    """Fine-tune what lies behind a layer, in place, while a share of the images is given the concept there."""
    frozen = layers_up_to(candidate, layer, fit.images)
    direction, with_, _ = cav.tensors(device_of(candidate))
    insert(candidate, layer, RandomShift(direction, with_, share))

    def step(batch: Batch) -> Tensor:
        loss = classification_loss(logits_of(candidate, batch.images), batch.target)
        loss.backward()
        return loss.detach()

    try:
        tune(candidate, fit, settings, step, seed=seed, frozen=frozen)
    finally:
        remove(candidate, layer)

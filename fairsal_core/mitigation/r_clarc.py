"""`r_clarc`: reactive ClArC (Bareeva et al. 2024), the correction of `p_clarc` only for images in which the concept is found."""

from functools import partial

import torch
from torch import nn

from fairsal_core.classifiers import GatedShift, insert
from fairsal_core.mitigation.base import Applied, LabelledFaces, device_of
from fairsal_core.mitigation.clarc import ConceptSettings, about, concept_directions, concept_layers
from fairsal_core.mitigation.search import Search
from fairsal_core.progress import Progress, silent


class RClarcSettings(ConceptSettings):
    """Settings of `r_clarc`."""


def r_clarc(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: RClarcSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with the correction behind the best of the layers.

    The concept is found where m(a) . v lies above the cut that tells the faces with it from those without best.
    """
    layers = concept_layers(classifier, fit, settings)
    cavs = concept_directions(classifier, layers, fit, validation, settings.estimator)
    search = Search(classifier, validation, settings)
    for done, (layer, cav) in enumerate(cavs.items()):
        direction, _, without = cav.tensors(device_of(classifier))
        correction = GatedShift(direction, without, torch.tensor(cav.threshold).to(direction))
        search.attempt({"layer": layer}, partial(insert, layer=layer, correction=correction))
        progress(done + 1, len(cavs), f"layer {layer}")
    corrected, _, trace = search.outcome()
    return Applied(corrected, trace, about(cavs[search.best_settings["layer"]]))

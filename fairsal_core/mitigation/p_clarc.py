"""`p_clarc`: projective ClArC (Anders et al. 2022), a' = a + (z- - m(a) . v) v for every image, without any training."""

from functools import partial

from torch import nn

from fairsal_core.classifiers import Shift, insert
from fairsal_core.mitigation.base import Applied, LabelledFaces, device_of
from fairsal_core.mitigation.clarc import ConceptSettings, about, concept_directions, concept_layers
from fairsal_core.mitigation.search import Search
from fairsal_core.progress import Progress, silent


class PClarcSettings(ConceptSettings):
    """Settings of `p_clarc`."""


def p_clarc(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: PClarcSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with the correction behind the best of the layers; nothing in it is random."""
    layers = concept_layers(classifier, fit, settings)
    cavs = concept_directions(classifier, layers, fit, validation, settings.estimator)
    search = Search(classifier, validation, settings)
    for done, (layer, cav) in enumerate(cavs.items()):
        direction, _, without = cav.tensors(device_of(classifier))
        correction = Shift(direction, without)
        search.attempt({"layer": layer}, partial(insert, layer=layer, correction=correction))
        progress(done + 1, len(cavs), f"layer {layer}")
    corrected, _, trace = search.outcome()
    return Applied(corrected, trace, about(cavs[search.best_settings["layer"]]))

"""What the ClArC methods share (Anders et al. 2022): the concept is the confounder, its CAV lies in a layer's m(a)."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from fairsal_core.classifiers import find_layer
from fairsal_core.mitigation.base import LabelledFaces, MitigationSettings
from fairsal_core.mitigation.cav import Cav, Estimator, fit_cav
from fairsal_core.mitigation.layers import mean_activations, stages
from fairsal_core.mitigation.tuning import TuningSettings


class ConceptSettings(MitigationSettings):
    """Where the concept is looked for, and how its direction is estimated."""

    layers: tuple[str, ...] = Field((), description="layers to search; none given: the last layer of every width")
    estimator: Estimator = Field("signal", description="how the concept's direction is estimated")


class TunedConceptSettings(ConceptSettings, TuningSettings):
    """The same, for methods that also fine-tune."""


def concept_layers(classifier: nn.Module, fit: LabelledFaces, settings: ConceptSettings) -> list[str]:
    """Return the layers to search, after checking that they exist."""
    for layer in settings.layers:
        find_layer(classifier, layer)
    return list(settings.layers) or stages(classifier, fit.images)


def concept_directions(
    classifier: nn.Module,
    layers: Sequence[str],
    fit: LabelledFaces,
    held_out: LabelledFaces,
    estimator: Estimator,
    batch_size: int = 128,
) -> dict[str, Cav]:
    """Return the confounder's CAV in each layer, for a classifier in eval mode.

    Parameters
    ----------
    classifier : torch.nn.Module
        Whose layers they are; it stays as it is.
    layers : sequence of str
        Names.
    fit, held_out : LabelledFaces
        The faces to estimate from, and those that separability is measured on.
    estimator : str
        See `fit_cav`.
    batch_size : int
        Changes rounding only.

    Raises
    ------
    FairsalError
        If a group has too few faces.
    """
    own, others = (mean_activations(classifier, layers, faces.images, batch_size) for faces in (fit, held_out))
    return {
        layer: fit_cav(own[layer], fit.confounder, others[layer], held_out.confounder, estimator) for layer in layers
    }


def about(cav: Cav) -> dict[str, float]:
    """Return what is worth knowing of a CAV, for the diagnostics."""
    return {"separability": cav.separability, "level_with": cav.level_with, "level_without": cav.level_without}

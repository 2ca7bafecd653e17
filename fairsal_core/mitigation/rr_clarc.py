"""`rr_clarc`: right-reason ClArC (Dreyer et al. 2024). Fine-tuning is penalised where the prediction would change if the
concept did: cross-entropy + lambda * mean (grad_a s . v)^2.
"""

from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.mitigation.base import Applied, Batch, LabelledFaces, device_of
from fairsal_core.mitigation.cav import Cav
from fairsal_core.mitigation.clarc import TunedConceptSettings, about, concept_directions, concept_layers
from fairsal_core.mitigation.layers import cut_at, layers_up_to, outputs_of
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.tuning import classification_loss, tune
from fairsal_core.progress import Progress, silent


class RRClarcSettings(TunedConceptSettings):
    """Settings of `rr_clarc`."""

    lambdas: tuple[float, ...] = Field((1.0, 10.0), min_length=1, description="weights of the penalty to search")
    trained: Literal["all_layers", "behind_the_cav"] = Field(
        "behind_the_cav", description="what is fine-tuned; with all_layers the CAV is estimated anew before each epoch"
    )


def rr_clarc(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: RRClarcSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the fine-tuned classifier. The layer is searched with the middle lambda (of two, the larger), then
    lambda in that layer.

    By default layers up to the CAV are frozen. If they are not, they may turn the concept away from the direction that is
    penalised, and the penalty along the new direction need not fall.
    """
    layers = concept_layers(classifier, fit, settings)
    behind = settings.trained == "behind_the_cav"
    cavs = concept_directions(classifier, layers, fit, validation, settings.estimator) if behind else {}
    search = Search(classifier, validation, settings)
    first = sorted(settings.lambdas)[len(settings.lambdas) // 2]
    others = [weight for weight in settings.lambdas if weight != first]
    steps = len(layers) + len(others)

    def attempt(layer: str, weight: float) -> None:
        search.attempt(
            {"layer": layer, "lambda": weight},
            partial(
                train_right_reasons,
                layer=layer,
                fit=fit,
                validation=validation,
                settings=settings,
                weight=weight,
                seed=seed,
                cav=cavs.get(layer),
            ),
        )

    for done, layer in enumerate(layers):
        attempt(layer, first)
        progress(done + 1, steps, f"layer {layer}")
    for done, weight in enumerate(others, start=len(layers)):
        attempt(search.best_settings["layer"], weight)
        progress(done + 1, steps, f"lambda {weight:g}")
    tuned, (cav, before, after), trace = search.outcome()
    return Applied(tuned, trace, {**about(cav), "penalty_before": before, "penalty_after": after})


def concept_penalty(activations: Tensor, logits: Tensor, direction: Tensor, distance: float = 1.0) -> Tensor:
    """Return mean (distance * grad_a s . v)^2, with s the probability of the target.

    Parameters
    ----------
    activations : tensor, (N, C, ...)
        a, part of the graph of the logits.
    logits : tensor, (N, 2)
        What the classifier made of them.
    direction : tensor, (C,)
        v; added at every position, as the other ClArC methods do.
    distance : float
        z+ - z-, so that the product is how far the prediction moves, to first order, if the concept comes or goes: a
        number of the same meaning in every layer.

    Notes
    -----
    s is a probability, not a logit: a network of piecewise linear layers has a logit whose gradient does not vary with a,
    so that a penalty on it could never reach the layers before.
    """
    positive = logits.softmax(dim=1)[:, 1]
    (gradient,) = torch.autograd.grad(positive.sum(), activations, create_graph=True)
    along = gradient.flatten(2).sum(dim=2) if gradient.ndim > 2 else gradient
    return (distance * (along @ direction)).square().mean()


def train_right_reasons(
    candidate: nn.Module,
    layer: str,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: RRClarcSettings,
    weight: float,
    seed: int,
    cav: Cav | None = None,
) -> tuple[Cav, float, float]:
    """Fine-tune in place; return the last CAV, and the mean penalty in the first and in the last epoch.

    `cav` is the candidate's, if it is known already.
    """
    behind = settings.trained == "behind_the_cav"
    frozen = layers_up_to(candidate, layer, fit.images) if behind else ()
    penalties: list[list[float]] = []

    def look_again() -> None:
        nonlocal cav
        penalties.append([])
        if cav is None or not behind:
            cav = concept_directions(candidate, [layer], fit, validation, settings.estimator)[layer]

    # Where nothing before the CAV is trained, no gradient has to go there: that would be most of the work.
    with cut_at(candidate, layer) if behind else outputs_of(candidate, [layer]) as outputs:

        def step(batch: Batch) -> Tensor:
            assert cav is not None
            logits = candidate(batch.images)
            direction, with_, without = cav.tensors(device_of(candidate))
            penalty = concept_penalty(outputs[layer], logits, direction, float(with_ - without))
            loss = classification_loss(logits, batch.target) + weight * penalty
            loss.backward(inputs=[weights for weights in candidate.parameters() if weights.requires_grad])
            penalties[-1].append(float(penalty.detach()))
            return loss.detach()

        tune(candidate, fit, settings, step, seed=seed, frozen=frozen, epoch_begins=look_again)
    assert cav is not None
    first, last = (sum(values) / len(values) for values in (penalties[0], penalties[-1]))
    return cav, first, last

"""`savani`: adversarial fine-tuning (Savani, White and Govindarajulu 2020, section 4).

A critic learns to predict, from the features of a batch, how biased the classifier is on it; the classifier then learns
to classify while the critic sees little bias. The critic reads the classifier's own features, so that its gradient reaches
every layer before them.
"""

from functools import partial

import torch
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import Applied, Batch, LabelledFaces, device_of, image_batches
from fairsal_core.mitigation.layers import feature_layer, outputs_of
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.tuning import TuningSettings, classification_loss, logits_of, tune
from fairsal_core.progress import Progress, silent


class SavaniSettings(TuningSettings):
    """Settings of `savani`."""

    lambdas: tuple[float, ...] = Field((1.0, 5.0, 20.0), min_length=1, description="weights of the bias to search")
    allowed_bias: float = Field(0.05, ge=0, le=1, description="epsilon: bias the critic may see at no cost")
    margin: float = Field(0.01, ge=0, le=1, description="delta: how far below that to aim")
    critic_steps: int = Field(60, ge=1, le=10_000, description="steps of the critic before each epoch")
    critic_learning_rate: float = Field(3e-3, gt=0, le=1, description="Adam's rate for the critic")
    critic_hidden: int = Field(32, ge=1, le=4096, description="hidden units of the critic")


class Critic(nn.Module):
    """Predicts the bias on a batch from its features (N, D), whatever N and the order are: a layer for each face, their
    mean, a layer for the batch."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.face = nn.Sequential(nn.Linear(features, hidden), nn.ReLU())
        self.batch = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.batch(self.face(features).mean(dim=0))[0]
        return result


def savani(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: SavaniSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after adversarial fine-tuning, with the best of the weights."""
    layer = feature_layer(classifier, fit.images)
    search = Search(classifier, validation, settings)
    for done, weight in enumerate(settings.lambdas):
        search.attempt(
            {"lambda": weight, "layer": layer},
            partial(_train, layer=layer, fit=fit, settings=settings, weight=weight, seed=seed),
        )
        progress(done + 1, len(settings.lambdas), f"lambda {weight:g}")
    tuned, error, trace = search.outcome()
    return Applied(tuned, trace, {"critic_error": error})


def batch_bias(logits: Tensor, target: Tensor, confounder: Tensor) -> Tensor:
    """Return the signed equalized odds bias of a batch, -1 to 1: the mean over labels of P(yes | with) - P(yes | without).

    From probabilities, as hard decisions of a batch are too coarse to learn from. Labels without faces of both groups are
    left out; zero if none is left.
    """
    positive = logits.softmax(dim=1)[:, 1]
    differences = [
        positive[with_].mean() - positive[without].mean()
        for label in (target, ~target)
        if (with_ := label & confounder).any() and (without := label & ~confounder).any()
    ]
    return torch.stack(differences).mean() if differences else positive.new_zeros(())


def critic_loss(loss: Tensor, predicted_bias: Tensor, settings: SavaniSettings, weight: float) -> Tensor:
    """Return max(1, lambda (|b| - epsilon + delta) + 1) * loss (Savani et al. 2020, algorithm 2)."""
    excess = predicted_bias.abs() - settings.allowed_bias + settings.margin
    return torch.clamp(weight * excess + 1, min=1) * loss


def _train(
    candidate: nn.Module, layer: str, fit: LabelledFaces, settings: SavaniSettings, weight: float, seed: int
) -> float:
    """Fine-tune in place, and return the critic's last mean absolute error."""
    if len(set(fit.confounder.tolist())) < 2:
        raise FairsalError("There is no bias to measure: all faces have, or all lack, the confounder.")
    torch.manual_seed(seed)
    device = device_of(candidate)
    features, _ = _all_features(candidate, layer, fit)
    critic = Critic(features.shape[1], settings.critic_hidden).to(device)
    optimiser = torch.optim.Adam(critic.parameters(), lr=settings.critic_learning_rate)
    draw = torch.Generator().manual_seed(seed)
    target, confounder = (torch.tensor(values, device=device) for values in (fit.target, fit.confounder))
    error = 0.0

    def teach_critic() -> None:
        nonlocal error
        features, logits = _all_features(candidate, layer, fit)
        errors = []
        for _ in range(settings.critic_steps):
            rows = torch.randint(len(fit), (settings.batch_size,), generator=draw).to(device)
            actual = batch_bias(logits[rows], target[rows], confounder[rows])
            optimiser.zero_grad(set_to_none=True)
            miss = critic(features[rows]) - actual
            miss.square().backward()
            optimiser.step()
            errors.append(abs(float(miss.detach())))
        error = sum(errors) / len(errors)

    with outputs_of(candidate, [layer]) as outputs:

        def step(batch: Batch) -> Tensor:
            logits = logits_of(candidate, batch.images)
            predicted = critic(outputs[layer].float().flatten(1))
            loss = critic_loss(classification_loss(logits, batch.target), predicted, settings, weight)
            loss.backward()  # the critic's gradients are dropped before it learns again
            return loss.detach()

        tune(candidate, fit, settings, step, seed=seed, epoch_begins=teach_critic)
    return error


@torch.no_grad()
def _all_features(candidate: nn.Module, layer: str, fit: LabelledFaces) -> tuple[Tensor, Tensor]:
    """Return features (N, D) and logits (N, 2) of all faces, in eval mode."""
    features, logits = [], []
    with outputs_of(candidate, [layer]) as outputs:
        for images in image_batches(fit.images, device_of(candidate), 256):
            logits.append(candidate(images))
            features.append(outputs[layer].flatten(1))
    return torch.cat(features), torch.cat(logits)

"""`zhang`: an adversary reads the confounder off the logits, and the classifier learns to mislead it.

Zhang, Lemoine and Mitchell (2018), section 3. The classifier's gradient g loses what would help the adversary, whose
loss has the gradient u with respect to the same weights: g - (g.u)/(u.u) u - alpha u, with g.u the element-wise inner product,
per parameter.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import Applied, Batch, LabelledFaces, device_of, image_batches
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.tuning import TuningSettings, classification_loss, logits_of, tune
from fairsal_core.progress import Progress, silent

Learn = Callable[[Tensor, Batch], None]


class ZhangSettings(TuningSettings):
    """Settings of `zhang`."""

    alphas: tuple[float, ...] = Field(
        (0.1, 0.3, 1.0), min_length=1, description="strengths of the adversary's gradient to search"
    )
    aim: Literal["equalized_odds", "demographic_parity"] = Field(
        "equalized_odds", description="equalized_odds: the adversary also sees the true label"
    )
    adversary_learning_rate: float = Field(3e-3, gt=0, le=1, description="Adam's rate for the adversary")
    adversary_hidden: int = Field(16, ge=1, le=4096, description="hidden units of the adversary")
    adversary_head_start: int = Field(100, ge=0, description="steps the adversary learns alone first")


class Adversary(nn.Module):
    """Predicts the confounder from the logit margin s and, for equalized odds, from s y and s (1 - y) too.

    The paper's adversary is linear in these; a hidden layer lets it use the shape of the distribution.
    """

    def __init__(self, aim: str, hidden: int) -> None:
        super().__init__()
        self.sees_label = aim == "equalized_odds"
        inputs = 4 if self.sees_label else 1
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        margin = (logits[:, 1] - logits[:, 0])[:, None]
        label = target[:, None].to(margin.dtype)
        seen = torch.cat([margin, margin * label, margin * (1 - label), label], dim=1) if self.sees_label else margin
        result: Tensor = self.layers(seen)[:, 0]
        return result


def zhang(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: ZhangSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after adversarial fine-tuning, with the best of the strengths."""
    search = Search(classifier, validation, settings)
    for done, alpha in enumerate(settings.alphas):
        search.attempt({"alpha": alpha}, partial(_train, fit=fit, settings=settings, alpha=alpha, seed=seed))
        progress(done + 1, len(settings.alphas), f"alpha {alpha:g}")
    tuned, accuracy, trace = search.outcome()
    return Applied(tuned, trace, {"adversary_accuracy": accuracy})


def misleading_update(gradient: Tensor, adversary_gradient: Tensor, alpha: float) -> Tensor:
    """Return g - (g.u)/(u.u) u - alpha u (Zhang et al. 2018, eq. 1); g where u is zero.

    Parameters
    ----------
    gradient, adversary_gradient : tensors of one shape
        g and u, of one parameter of any shape; the inner product is over all its elements.
    alpha : float
        How far to go against the adversary.
    """
    u = adversary_gradient
    length = (u * u).sum()
    if length == 0:
        return gradient
    along: Tensor = (gradient * u).sum() / length
    return gradient - (along + alpha) * u


def set_gradients(loss: Tensor, adversary_loss: Tensor, parameters: Sequence[nn.Parameter], alpha: float) -> None:
    """Set each parameter's gradient to the update of `misleading_update`; a parameter without gradient keeps none."""
    own = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    others = torch.autograd.grad(adversary_loss, parameters, retain_graph=True, allow_unused=True)
    for parameter, gradient, other in zip(parameters, own, others, strict=True):
        if gradient is not None:
            parameter.grad = gradient if other is None else misleading_update(gradient, other, alpha)


def _train(candidate: nn.Module, fit: LabelledFaces, settings: ZhangSettings, alpha: float, seed: int) -> float:
    """Fine-tune in place, and return how often the adversary is right in the last epoch."""
    if len(set(fit.confounder.tolist())) < 2:
        raise FairsalError("The adversary has nothing to learn: all faces have, or all lack, the confounder.")
    torch.manual_seed(seed)
    device = device_of(candidate)
    adversary = Adversary(settings.aim, settings.adversary_hidden).to(device)
    optimiser = torch.optim.Adam(adversary.parameters(), lr=settings.adversary_learning_rate)
    parameters = list(candidate.parameters())
    right: list[float] = []

    def guess_loss(logits: Tensor, batch: Batch) -> Tensor:
        guesses = adversary(logits, batch.target)
        right.append(float(((guesses > 0) == batch.confounder).float().mean()))
        return nn.functional.binary_cross_entropy_with_logits(guesses, batch.confounder.to(guesses.dtype))

    def learn(loss: Tensor) -> None:
        gradients = torch.autograd.grad(loss, list(adversary.parameters()))
        for parameter, gradient in zip(adversary.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()

    def step(batch: Batch) -> Tensor:
        logits = logits_of(candidate, batch.images)
        loss, adversary_loss = classification_loss(logits, batch.target), guess_loss(logits, batch)
        set_gradients(loss, adversary_loss, parameters, alpha)
        learn(adversary_loss)
        return loss.detach()

    _head_start(candidate, fit, settings, lambda logits, batch: learn(guess_loss(logits, batch)), seed)
    tune(candidate, fit, settings, step, seed=seed, epoch_begins=right.clear)
    return sum(right) / len(right)


def _head_start(candidate: nn.Module, fit: LabelledFaces, settings: ZhangSettings, learn: Learn, seed: int) -> None:
    """Let the adversary learn from the logits as they are, which are computed once."""
    device = device_of(candidate)
    with torch.no_grad():
        logits = torch.cat([candidate(images) for images in image_batches(fit.images, device, 256)])
    target, confounder = (torch.tensor(values, device=device) for values in (fit.target, fit.confounder))
    shuffle = torch.Generator().manual_seed(seed)
    for _ in range(settings.adversary_head_start):
        rows = torch.randint(len(fit), (settings.batch_size,), generator=shuffle).to(device)
        batch = Batch(logits[rows], target[rows], confounder[rows])
        learn(logits[rows], batch)

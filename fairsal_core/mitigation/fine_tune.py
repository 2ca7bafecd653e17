"""`fine_tune`: more training on the mitigation split, whose cells are as equal as the faces allow."""

from torch import Tensor, nn

from fairsal_core.mitigation.base import Applied, Batch, LabelledFaces
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.tuning import TuningSettings, classification_loss, logits_of, tune
from fairsal_core.progress import Progress, silent


class FineTuneSettings(TuningSettings):
    """Settings of `fine_tune`."""


def fine_tune(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: FineTuneSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after plain fine-tuning; the confounder's labels are not looked at."""
    search = Search(classifier, validation, settings)

    def build(candidate: nn.Module) -> None:
        def step(batch: Batch) -> Tensor:
            loss = classification_loss(logits_of(candidate, batch.images), batch.target)
            loss.backward()
            return loss.detach()

        tune(candidate, fit, settings, step, seed=seed, progress=progress)

    search.attempt({"epochs": settings.epochs, "learning_rate": settings.learning_rate}, build)
    tuned, _, trace = search.outcome()
    return Applied(tuned, trace)

"""Training the seeds of a variant at once, as one network of stacked weights.

A step of a small network keeps a GPU waiting for the next instruction; five networks of one shape, called as one by
`torch.func.vmap`, need as many instructions as one does. Whether that is faster is measured where it is to be done.
"""

import copy
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from fairsal_core.classifiers.registry import CLASSIFIERS
from fairsal_core.classifiers.training import (
    ClassifierTraining,
    TrainingTask,
    batches_of,
    numbers_of_epoch,
    optimiser_of,
    train_classifier,
    untrained,
)
from fairsal_core.tensors import autocast

_TRIAL_STEPS = 16  # enough to tell the two ways apart


def train_seeds(tasks: Sequence[TrainingTask], settings: ClassifierTraining, device: torch.device) -> list[nn.Module]:
    """Train a classifier for each task, all at once.

    Parameters
    ----------
    tasks : sequence of TrainingTask
        Of as many images each. Their seeds fix initial weights, order and noise; dropout is drawn for all of them together,
        from the last one's seed.
    settings : ClassifierTraining
        Of all of them.
    device : torch.device
        Where to train.

    Returns
    -------
    list of torch.nn.Module
        In the order of the tasks, on `device`, in eval mode. But for dropout's draws and for rounding they are what
        `train_classifier` makes of each task.

    Raises
    ------
    FairsalError
        If a loss stops being a number.
    """
    classifiers = [untrained(settings, task.seed, device).train() for task in tasks]
    weights, statistics = stack_module_state(classifiers)
    skeleton = copy.deepcopy(classifiers[0]).to("meta")

    def call(weights: dict[str, Tensor], statistics: dict[str, Tensor], images: Tensor) -> Tensor:
        logits: Tensor = functional_call(skeleton, (weights, statistics), (images,))
        return logits

    call_all = vmap(call, randomness="different")
    optimiser, schedule = optimiser_of(weights.values(), settings)
    batches = [batches_of(task, settings, device) for task in tasks]
    images_each = len(tasks[0].labels)
    for epoch in range(1, settings.epochs + 1):
        totals = torch.zeros(len(tasks), device=device)
        started = time.perf_counter()
        for each in zip(*(epoch_of() for epoch_of in batches), strict=True):
            images, targets = (torch.stack(part) for part in zip(*each, strict=True))
            with autocast(device, settings.precision):
                logits = call_all(weights, statistics, images)
            # A network's loss has no part in another's gradient, so their sum gives each its own.
            losses = nn.functional.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
            losses = losses.mean(dim=(1, 2))
            optimiser.zero_grad(set_to_none=True)
            losses.sum().backward()
            optimiser.step()
            totals += losses.detach() * images.shape[1]
        schedule.step()
        means = (totals / images_each).tolist()
        pace = len(tasks) * images_each / (time.perf_counter() - started)
        _unstack(classifiers, weights, statistics)
        for task, classifier, loss in zip(tasks, classifiers, means, strict=True):
            task.on_epoch_end(epoch, classifier, numbers_of_epoch(epoch, loss, pace, settings))
    return [classifier.eval() for classifier in classifiers]


def may_stack(settings: ClassifierTraining, device: torch.device) -> bool:
    """Return whether it is worth trying to train seeds at once.

    Not on a CPU, where the stacked network is slower (`python -m benchmarks.training`), nor where one network fills a GPU.
    """
    return device.type != "cpu" and CLASSIFIERS.find(settings.classifier).stacks


def faster_together(tasks: Sequence[TrainingTask], settings: ClassifierTraining, device: torch.device) -> bool:
    """Return whether this device trains these tasks sooner at once than one after the other, by trying both."""
    if len(tasks) < 2 or not may_stack(settings, device):
        return False
    faces = _TRIAL_STEPS * settings.batch_size
    short = settings.model_copy(update={"epochs": 2})  # the first pays for what is loaded and chosen once
    paces: list[float] = []
    tried = [
        TrainingTask(
            task.images[:faces],
            task.labels[:faces],
            task.seed,
            on_epoch_end=lambda epoch, classifier, numbers: paces.append(numbers["images_per_second"]),
        )
        for task in tasks
    ]
    try:
        train_seeds(tried, short, device)
        at_once = paces[-1]
        train_classifier(tried[0], short, device)
    except RuntimeError:  # too little memory, or an operation that cannot be stacked on this device
        return False
    return at_once > paces[-1]


@torch.no_grad()
def _unstack(classifiers: Sequence[nn.Module], weights: dict[str, Tensor], statistics: dict[str, Tensor]) -> None:
    """Give each classifier its part of the stacked weights and statistics."""
    for index, classifier in enumerate(classifiers):
        for name, weight in classifier.named_parameters():
            weight.copy_(weights[name][index])
        for name, values in classifier.named_buffers():
            values.copy_(statistics[name][index])

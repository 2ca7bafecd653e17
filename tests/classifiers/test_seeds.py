"""Seeds trained at once against the same seeds one by one."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import (
    ClassifierTraining,
    TrainingTask,
    Treatment,
    build_classifier,
    faster_together,
    seeds,
    train_classifier,
    train_seeds,
)
from fairsal_core.device import pick_device
from fairsal_core.schemes import find_scheme

CPU = torch.device("cpu")
SEEDS = (3, 0, 8)


def _faces(seed: int, count: int = 18) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (count, 128, 128, 3), dtype=np.uint8), np.arange(count) % 3 == 0


def _task(seed: int, **more: Any) -> TrainingTask:
    return TrainingTask(*_faces(seed), seed, **more)


@pytest.fixture
def without_dropout(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dropout is drawn for all seeds together: without it the two ways have the same numbers to compute."""
    build = build_classifier

    def built(name: str) -> nn.Module:
        classifier = build(name)
        for layer in classifier.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        return classifier

    monkeypatch.setattr("fairsal_core.classifiers.training.build_classifier", built)
    return


def test_the_same_numbers_as_one_by_one(without_dropout: None) -> None:
    settings = ClassifierTraining(epochs=2, batch_size=8, learning_rate=1e-5, precision="fp32")
    one_by_one = [train_classifier(TrainingTask(*_faces(seed), seed), settings, CPU) for seed in SEEDS]
    together = train_seeds([_task(seed) for seed in SEEDS], settings, CPU)
    images = torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        for expected, found in zip(one_by_one, together, strict=True):
            assert not found.training
            torch.testing.assert_close(found(images), expected(images), rtol=0, atol=1e-4)
            for (key, value), other in zip(expected.state_dict().items(), found.state_dict().values(), strict=True):
                torch.testing.assert_close(other, value, rtol=1e-4, atol=1e-4, msg=key)
    assert not torch.allclose(together[0](images), together[1](images), atol=1e-3)


def test_each_seed_has_its_own_scheme_and_listeners(without_dropout: None) -> None:
    settings = ClassifierTraining(epochs=2, batch_size=8, learning_rate=1e-5, precision="fp32")
    told: dict[int, list[dict[str, float]]] = {seed: [] for seed in SEEDS}
    kept: dict[int, list[torch.Tensor]] = {seed: [] for seed in SEEDS}

    def task(seed: int) -> TrainingTask:
        selected = torch.rand(18, 128, 128, generator=torch.Generator().manual_seed(seed)) > 0.7

        def listen(epoch: int, classifier: nn.Module, numbers: dict[str, float]) -> None:
            weight = next(classifier.parameters()).detach()
            told[seed].append({"epoch": epoch, "weight": float(weight.sum()), **numbers})
            kept[seed].append(weight.clone())

        return _task(
            seed,
            treatment=Treatment(find_scheme("specific_noise"), selected, (0.5, 0.4, 0.4)),
            on_epoch_end=listen,
        )

    together = train_seeds([task(seed) for seed in SEEDS], settings, CPU)
    for seed, classifier in zip(SEEDS, together, strict=True):
        own = task(seed)
        expected = train_classifier(TrainingTask(own.images, own.labels, seed, own.treatment), settings, CPU)
        for weight, other in zip(expected.parameters(), classifier.parameters(), strict=True):
            torch.testing.assert_close(other, weight, rtol=1e-4, atol=1e-4)
        assert [numbers["epoch"] for numbers in told[seed]] == [1, 2]
        assert told[seed][1]["weight"] == pytest.approx(float(next(classifier.parameters()).sum().detach()), abs=1e-4)
        assert not torch.equal(kept[seed][0], kept[seed][1])
        torch.testing.assert_close(kept[seed][1], next(classifier.parameters()).detach(), rtol=0, atol=0)
    assert len({numbers[1]["loss"] for numbers in told.values()}) == len(SEEDS)


def test_dropout_is_drawn_for_each_seed() -> None:
    settings = ClassifierTraining(epochs=1, batch_size=6, learning_rate=1e-3)
    images, labels = _faces(0, count=6)
    first, again = (train_seeds([TrainingTask(images, labels, 0)] * 2, settings, CPU) for _ in range(2))
    for classifier, same in zip(first, again, strict=True):
        for weight, other in zip(classifier.parameters(), same.parameters(), strict=True):
            assert torch.equal(weight, other)
    assert not torch.equal(next(first[0].parameters()), next(first[1].parameters()))


@pytest.mark.parametrize(("alone", "at_once", "faster"), [(100.0, 150.0, True), (100.0, 80.0, False)])
def test_what_is_faster_is_tried_on_the_device(
    alone: float, at_once: float, faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def pretend(pace: float) -> Any:
        def train(given: Any, *others: Any) -> None:
            first = given if isinstance(given, TrainingTask) else given[0]
            tried.append(len(first.images) if isinstance(given, TrainingTask) else len(given))
            for epoch in (1, 2):
                first.on_epoch_end(epoch, nn.Identity(), {"images_per_second": pace * epoch / 2})

        return train

    monkeypatch.setattr(seeds, "train_seeds", pretend(at_once))
    monkeypatch.setattr(seeds, "train_classifier", pretend(alone))
    tasks, settings = [_task(seed) for seed in SEEDS], ClassifierTraining(batch_size=4)
    assert faster_together(tasks, settings, torch.device("cuda")) is faster
    assert tried == [3, 18]  # all three tasks, then the images of one
    assert not faster_together(tasks[:1], settings, torch.device("cuda"))
    assert not faster_together(tasks, settings, CPU)
    large = settings.model_copy(update={"classifier": "resnet18"})
    assert not faster_together(tasks, large, torch.device("cuda"))

    for reason in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("vmap: no batching rule")):
        monkeypatch.setattr(seeds, "train_seeds", Mock(side_effect=reason))
        assert not faster_together(tasks, settings, torch.device("cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(without_dropout: None) -> None:
    device = pick_device("cuda")
    settings = ClassifierTraining(epochs=2, batch_size=8, learning_rate=1e-5, precision="fp32")
    tasks = [_task(seed) for seed in SEEDS]
    images = torch.rand(4, 3, 128, 128, device=device)
    with torch.inference_mode():
        for seed, found in zip(SEEDS, train_seeds(tasks, settings, device), strict=True):
            expected = train_classifier(TrainingTask(*_faces(seed), seed), settings, device)
            torch.testing.assert_close(found(images), expected(images), rtol=0, atol=1e-4)
    assert faster_together(tasks, settings, device) in (True, False)

"""Training and scoring on a task any network can learn: dark faces against bright ones."""

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.classifiers import (
    ClassifierTraining,
    TrainingTask,
    Treatment,
    predict_scores,
    train_classifier,
)
from fairsal_core.classifiers import registry as registry_module
from fairsal_core.classifiers import training as training_module
from fairsal_core.classifiers.registry import Architecture
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.registry import Registry
from fairsal_core.schemes import SCHEMES, hide
from fairsal_core.tensors import to_unit
from tests.helpers import noise_images

CPU = torch.device("cpu")
SHORT = ClassifierTraining(epochs=1, batch_size=8, learning_rate=1e-3)
FILL = (0.1, 0.5, 0.9)


def task(count: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.random.default_rng(seed).permutation(np.arange(count) % 2 == 0)
    images = noise_images(count, seed) // 2
    images[labels] += 120
    return images, labels


def own_pixels(count: int) -> torch.Tensor:
    """Which pixels are hidden, another place for each row: row i hides column i."""
    selected = torch.zeros(count, 128, 128, dtype=torch.bool)
    selected[torch.arange(count), :, torch.arange(count)] = True
    return selected


class Recorder(nn.Module):
    """A classifier that keeps the images it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images.clone())
        mean = images.mean(dim=(1, 2, 3)) * self.scale
        return torch.stack([1 - mean, mean], dim=1)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    recording = Architecture("three_conv", "records", lambda: made)
    only = Registry("classifier", "fairsal.tests", Architecture, [recording])
    for module in (registry_module, training_module):
        monkeypatch.setattr(module, "CLASSIFIERS", only)
    return made


@pytest.fixture(scope="module")
def learned() -> tuple[nn.Module, list[dict[str, float]]]:
    told: list[dict[str, float]] = []
    settings = ClassifierTraining(epochs=5, batch_size=8, learning_rate=3e-4)
    images, labels = task()
    made = train_classifier(
        TrainingTask(
            images, labels, 0, on_epoch_end=lambda epoch, _, numbers: told.append({"epoch": epoch, **numbers})
        ),
        settings,
        CPU,
    )
    return made, told


def test_it_learns_a_trivial_task(learned: tuple[nn.Module, list[dict[str, float]]]) -> None:
    classifier, _ = learned
    images, labels = task(20, seed=9)
    scores = predict_scores(classifier, images)
    assert scores.shape == (20,)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert ((scores > 0.5) == labels).all()


def test_every_epoch_is_told(learned: tuple[nn.Module, list[dict[str, float]]]) -> None:
    classifier, told = learned
    assert [entry["epoch"] for entry in told] == [1, 2, 3, 4, 5]
    assert told[-1]["loss"] < told[0]["loss"]
    assert not classifier.training


@pytest.mark.parametrize("scheme", [None, "specific_noise"])
def test_the_seed_fixes_everything(scheme: str | None) -> None:
    images, labels = task(12)
    treatment = Treatment(SCHEMES[scheme], own_pixels(12), FILL) if scheme else None

    def weights(seed: int) -> dict[str, torch.Tensor]:
        return train_classifier(TrainingTask(images, labels, seed, treatment), SHORT, CPU).state_dict()

    first = weights(3)
    torch.rand(7)  # whatever others draw in between
    again, other = weights(3), weights(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_each_row_gets_its_own_treatment(recorder: Recorder) -> None:
    images = noise_images(10)
    labels = np.arange(10) % 2 == 0
    treatment = Treatment(SCHEMES["specific_mask"], own_pixels(10), FILL)
    train_classifier(TrainingTask(images, labels, 0, treatment), ClassifierTraining(epochs=2, batch_size=4), CPU)
    expected = to_unit(torch.from_numpy(images))
    for row in range(10):
        expected[row, :, :, row] = torch.tensor(FILL)[:, None]
    shown = torch.cat(recorder.seen)
    assert len(shown) == 20
    found = [next(row for row in range(10) if torch.equal(image, expected[row])) for image in shown]
    assert sorted(found[:10]) == sorted(found[10:]) == list(range(10))
    assert found[:10] != list(range(10))
    assert found[:10] != found[10:]


def test_rows_permuted_against_the_order_of_the_maps() -> None:
    images = torch.rand(6, 3, 128, 128)
    rows = torch.tensor([4, 0, 5, 2, 2, 1])
    treatment = Treatment(SCHEMES["specific_mask"], own_pixels(6), FILL)
    treated = treatment(images, rows, None)
    for place, row in enumerate(rows.tolist()):
        changed = (treated[place] != images[place]).any(dim=0)
        assert changed.any(dim=0).nonzero().flatten().tolist() == [row]


def test_a_general_treatment_hides_the_same_of_all() -> None:
    images = torch.rand(3, 3, 128, 128)
    selected = torch.zeros(128, 128, dtype=torch.bool)
    selected[3, 90:] = True
    treated = Treatment(SCHEMES["general_mask"], selected, FILL)(images, torch.tensor([2, 0, 1]), None)
    for before, after in zip(images, treated, strict=True):
        assert torch.equal((before != after).any(dim=0), selected)


def test_training_noise_is_fresh_in_every_batch(recorder: Recorder) -> None:
    images, labels = np.full((8, 128, 128, 3), 128, dtype=np.uint8), np.arange(8) % 2 == 0
    everything = torch.ones(128, 128, dtype=torch.bool)
    treatment = Treatment(SCHEMES["general_noise"], everything, FILL)
    train_classifier(TrainingTask(images, labels, 0, treatment), ClassifierTraining(epochs=2, batch_size=4), CPU)
    shown = torch.cat(recorder.seen)
    assert len({image.sum().item() for image in shown}) == 16


def test_some_images_stay_clean() -> None:
    everything = torch.ones(128, 128, dtype=torch.bool)
    images, rows = torch.rand(400, 3, 128, 128) * 0.5, torch.arange(400)
    half = Treatment(SCHEMES["general_mask"], everything, (1.0, 1.0, 1.0), probability=0.5)
    treated = half.sometimes(images, rows, torch.Generator().manual_seed(0))
    whole = (treated == 1).flatten(1)
    assert (whole.all(dim=1) | ~whole.any(dim=1)).all()  # an image is treated or it is not
    assert float(whole.all(dim=1).float().mean()) == pytest.approx(0.5, abs=0.08)
    assert torch.equal(treated[~whole.all(dim=1)], images[~whole.all(dim=1)])
    assert (half(images, rows, None) == 1).all()  # as a test set is


def test_a_network_is_watched_between_epochs_without_changing_it() -> None:
    images, labels = task(12)
    settings = ClassifierTraining(epochs=2, batch_size=6, learning_rate=1e-3)
    told: list[dict[str, float]] = []

    def judge(epoch: int, classifier: nn.Module, numbers: dict[str, float]) -> None:
        right = float(((predict_scores(classifier, images) > 0.5) == labels).mean())
        told.append({**numbers, "right": right})

    watched = train_classifier(TrainingTask(images, labels, 1, on_epoch_end=judge), settings, CPU)
    plain = train_classifier(TrainingTask(images, labels, 1), settings, CPU)
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in watched.state_dict().items())
    assert [sorted(numbers) for numbers in told] == [["images_per_second", "loss", "right"]] * 2
    assert all(numbers["images_per_second"] > 0 for numbers in told)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_resnet_trains(name: str) -> None:
    images, labels = task(6)
    settings = ClassifierTraining(classifier=name, epochs=1, batch_size=6, learning_rate=1e-3)
    classifier = train_classifier(TrainingTask(images[:, ::2, ::2], labels, 0), settings, CPU)
    assert predict_scores(classifier, images[:, ::2, ::2]).shape == (6,)


def test_imagenet_weights_are_for_networks_that_have_them() -> None:
    images, labels = task(6)
    with pytest.raises(FairsalError, match="no ImageNet weights for 'three_conv'"):
        train_classifier(TrainingTask(images, labels, 0), ClassifierTraining(weights="imagenet"), CPU)


def test_scores_treated_and_clean_against_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_module, "_EVALUATION_BATCH", 3)
    classifier, images = Recorder(), noise_images(7)
    selected = own_pixels(7)
    clean = predict_scores(classifier, images)
    treated = predict_scores(classifier, images, Treatment(SCHEMES["specific_mask"], selected, FILL))
    classifier.requires_grad_(False)
    for row in range(7):
        one = to_unit(torch.from_numpy(images[row : row + 1]))
        assert clean[row] == pytest.approx(float(classifier(one).softmax(dim=1)[0, 1]), abs=1e-6)
        hidden = hide(one, selected[row], SCHEMES["general_mask"], FILL, None)
        assert treated[row] == pytest.approx(float(classifier(hidden).softmax(dim=1)[0, 1]), abs=1e-6)
    assert not np.allclose(clean, treated, atol=1e-6)


def test_the_seed_fixes_the_noise_of_treated_scores() -> None:
    classifier, images = Recorder(), noise_images(4)
    treatment = Treatment(SCHEMES["specific_noise"], torch.ones(4, 128, 128, dtype=torch.bool), FILL)
    first, again, other = (predict_scores(classifier, images, treatment, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_scores_are_those_of_eval_mode(learned: tuple[nn.Module, list[dict[str, float]]]) -> None:
    classifier, _ = learned
    images, _ = task(6, seed=2)
    before = predict_scores(classifier, images)
    classifier.train()
    np.testing.assert_array_equal(predict_scores(classifier, images), before)
    assert not classifier.training


def test_a_loss_that_is_no_number() -> None:
    images, labels = task(8)
    everything = torch.ones(128, 128, dtype=torch.bool)
    nothing = Treatment(SCHEMES["general_mask"], everything, (float("nan"),) * 3)
    with pytest.raises(FairsalError, match=r"no longer a number in epoch 1; try a smaller learning rate than 0\.001"):
        train_classifier(TrainingTask(images, labels, 0, nothing), SHORT, CPU)


def test_the_callback_may_stop_the_training(recorder: Recorder) -> None:
    def stop(epoch: int, classifier: nn.Module, numbers: dict[str, float]) -> None:
        raise CancelledError

    images, labels = task(8)
    with pytest.raises(CancelledError):
        train_classifier(
            TrainingTask(images, labels, 0, on_epoch_end=stop), ClassifierTraining(epochs=9, batch_size=8), CPU
        )
    assert len(recorder.seen) == 1


def test_a_last_batch_of_one_face_is_left_out(recorder: Recorder) -> None:
    images, labels = task(9)
    train_classifier(TrainingTask(images, labels, 0), SHORT, CPU)
    assert [len(batch) for batch in recorder.seen] == [8]


def test_the_rate_falls_after_every_epoch(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def spy(self: torch.optim.AdamW, *args: object, **kwargs: object) -> object:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    images, labels = task(8)
    settings = ClassifierTraining(epochs=3, batch_size=4, learning_rate=1e-5, learning_rate_decay=0.95)
    train_classifier(TrainingTask(images, labels, 0), settings, CPU)
    assert sorted(set(rates), reverse=True) == pytest.approx([1e-5, 0.95e-5, 0.95**2 * 1e-5])

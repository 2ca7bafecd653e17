"""Planted mistakes of feeding: each is found, and a classifier that is fed rightly is left in peace."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers.imported.adapter import Adapter, prepare
from fairsal_core.classifiers.imported.doctor import (
    MISFIT,
    Trial,
    _simplest_first,
    candidates,
    doctor_faces,
    examine,
)
from fairsal_core.classifiers.imported.manifest import Manifest, as_manifest, with_settings
from fairsal_core.classifiers.imported.remembered import noting
from fairsal_core.classifiers.imported.source import to_frames
from fairsal_core.errors import FairsalError
from fairsal_core.metrics import Interval
from tests.helpers import faces_in_memory

RIGHT = {"resize": 32, "crop": 32, "mean": "0.485,0.456,0.406", "std": "0.229,0.224,0.225"}
MISTAKES = {
    "BGR": {"channels": "BGR"},
    "0 to 255": {"scale": 255, "mean": 0, "std": 1},
    "wrong mean and deviation": {"mean": 0, "std": 1},
    "swapped labels": {"reverse": True},
    "wrong crop": {"resize": 64, "crop": 32},
}


def images(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Squares whose upper border is a little redder, or a little less red, than the rest."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2 == 0
    pixels = generator.normal(120, 30, (count, 128, 128, 3)) + generator.normal(0, 30, (count, 1, 1, 3))
    strength = generator.normal(24, 10, count) * np.where(labels, 1, -1)
    pixels[:, :32, :, 0] += strength[:, None, None]
    return np.clip(pixels, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def taught() -> Adapter:
    """A small network that learned these squares."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2))
    classifier = Adapter(network, manifest())
    pixels, labels = images(600, 1)
    frames, wanted = prepare(to_frames(pixels), classifier.manifest.preprocessing), torch.from_numpy(labels).long()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.1)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(frames), wanted).backward()
        optimiser.step()
    return classifier.eval()


def manifest(**said: object) -> Manifest:
    return as_manifest(with_settings({"format": "torchvision", "weights": "a"}, {**RIGHT, **said}))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(taught: Adapter, mistake: str) -> None:
    found = examine(Adapter(taught.network, manifest(**MISTAKES[mistake])).eval(), *images(200, 2))
    assert found.better, found.sentences
    low, high = found.better[0].interval
    assert 0 < low < found.better[0].gain < high
    assert found.better[0].auc > 0.85 and "Say " in found.sentences[0]


def bright(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Reddish squares whose upper border is brighter, in all colours alike, where the label is yes."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2 == 0
    pixels = generator.normal((150, 120, 90), 30, (count, 128, 128, 3))
    pixels[:, :32] += np.where(labels, 20, -20)[:, None, None, None] + generator.normal(0, 10, (count, 1, 1, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def remembers() -> Adapter:
    """A small network with a batch norm that learned to tell the bright ones."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2))
    classifier = Adapter(network, manifest())
    pixels, labels = bright(200, 1)
    frames, wanted = prepare(to_frames(pixels), classifier.manifest.preprocessing), torch.from_numpy(labels).long()
    optimiser = torch.optim.AdamW(network[4].parameters(), 3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(frames), wanted).backward()
        optimiser.step()
    return classifier.eval()


@pytest.mark.parametrize("mistake", ["BGR", "0 to 255", "wrong mean and deviation", "mean and deviation 0.5"])
def test_a_batch_norm_tells_where_the_scores_hardly_do(remembers: Adapter, mistake: str) -> None:
    planted = {**MISTAKES, "mean and deviation 0.5": {"mean": 0.5, "std": 0.5}}[mistake]
    faces = bright(200, 2)
    right = examine(remembers, *faces)
    assert right.misfit < MISFIT and not any(trial.fits for trial in right.trials)
    found = examine(Adapter(remembers.network, manifest(**planted)).eval(), *faces)
    best = found.better[0]
    assert best.fits and best.misfit == pytest.approx(right.misfit, rel=0.05) and best.relief.low > 0
    assert found.misfit > 2 * best.misfit and "sees what it saw in training" in found.sentences[0]


def test_the_misfit_is_the_divergence_of_normal_distributions() -> None:
    norm = nn.BatchNorm2d(2).eval()
    norm.running_mean, norm.running_var = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.3])
    given = torch.randn(40, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    with noting(nn.Sequential(norm)) as seen:
        for part in given.split(15):
            norm(part)
    kept = torch.distributions.Normal(norm.running_mean, norm.running_var.sqrt())
    now = torch.distributions.Normal(given.mean(dim=(0, 2, 3)), given.std(dim=(0, 2, 3), correction=0))
    expected = float(torch.distributions.kl_divergence(now, kept).mean())
    assert seen.misfit(np.ones((1, 40)))[0] == pytest.approx(expected, rel=1e-5)
    assert not norm._forward_pre_hooks


def test_without_a_batch_norm_nothing_is_remembered(taught: Adapter) -> None:
    found = examine(taught, *images(60, 2))
    assert np.isnan(found.misfit) and not any(trial.fits for trial in found.trials)


def test_what_is_fed_rightly_is_left_in_peace(taught: Adapter) -> None:
    found = examine(taught, *images(200, 2))
    assert not found.better
    assert found.auc > 0.9 and "No other way" in found.sentences[0]


def test_what_knows_nothing_is_told_so(taught: Adapter) -> None:
    pixels, labels = images(200, 2)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert "no better than chance" in examine(taught, pixels, shuffled).sentences[0]


def test_swapped_labels_are_called_that(taught: Adapter) -> None:
    sentence = examine(Adapter(taught.network, manifest(reverse=True)).eval(), *images(200, 2)).sentences[0]
    assert "swapped labels" in sentence and "reverse=False" in sentence


class Unsure(nn.Module):
    """Scores on one side of one half, hardly apart: an accuracy and a Brier score that no swap can help."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(pixels) / 1000 + torch.tensor([0.0, 0.1])
        return logits


def test_swapped_labels_of_the_unsure_are_called_that_too(taught: Adapter) -> None:
    found = examine(Adapter(Unsure(taught.network), manifest(reverse=True)).eval(), *images(200, 2))
    assert found.better[0].settings == {"reverse": False}
    assert found.accuracy == 0.5 and "wrong way round" in found.sentences[0]
    rightly = examine(Adapter(Unsure(taught.network), manifest()).eval(), *images(200, 2))
    assert all("reverse" not in trial.settings for trial in rightly.better)


@pytest.fixture(scope="module")
def faint(taught: Adapter) -> Adapter:
    """One whose answers are half drowned in what hangs by the last bit of a picture."""
    return Adapter(Drowned(taught.network), manifest()).eval()


class Drowned(nn.Module):
    """Adds to what a network says as much that means nothing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(pixels)
        noise = torch.sin(5000 * pixels.mean(dim=(1, 2, 3))) * logits.abs().mean()
        return logits + torch.stack([-noise, noise], dim=1)


def test_what_two_hundred_faces_cannot_tell_a_thousand_can(faint: Adapter) -> None:
    pixels, labels = images(1000, 5)
    mistaken = Adapter(faint.network, manifest(resize=58, crop=32)).eval()
    found = examine(mistaken, pixels, labels)
    assert found.n == 800 and found.better, found.sentences  # so the first 200 told nothing
    assert "of the frame" in found.better[0].what and found.better[0].rise.low > 0
    assert len(found.trials) <= 3
    assert "on 800 faces" in found.sentences[0]
    assert not examine(faint, pixels, labels).better


def test_of_ways_as_good_as_each_other_the_one_that_changes_least_is_said() -> None:
    told = Interval(0.01, 0.03)
    both = Trial("RGB, -1 to 1", {"channels": "RGB", "mean": "0.5", "std": "0.5"}, 0.905, 0.8, 0.03, told, better=True)
    one = Trial("RGB", {"channels": "RGB"}, 0.9, 0.8, 0.02, told, better=True)
    worse = Trial("the whole frame", {"resize": 32, "crop": 32}, 0.88, 0.8, 0.01, told, better=True)
    assert _simplest_first([both, one, worse]) == (one, both, worse)
    assert _simplest_first([both, replace(one, auc=0.89), worse])[0] is both
    assert _simplest_first([replace(both, better=False), one])[1] is one


def test_no_way_is_tried_twice_nor_what_is_there_already() -> None:
    in_bytes = {"scale": 255, "mean": "123.675,116.28,103.53", "std": "58.395,57.12,57.375"}
    ways = {what for what, _, _ in candidates(manifest())}
    assert ways == {what for what, _, _ in candidates(manifest(**in_bytes))}  # the same, written otherwise
    assert "ImageNet's mean and deviation" not in ways and "the whole frame" not in ways
    assert len(candidates(manifest())) == len(ways)
    assert all("BGR" not in what for what, _, _ in candidates(manifest(channels="grey", mean=0.5, std=0.5)))


def test_faces_are_drawn_of_both_sides() -> None:
    labels = np.arange(300) < 40
    faces = faces_in_memory({"Smiling": labels}, images=np.zeros((300, 128, 128, 3), np.uint8))
    pixels, chosen = doctor_faces(faces, "Smiling")
    assert (len(pixels), int(chosen.sum())) == (300, 40)
    np.testing.assert_array_equal(chosen[:80], np.arange(80) % 2 == 1)  # so that every beginning has both
    assert not chosen[80:].any()
    with pytest.raises(FairsalError, match="too few"):
        doctor_faces(
            faces_in_memory({"Smiling": np.arange(300) < 5}, images=np.zeros((300, 128, 128, 3), np.uint8)), "Smiling"
        )


def test_too_few_faces_are_one_sentence(taught: Adapter, tmp_path: Path) -> None:
    pixels, labels = images(10, 0)
    with pytest.raises(FairsalError, match="at least 20 faces"):
        examine(taught, pixels, labels)

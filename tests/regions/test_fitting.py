"""The parts of the training loop, each against its slow twin."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fairsal_core.errors import FairsalError
from fairsal_core.regions import PatchGrid, RegionTraining, train_region_classifier
from fairsal_core.regions.fitting import Average, HeadLosses, Patience
from fairsal_core.regions.focus import Focus
from tests.regions.conftest import TINY, planted_faces

PRIORS = [(0.7, 0.3), (0.2, 0.3, 0.5), (0.9, 0.1)]
CPU = torch.device("cpu")


@pytest.mark.parametrize("imbalance", ["none", "prior", "balanced"])
@pytest.mark.parametrize("priors", [PRIORS, PRIORS[:1], [PRIORS[0], PRIORS[2]]])
def test_losses_against_one_at_a_time(imbalance: str, priors: list[tuple[float, ...]]) -> None:
    settings = RegionTraining.model_validate({"imbalance": imbalance, "label_smoothing": 0.1})
    sizes = [len(prior) for prior in priors]
    logits = torch.randn(5, sum(sizes), 4)
    labels = torch.stack([torch.randint(-1, size, (5,)) for size in sizes], dim=1)
    found = HeadLosses(priors, settings, CPU)(logits, labels)
    for face in range(5):
        for head, (size, prior) in enumerate(zip(sizes, priors, strict=True)):
            own = logits[face, sum(sizes[:head]) : sum(sizes[: head + 1])]
            label = int(labels[face, head])
            if label < 0:
                assert (found[face, head] == 0).all()
                continue
            shown = own + torch.tensor(prior).log()[:, None] if imbalance == "prior" else own
            weight = 1 / (size * prior[label]) if imbalance == "balanced" else 1.0
            expected = [
                weight * cross_entropy(shown[:, place], torch.tensor(label), label_smoothing=0.1) for place in range(4)
            ]
            torch.testing.assert_close(found[face, head], torch.stack(expected))


@pytest.mark.parametrize("imbalance", ["none", "prior", "balanced"])
def test_the_least_loss_of_who_knows_the_base_rate_alone(imbalance: str) -> None:
    settings = RegionTraining.model_validate({"imbalance": imbalance, "label_smoothing": 0.1})
    losses_of = HeadLosses([(0.75, 0.25)], settings, CPU)
    seen = torch.tensor([0.75, 0.25])
    grid = torch.linspace(-6, 6, 4001)
    logits = torch.stack([torch.zeros_like(grid), grid])[None].expand(4, -1, -1)
    least = losses_of(logits, torch.tensor([[0], [0], [0], [1]])).mean(dim=0).min()
    assert float(losses_of.least[0]) == pytest.approx(float(least), abs=1e-3), seen


def test_a_running_mean_of_weights() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, 0.5)
    nn.init.constant_(network.weight, 0.0)
    average.network.load_state_dict(network.state_dict())
    for value in (4.0, 8.0):
        nn.init.constant_(network.weight, value)
        average.update(network)
    # After one step of 11 the mean has moved by 9/11 of the way, after two by 9/12.
    assert float(average.network.weight.detach()) == pytest.approx((4 * 9 / 11) * 3 / 12 + 8 * 9 / 12)
    assert Average(network, 0.0).network is network


def test_patience_goes_back_to_the_best() -> None:
    network, patience = nn.Linear(1, 1), Patience(2)
    for value, loss in ((1.0, 0.5), (2.0, 0.4), (3.0, 0.6)):
        nn.init.constant_(network.weight, value)
        patience.note(network, loss)
        assert not patience.is_over
    patience.note(network, 0.4)
    assert patience.is_over
    assert patience.best_epoch == 2
    assert patience.best is not None
    assert float(patience.best["weight"]) == 2.0
    assert not Patience(0).asks


def test_positions_count_by_what_was_told_there() -> None:
    grid = PatchGrid()
    focus = Focus(grid, torch.tensor([0.6, 0.6]), 0.9)
    positions = torch.arange(2401).expand(8, -1)
    assert torch.allclose(focus.weights(positions), torch.ones(8, 2, 2401))
    rows, columns = np.divmod(np.arange(2401), 49)
    told = torch.from_numpy((rows > 40) & (columns > 40))
    for _ in range(300):
        losses = torch.full((8, 2, 2401), 0.6)
        losses[:, 0, told] = 0.2
        focus.learn(losses, torch.tensor([[True, True]] * 8), positions)
    weights = focus.weights(positions)
    assert torch.allclose(weights.mean(dim=2), torch.ones(8, 2))
    assert (weights[0, 0, told].min() / weights[0, 0, ~told & torch.from_numpy(rows < 30)].max()) > 10
    assert torch.allclose(weights[:, 1], torch.ones(8, 2401))  # of the other attribute nothing was told anywhere


def test_positions_of_each_face_its_own() -> None:
    focus = Focus(PatchGrid(per_side=13), torch.tensor([0.6]), 0.9)
    for _ in range(400):
        positions = torch.randint(169, (64, 1))
        losses = torch.where(positions < 13, 0.1, 0.6)[:, None, :]
        focus.learn(losses, torch.ones(64, 1, dtype=torch.bool), positions)
    weights = focus.weights(torch.tensor([[0], [100]]))
    assert weights.shape == (2, 1, 1)
    assert float(weights[0]) > 5 * float(weights[1])


def test_unknown_labels_are_not_remembered() -> None:
    focus = Focus(PatchGrid(per_side=13), torch.tensor([0.6]), 0.9)
    positions = torch.arange(169).expand(64, -1)
    for _ in range(100):
        losses = torch.zeros(64, 1, 169)
        losses[:, :, 80] = -10.0
        focus.learn(losses, torch.zeros(64, 1, dtype=torch.bool), positions)
    assert torch.allclose(focus.weights(positions), torch.ones(64, 1, 169))


def test_training_stops_when_it_gets_no_better() -> None:
    """Labels that have nothing to do with the faces: what it learns by heart makes it worse on others."""
    settings = TINY.model_copy(update={"epochs": 30, "patience": 2, "learning_rate": 5e-3})
    faces = planted_faces(64)
    noise = faces.attributes.assign(Cue=np.random.default_rng(5).random(64) < 0.5)
    said: list[str] = []
    trained = train_region_classifier(
        faces.__class__(**{**vars(faces), "attributes": noise}),
        "Cue",
        settings,
        progress=lambda done, total, message="": said.append(message),
    )
    assert trained.training["epochs_kept"] < 30
    assert any(message.startswith("No better on validation faces since epoch") for message in said)


def test_a_loss_that_is_no_number_in_validation() -> None:
    settings = TINY.model_copy(update={"patience": 1, "epochs": 1, "images": 8, "learning_rate": float("inf")})
    with pytest.raises(FairsalError, match="no longer a number"):
        train_region_classifier(planted_faces(64), "Cue", settings)
    assert math.isinf(settings.learning_rate)


def test_mirrored_batches_are_as_likely() -> None:
    faces = planted_faces(64)
    plain, mirrored = (
        train_region_classifier(faces, "Cue", TINY.model_copy(update={"mirror": mirror})) for mirror in (False, True)
    )
    image = torch.rand(1, 3, 128, 128)
    assert not torch.allclose(plain.logits(image), mirrored.logits(image))

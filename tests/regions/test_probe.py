"""The linear probe that finds where training should start."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from fairsal_core.errors import CancelledError
from fairsal_core.regions.classifier import build_network
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.regions.probe import readability
from tests.helpers import noise_images
from tests.regions.conftest import CUE, planted_faces


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network("dense", 2, PatchGrid(), {"width": 8})


def _readability(network: torch.nn.Module, faces, attribute: str) -> np.ndarray:  # type: ignore[no-untyped-def]
    pixels = torch.from_numpy(faces.images.copy())
    return readability(network, pixels, torch.from_numpy(faces.labels(attribute).copy())).numpy()


def test_it_is_high_where_patches_hold_the_cue(network: torch.nn.Module) -> None:
    found = _readability(network, planted_faces(96), "Cue")
    grid = PatchGrid()
    holds = np.zeros((49, 49), dtype=bool)
    for position in range(grid.count):
        x, y = grid.top_left(position)
        inside_x = x <= CUE.x and CUE.x + CUE.width <= x + 32
        holds.flat[position] = inside_x and y <= CUE.y and CUE.y + CUE.height <= y + 32
    assert found.shape == (49, 49)
    assert np.median(found[holds]) > 0.7
    assert np.median(found) < 0.2


def test_against_one_ridge_regression_per_position(network: torch.nn.Module) -> None:
    faces = planted_faces(64)
    labels = faces.labels("Cue").astype(float)
    found = _readability(network, faces, "Cue")
    with torch.no_grad():
        images = torch.from_numpy(faces.images.copy()).permute(0, 3, 1, 2).float() / 255
        features = torch.cat([network.features(part) for part in images.split(32)]).numpy().astype(float)  # type: ignore[operator]
    for row, column in ((0, 0), (10, 40), (40, 10), (5, 35), (48, 48)):
        here = features[:, :, row, column]
        mean, deviation = here[:32].mean(axis=0), here[:32].std(axis=0) + 1e-3
        standard = (here - mean) / deviation
        probe = Ridge(alpha=0.2 * 32).fit(standard[:32], labels[:32])
        expected = np.corrcoef(probe.predict(standard[32:]), labels[32:])[0, 1]
        assert found[row, column] == pytest.approx(max(expected, 0), abs=2e-3)


@pytest.mark.parametrize("attribute", ["Always", "Never"])
def test_a_label_that_never_changes_cannot_be_read(network: torch.nn.Module, attribute: str) -> None:
    assert not _readability(network, planted_faces(64), attribute).any()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_too_few_faces_say_nothing(network: torch.nn.Module, count: int) -> None:
    assert np.isfinite(_readability(network, planted_faces(20).take(list(range(count))), "Cue")).all()


def test_of_several_classes_each_has_its_probe(network: torch.nn.Module) -> None:
    pixels, labels = torch.from_numpy(noise_images(30)), torch.arange(30) % 3
    together = readability(network, pixels, labels)
    alone = torch.stack([readability(network, pixels, (labels == number).long()) for number in range(3)])
    torch.testing.assert_close(together, alone.square().mean(dim=0).sqrt(), atol=1e-4, rtol=1e-3)


def test_it_hears_a_stop_at_every_batch(network: torch.nn.Module) -> None:
    pixels, labels, heard = torch.from_numpy(noise_images(80)), torch.arange(80) % 2, []

    def stop(done: float, total: float, message: str = "") -> None:
        heard.append(done)
        if len(heard) == 2:
            raise CancelledError

    with pytest.raises(CancelledError):
        readability(network, pixels, labels, progress=stop)
    assert heard == [0, 32]

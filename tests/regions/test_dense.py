"""`dense`: one pass over the image equals the network on every patch alone."""

import pytest
import torch

from fairsal_core.errors import FairsalError
from fairsal_core.regions import PatchGrid
from fairsal_core.regions.dense import DenseNetwork, DenseSettings

GRID = PatchGrid()


def network(classes: int = 2, grid: PatchGrid = GRID, seed: int = 0, **settings: int) -> DenseNetwork:
    torch.manual_seed(seed)
    made = DenseNetwork(classes, grid, DenseSettings(**settings))
    with torch.no_grad():  # batch norm at its start hides mistakes: give it statistics and weights of its own
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.5)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
                module.weight.uniform_(0.5, 2)
                module.bias.normal_(0, 0.5)
        made.position.normal_()
    return made.eval()


def patch_of(images: torch.Tensor, x: int, y: int, size: int = 32) -> torch.Tensor:
    return images[:, :, y : y + size, x : x + size]


@torch.inference_mode()
@pytest.mark.parametrize("width", [8, 32])
def test_one_pass_equals_patch_by_patch(width: int) -> None:
    dense, images = network(width=width), torch.rand(2, 3, 128, 128)
    whole = dense(images)
    assert whole.shape == (2, 2, 49, 49)
    corners = [0, 48, 48 * 49, 2400]
    for position in corners + torch.randint(2401, (16,)).tolist():
        x, y = GRID.top_left(position)
        row, column = divmod(position, 49)
        alone = dense.forward_patch(patch_of(images, x, y), row, column)
        torch.testing.assert_close(whole[:, :, row, column], alone, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_wider_stride_equals_patch_by_patch_too() -> None:
    grid = PatchGrid(image_size=64, patch_size=32, per_side=9)  # stride 4
    dense, images = network(grid=grid, width=8), torch.rand(1, 3, 64, 64)
    whole = dense(images)
    assert whole.shape == (1, 2, 9, 9)
    for position in range(grid.count):
        x, y = grid.top_left(position)
        row, column = divmod(position, 9)
        alone = dense.forward_patch(patch_of(images, x, y), row, column)
        torch.testing.assert_close(whole[:, :, row, column], alone, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("per_side", [25, 17, 13, 9, 7, 4])  # strides of 4, 6, 8, 12, 16 and 32 pixels
def test_a_coarse_grid_is_the_fine_one_subsampled(per_side: int) -> None:
    fine, images = network(width=8), torch.rand(2, 3, 128, 128)
    coarse = network(grid=PatchGrid(per_side=per_side), width=8)
    step = 48 // (per_side - 1)
    coarse.load_state_dict({**fine.state_dict(), "position": fine.position[:, :, ::step, ::step]})
    torch.testing.assert_close(coarse(images), fine(images)[:, :, ::step, ::step], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize(("per_side", "stride"), [(49, 2), (49, 4), (49, 8), (25, 8), (13, 8), (13, 2), (17, 12)])
def test_what_a_step_of_training_sees_is_a_part_of_the_whole(per_side: int, stride: int) -> None:
    grid = PatchGrid(per_side=per_side)
    dense, images = network(grid=grid, width=8, training_stride=stride), torch.rand(3, 3, 128, 128)
    whole = dense(images).flatten(start_dim=2)
    seen = set()
    for _ in range(40):
        positions = dense.draw(3)
        assert positions.shape[0] == 3
        assert (positions == positions[0]).all()
        parts = dense.supervised(images, positions)
        torch.testing.assert_close(parts, whole[:, :, positions[0]], atol=1e-5, rtol=1e-5)
        seen |= set(positions[0].tolist())
    apart = max(stride // grid.stride, 1)
    assert len(positions[0]) >= (per_side // apart) ** 2
    assert len(seen) > 0.8 * grid.count  # of 16 places to begin, 40 draws leave out one or two


@torch.inference_mode()
def test_a_share_without_faces() -> None:
    dense = network(width=8)
    positions = dense.draw(4)[:0]
    assert dense.supervised(torch.rand(0, 3, 128, 128), positions).shape == (0, 2, positions.shape[1])


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 48), (30, 7)])
def test_the_receptive_field_is_exactly_the_patch(row: int, column: int) -> None:
    dense, images = network(width=16), torch.rand(1, 3, 128, 128, requires_grad=True)
    for module in dense.modules():  # a ReLU that is off hides a pixel: what counts is what is connected
        if isinstance(module, torch.nn.ReLU):
            module.forward = lambda inputs: inputs  # type: ignore[method-assign]
    dense(images)[0, 0, row, column].backward()
    assert images.grad is not None
    seen = images.grad[0].abs().sum(dim=0) > 0
    rows, columns = seen.any(dim=1).nonzero().flatten(), seen.any(dim=0).nonzero().flatten()
    y, x = row * 2, column * 2
    assert (int(rows[0]), int(rows[-1])) == (y, y + 31)
    assert (int(columns[0]), int(columns[-1])) == (x, x + 31)


@torch.inference_mode()
def test_the_position_matters() -> None:
    dense, patches = network(width=8), torch.rand(1, 3, 32, 32)
    here, there = dense.forward_patch(patches, 0, 5), dense.forward_patch(patches, 5, 0)
    assert not torch.allclose(here, there)


@torch.inference_mode()
def test_more_classes() -> None:
    assert network(classes=9, width=8)(torch.rand(1, 3, 128, 128)).shape == (1, 9, 49, 49)


def test_it_stays_small() -> None:
    weights = sum(parameter.numel() for parameter in network().parameters())
    assert 150_000 < weights < 300_000


@pytest.mark.parametrize("grid", [PatchGrid(64, 16, 25), PatchGrid(64, 32, 33)])
def test_grids_it_cannot_serve(grid: PatchGrid) -> None:
    with pytest.raises(FairsalError, match="patches of 32 pixels at an even stride"):
        network(grid=grid)

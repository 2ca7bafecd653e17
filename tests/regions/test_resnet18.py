"""`resnet18`: the paper's network, computed quickly, against torchvision's and against one patch at a time."""

import pytest
import torch
import torchvision
from torch import nn

from fairsal_core.faces import FaceDataset
from fairsal_core.regions import PatchGrid, RegionTraining, train_region_classifier
from fairsal_core.regions.resnet18 import PatchResNet, ResNet18Settings, _ShortCut
from fairsal_core.regions.settings import REGION_PRESETS, SCHEDULES

GRID = PatchGrid(per_side=5)


def network(classes: int = 2, grid: PatchGrid = GRID, width: int = 8) -> PatchResNet:
    torch.manual_seed(0)
    made = PatchResNet(classes, grid, ResNet18Settings(width=width))
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):  # at its start it does nothing, which hides mistakes
            module.running_mean.normal_(0, 0.5)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.5)
    return made.eval()


@torch.no_grad()
def test_the_trunk_is_torchvisions_with_another_stem() -> None:
    reference = torchvision.models.resnet18(num_classes=2)
    reference.conv1 = nn.Conv2d(4, 64, 3, padding=1, bias=False)
    reference.maxpool = nn.Identity()
    ours = network(width=64).trunk
    reference.load_state_dict(ours.state_dict())
    patches = torch.rand(3, 4, 32, 32)
    torch.testing.assert_close(ours(patches), reference.eval()(patches), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 2), (4, 8), (16, 32)])
def test_the_short_cut_is_a_strided_convolution_with_the_right_gradient(inputs: int, outputs: int) -> None:
    """In 64 bits torch computes by other code than oneDNN's, whose gradient for few channels was wrong by half its size."""
    ours = _ShortCut(inputs, outputs, 1, bias=False)
    twin = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False).double()
    twin.load_state_dict(ours.state_dict())
    features = torch.randn(4, inputs, 32, 32).contiguous(memory_format=torch.channels_last)
    found, expected = ours(features), twin(features.double())
    torch.testing.assert_close(found, expected.float())
    found.square().sum().backward()
    expected.square().sum().backward()
    assert ours.weight.grad is not None and twin.weight.grad is not None
    torch.testing.assert_close(ours.weight.grad, twin.weight.grad.float(), rtol=1e-3, atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("chunk", [7, 256])
def test_all_patches_equal_one_at_a_time(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairsal_core.regions.resnet18._CHUNK", chunk)
    ours, images = network(classes=3), torch.rand(2, 3, 128, 128)
    fast = ours(images)
    assert fast.shape == (2, 3, 5, 5)
    for face, image in enumerate(images):
        for position in range(GRID.count):
            x, y = GRID.top_left(position)
            row, column = divmod(position, GRID.per_side)
            patch = ours.normalise(image[None, :, y : y + 32, x : x + 32])
            place = ours.position.weight[position].view(1, 1, 32, 32)
            alone = ours.trunk(torch.cat([patch, place], dim=1))[0]
            torch.testing.assert_close(fast[face, :, row, column], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_position_matters() -> None:
    logits = network()(torch.full((1, 3, 128, 128), 0.5))[0, 0]
    assert logits.unique().numel() == GRID.count


def test_a_step_supervises_one_random_patch_of_each_image() -> None:
    ours, images = network(), torch.rand(200, 3, 128, 128)
    positions = ours.draw(len(images))
    logits = ours.supervised(images, positions)
    assert logits.shape == (200, 2, 1)
    assert positions.shape == (200, 1)
    assert set(positions.flatten().tolist()) == set(range(GRID.count))
    with torch.no_grad():
        whole = ours(images[:3]).flatten(start_dim=2)
        for face in range(3):
            expected = whole[face, :, positions[face, 0]]
            torch.testing.assert_close(logits[face, :, 0], expected, atol=1e-5, rtol=1e-5)


def test_it_learns_in_the_same_loop(planted: FaceDataset) -> None:
    settings = RegionTraining(
        network="resnet18",
        width=4,
        per_side=13,
        images=48,
        epochs=6,
        batch_size=4,
        validation_images=8,
        precision="fp32",
    )
    classifier = train_region_classifier(planted, "Cue", settings)
    assert classifier.grid == PatchGrid(per_side=13)
    assert classifier.settings == {"width": 4}
    assert classifier.metrics["best_position_accuracy"] > 0.8
    assert classifier.logits(torch.rand(1, 3, 128, 128)).shape == (1, 13, 13, 2)


def test_the_papers_schedule() -> None:
    settings = RegionTraining(**REGION_PRESETS["paper"])
    assert (settings.network, settings.epochs, settings.batch_size, settings.label_smoothing) == (
        "resnet18",
        90,
        256,
        0.1,
    )
    optimiser = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=settings.learning_rate)
    schedule = SCHEDULES[settings.schedule](optimiser, settings.learning_rate, settings.epochs, settings.epochs * 3)
    rates = []
    for _ in range(settings.epochs * 3):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates[:120] == pytest.approx([1e-3] * 120)
    assert rates[120:240] == pytest.approx([1e-4] * 120)
    assert rates[240:] == pytest.approx([1e-5] * 30)

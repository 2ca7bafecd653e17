"""The audited classifier's sizes, and its files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fairsal_core.classifiers import CLASSIFIERS, build_classifier, load_classifier, save_classifier
from fairsal_core.classifiers.resnet import imagenet_path, start_from_imagenet
from fairsal_core.errors import FairsalError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    return tmp_path


def test_the_authors_sizes() -> None:
    layers = list(build_classifier("three_conv"))  # type: ignore[arg-type]
    convolutions = [(c.in_channels, c.out_channels, c.kernel_size) for c in layers if isinstance(c, nn.Conv2d)]
    assert convolutions == [(3, 6, (5, 5)), (6, 12, (5, 5)), (12, 24, (5, 5))]
    assert [(d.in_features, d.out_features) for d in layers if isinstance(d, nn.Linear)] == [
        (6144, 1000),
        (1000, 100),
        (100, 2),
    ]
    assert [d.p for d in layers if isinstance(d, nn.Dropout)] == [0.1, 0.1, 0.1, 0.5, 0.5]
    assert all(slope.negative_slope == 0.1 for slope in layers if isinstance(slope, nn.LeakyReLU))
    assert [type(layer).__name__ for layer in layers[1:6]] == [
        "Conv2d",
        "WideDropout",
        "BatchNorm2d",
        "WidePool",
        "LeakyReLU",
    ]


def test_the_number_of_weights_by_hand() -> None:
    convolutions = sum(25 * before * after + after for before, after in ((3, 6), (6, 12), (12, 24)))
    norms = 2 * (6 + 12 + 24)
    linear = sum(before * after + after for before, after in ((6144, 1000), (1000, 100), (100, 2)))
    weights = sum(parameter.numel() for parameter in build_classifier("three_conv").parameters())
    assert weights == convolutions + norms + linear == 6_254_878


@torch.inference_mode()
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_images_to_two_logits(name: str) -> None:
    assert build_classifier(name).eval()(torch.rand(2, 3, 128, 128)).shape == (2, 2)


def test_a_resnet_starts_from_the_users_weights(home: Path) -> None:
    import torchvision

    torch.manual_seed(5)
    theirs = torchvision.models.resnet18().state_dict()  # a thousand classes
    path = imagenet_path("resnet18")
    made = build_classifier("resnet18")
    with pytest.raises(FairsalError, match=r"ImageNet weights of 'resnet18' are expected in .*resnet18\.safetensors"):
        start_from_imagenet(made, "resnet18")
    path.parent.mkdir(parents=True)
    save_file(theirs, path)
    head = made[1].fc.weight.clone()  # type: ignore[index]
    start_from_imagenet(made, "resnet18")
    assert all(
        torch.equal(value, theirs[name])
        for name, value in made[1].state_dict().items()
        if not name.startswith("fc")  # type: ignore[index]
    )
    assert torch.equal(made[1].fc.weight, head)  # type: ignore[index]
    with pytest.raises(FairsalError, match="does not hold a 'resnet50' of torchvision"):
        path.rename(imagenet_path("resnet50"))
        start_from_imagenet(build_classifier("resnet50"), "resnet50")


def test_an_unknown_classifier() -> None:
    with pytest.raises(FairsalError, match="no classifier 'tree_conv'; did you mean 'three_conv'"):
        build_classifier("tree_conv")


def test_saved_and_loaded_bit_by_bit(tmp_path: Path) -> None:
    made = build_classifier("three_conv").to(memory_format=torch.channels_last)
    made.train()(torch.rand(4, 3, 128, 128))  # moves batch norm's statistics
    save_classifier(made, tmp_path / "deep" / "a.safetensors")
    loaded = load_classifier("three_conv", tmp_path / "deep" / "a.safetensors")
    assert not loaded.training
    assert made.state_dict().keys() == loaded.state_dict().keys()
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in made.state_dict().items())


@pytest.mark.parametrize("content", [None, b"", b"rubbish" * 9])
def test_files_that_are_no_weights(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FairsalError, match=r"a\.safetensors does not hold the weights of a 'three_conv'"):
        load_classifier("three_conv", path)


def test_another_networks_weights(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(FairsalError, match="does not hold the weights"):
        load_classifier("three_conv", tmp_path / "a.safetensors")

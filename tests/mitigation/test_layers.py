"""Layers by name, in networks of several makes."""

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from fairsal_core.classifiers import Corrected, Erasure, Shift, build_classifier, insert, remove
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation import mean_activations, stages
from fairsal_core.mitigation.layers import cut_at, feature_layer, layers_up_to, output_layer, outputs_of, trace
from fairsal_core.tensors import Normalise, to_unit
from tests.helpers import noise_images
from tests.mitigation.networks import FEATURES, LAST_STAGE, OUTPUT, toy_network

IMAGES = noise_images(3, size=64)


def hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def test_stages_of_three_conv() -> None:
    network = build_classifier("three_conv").eval()
    images = noise_images(1)
    assert stages(network, images) == ["5", "10", "15"]
    assert (feature_layer(network, images), output_layer(network, images)) == ("22", "23")
    assert hooks(network) == 0


@pytest.mark.parametrize("make", [torchvision.models.resnet18, torchvision.models.resnet50])
@pytest.mark.parametrize("wrapped", [False, True])
def test_stages_of_residual_networks(make: object, wrapped: bool) -> None:
    network = make(num_classes=2).eval()  # type: ignore[operator]
    prefix = "1." if wrapped else ""
    whole = nn.Sequential(Normalise(), network) if wrapped else network
    assert stages(whole, IMAGES)[-3:] == [f"{prefix}layer2", f"{prefix}layer3", f"{prefix}layer4"]
    assert feature_layer(whole, IMAGES) == f"{prefix}avgpool"
    assert output_layer(whole, IMAGES) == f"{prefix}fc"


def test_a_network_without_maps_says_so() -> None:
    with pytest.raises(FairsalError, match="no layer whose activations are maps"):
        stages(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 4), nn.ReLU(), nn.Linear(4, 2)), IMAGES)


def test_an_unknown_layer_names_the_nearest() -> None:
    with pytest.raises(FairsalError, match="did you mean '10'"):
        insert(toy_network(), "100", nn.Identity())


def test_mean_activations_are_the_mean_over_positions() -> None:
    network, images = toy_network(), noise_images(5, size=16)
    slow = network[:10](to_unit(torch.from_numpy(images))).detach().numpy()
    expected = np.array([[[row.mean() for row in face] for face in slow]])[0]
    np.testing.assert_allclose(mean_activations(network, [LAST_STAGE], images, 2)[LAST_STAGE], expected, atol=1e-5)


def test_outputs_are_read_before_a_later_layer_changes_them_in_place() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(2 * 14 * 14, 2)).eval()
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad(), outputs_of(network, ["0"], lambda values: values.min()) as lowest:
        network(images)
    assert float(lowest["0"]) < 0


def test_layers_up_to_one() -> None:
    network = toy_network()
    assert layers_up_to(network, LAST_STAGE, noise_images(1, size=16)) == [str(number) for number in range(10)]


def test_layers_up_to_a_residual_block_are_all_before_it_and_in_it() -> None:
    network = torchvision.models.resnet18(num_classes=2).eval()
    frozen = {
        parameter
        for name in layers_up_to(network, "layer3", IMAGES)
        for parameter in network.get_submodule(name).parameters()
    }
    behind = {parameter for part in (network.layer4, network.fc) for parameter in part.parameters()}
    assert frozen == set(network.parameters()) - behind


def test_before_during_and_after_a_correction() -> None:
    network, images = toy_network(), to_unit(torch.from_numpy(noise_images(4, size=16)))
    before = network(images)
    names = list(dict(network.named_modules()))
    insert(network, LAST_STAGE, Shift(torch.eye(7)[0], torch.tensor(5.0)))
    assert isinstance(network[9], Corrected)
    assert not torch.equal(network(images), before)
    insert(network, LAST_STAGE, Erasure(torch.zeros(7, 7), torch.zeros(7)))
    assert len(network[9]) == 3
    remove(network, LAST_STAGE)
    remove(network, LAST_STAGE)
    assert torch.equal(network(images), before)
    assert list(dict(network.named_modules())) == names
    with pytest.raises(FairsalError, match="no correction"):
        remove(network, LAST_STAGE)


def test_a_corrected_layer_counts_as_one_layer() -> None:
    network, images = toy_network(), noise_images(1, size=16)
    plain = [layer.name for layer in trace(network, images)]
    insert(network, LAST_STAGE, Shift(torch.eye(7)[0], torch.tensor(5.0)))
    insert(network, FEATURES, Erasure(torch.zeros(12, 12), torch.zeros(12)))
    assert [layer.name for layer in trace(network, images)] == plain
    assert feature_layer(network, images) == FEATURES
    assert output_layer(network, images) == OUTPUT


def test_gradients_end_at_a_cut() -> None:
    network, images = toy_network(), to_unit(torch.from_numpy(noise_images(4, size=16)))
    expected, pixels = network(images), images.requires_grad_()
    with cut_at(network, LAST_STAGE) as outputs:
        logits = network(pixels)
    assert hooks(network) == 0
    assert torch.equal(logits, expected)
    logits.sum().backward()
    assert outputs[LAST_STAGE].grad is not None
    assert pixels.grad is None
    reached = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert reached == {"12.weight", "12.bias", "15.weight", "15.bias"}


def test_a_layer_behind_a_cut_may_work_in_place() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(2 * 14 * 14, 2)).eval()
    images = torch.rand(2, 3, 16, 16)
    expected, activations = network(images), network[0](images)
    with cut_at(network, "0") as outputs:
        logits = network(images)
    assert torch.equal(logits, expected)
    assert torch.equal(outputs["0"], activations)

"""Layers by name, in any network: which there are, what comes out of them, which parameters lie behind one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.classifiers import Corrected, find_layer, mean_activation
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import device_of, image_batches


class Layer(NamedTuple):
    """A module that has given its output, and the output's shape for one image. A corrected layer is one layer."""

    name: str
    shape: tuple[int, ...]
    leaf: bool


def _as_it_is(activations: Tensor) -> Tensor:
    return activations


@contextmanager
def outputs_of(
    classifier: nn.Module, layers: Sequence[str], read: Callable[[Tensor], Tensor] = _as_it_is
) -> Iterator[dict[str, Tensor]]:
    """Collect `read` of what these layers give at each pass, by name; nothing stays on the classifier afterwards.

    It is read at once: a later layer that works in place would change it.
    """
    collected: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, arguments, output: collected.__setitem__(name, read(output))

    handles = [find_layer(classifier, name).register_forward_hook(keep(name)) for name in layers]
    try:
        yield collected
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def cut_at(classifier: nn.Module, layer: str) -> Iterator[dict[str, Tensor]]:
    """Collect what a layer gives at each pass, as `outputs_of` does, and let no gradient go back further than that."""
    collected: dict[str, Tensor] = {}

    def cut(module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
        collected[layer] = output.detach().requires_grad_()
        return collected[layer].clone()  # which a later layer may change in place

    handle = find_layer(classifier, layer).register_forward_hook(cut)
    try:
        yield collected
    finally:
        handle.remove()


@torch.no_grad()
def trace(classifier: nn.Module, images: NDArray[np.uint8]) -> list[Layer]:
    """Return the layers in the order in which they finish on an image: a block after what is in it.

    Parameters
    ----------
    classifier : torch.nn.Module
        In eval mode.
    images : array, (N, S, S, 3) uint8
        The first is used.
    """
    found: list[Layer] = []

    def note(name: str, leaf: bool) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                found.append(Layer(name, tuple(output.shape[1:]), leaf))

        return hook

    inside = tuple(f"{name}." for name, module in classifier.named_modules() if isinstance(module, Corrected))
    handles = [
        module.register_forward_hook(note(name, isinstance(module, Corrected) or not any(module.children())))
        for name, module in classifier.named_modules()
        if name and not name.startswith(inside)
    ]
    try:
        classifier(next(image_batches(images[:1], device_of(classifier), 1)))
    finally:
        for handle in handles:
            handle.remove()
    return found


def stages(classifier: nn.Module, images: NDArray[np.uint8]) -> list[str]:
    """Return the layers whose activations are maps, one per width: the last with 6, 12 and 24 channels of `three_conv`
    (layers 5, 10, 15), `layer1` to `layer4` of a ResNet.

    Looked for among the children of the innermost block in which maps turn into features.

    Raises
    ------
    FairsalError
        If the network has no such layer.
    """
    found = trace(classifier, images)
    block = ""
    while True:
        children = [layer for layer in found if layer.name.rpartition(".")[0] == block]
        turn = next((index for index, layer in enumerate(children) if not _is_map(layer)), len(children))
        inner = children[turn].name if turn < len(children) else None
        if inner is None or not any(_is_map(layer) and layer.name.startswith(f"{inner}.") for layer in found):
            break
        block = inner
    size = images.shape[1]
    by_width = {layer.shape[0]: layer.name for layer in children[:turn] if layer.shape != (3, size, size)}
    if not by_width:
        raise FairsalError("This classifier has no layer whose activations are maps; give the layer by name.")
    return list(by_width.values())


def feature_layer(classifier: nn.Module, images: NDArray[np.uint8]) -> str:
    """Return the layer that feeds the output layer."""
    return _leaves(classifier, images)[-2].name


def output_layer(classifier: nn.Module, images: NDArray[np.uint8]) -> str:
    """Return the layer that gives the logits."""
    return _leaves(classifier, images)[-1].name


def layers_up_to(classifier: nn.Module, layer: str, images: NDArray[np.uint8]) -> list[str]:
    """Return the layers that have given their output when this one has: those before it, and itself as one.

    What is inside it is not named by itself: a correction behind the layer gives it other names.
    """
    finished = [found.name for found in trace(classifier, images)]
    return [name for name in finished[: finished.index(layer) + 1] if not name.startswith(f"{layer}.")]


@torch.no_grad()
def mean_activations(
    classifier: nn.Module, layers: Sequence[str], images: NDArray[np.uint8], batch_size: int = 128
) -> dict[str, NDArray[np.float64]]:
    """Return m(a), (N, C), of each layer, for a classifier in eval mode.

    Parameters
    ----------
    classifier : torch.nn.Module
        As it was before the call, and after it.
    layers : sequence of str
        Names.
    images : array, (N, S, S, 3) uint8
        Faces.
    batch_size : int
        Changes rounding only.
    """
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in layers}
    with outputs_of(classifier, layers, mean_activation) as means:
        for batch in image_batches(images, device_of(classifier), batch_size):
            classifier(batch)
            for name, activations in means.items():
                parts[name].append(activations.double().cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}


def _is_map(layer: Layer) -> bool:
    return len(layer.shape) == 3 and layer.shape[1] * layer.shape[2] > 1


def _leaves(classifier: nn.Module, images: NDArray[np.uint8]) -> list[Layer]:
    leaves = [layer for layer in trace(classifier, images) if layer.leaf]
    if len(leaves) < 2:
        raise FairsalError("This classifier has a single layer; there is nothing to correct inside it.")
    return leaves

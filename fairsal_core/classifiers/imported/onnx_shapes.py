"""Steps of a converted ONNX graph that torch's exporter could not follow, or would take apart, in torch's own terms.

Shapes, places and axes stand in a graph as tensors, which onnx2pytorch reads from buffers whenever a step is done: what a
value decides about the shape of others an exporter has to know beforehand. Those that are weights of the graph are the same
whatever the picture. Layer norm it spells out, mean by mean.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_FLOAT = 1  # onnx.AttributeProto.FLOAT
Step = Callable[[Tensor], Tensor]
Constants = list[list[int] | None]
"""What stands after the first input of a node: numbers, or None where an input is left out."""


class Settled(nn.Module):
    """A step of one tensor; its other inputs are known and left unread."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, data: Tensor, *_: object) -> Tensor:
        return self.step(data)


class Norm(nn.Module):
    """Layer norm over the last axis."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, data: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return functional.layer_norm(data, weight.shape, weight, bias, self.epsilon)


def settle(network: nn.Module, model: Any) -> None:
    """Put steps that know their numbers in the place of those of a converted graph, where the graph says them."""
    from onnx.numpy_helper import to_array

    known = {tensor.name: tensor for tensor in model.graph.initializer}
    names: Mapping[str, str] = network.mapping  # type: ignore[assignment]
    for node in model.graph.node:
        said = {each.name: each.f if each.type == _FLOAT else each.i for each in node.attribute}
        if node.op_type == "LayerNormalization" and said.get("axis", -1) == -1 and len(node.output) == 1:
            setattr(network, names[node.output[0]], Norm(said.get("epsilon", 1e-5)))
            continue
        make = _STEPS.get(node.op_type)
        if make is None or len(node.input) < 2 or any(name and name not in known for name in node.input[1:]):
            continue
        arrays = [to_array(known[name]) if name else None for name in node.input[1:]]
        if any(array is not None and array.ndim > 1 for array in arrays):
            continue
        numbers = [None if array is None else [int(each) for each in array.reshape(-1)] for array in arrays]
        said["scalar"] = arrays[0] is not None and not arrays[0].ndim
        step = make(numbers, said)
        if step is not None:
            setattr(network, names[node.output[0]], Settled(step))


def _reshape(numbers: Constants, said: Mapping[str, Any]) -> Step | None:
    (shape,) = numbers
    if shape is None or (said.get("allowzero") and 0 in shape):
        return None
    return lambda data: data.reshape([side or data.shape[place] for place, side in enumerate(shape)])


def _expand(numbers: Constants, said: Mapping[str, Any]) -> Step | None:
    (shape,) = numbers
    return None if shape is None else lambda data: data.expand(torch.broadcast_shapes(data.shape, shape))


def _squeeze(numbers: Constants, said: Mapping[str, Any]) -> Step | None:
    (axes,) = numbers
    return None if axes is None else lambda data: data.squeeze(axes)


def _unsqueeze(numbers: Constants, said: Mapping[str, Any]) -> Step | None:
    (axes,) = numbers
    if axes is None or len(axes) != 1:
        return None
    return lambda data: data.unsqueeze(axes[0])


def _gather(numbers: Constants, said: Mapping[str, Any]) -> Step | None:
    (places,) = numbers
    axis = said.get("axis", 0)
    if places is None:
        return None
    if said["scalar"]:
        return lambda data: data.select(axis, places[0])
    return lambda data: data.index_select(axis, torch.tensor([place % data.shape[axis] for place in places]))


def _slice(numbers: Constants, said: Mapping[str, Any]) -> Step | None:
    starts, ends, axes, steps = [*numbers, None, None][:4]
    if starts is None or ends is None or (steps is not None and min(steps) < 1):
        return None

    def step(data: Tensor) -> Tensor:
        cut = [slice(None)] * data.ndim
        for place, axis in enumerate(range(len(starts)) if axes is None else axes):
            cut[axis] = slice(starts[place], ends[place], 1 if steps is None else steps[place])
        return data[tuple(cut)]

    return step


def _reduced(by: Callable[..., Tensor]) -> Callable[[Constants, Mapping[str, Any]], Step | None]:
    """Return what makes a step of a mean, a sum or a maximum over known axes."""

    def make(numbers: Constants, said: Mapping[str, Any]) -> Step | None:
        (axes,) = numbers
        return (lambda data: by(data, axes, keepdim=bool(said.get("keepdims", 1)))) if axes else None

    return make


_STEPS: Mapping[str, Callable[[Constants, Mapping[str, Any]], Step | None]] = {
    "Reshape": _reshape,
    "Expand": _expand,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
    "Slice": _slice,
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "ReduceMax": _reduced(torch.amax),
}

"""A network as a list of steps, each one operation of torch, made from its exported graph.

Parameters and whatever else does not depend on the pictures are computed once and stand in a step's arguments as tensors.
Operations in place are done out of place, so that every intermediate value stays what it was.
"""

import operator
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from fairsal_core.errors import FairsalError, sentence

_EXPORTING = threading.Lock()  # torch's exporter changes what all threads of the process share
_PASSED_ON = ("dropout", "feature_dropout", "alias", "detach", "lift_fresh")
_SHAPED_ALIKE = ("new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like")
_CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range_for_size")
_FOLDED_INTO = ("conv1d", "conv2d", "conv3d", "linear")
_PRODUCTS = ("matmul", "mm")


@dataclass(frozen=True)
class Ref:
    """The value of an earlier step, or the pictures."""

    name: str


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes
    ----------
    name : str
        Of its value.
    op : str
        What it is, as in "conv2d": torch's name, whether in place or not.
    call : callable
        Does it.
    args, kwargs
        Its arguments, with a `Ref` where an earlier value stands, also inside lists.
    """

    name: str
    op: str
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def inputs(self) -> list[str]:
        """Names of the values it takes, in order; one that it takes twice is named twice."""
        return [ref.name for ref in refs_of((self.args, dict(self.kwargs)))]


@dataclass(frozen=True)
class Program:
    """The steps from the pictures, the value `source`, to the logits, the value `result`."""

    source: str
    result: str
    steps: tuple[Step, ...]


def refs_of(arguments: Any) -> list[Ref]:
    """Return the references in nested arguments, in order."""
    if isinstance(arguments, Ref):
        return [arguments]
    if isinstance(arguments, list | tuple):
        return [ref for each in arguments for ref in refs_of(each)]
    if isinstance(arguments, dict):
        return refs_of(list(arguments.values()))
    return []


def filled_in(arguments: Any, values: Callable[[Ref], Any]) -> Any:
    """Return nested arguments with a value in the place of each reference, asked for in the order of `refs_of`."""
    if isinstance(arguments, Ref):
        return values(arguments)
    if isinstance(arguments, list | tuple):
        return type(arguments)(filled_in(each, values) for each in arguments)
    if isinstance(arguments, dict):
        return {name: filled_in(each, values) for name, each in arguments.items()}
    return arguments


def exported(network: nn.Module, pictures: Tensor) -> Program:
    """Return the program of a network in eval mode, for as many pictures as these.

    Raises
    ------
    FairsalError
        If torch cannot export it, or it does not give one tensor of logits.
    """
    try:
        with _EXPORTING, torch.no_grad():
            module = torch.export.export(network, (pictures,), strict=False).module(check_guards=False)
    except Exception as error:  # whatever a foreign network does
        raise FairsalError(f"LRP cannot take this network apart: {sentence(error)}") from error
    reading = _Reading()
    with torch.no_grad():
        result = reading.of(module, {})
    if not isinstance(result, Ref):
        raise FairsalError("LRP needs a network whose logits depend on the picture, and that gives nothing else.")
    return _folded(Program(reading.source, result.name, tuple(reading.steps)))


class _Reading:
    """Turns the nodes of an exported graph, and of the graphs inside it, into steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.source = ""

    def of(self, module: fx.GraphModule, known: dict[str, Any], prefix: str = "") -> Any:
        """Read one graph whose inputs have the values `known`, by name; return its output's value."""
        found: dict[fx.Node, Any] = {}
        for node in module.graph.nodes:
            if node.op == "placeholder":
                found[node] = known.get(node.name) if known else self._pictures(node.name)
            elif node.op == "get_attr":
                found[node] = operator.attrgetter(node.target)(module)
            elif node.op == "call_function":
                args = fx.map_arg(node.args, found.__getitem__)
                kwargs = fx.map_arg(node.kwargs, found.__getitem__)
                found[node] = self._called(node, prefix, tuple(args), dict(kwargs))
            elif node.op == "output":
                (given,) = node.args
                value = fx.map_arg(given, found.__getitem__)
                # Of the network itself the one output; of a graph inside, all of them.
                return value if known else _only(value)
        raise FairsalError("LRP needs a network that gives logits; this one gives nothing.")

    def _pictures(self, name: str) -> Ref:
        if self.source:
            raise FairsalError("LRP needs a network of pictures alone; this one takes something else too.")
        self.source = name
        return Ref(name)

    def _called(self, node: fx.Node, prefix: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        graph = next((value for value in args if isinstance(value, fx.GraphModule)), None)
        if graph is not None:  # a part of the network under no_grad or without autocast
            inputs = args[args.index(graph) + 1 :]
            names = [each.name for each in graph.graph.nodes if each.op == "placeholder"]
            return self.of(graph, dict(zip(names, inputs, strict=True)), f"{prefix}{node.name}.")
        if _name(node.target) in _SHAPED_ALIKE:  # constant, whatever the values
            like = node.args[0].meta["val"]  # type: ignore[union-attr]
            args = (torch.empty(tuple(like.shape), dtype=like.dtype, device="meta"), *args[1:])
            kwargs = {"device": node.meta["val"].device, **kwargs}
        if not refs_of((args, kwargs)):
            return node.target(*args, **kwargs)  # type: ignore[operator]
        if _name(node.target) in _CHECKS:
            return None
        if node.target is operator.getitem and not isinstance(args[0], Ref):
            return args[0][args[1]]
        op, call = _operation(node.target)
        if op in _PASSED_ON and isinstance(args[0], Ref):
            return args[0]
        self.steps.append(Step(prefix + node.name, op, call, args, kwargs))
        return Ref(prefix + node.name)


def _only(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs


def _name(target: Any) -> str:
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.split("::")[1]
    return getattr(target, "__name__", str(target))


def _operation(target: Any) -> tuple[str, Callable[..., Any]]:
    """Return an operation's name and what does it out of place."""
    name = _name(target)
    if not isinstance(target, torch._ops.OpOverload):
        return name, target
    overload = target._overloadname
    if not name.endswith("_") or name.endswith("__"):
        return name, target
    apart = getattr(getattr(torch.ops.aten, name[:-1], None), overload, None)
    if apart is None:
        raise FairsalError(f"LRP knows no form of the operation '{name}' that leaves its input as it is.")
    return name[:-1], apart


def _folded(program: Program) -> Program:
    """Return the program with each batch norm in the layer before it, where there is one, and x W + b as a linear layer."""
    users = [name for step in program.steps for name in step.inputs] + [program.result]
    steps: dict[str, Step] = {}
    renamed: dict[str, str] = {}

    def current(ref: Ref) -> Ref:
        return Ref(renamed.get(ref.name, ref.name))

    for original in program.steps:
        step = replace(
            original, args=filled_in(original.args, current), kwargs=filled_in(dict(original.kwargs), current)
        )
        before = steps.get(step.args[0].name) if step.op == "batch_norm" and isinstance(step.args[0], Ref) else None
        if before and before.op in _FOLDED_INTO and users.count(before.name) == 1 and _has_own_weight(before):
            steps[before.name] = _with_norm(before, step)
            renamed[step.name] = before.name
        elif (layer := _as_linear(step, steps)) and users.count(layer.name) == 1:
            steps[layer.name] = layer
            renamed[step.name] = layer.name
        else:
            steps[step.name] = step
    return Program(program.source, renamed.get(program.result, program.result), tuple(steps.values()))


def _as_linear(step: Step, steps: Mapping[str, Step]) -> Step | None:
    """Return the linear layer that a sum x W + b is, in the place of its product; None where it is none.

    Some exporters write a layer so; its bias would get relevance then, as a constant does that is added to features.
    """
    if step.op != "add" or step.kwargs or len(step.args) != 2:
        return None
    ref, bias = step.args if isinstance(step.args[0], Ref) else reversed(step.args)
    product = steps.get(ref.name) if isinstance(ref, Ref) else None
    if product is None or product.op not in _PRODUCTS or not isinstance(bias, Tensor):
        return None
    value, weight = product.args
    if not isinstance(value, Ref) or not isinstance(weight, Tensor) or bias.shape != weight.shape[1:]:
        return None
    return Step(product.name, "linear", torch.ops.aten.linear.default, (value, weight.T, bias), {})


def _has_own_weight(step: Step) -> bool:
    return isinstance(step.args[1], Tensor) and not refs_of((step.args[2:], dict(step.kwargs)))


def _with_norm(step: Step, norm: Step) -> Step:
    """Return the layer that does what a layer and the batch norm behind it do: w (g / s) and (b - m) g / s + c."""
    weight, bias = step.args[1], (*step.args, None)[2]
    gain, shift, mean, variance = norm.args[1:5]
    scale = (variance + norm.args[7]).rsqrt() * (1 if gain is None else gain)
    moved = (0 if bias is None else bias) - mean
    moved = moved * scale + (0 if shift is None else shift)
    shape = (-1, *[1] * (weight.ndim - 1))
    return replace(step, args=(step.args[0], weight * scale.view(shape), moved, *step.args[3:]))

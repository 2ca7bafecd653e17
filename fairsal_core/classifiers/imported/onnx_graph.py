"""An ONNX graph as a network of torch, by onnx2pytorch; compared with onnxruntime."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fairsal_core.classifiers.imported.contents import MOST_BYTES, Contents
from fairsal_core.classifiers.imported.manifest import LARGEST_SIDE, Manifest, Preprocessing
from fairsal_core.classifiers.imported.onnx_shapes import settle
from fairsal_core.classifiers.imported.processor import CONFIG, processor_settings
from fairsal_core.classifiers.imported.source import Reading, Source, ordinary_pixels, said_of_outputs
from fairsal_core.errors import FairsalError
from fairsal_core.files import read_bounded

_AT_ONCE = 8  # pictures, where a graph has to be for some number of them


class Graph(nn.Module):
    """A converted graph: pixels (N, C, h, w) to outputs (N, K), whatever batch and order of axes the graph insists on.

    Parameters
    ----------
    network : torch.nn.Module
        As onnx2pytorch gives it.
    pictures_at_once : int
        How many it takes; 0 for any number.
    channels_last : bool
        Whether it takes (N, h, w, C).
    """

    def __init__(self, network: nn.Module, pictures_at_once: int, channels_last: bool) -> None:
        super().__init__()
        self.network = network
        self.pictures_at_once = pictures_at_once
        self.channels_last = channels_last

    def forward(self, pixels: Tensor) -> Tensor:
        if self.channels_last:
            pixels = pixels.permute(0, 2, 3, 1)
        parts = pixels.split(self.pictures_at_once) if self.pictures_at_once else (pixels,)
        return torch.cat([self._part(part) for part in parts]) if len(parts) > 1 else self._part(parts[0])

    def _part(self, pixels: Tensor) -> Tensor:
        lacking = self.pictures_at_once - len(pixels)
        if lacking > 0:
            pixels = torch.cat([pixels, pixels[-1:].expand(lacking, *pixels.shape[1:])])
        outputs: Tensor = self.network(pixels)
        outputs = outputs.flatten(1) if outputs.ndim > 1 else outputs[:, None]
        return outputs[: len(outputs) - lacking] if lacking > 0 else outputs


def recognises(contents: Contents, said: Mapping[str, Any]) -> bool:
    """Return whether the weights are an ONNX file."""
    return contents.weights.suffix.lower() == ".onnx"


def parse(path: Path) -> Any:
    """Return the graph in a file, whose tensors are all inside of it.

    Raises
    ------
    FairsalError
        If it is none, or wants other files, another domain's operations or texts.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    try:
        model = onnx.load_model_from_string(read_bounded(path, MOST_BYTES))
    except (OSError, DecodeError, ValueError) as error:
        raise FairsalError(f"{path.name} is no whole ONNX file ({' '.join(str(error).split())[:120]}).") from None
    if any(uses_external_data(tensor) for tensor in _get_all_tensors(model)):
        raise FairsalError(
            f"{path.name} keeps weights in other files (external data), which are not opened: save it as one file."
        )
    foreign = sorted({node.domain for node in _nodes(model.graph)} - {"", "ai.onnx"})
    if foreign or model.functions:
        raise FairsalError(
            f"{path.name} has operations of {foreign[0] if foreign else 'its own functions'}; only those of ONNX itself are known."
        )
    if not model.graph.node:
        raise FairsalError(f"{path.name} holds no network.")
    return model


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _input(model: Any) -> tuple[str, list[int]]:
    """Return the name and shape of the one picture that a graph takes; 0 for what is left open."""
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in given]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise FairsalError(
            f"The graph takes {len(inputs)} inputs and gives {len(model.graph.output)}: one picture in and one row of numbers "
            "out are expected."
        )
    shape = [dimension.dim_value for dimension in inputs[0].type.tensor_type.shape.dim]
    if len(shape) != 4:
        raise FairsalError(f"The graph takes an input of {len(shape)} axes; a picture has four: N, C, height, width.")
    if inputs[0].type.tensor_type.elem_type != 1:
        raise FairsalError("The graph takes no 32-bit floating point numbers: export it before it is made smaller.")
    return inputs[0].name, shape


def _is_channels_last(shape: list[int]) -> bool:
    return shape[1] not in (1, 3) and shape[3] in (1, 3)


def read(contents: Contents, said: Mapping[str, Any]) -> Reading:
    """Return what the graph says: its size, channels and outputs; how it is fed is in no graph."""
    model = parse(contents.weights)
    _, shape = _input(model)
    last = _is_channels_last(shape)
    channels, height, width = (shape[3], shape[1], shape[2]) if last else (shape[1], shape[2], shape[3])
    if channels not in (0, 1, 3):
        raise FairsalError(f"The graph takes {channels} channels; pictures have three, or one if they are grey.")
    if max(height, width) > LARGEST_SIDE:
        raise FairsalError(f"The graph takes {height} x {width} pixels; {LARGEST_SIDE} a side are the most.")
    count = _outputs(model, contents.weights, (height, width), channels or 3, said)
    final = model.graph.node[-1].op_type
    labels = _labels(contents, count)
    outputs, assumed, questions = said_of_outputs(count, labels, said)
    if final in ("Sigmoid", "Softmax"):
        outputs = {**outputs, "reads": final.lower(), "probabilities": True}
        questions = [asked for asked in questions if "reads=" not in asked or "positive=" in asked]
    settings, taken = _preprocessing(contents, channels, (height, width))
    content = {
        "format": SOURCE.name,
        "architecture": f"graph of {len(model.graph.node)} operations",
        "weights": contents.weights.name,
        "outputs": outputs,
        "preprocessing": settings.model_dump(),
        "source": f"{model.producer_name} {model.producer_version}".strip()[:200],
    }
    return Reading(content, assumed + taken, questions)


def _labels(contents: Contents, count: int) -> tuple[str, ...]:
    config = contents.configs.get("config.json")
    named = config.get("id2label") if isinstance(config, dict) else None
    return tuple(str(name) for name in named.values()) if isinstance(named, dict) and len(named) == count else ()


def _preprocessing(contents: Contents, channels: int, size: tuple[int, int]) -> tuple[Preprocessing, list[str]]:
    if (processor := contents.configs.get(CONFIG)) is not None:
        return processor_settings(processor), []
    sides = size if min(size) else (224, 224)
    grey = channels == 1
    mean, std = ((0.5,), (0.5,)) if grey else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    settings = Preprocessing(resize=sides, channels="grey" if grey else "RGB", mean=mean, std=std)
    told = "grey, mean=0.5 std=0.5" if grey else "RGB, mean and std of ImageNet"
    return settings, [f"a graph does not say how it is fed: {'' if min(size) else 'resize=224, '}{told}, no crop"]


def _outputs(model: Any, path: Path, size: tuple[int, int], channels: int, said: Mapping[str, Any]) -> int:
    """Return how many numbers the graph gives for a picture: as it says, or as it does."""
    shape = [dimension.dim_value for dimension in model.graph.output[0].type.tensor_type.shape.dim]
    if len(shape) >= 2 and all(shape[1:]):
        count = 1
        for side in shape[1:]:
            count *= side
        return count
    sides = size if min(size) else (224, 224)
    with torch.inference_mode():
        return int(_converted(model)(torch.zeros(1, channels, *sides)).shape[1])


def build(folder: Path, manifest: Manifest) -> nn.Module:
    """Return the graph as a network of torch; see `Source.build`."""
    return _converted(parse(folder / manifest.weights)).eval()


def _converted(model: Any) -> nn.Module:
    import warnings

    from onnx2pytorch import ConvertModel

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _closed(model)
            _spell_out(model)
            network = ConvertModel(model)
            settle(network, model)
            _without_dots(network)
    except Exception as error:  # whatever an operation that it does not know makes it raise
        reason = " ".join(str(error).split())[:160]
        raise FairsalError(
            f"onnx2pytorch cannot convert the graph ({type(error).__name__}: {reason}); its scores can still be audited."
        ) from None
    _, shape = _input(model)
    return Graph(network, shape[0], _is_channels_last(shape)).eval()


def _without_dots(network: Any) -> None:
    """Give steps names without dots, which torch takes for paths; older exporters name them by module, `/layer1/layer1.0`."""
    for number, (output, name) in enumerate(list(network.mapping.items())):
        if "." in name:
            step = getattr(network, name)
            delattr(network, name)
            network.mapping[output] = f"{name.replace('.', '_')}_{number}"  # a.b and a_b stay two
            setattr(network, network.mapping[output], step)


def _closed(model: Any) -> Any:
    """Return a graph that works out shapes from how many pictures come as one for so many, in which these are numbers.

    What a value decides about the shape of others cannot be followed by torch's exporter, and so not explained by LRP.
    """
    from onnxscript import optimizer

    name, shape = _input(model)
    if shape[0] or not all(shape[1:]) or all(node.op_type != "Shape" for node in model.graph.node):
        return model
    closed = type(model)()
    closed.CopyFrom(model)
    for tensor in (*closed.graph.input, *closed.graph.output):
        if tensor.name == name or tensor in closed.graph.output:
            tensor.type.tensor_type.shape.dim[0].dim_value = _AT_ONCE
    del closed.graph.value_info[:]  # said for an open number
    closed = optimizer.optimize(closed)
    # Left alone by itself, since it may be large: older exporters work out with it to which shape a class token is expanded.
    optimizer.fold_constants(
        closed, onnx_shape_inference=True, should_fold=lambda node: node.op_type == "ConstantOfShape" or None
    )
    return optimizer.optimize(closed)


def _spell_out(model: Any) -> None:
    """Write what onnx2pytorch would read from other places into each node.

    A weight that the exporter wrote once for several places (by Identity) is given to each, and the sizes of what a tensor is split
    into stand as numbers, as they did before opset 13, and not as a tensor that is read anew.
    """
    from onnx.helper import make_attribute
    from onnx.numpy_helper import to_array

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in weights]:
        copied = model.graph.initializer.add()
        copied.CopyFrom(weights[node.input[0]])
        copied.name = node.output[0]
        model.graph.node.remove(node)
    for node in model.graph.node:
        if node.op_type == "Split" and len(node.input) == 2 and node.input[1] in weights:
            node.attribute.append(make_attribute("split", to_array(weights[node.input.pop()]).tolist()))


def blank(folder: Path, manifest: Manifest, seed: int) -> nn.Module:
    """Return the network with its weights shuffled, tensor by tensor: a graph does not say how they began."""
    network = build(folder, manifest)
    generator = torch.Generator().manual_seed(seed)
    for value in (*network.parameters(), *network.buffers()):
        if value.is_floating_point() and value.numel() > 1:
            value.data = value.data.flatten()[torch.randperm(value.numel(), generator=generator)].view_as(value)
    return network


def own(folder: Path, manifest: Manifest, frames: Tensor, rounded: bool) -> Tensor:
    """Return what onnxruntime says; see `Source.own`."""
    import onnxruntime

    model = parse(folder / manifest.weights)
    name, shape = _input(model)
    pixels = ordinary_pixels(frames, manifest.preprocessing, rounded)
    pixels = pixels.permute(0, 2, 3, 1) if _is_channels_last(shape) else pixels
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    parts = pixels.split(shape[0] or len(pixels))
    outputs = [torch.from_numpy(session.run(None, {name: part.contiguous().numpy()})[0]) for part in parts]
    return torch.cat(outputs).flatten(1)


def save(network: nn.Module, folder: Path, manifest: Manifest, to: Path) -> None:
    """Write the network as a new graph, since the old one's weights are not where they were; see `Source.save`."""
    import warnings

    example = torch.zeros(2, manifest.preprocessing.depth, *manifest.preprocessing.size)
    dynamic = ({0: torch.export.Dim("n")},)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (example,),
                to / manifest.weights,
                dynamo=True,
                external_data=False,
                verbose=False,
                dynamic_shapes=dynamic,
            )
    except Exception as error:  # whatever a network that cannot be traced makes it raise
        reason = " ".join(str(error).split())[:160]
        raise FairsalError(f"It cannot be written as an ONNX graph ({type(error).__name__}: {reason}).") from None


SOURCE = Source(
    "onnx",
    "an ONNX graph",
    ("onnx", "onnx2pytorch", "onnxruntime"),
    "onnx",
    recognises,
    read,
    build,
    blank,
    own,
    save,
)

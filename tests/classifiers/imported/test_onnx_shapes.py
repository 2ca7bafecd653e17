"""Steps that know their numbers do what onnxruntime does, and let a graph of tokens be taken apart."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fairsal_core.saliency import explain
from tests.extras import unless_missing
from tests.saliency.networks import images

pytestmark = [pytest.mark.extras, unless_missing("onnx", "onnx2pytorch", "onnxruntime", "onnxscript")]


def model_of(op: str, numbers: list[list[int] | int], **attributes: Any) -> Any:
    """Return a graph of one operation on a tensor (1, 3, 4, 5), its other inputs being weights."""
    from onnx import TensorProto, helper, numpy_helper

    weights = [numpy_helper.from_array(np.array(each, dtype=np.int64), f"n{k}") for k, each in enumerate(numbers)]
    node = helper.make_node(op, ["x", *[weight.name for weight in weights]], ["y"], **attributes)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 5])
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [given], [gives], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize(
    ("op", "numbers", "attributes"),
    [
        ("Reshape", [[0, -1, 2]], {}),
        ("Reshape", [[3, 20]], {"allowzero": 1}),
        ("Expand", [[2, 1, 1, 5]], {}),
        ("Squeeze", [[0]], {}),
        ("Unsqueeze", [[-1]], {}),
        ("Unsqueeze", [[1, 3]], {}),
        ("Gather", [2], {"axis": 1}),
        ("Gather", [[-1]], {"axis": 3}),
        ("Gather", [[0, 2, 2]], {"axis": 2}),
        ("Slice", [[1, 0], [3, 4], [1, -1], [1, 2]], {}),
        ("Slice", [[0], [-1], [2]], {}),
        ("Slice", [[4], [0], [3], [-2]], {}),
        ("ReduceMean", [[2, 3]], {}),
        ("ReduceMean", [[-1]], {"keepdims": 0}),
        ("ReduceSum", [[1]], {"keepdims": 0}),
        ("ReduceMax", [[2, 3]], {}),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")  # of onnx2pytorch, in what is left to it
def test_a_step_is_what_onnxruntime_does(op: str, numbers: list[list[int] | int], attributes: dict[str, int]) -> None:
    import onnxruntime
    from onnx2pytorch import ConvertModel

    from fairsal_core.classifiers.imported.onnx_shapes import settle

    model = model_of(op, numbers, **attributes)
    network = ConvertModel(model)
    settle(network, model)
    values = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    torch.testing.assert_close(network(values), torch.from_numpy(session.run(None, {"x": values.numpy()})[0]))


class Tokens(nn.Module):
    """A class token, positions and one round of attention, as a ViT has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 12, 8, 8)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 12)), nn.Parameter(torch.randn(1, 17, 12))
        self.three, self.out, self.last = nn.Linear(12, 36), nn.Linear(12, 12), nn.Linear(12, 2)
        self.norm = nn.LayerNorm(12)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.patches(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.places
        query, key, value = self.three(x).view(x.shape[0], 17, 3, 2, 6).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape[0], 17, 12))
        logits: Tensor = self.last(self.norm(x)[:, 0])
        return logits


class Pooled(nn.Module):
    """A convolution, a residual sum and a mean over all places, as a ResNet ends."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 2)
        self.blocks = nn.Sequential(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()))

    def forward(self, pictures: Tensor) -> Tensor:
        x = functional.relu(self.first(pictures))
        x = functional.relu(x + self.blocks(x))
        logits: Tensor = self.last(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


@pytest.mark.parametrize("make", [Tokens, Pooled])
@pytest.mark.parametrize("at_once", [1, 2, 0])
def test_a_default_export_is_explained_as_its_network_is(
    at_once: int, make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    """As torch exports by default, for as many pictures as its example had, and for any number (0)."""
    from fairsal_core.classifiers.imported.onnx_graph import _converted, parse

    network, batch = make().eval(), images(3, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (batch[: at_once or 2],),
            tmp_path / "m.onnx",
            external_data=False,
            verbose=False,
            dynamic_shapes=None if at_once else ({0: torch.export.Dim("n")},),
        )
    graph = _converted(parse(tmp_path / "m.onnx"))
    assert graph.pictures_at_once == (at_once or (8 if make is Tokens else 0))  # no shape is worked out there
    ours, theirs = (explain(each, batch, 1, "lrp_graph") for each in (graph, network))
    np.testing.assert_allclose(ours.relevance, theirs.relevance, atol=1e-4 * np.abs(theirs.relevance).max())
    for name, values in theirs.diagnostics.items():
        np.testing.assert_allclose(ours.diagnostics[name], values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("make", "its_own"), [(Pooled, "."), (Tokens, "ConstantOfShape")])
def test_an_older_export_is_too(make: Callable[[], nn.Module], its_own: str, tmp_path: Path) -> None:
    """Its steps are named by module, and it works out to which shape a class token is expanded."""
    from fairsal_core.classifiers.imported.onnx_graph import _converted, parse

    network, batch = make().eval(), images(3, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
        torch.onnx.export(network, (batch[:2],), tmp_path / "m.onnx", dynamo=False, **names)
    model = parse(tmp_path / "m.onnx")
    assert any(its_own in name for node in model.graph.node for name in (node.op_type, *node.output))
    ours, theirs = (explain(each, batch, 1, "lrp_graph") for each in (_converted(model), network))
    np.testing.assert_allclose(ours.relevance, theirs.relevance, atol=1e-4 * np.abs(theirs.relevance).max())

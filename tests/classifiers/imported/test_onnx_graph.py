"""ONNX graphs, of torch's own exporter and its old one."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from fairsal_core.errors import FairsalError
from tests.classifiers.imported.makers import checked, read_folder
from tests.extras import unless_missing

pytestmark = [pytest.mark.extras, unless_missing("onnx", "onnx2pytorch", "onnxruntime", "onnxscript")]


def small(outputs: int = 2, channels: int = 3, last: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(channels, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(4, outputs), *([last] if last else [])).eval()


def graph_folder(folder: Path, network: nn.Module, *, modern: bool = False, side: int = 32, channels: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    example = torch.rand(2, channels, side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if modern:
            dynamic = ({0: torch.export.Dim("n")},)
            torch.onnx.export(
                network,
                (example,),
                folder / "m.onnx",
                dynamo=True,
                external_data=False,
                verbose=False,
                dynamic_shapes=dynamic,
            )
        else:
            torch.onnx.export(network, (example[:1],), folder / "m.onnx", dynamo=False, opset_version=17)
    return folder


@pytest.mark.parametrize("modern", [True, False])
def test_a_graph_is_what_onnxruntime_says(tmp_path: Path, modern: bool) -> None:
    folder = graph_folder(tmp_path / "model", small(), modern=modern)
    manifest = read_folder(folder)
    assert manifest.format == "onnx" and manifest.preprocessing.size == (32, 32) and manifest.outputs.count == 2
    assert any("does not say how it is fed" in each for each in manifest.assumed)
    about = checked(folder, tmp_path)
    assert about["logits_error"] <= 1e-5 and about["gradient"]


def test_a_graph_that_ends_in_probabilities_is_known_by_it(tmp_path: Path) -> None:
    outputs = read_folder(graph_folder(tmp_path / "model", small(1, last=nn.Sigmoid()))).outputs
    assert outputs.probabilities and outputs.reads == "sigmoid"


def test_a_graph_of_one_channel_gets_grey(tmp_path: Path) -> None:
    folder = graph_folder(tmp_path / "model", small(channels=1), channels=1)
    assert read_folder(folder).preprocessing.channels == "grey"
    assert checked(folder, tmp_path)["gradient"]


def test_weights_in_other_files_are_not_opened(tmp_path: Path) -> None:
    import onnx

    folder = graph_folder(tmp_path / "model", small())
    model = onnx.load(folder / "m.onnx")
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="data.bin", size_threshold=0)
    with pytest.raises(FairsalError, match="external data"):
        read_folder(folder)


def test_foreign_operations_and_damage_are_one_sentence(tmp_path: Path) -> None:
    import onnx

    folder = graph_folder(tmp_path / "model", small())
    model = onnx.load(folder / "m.onnx")
    model.graph.node[0].domain = "com.example"
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FairsalError, match=r"operations of com\.example"):
        read_folder(folder)
    (folder / "m.onnx").write_bytes(b"\x08\xff\xff")
    with pytest.raises(FairsalError, match=r"no whole ONNX|one picture in|no network"):
        read_folder(folder)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(nn.Linear(4, 2), (torch.rand(1, 4),), folder / "m.onnx", dynamo=False)
    with pytest.raises(FairsalError, match="2 axes"):
        read_folder(folder)

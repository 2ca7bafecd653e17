"""safetensors with the name of a network: read by their shapes, compared with the library."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fairsal_core.classifiers.imported.contents import look_into
from fairsal_core.classifiers.imported.registry import read_contents
from fairsal_core.errors import FairsalError
from tests.classifiers.imported.makers import SMALL, change_json, checked, read_folder, timm_folder, torchvision_folder
from tests.extras import needs


def test_a_network_of_torchvision_is_its_own(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "model")
    manifest = read_folder(folder)
    assert (manifest.format, manifest.architecture, manifest.outputs.count) == ("torchvision", SMALL, 2)
    assert manifest.preprocessing.resized == (256, 256) and manifest.preprocessing.size == (224, 224)
    assert any("positive=1" in each for each in manifest.assumed) and any(
        "resize=256" in each for each in manifest.assumed
    )
    about = checked(folder, tmp_path, resize=64, crop=64)
    assert about["logits_error"] <= 1e-5 and about["gradient"]


def test_what_is_said_is_no_longer_assumed(tmp_path: Path) -> None:
    said = {"positive": "0", "resize": "64", "crop": "64", "mean": "0.5", "std": "0.5"}
    manifest = read_folder(torchvision_folder(tmp_path / "model"), **said)
    assert manifest.assumed == ()
    assert manifest.outputs.positive == (0,) and manifest.preprocessing.mean == (0.5,)


def test_the_owner_may_say_it_in_a_file(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "model")
    (folder / "fairsal.json").write_text('{"resize": 64, "crop": 64, "channels": "BGR"}')
    assert read_folder(folder).preprocessing.channels == "BGR"
    assert read_folder(folder, channels="RGB").preprocessing.channels == "RGB"


def test_what_wrappers_put_before_the_names_is_no_difference(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "model")
    state = load_file(folder / "model.safetensors")
    save_file({f"module.{name}": value for name, value in state.items()}, folder / "model.safetensors")
    assert checked(folder, tmp_path, resize=64, crop=64)["logits_error"] <= 1e-5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: [state.pop("fc.weight"), state.pop("fc.bias")], "The head .* is missing"),
        (lambda state: state.pop("stage2.0.branch2.0.weight"), "it has no stage2.0.branch2.0.weight"),
        (lambda state: state.update({"extra": torch.zeros(1)}), "it has extra"),
        (lambda state: state.update({"conv1.0.weight": torch.zeros(24, 1, 3, 3)}), "takes 1 channels"),
        (lambda state: state.update({"fc.weight": torch.zeros(2, 3)}), "fc.weight is"),
    ],
)
def test_other_weights_are_one_sentence(tmp_path: Path, change, said: str) -> None:
    folder = torchvision_folder(tmp_path / "model")
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(FairsalError, match=said):
        read_folder(folder)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_damaged_weights_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    folder = torchvision_folder(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(FairsalError, match=r"no whole safetensors|no weights"):
        read_folder(folder)


def test_which_network_it_is_is_asked(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "model")
    (folder / "config.json").unlink()
    assert "architecture=NAME" in read_contents(look_into(folder), {}).questions[0]
    assert read_folder(folder, architecture=SMALL).outputs.count == 2
    with pytest.raises(FairsalError, match="Neither torchvision nor timm"):
        read_folder(folder, architecture="resnet19")


def test_eighteen_outputs_in_one_head_are_asked_about_and_read(tmp_path: Path) -> None:
    """FairFace's: seven races, two genders, nine ages."""
    folder = torchvision_folder(tmp_path / "model", outputs=18)
    with pytest.raises(FairsalError, match=r"which of the 18 outputs says yes.*reads=softmax"):
        read_folder(folder)
    outputs = read_folder(folder, positive=7, among="7,8", reads="softmax").outputs
    assert (outputs.positive, outputs.rivals) == ((7,), (8,))


def test_labels_find_their_output(tmp_path: Path) -> None:
    labels = [f"a{index}" for index in range(39)] + ["Smiling"]
    folder = torchvision_folder(tmp_path / "model", outputs=40, label_names=labels)
    assert read_folder(folder, target="Smiling", reads="sigmoid").outputs.positive == (39,)
    assert read_folder(folder, positive="a3", reads="sigmoid").outputs.positive == (3,)
    assert read_folder(folder, positive="3", reads="sigmoid").outputs.positive == (3,)


@pytest.mark.parametrize(
    ("labels", "positive"), [(["not smiling", "smiling"], 1), (["smiling", "not smiling"], 0), (["no_hat", "hat"], 1)]
)
def test_a_label_that_denies_is_the_no(tmp_path: Path, labels: list[str], positive: int) -> None:
    outputs = read_folder(torchvision_folder(tmp_path / "model", label_names=labels)).outputs
    assert outputs.positive == (positive,) and outputs.target == labels[positive]


def test_one_output_is_a_sigmoid(tmp_path: Path) -> None:
    outputs = read_folder(torchvision_folder(tmp_path / "model", outputs=1)).outputs
    assert (outputs.reads, outputs.count) == ("sigmoid", 1)


def test_an_age_is_a_yes_above_a_threshold_and_asks_for_one(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "model", outputs=1)
    with pytest.raises(FairsalError, match="threshold=NUMBER"):
        read_folder(folder, reads="threshold")
    outputs = read_folder(folder, reads="threshold", threshold=40).outputs
    assert (outputs.threshold, outputs.reverse) == (40, False)
    assert read_folder(folder, reads="threshold", threshold=40, reverse=True).outputs.reverse
    assert checked(folder, tmp_path, reads="threshold", threshold=40, resize=64, crop=64)["logits_error"] <= 1e-5


def test_labels_of_another_number_of_classes_are_left_aside_and_that_is_said(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "model", label_names=["young", "middle", "old"])
    manifest = read_folder(folder)
    assert manifest.outputs.labels == () and any("3 labels" in each for each in manifest.assumed)
    assert read_folder(folder, labels="young,old").outputs.labels == ("young", "old")
    with pytest.raises(FairsalError, match="3 labels"):
        read_folder(folder, labels="young,middle,old")


def test_a_network_gets_512_pixels_where_it_wants_them(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "model")
    assert read_folder(folder, resize=512, crop=512).preprocessing.size == (512, 512)
    about = checked(folder, tmp_path, resize=512, crop=512)
    assert about["logits_error"] <= 1e-5 and about["gradient"]


@needs("timm")
def test_a_transformer_of_512_pixels_gets_them_and_fewer_are_one_sentence(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "model", side=512, patch=64)
    assert read_folder(folder).preprocessing.size == (512, 512)
    assert checked(folder, tmp_path)["gradient"]
    with pytest.raises(FairsalError, match="512"):
        checked(folder, tmp_path, resize=128, crop=128)


@needs("timm")
def test_a_folder_of_timm_is_its_own(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "model")
    about = checked(folder, tmp_path)
    manifest = read_folder(folder)
    assert (
        manifest.format == "timm"
        and manifest.preprocessing.resized == (35, 35)
        and manifest.preprocessing.size == (32, 32)
    )
    assert about["logits_error"] <= 1e-5 and about["rounding"] > about["logits_error"]


@needs("timm")
def test_a_network_of_one_channel_gets_grey(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "model", channels=1)
    assert read_folder(folder).preprocessing.channels == "grey"
    assert checked(folder, tmp_path, resize=32, crop=32)["gradient"]


@needs("timm")
@pytest.mark.parametrize("argument", ["checkpoint_path", "pretrained_cfg", "cache_dir", "pretrained"])
def test_a_network_is_built_with_nothing_that_would_load_more(tmp_path: Path, argument: str) -> None:
    folder = timm_folder(tmp_path / "model")
    change_json(folder / "config.json", model_args={argument: str(tmp_path / "payload.pth")})
    with pytest.raises(FairsalError, match=f"may not be built with '{argument}'"):
        read_folder(folder)


@needs("timm")
def test_a_name_that_leads_to_a_hub_is_none(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "model")
    change_json(folder / "config.json", architecture="hf-hub:someone/something")
    with pytest.raises(FairsalError, match="There is no network of timm"):
        read_folder(folder)

"""Folders of transformers."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from fairsal_core.classifiers.imported.contents import look_into
from fairsal_core.classifiers.imported.processor import processor_settings
from fairsal_core.classifiers.imported.registry import read_contents
from fairsal_core.errors import FairsalError
from tests.classifiers.imported.makers import change_json, checked, huggingface_folder, read_folder
from tests.extras import needs

HALF = [0.5, 0.5, 0.5]


@needs("transformers")
def test_a_folder_is_its_own_whatever_the_order_of_labels(tmp_path: Path) -> None:
    folder = huggingface_folder(tmp_path / "model")
    manifest = read_folder(folder)
    assert manifest.outputs.labels == ("smiling", "not smiling") and manifest.outputs.positive == (0,)
    assert manifest.preprocessing.mean == (0.5, 0.5, 0.5) and manifest.assumed == ()
    about = checked(folder, tmp_path)
    assert about["logits_error"] <= 1e-5 and about["gradient"]


@needs("transformers")
def test_a_processor_that_crops_is_followed(tmp_path: Path) -> None:
    from transformers import ConvNextImageProcessor

    folder = huggingface_folder(tmp_path / "model")
    ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.8).save_pretrained(folder)
    fed = read_folder(folder).preprocessing
    assert fed.resized == (40, 40) and fed.size == (32, 32) and fed.interpolation == "bicubic"
    assert checked(folder, tmp_path)["logits_error"] <= 1e-5


@needs("transformers")
def test_a_missing_head_is_refused_and_not_drawn(tmp_path: Path) -> None:
    folder = huggingface_folder(tmp_path / "model")
    state = {name: value for name, value in load_file(folder / "model.safetensors").items() if "classifier" not in name}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FairsalError, match=r"has no classifier\..*at random"):
        checked(folder, tmp_path)


@needs("transformers")
def test_a_head_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = huggingface_folder(tmp_path / "model")
    change_json(folder / "config.json", id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2})
    with pytest.raises(FairsalError, match=r"classifier"):
        checked(folder, tmp_path, positive=1, reads="softmax")


@needs("transformers")
@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_code_of_its_own_is_never_run(tmp_path: Path, name: str) -> None:
    folder = huggingface_folder(tmp_path / "model")
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    change_json(folder / name, auto_map={"AutoConfig": "mine.Config", "AutoModelForImageClassification": "mine.Model"})
    with pytest.raises(FairsalError, match="auto_map"):
        read_folder(folder)
    assert not (tmp_path / "ran").exists()


@needs("transformers")
@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"problem_type": "regression", "id2label": {"0": "age"}, "label2id": {"age": 0}}, "threshold=NUMBER"),
        ({"id2label": {"0": "age"}, "label2id": {"age": 0}}, "reads=sigmoid if it is a logit"),
    ],
)
def test_a_regression_is_asked_about(tmp_path: Path, changes: dict, asked: str) -> None:
    folder = huggingface_folder(tmp_path / "model", num_labels=1)
    change_json(folder / "config.json", **changes)
    reading = read_contents(look_into(folder), {})
    assert any(asked in question for question in reading.questions)
    assert read_folder(folder, reads="threshold", threshold="40").outputs.threshold == 40


@needs("transformers")
def test_without_a_processor_its_settings_are_assumed(tmp_path: Path) -> None:
    folder = huggingface_folder(tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    assert "preprocessor_config.json" in read_folder(folder).assumed[0]
    assert checked(folder, tmp_path)["logits_error"] <= 1e-5


@needs("transformers")
def test_quantised_weights_and_odd_labels_are_refused(tmp_path: Path) -> None:
    folder = huggingface_folder(tmp_path / "model")
    change_json(folder / "config.json", quantization_config={"load_in_8bit": True})
    with pytest.raises(FairsalError, match="quantised"):
        read_folder(folder)
    change_json(folder / "config.json", quantization_config=None, id2label={"3": "a", "9": "b"})
    (folder / "config.json").write_text(
        json.dumps({k: v for k, v in json.loads((folder / "config.json").read_text()).items() if v is not None})
    )
    with pytest.raises(FairsalError, match="number its 2 labels from 0"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ({"size": 64, "image_mean": HALF, "image_std": HALF}, {"resized": (64, 64), "size": (64, 64), "scale": 1.0}),
        ({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": True}, {"resized": (256, 256), "origin": (16, 16)}),
        ({"do_resize": False, "do_rescale": False, "do_normalize": False}, {"resized": (128, 128), "scale": 255.0, "mean": (0.0,)}),
        ({"size": {"height": 30, "width": 20}, "resample": 3}, {"resized": (30, 20), "interpolation": "bicubic"}),
    ],
)  # fmt: skip
def test_what_a_processor_says_is_understood(config: dict, settings: dict) -> None:
    chosen = processor_settings(config)
    assert {name: getattr(chosen, name) for name in settings} == settings


@pytest.mark.parametrize(
    "config", [[], {"size": {}}, {"resample": 5}, {"image_std": "x"}, {"size": {"height": "a", "width": 3}}]
)
def test_a_processor_that_cannot_be_followed_is_one_sentence(config: object) -> None:
    with pytest.raises(FairsalError):
        processor_settings(config)

"""What a folder may hold, and what is refused by its name alone: nothing of it is ever opened."""

import json
import os
from pathlib import Path

import pytest

from fairsal_core.classifiers.imported.contents import MOST_BYTES, look_into
from fairsal_core.errors import FairsalError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.pt", "pickled"),
        ("model.pth", "convert-state-dict"),
        ("pytorch_model.bin", "pickled"),
        ("model.ckpt", "pickled"),
        ("model.pkl", "pickled"),
        ("model.pt2", "exported program"),
        ("model.h5", "ONNX"),
        ("model.tflite", "ONNX"),
        ("modeling.py", "never run"),
        ("notes.txt", "no weights"),
    ],
)
def test_what_cannot_be_opened_safely_is_named(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(FairsalError, match=said):
        look_into(tmp_path)


def test_two_files_of_weights_are_asked_about(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.onnx"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(FairsalError, match=r"several files of weights \(a.safetensors, b.onnx\)"):
        look_into(tmp_path)
    assert look_into(tmp_path, "b.onnx").weights.name == "b.onnx"


def test_pickles_beside_good_weights_are_left_alone_and_said(tmp_path: Path) -> None:
    for name in ("model.safetensors", "pytorch_model.bin"):
        (tmp_path / name).write_bytes(b"x")
    assert look_into(tmp_path).ignored == ("pytorch_model.bin",)


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(4 * 2**30)
    with pytest.raises(FairsalError, match=r"has 4\.0 GB"):
        look_into(tmp_path)
    assert MOST_BYTES < 4 * 2**30


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "\x00"])
def test_json_that_is_none_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(FairsalError, match="cannot be read as JSON"):
        look_into(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
def test_links_that_lead_out_and_pipes_are_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.safetensors").write_bytes(b"x")
    (inside / "model.safetensors").symlink_to(tmp_path / "secret.safetensors")
    os.mkfifo(inside / "other.safetensors")
    with pytest.raises(FairsalError, match="no weights"):
        look_into(inside)


def test_a_file_and_nothing_are_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(FairsalError, match="give the folder"):
        look_into(tmp_path / "a.safetensors")
    with pytest.raises(FairsalError, match="no folder"):
        look_into(tmp_path / "b")

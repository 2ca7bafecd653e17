"""State dicts that were pickled, as safetensors; what wants more is not opened."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fairsal_core.classifiers import convert_state_dict
from fairsal_core.cli import main
from fairsal_core.errors import FairsalError
from tests.cli.helpers import said


def state() -> dict[str, torch.Tensor]:
    shared = torch.arange(6.0)
    return {"a": shared.view(2, 3), "b": shared[:2], "c": torch.rand(4, 3).T}


@pytest.mark.parametrize("inside", [None, "state_dict", "model"])
def test_tensors_are_written_as_they_are(tmp_path: Path, inside: str | None) -> None:
    torch.save({inside: state(), "epoch": 3} if inside else state(), tmp_path / "a.pth")
    shapes = convert_state_dict(tmp_path / "a.pth", tmp_path / "a.safetensors")
    assert shapes["a"] == (2, 3)
    written = load_file(tmp_path / "a.safetensors")
    assert written.keys() == shapes.keys() and torch.equal(written["a"], state()["a"])


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_what_would_run_is_not_opened(tmp_path: Path) -> None:
    mark, out = tmp_path / "ran", tmp_path / "a.safetensors"
    torch.save({"a": Payload(mark)}, tmp_path / "new.pth")
    torch.save({"a": Payload(mark)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Payload(mark)))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    for name in ("new.pth", "old.pth", "plain.pkl", "whole.pt"):
        with pytest.raises(FairsalError, match="holds more than tensors"):
            convert_state_dict(tmp_path / name, out)
    (tmp_path / "program.pt2").write_bytes(b"PK")
    with pytest.raises(FairsalError, match="exported program"):
        convert_state_dict(tmp_path / "program.pt2", out)
    assert not mark.exists() and not out.exists()


def test_other_files_are_one_sentence(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(FairsalError, match="no state dict"):
        convert_state_dict(tmp_path / "list.pth", tmp_path / "a.safetensors")
    with pytest.raises(FairsalError, match="cannot be read"):
        convert_state_dict(tmp_path / "none.pth", tmp_path / "a.safetensors")
    with (tmp_path / "huge.pth").open("wb") as file:
        file.truncate(4 * 2**30)
    with pytest.raises(FairsalError, match="cannot be read"):
        convert_state_dict(tmp_path / "huge.pth", tmp_path / "a.safetensors")


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(state(), tmp_path / "a.pth")
    assert (
        main(["convert-state-dict", str(tmp_path / "a.pth"), "--out", str(tmp_path / "b.safetensors"), "--json"]) == 0
    )
    assert said(capsys)["tensors"]["a"] == [2, 3]

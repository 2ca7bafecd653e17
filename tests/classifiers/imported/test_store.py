"""Importing whole folders: by a process of its own, into the workspace, and back as subjects."""

import json
from pathlib import Path

import pytest
import torch

from fairsal_core.classifiers import (
    CLASSIFIERS,
    Architecture,
    classifiers_folder,
    import_classifier,
    imported_subject,
    load_stored,
    remove_stored,
    stored_classifiers,
    take_upload,
)
from fairsal_core.classifiers.imported import inspection
from fairsal_core.classifiers.imported.inspection import inspect_folder
from fairsal_core.classifiers.imported.store import stored_manifest
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.registry import Registry
from tests.classifiers.imported.makers import put, torchvision_folder
from tests.helpers import noise_images

SAID = {"resize": 64, "crop": 64}


@pytest.mark.usefixtures("home")
def test_a_folder_becomes_a_subject(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "smile_net")
    classifier = import_classifier(folder, SAID)
    images = torch.rand(2, 3, 128, 128)
    logits = classifier(images)
    assert tuple(logits.shape) == (2, 2) and not classifier.training
    (stored,) = stored_classifiers()
    assert (stored.digest, stored.name) == (classifier.digest, "smile_net")
    assert {file.name for file in stored.files} == {"model.safetensors", "config.json"}
    subject = imported_subject("smile_net")
    assert subject.digest == classifier.digest == imported_subject(classifier.digest[:8]).digest
    torch.testing.assert_close(subject.load()(images), logits)
    assert not torch.allclose(subject.untrained(7)(images), logits)
    again = json.loads((classifiers_folder() / classifier.digest / "manifest.json").read_text())
    assert again["source"].startswith("torchvision ")


@pytest.mark.usefixtures("home")
def test_an_upload_that_comes_again_is_not_written_again() -> None:
    files = {"net.safetensors": b"weights", "config.json": b"{}"}
    folder = take_upload(files)
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert take_upload(files) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    assert take_upload({**files, "config.json": b"[]"}) != folder
    (folder / "config.json").write_bytes(b"something else")
    assert (take_upload(files) / "config.json").read_bytes() == b"{}"


@pytest.mark.usefixtures("home")
def test_the_same_twice_is_one_and_another_feeding_another(tmp_path: Path) -> None:
    folder = torchvision_folder(tmp_path / "net")
    first, again, other = put(folder, **SAID), put(folder, **SAID), put(folder, channels="BGR", **SAID)
    assert first.digest == again.digest != other.digest
    assert {each.digest for each in stored_classifiers()} == {first.digest, other.digest}
    with pytest.raises(FairsalError, match="by its digest"):
        imported_subject("net")
    remove_stored(other.digest)
    assert imported_subject("net").digest == first.digest


@pytest.mark.usefixtures("home")
def test_what_was_changed_in_the_store_is_refused(tmp_path: Path) -> None:
    digest = put(torchvision_folder(tmp_path / "net"), **SAID).digest
    weights = classifiers_folder() / digest / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(FairsalError, match="is not what was stored"):
        load_stored(digest)
    manifest = classifiers_folder() / digest / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"RGB"', '"BGR"'))
    with pytest.raises(FairsalError, match="is not what was stored"):
        stored_manifest(digest)
    assert stored_classifiers() == []


@pytest.mark.usefixtures("home")
def test_an_unknown_name_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FairsalError, match="none is stored yet"):
        imported_subject("anything")
    put(torchvision_folder(tmp_path / "smile_net"), **SAID)
    with pytest.raises(FairsalError, match="did you mean 'smile_net'"):
        imported_subject("smile_nut")


def test_an_installed_package_gives_a_classifier_with_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def ours() -> torch.nn.Module:
        layer = torch.nn.Linear(3, 2)
        torch.nn.init.constant_(layer.weight, 0.5)
        torch.nn.init.zeros_(layer.bias)
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), layer)

    monkeypatch.setattr(CLASSIFIERS, "_own", {**CLASSIFIERS._own, "ours": Architecture("ours", "Ours.", ours)})
    monkeypatch.setattr(Registry, "origin", lambda self, name: "our-package 1.0" if name == "ours" else "")
    subject = imported_subject("ours")
    assert subject.digest == imported_subject("ours").digest
    assert tuple(subject.load()(torch.rand(2, 3, 128, 128)).shape) == (2, 2)


def test_a_process_that_takes_too_long_or_too_much_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = torchvision_folder(tmp_path / "net")
    monkeypatch.setattr(inspection, "SECONDS", 0.2)
    with pytest.raises(FairsalError, match="more than 0 s"):
        inspect_folder(folder, SAID, noise_images(8))
    monkeypatch.setattr(inspection, "SECONDS", 300.0)
    monkeypatch.setattr(inspection, "MEMORY", 2**20)
    with pytest.raises(FairsalError, match="of memory"):
        inspect_folder(folder, SAID, noise_images(8))

    def stop(done: float, total: float, message: str = "") -> None:
        raise CancelledError

    monkeypatch.setattr(inspection, "MEMORY", 2**40)
    monkeypatch.setattr(inspection, "MOST_WRITTEN", -1)
    with pytest.raises(FairsalError, match="wrote more than"):
        inspect_folder(folder, SAID, noise_images(8))
    monkeypatch.setattr(inspection, "MOST_WRITTEN", 2**40)
    with pytest.raises(CancelledError):
        inspect_folder(folder, SAID, noise_images(8), stop)


def test_questions_come_back_without_a_check(tmp_path: Path) -> None:
    found = inspect_folder(torchvision_folder(tmp_path / "net", outputs=40), {}, noise_images(8))
    assert "which of the 40 outputs" in found.questions[0] and found.check == {}
    with pytest.raises(FairsalError, match=r"^Say which of the 40"):
        _ = found.manifest


def test_a_payload_in_the_weights_is_never_run(tmp_path: Path) -> None:
    """Named as if it were safe: nobody unpickles it, whatever it is called."""
    import pickle

    class Payload:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    folder = torchvision_folder(tmp_path / "net")
    for name in ("model.safetensors", "config.json"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(pickle.dumps(Payload()))
        with pytest.raises(FairsalError):
            inspect_folder(folder, SAID, noise_images(8))
        (folder / name).write_bytes(content)
    assert not (tmp_path / "ran").exists()

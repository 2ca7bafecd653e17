"""Region classifiers on disk: back bit by bit, or one sentence."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fairsal_core.errors import FairsalError
from fairsal_core.regions import PatchGrid, RegionClassifier
from fairsal_core.regions.classifier import build_network


def small(classes: int = 2) -> RegionClassifier:
    settings = {"width": 4, "position_width": 2}
    network = build_network("dense", classes, PatchGrid(), settings).eval()
    names = tuple(f"class {number}" for number in range(classes))
    return RegionClassifier(network, "Cue", names, tuple([1 / classes] * classes), settings=settings)


def test_saved_and_loaded_bit_by_bit(trained: RegionClassifier, tmp_path: Path) -> None:
    weights = trained.save(tmp_path / "deep" / "cue")
    assert weights == tmp_path / "deep" / "cue.safetensors"
    assert weights.stat().st_size < 2 * 2**20
    loaded = RegionClassifier.load(tmp_path / "deep" / "cue")
    for name, value in trained.network.state_dict().items():
        assert torch.equal(value, loaded.network.state_dict()[name]), name
    images = torch.rand(2, 3, 128, 128)
    # Saving drops the channels-last layout, so that sums may run in another order.
    torch.testing.assert_close(trained.logits(images), loaded.logits(images), atol=1e-5, rtol=1e-5)
    for name in ("attribute", "classes", "prior", "grid", "kind", "settings", "data", "training", "metrics"):
        assert getattr(loaded, name) == getattr(trained, name), name
    assert not loaded.network.training


@pytest.mark.parametrize("given", ["cue", "cue.safetensors", "cue.json"])
def test_any_of_the_names_will_do(tmp_path: Path, given: str) -> None:
    small().save(tmp_path / given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cue.json", "cue.safetensors"]
    assert RegionClassifier.load(str(tmp_path / given)).attribute == "Cue"


def test_names_with_dots(tmp_path: Path) -> None:
    small().save(tmp_path / "cue.v1.2")
    assert RegionClassifier.load(tmp_path / "cue.v1.2").attribute == "Cue"


def test_the_sidecar_says_all_it_takes_to_judge_it(tmp_path: Path) -> None:
    small().save(tmp_path / "cue")
    about = json.loads((tmp_path / "cue.json").read_text())
    assert about["grid"] == {"image_size": 128, "patch_size": 32, "per_side": 49}
    assert about["prior"] == [0.5, 0.5]
    assert set(about) >= {"format", "attribute", "classes", "kind", "settings", "data", "training", "metrics"}


@pytest.mark.parametrize("missing", ["cue.json", "cue.safetensors"])
def test_half_a_classifier(tmp_path: Path, missing: str) -> None:
    small().save(tmp_path / "cue")
    (tmp_path / missing).unlink()
    with pytest.raises(FairsalError, match=f"incomplete: .*{missing} is missing"):
        RegionClassifier.load(tmp_path / "cue")


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_weights_that_are_rubbish(tmp_path: Path, content: bytes) -> None:
    small().save(tmp_path / "cue")
    (tmp_path / "cue.safetensors").write_bytes(content)
    with pytest.raises(FairsalError, match="does not hold the weights of this region classifier"):
        RegionClassifier.load(tmp_path / "cue")


@pytest.mark.parametrize("content", ["", "rubbish", "[]", "{}", '{"grid": {"image_size": 128, "sides": 1}}'])
def test_a_sidecar_that_is_rubbish(tmp_path: Path, content: str) -> None:
    small().save(tmp_path / "cue")
    (tmp_path / "cue.json").write_text(content)
    with pytest.raises(FairsalError, match="is no region classifier of this version"):
        RegionClassifier.load(tmp_path / "cue")


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    small().save(tmp_path / "two")
    small(classes=3).save(tmp_path / "three")
    (tmp_path / "two.safetensors").rename(tmp_path / "three.safetensors")
    with pytest.raises(FairsalError, match="does not hold the weights of this region classifier"):
        RegionClassifier.load(tmp_path / "three")


def test_another_networks_file(tmp_path: Path) -> None:
    small().save(tmp_path / "cue")
    save_file({"weight": torch.zeros(3)}, tmp_path / "cue.safetensors")
    with pytest.raises(FairsalError, match="does not hold the weights of this region classifier"):
        RegionClassifier.load(tmp_path / "cue")


def test_logits_are_positions_by_classes() -> None:
    classifier, images = small(3), torch.rand(2, 3, 128, 128)
    logits = classifier.logits(images)
    assert logits.shape == (2, 49, 49, 3)
    with torch.no_grad():
        torch.testing.assert_close(logits[1, 4, 30], classifier.network(images)[1, :, 4, 30])


def test_logits_are_those_of_eval_mode() -> None:
    classifier, images = small(), torch.rand(2, 3, 128, 128)
    before = classifier.logits(images)
    classifier.network.train()
    assert torch.equal(classifier.logits(images), before)


@pytest.mark.parametrize("shape", [(3, 128, 128), (1, 1, 128, 128), (1, 3, 64, 128), (1, 128, 128, 3)])
def test_images_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(FairsalError, match=r"shape \(N, 3, 128, 128\), got"):
        small().logits(torch.rand(shape))


def test_an_unknown_setting_of_a_network() -> None:
    with pytest.raises(ValueError, match="widht"):
        build_network("dense", 2, PatchGrid(), {"widht": 8})

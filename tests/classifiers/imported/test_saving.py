"""Mitigated classifiers from elsewhere, back in their source's own format."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from fairsal_core.classifiers import (
    decisions,
    import_classifier,
    insert,
    load_stored,
    predict_scores,
    stored_classifiers,
)
from fairsal_core.classifiers.corrections import Decision, Erasure, GatedShift, Shift
from fairsal_core.classifiers.imported import saving
from fairsal_core.classifiers.imported.adapter import Adapter
from fairsal_core.classifiers.imported.saving import store_mitigated
from fairsal_core.classifiers.imported.store import classifiers_folder
from fairsal_core.errors import FairsalError
from tests.classifiers.imported.makers import huggingface_folder, timm_folder, torchvision_folder
from tests.classifiers.imported.test_store import put
from tests.extras import needs
from tests.helpers import noise_images

IMAGES = noise_images(4)


def stored(folder: Path, **said: object) -> Adapter:
    return load_stored(put(folder, **said).digest)


def tuned(classifier: Adapter) -> Adapter:
    with torch.no_grad():
        for value in classifier.parameters():
            value.add_(0.01)
    return classifier


@pytest.mark.usefixtures("home")
def test_weights_come_back_as_they_came(tmp_path: Path) -> None:
    classifier = stored(torchvision_folder(tmp_path / "net"), resize=64, crop=64)
    parent = classifier.manifest
    made = store_mitigated(tuned(classifier), parent, "fine_tune")
    assert (made.format, made.weights, made.parent, made.name) == (
        "torchvision",
        "model.safetensors",
        parent.digest,
        "net, fine_tune",
    )
    np.testing.assert_allclose(
        predict_scores(load_stored(made.digest), IMAGES), predict_scores(classifier, IMAGES), atol=1e-6
    )


@pytest.mark.usefixtures("home")
def test_the_folder_can_be_imported_again_by_whoever_takes_it(tmp_path: Path) -> None:
    classifier = stored(torchvision_folder(tmp_path / "net"), resize=64, crop=64)
    made = store_mitigated(tuned(classifier), classifier.manifest, "fine_tune")
    again = import_classifier(classifiers_folder() / made.digest)
    assert again.digest == made.digest


@pytest.mark.usefixtures("home")
def test_thresholds_become_rules_of_the_manifest(tmp_path: Path) -> None:
    classifier = stored(torchvision_folder(tmp_path / "net"), resize=64, crop=64)
    rules = torch.tensor([[0.0, 0.0, 1.0, 0.2, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.9, 1.0, 0.0, 0.0, 1.0]])
    insert(classifier, "network.fc", Decision(rules.double(), torch.tensor([0, 1])))
    made = store_mitigated(classifier, classifier.manifest, "threshold")
    back, groups = load_stored(made.digest), np.array([0, 1, 0, 1])
    scores = predict_scores(back, IMAGES)
    assert decisions(back, scores, groups).tolist() == decisions(classifier, scores, groups).tolist()
    assert made.rules is not None and made.digest != classifier.digest
    assert all("Corrected" not in type(module).__name__ for module in back.modules())


@pytest.mark.usefixtures("home")
def test_an_erasure_before_the_output_goes_into_its_weights(tmp_path: Path) -> None:
    classifier = stored(torchvision_folder(tmp_path / "net"), resize=64, crop=64)
    before = predict_scores(classifier, IMAGES)
    width = classifier.network.fc.in_features  # type: ignore[union-attr]
    direction = torch.nn.functional.normalize(torch.randn(width, generator=torch.Generator().manual_seed(1)), dim=0)
    correction = Erasure(50 * torch.outer(direction, direction), torch.ones(width))
    insert(classifier, "network.conv5", correction)
    wanted = predict_scores(classifier, IMAGES)
    assert np.abs(wanted - before).max() > 0.01
    made = store_mitigated(classifier, classifier.manifest, "leace")
    assert made.format == "torchvision" and made.weights == "model.safetensors"
    np.testing.assert_allclose(predict_scores(load_stored(made.digest), IMAGES), wanted, atol=1e-5)


@pytest.mark.usefixtures("home")
def test_a_shift_takes_its_level_along_and_a_gated_one_is_in_no_weights(tmp_path: Path) -> None:
    classifier = stored(torchvision_folder(tmp_path / "net"), resize=64, crop=64)
    width = classifier.network.fc.in_features  # type: ignore[union-attr]
    direction = torch.nn.functional.normalize(torch.randn(width, generator=torch.Generator().manual_seed(2)), dim=0)
    shifted, gated = copy.deepcopy(classifier), copy.deepcopy(classifier)
    insert(shifted, "network.conv5", Shift(direction, torch.tensor(3.0)))
    folded = saving._in_the_weights(shifted)
    assert folded is not None
    np.testing.assert_allclose(predict_scores(folded, IMAGES), predict_scores(shifted, IMAGES), atol=1e-5)
    insert(gated, "network.conv5", GatedShift(direction, torch.tensor(3.0), torch.tensor(0.0)))
    assert saving._in_the_weights(gated) is None
    insert(classifier, "network.stage2", Erasure(torch.eye(48), torch.zeros(48)))
    assert saving._in_the_weights(classifier) is None  # much lies between it and any linear layer


@pytest.mark.usefixtures("home")
def test_what_cannot_be_read_back_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = stored(torchvision_folder(tmp_path / "net"), resize=64, crop=64)

    def refuse(digest: str) -> Adapter:
        raise FairsalError("It cannot be read.")

    monkeypatch.setattr(saving, "load_stored", refuse)
    with pytest.raises(FairsalError, match="cannot be read"):
        store_mitigated(tuned(classifier), classifier.manifest, "fine_tune")
    assert [each.digest for each in stored_classifiers()] == [classifier.digest]


@needs("transformers")
@pytest.mark.usefixtures("home")
def test_a_folder_of_transformers_stays_one(tmp_path: Path) -> None:
    classifier = stored(huggingface_folder(tmp_path / "net"))
    made = store_mitigated(tuned(classifier), classifier.manifest, "fine_tune")
    from transformers import AutoModelForImageClassification

    model = AutoModelForImageClassification.from_pretrained(classifiers_folder() / made.digest, local_files_only=True)
    assert model.config.id2label == {0: "smiling", 1: "not smiling"}
    np.testing.assert_allclose(
        predict_scores(load_stored(made.digest), IMAGES), predict_scores(classifier, IMAGES), atol=1e-6
    )


@needs("timm")
@pytest.mark.usefixtures("home")
def test_a_network_of_timm_stays_one(tmp_path: Path) -> None:
    classifier = stored(timm_folder(tmp_path / "net"))
    made = store_mitigated(tuned(classifier), classifier.manifest, "fine_tune")
    assert {file.name for file in made.files} == {"model.safetensors", "config.json"} and made.format == "timm"


def test_other_networks_are_refused() -> None:
    with pytest.raises(FairsalError, match="imported classifier"):
        store_mitigated(torch.nn.Linear(1, 1), None, "x")  # type: ignore[arg-type]

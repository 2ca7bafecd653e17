"""A stored classifier as a subject: the same logits, known by a digest, and its twin with random weights."""

from pathlib import Path

import pytest
import torch

from fairsal_core.classifiers import build_classifier, save_classifier, stored_subject


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_classifier(build_classifier("three_conv"), tmp_path / "original-seed3.safetensors")
    return tmp_path / "original-seed3.safetensors"


@torch.inference_mode()
def test_it_gives_the_logits_of_its_file(weights: Path) -> None:
    torch.manual_seed(0)
    expected = build_classifier("three_conv").eval()
    subject = stored_subject("original", 3, "three_conv", weights)
    classifier = subject.load()
    images = torch.rand(2, 3, 128, 128)
    assert not classifier.training
    assert torch.equal(classifier(images), expected(images))
    assert (subject.name, subject.seed, subject.architecture) == ("original", 3, "three_conv")


def test_its_digest_is_of_the_weights_alone(weights: Path, tmp_path: Path) -> None:
    subject = stored_subject("original", 3, "three_conv", weights)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(weights.read_bytes())
    assert stored_subject("fine_tune", 0, "three_conv", copy).digest == subject.digest
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    copy.write_bytes(changed)
    assert stored_subject("original", 3, "three_conv", copy).digest != subject.digest


def test_the_untrained_twin_is_the_same_every_time_and_leaves_the_generator_alone(weights: Path) -> None:
    subject = stored_subject("original", 3, "three_conv", weights)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    twins = [subject.untrained(seed).state_dict() for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(3), expected)
    first, again, other = (twin["1.weight"] for twin in twins)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)

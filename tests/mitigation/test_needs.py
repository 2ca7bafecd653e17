"""What methods need is looked for in the subject and its faces."""

import pytest
from torch import nn

from fairsal_core.classifiers import Subject, build_classifier
from fairsal_core.mitigation import METHODS, NEEDS, Given, unmet


def subject_of(network: nn.Module) -> Subject:
    return Subject("original", 0, "three_conv", "digest", lambda: network.eval(), lambda seed: network)


def mean_colour() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))


def test_every_method_fits_what_fairsal_trains() -> None:
    for architecture in ("three_conv", "resnet18"):
        given = Given(subject_of(build_classifier(architecture)))
        assert {name: unmet(method.needs, given) for name, method in METHODS.items()} == {name: [] for name in METHODS}


def test_a_network_without_maps_has_no_layer_to_correct() -> None:
    given = Given(subject_of(mean_colour()))
    lacking = {name for name, method in METHODS.items() if unmet(method.needs, given)}
    assert lacking == {"a_clarc", "p_clarc", "r_clarc", "rr_clarc", "leace", "masktune"}
    assert unmet(METHODS["leace"].needs, given) == ["a layer"]


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        (
            Given(subject_of(mean_colour()), confounder_labels=False, groups_at_validation=False),
            set(METHODS) - {"fine_tune", "rwy", "suby", "jtt"},
        ),
        (
            Given(subject_of(build_classifier("three_conv")), groups_at_validation=False),
            set(METHODS) - {"fine_tune", "rwy", "suby", "jtt", "masktune"},
        ),
        (
            Given(subject_of(build_classifier("three_conv")), groups_at_prediction=False),
            {"threshold"},
        ),
    ],
    ids=["labels", "validation", "groups"],
)
def test_labels_and_groups_may_be_missing(given: Given, lacking: set[str]) -> None:
    assert {name for name, method in METHODS.items() if unmet(method.needs, given)} == lacking


def test_what_nobody_can_look_for_is_not_there() -> None:
    assert unmet(("a layer", "a second opinion"), Given(subject_of(build_classifier("three_conv")))) == [
        "a second opinion"
    ]
    assert all(need in NEEDS for method in METHODS.values() for need in method.needs)

"""A scheme says what it is in fields; what its name sounds like does not count."""

from typing import Any

import pytest
import torch
from torch import Tensor

from fairsal_core.errors import FairsalError
from fairsal_core.registry import Registry
from fairsal_core.schemes import NOISE_DOMAINS, SCHEMES, Scheme
from fairsal_core.schemes.registry import problem_of


def smear(images: Tensor, selected: Tensor, fill: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.where(selected, images.mean(), images)


def scheme(name: str, scope: Any, **fields: Any) -> Scheme:
    return Scheme(name, "For a test.", scope, fields.pop("hide", smear), **fields)


def test_what_the_papers_four_say_of_themselves() -> None:
    assert [
        (one.name, one.scope, one.kind, one.general, one.epochs, list(one.domains)) for one in SCHEMES.values()
    ] == [
        ("general_mask", "general", "mask", "general_mask", "mask_epochs", []),
        ("specific_mask", "specific", "mask", "general_mask", "mask_epochs", []),
        ("general_noise", "general", "noise", "general_noise", "training.epochs", ["pixel", "normalised"]),
        ("specific_noise", "specific", "noise", "general_noise", "training.epochs", ["pixel", "normalised"]),
    ]


def test_what_a_scheme_need_not_say() -> None:
    occluder = scheme("face_occluder", "general")
    assert (occluder.kind, occluder.general, occluder.epochs, occluder.domains) == (
        "other",
        "face_occluder",
        "training.epochs",
        {},
    )
    assert scheme("a", "general", kind="mask").epochs == "mask_epochs"
    assert scheme("a", "general", kind="mask", epochs="training.epochs").epochs == "training.epochs"
    assert scheme("a", "general", kind="noise").epochs == "training.epochs"
    assert len({occluder, scheme("face_occluder", "general")}) == 1  # they can be hashed


def test_schemes_that_fit() -> None:
    noise = {"pixel": smear, "elsewhere": SCHEMES["general_mask"].hide}
    more = [
        scheme("specific_smear", "specific", general="face_occluder", kind="mask"),
        scheme("face_occluder", "general"),
        scheme("mask_of_noise", "general", kind="noise", domains=noise),
        scheme("noisy", "specific", kind="noise", general="mask_of_noise", domains=noise),
        scheme("calm", "specific", general="mask_of_noise"),
    ]
    assert len(Registry("scheme", "fairsal.tests", Scheme, more, problem_of)) == 5


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (scheme("x", "general", general="general_mask"), "it is general, so its general scheme is not 'general_mask'"),
        (scheme("x", "specific"), "it needs a general scheme that hides the same way, and '' is none"),
        (scheme("x", "specific", general="face_occluder"), "hides the same way, and 'face_occluder' is none"),
        (scheme("x", "specific", general="specific_mask"), "hides the same way, and 'specific_mask' is none"),
        (scheme("x", "specific", general="x"), "hides the same way, and 'x' is none"),
        (scheme("x", "both"), "its scope is one of general, specific, not 'both'"),
        (scheme("x", "general", kind="blur"), "its kind is one of mask, noise, other, not 'blur'"),
        (scheme("x", "general", epochs="20"), "its epochs is one of training.epochs, mask_epochs, not '20'"),
        (scheme("x", "general", domains={"pixel": smear}), "domains are for noise"),
        (scheme("x", "general", kind="noise", domains=NOISE_DOMAINS), "'pixel' is the one where it does what it does"),
        (scheme("x", "general", kind="noise", domains={"lab": smear}), "'pixel' is the one where it does what it does"),
        (
            scheme("x", "general", kind="noise", domains={"pixel": smear, "p=1": smear}),
            "'p=1' cannot be part of a variant's name",
        ),
        (
            scheme("x", "specific", kind="noise", general="general_noise", domains={"pixel": smear, "lab": smear}),
            "its general scheme general_noise has no noise domain 'lab'",
        ),
    ],
)
def test_schemes_that_do_not_fit(wrong: Scheme, problem: str) -> None:
    with pytest.raises(FairsalError, match="The scheme 'x' cannot be registered: ") as caught:
        Registry("scheme", "fairsal.tests", Scheme, [*SCHEMES.values(), wrong], problem_of)
    assert problem in str(caught.value)

"""One trained toy classifier and its faces for all tests of mitigation."""

import pytest
from torch import nn

from fairsal_core.mitigation import LabelledFaces
from tests.mitigation.networks import toy_faces, trained_toy


@pytest.fixture(scope="session")
def biased() -> nn.Module:
    return trained_toy()


@pytest.fixture(scope="session")
def fit() -> LabelledFaces:
    return toy_faces(240, seed=1)


@pytest.fixture(scope="session")
def validation() -> LabelledFaces:
    return toy_faces(240, seed=2)


@pytest.fixture(scope="session")
def unseen() -> LabelledFaces:
    return toy_faces(400, seed=3)

"""What if this were hidden: rectangles, parts and region maps; scores that move, with intervals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import Subject
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.what_if import Area, hide_in, moved, moved_on_average, ways
from fairsal_core.faces import FaceDataset, Roi
from fairsal_core.regions import bundled_classifier


class Corner(nn.Module):
    """Says yes of faces whose upper left corner is brighter than most."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(20.0))

    def forward(self, images: Tensor) -> Tensor:
        bright = (images[:, :, :16, :16].mean(dim=(1, 2, 3)) - 0.5) * self.weight
        return torch.stack([-bright, bright], dim=1)


CORNER, ELSEWHERE = Roi(0, 0, 16, 16), Roi(100, 100, 16, 16)


@pytest.fixture(scope="module")
def few(drawn: FaceDataset) -> FaceDataset:
    return drawn.take(range(12))


@pytest.mark.parametrize("way", ["general_mask", "general_noise", "blur"])
def test_only_what_is_hidden_changes(few: FaceDataset, way: str) -> None:
    hidden = hide_in(few, Area(CORNER), way)
    inside = np.zeros((128, 128), dtype=bool)
    inside[:16, :16] = True
    np.testing.assert_array_equal(hidden.images[:, ~inside], few.images[:, ~inside])
    assert (hidden.images[:, inside] != few.images[:, inside]).any()


def test_every_general_scheme_is_a_way() -> None:
    assert {"general_mask", "general_noise", "blur"} <= set(ways())
    assert not [name for name in ways() if name.startswith("specific")]


def test_scores_move_where_the_network_looks_and_nowhere_else(few: FaceDataset) -> None:
    groups = few.labels("Blond_Hair")
    there = moved(Corner().eval(), hide_in(few, Area(CORNER), "general_mask"), groups)
    assert there["after"].nunique() == 1
    assert not np.allclose(there["before"], there["after"])
    nowhere = moved(Corner().eval(), hide_in(few, Area(ELSEWHERE), "general_mask"), groups)
    np.testing.assert_allclose(nowhere["before"], nowhere["after"])


def test_a_part_is_hidden_in_faces_that_have_it(few: FaceDataset) -> None:
    hidden = hide_in(few, Area(part="Blond_Hair"), "general_mask")
    assert len(hidden.faces) + hidden.without == len(few)
    assert hidden.masks.any(axis=(1, 2)).all()
    without = few.take(np.flatnonzero(~few.labels("Eyeglasses")))
    with pytest.raises(FairsalError, match="nothing there to hide"):
        hide_in(without, Area(part="Eyeglasses"), "general_mask")


def test_the_top_of_each_faces_own_region_map_is_hidden(few: FaceDataset) -> None:
    area = Area(regions=bundled_classifier("Blond_Hair"), share=0.2)
    shares = hide_in(few, area, "general_mask").masks.mean(axis=(1, 2))
    assert (shares <= 0.2).all()
    assert (shares > 0.1).all()


def test_means_have_intervals_by_group_and_no_face_is_scored_twice(home: Path, few: FaceDataset) -> None:
    network, passes = Corner().eval(), []
    network.register_forward_pre_hook(lambda module, arguments: passes.append(len(arguments[0])))
    subject = Subject("corner", 0, "corner", "corner", lambda: network, lambda seed: network)
    blond = few.labels("Blond_Hair")
    groups = {"all": np.ones(len(few), dtype=bool), "blond": blond, "nobody": np.zeros(len(few), dtype=bool)}
    hidden = hide_in(few, Area(ELSEWHERE), "general_mask")
    table = moved_on_average({"corner": subject}, hidden, groups, blond)
    assert sum(passes) == 2 * len(few)
    again = moved_on_average({"corner": subject}, hide_in(few, Area(ELSEWHERE), "general_mask"), groups, blond)
    assert sum(passes) == 2 * len(few)
    pd.testing.assert_frame_equal(table, again)
    moved_on_average({"corner": subject}, hide_in(few, Area(CORNER), "general_mask"), groups, blond)
    assert sum(passes) == 3 * len(few)
    assert table["group"].tolist() == ["all", "blond"]
    everyone = table.iloc[0]
    assert (everyone["changed"], everyone["low"]) == (0, 0)
    assert 0.1 < everyone["high"] < 0.4  # Wilson's of 0 of 12
    assert (everyone["score"], everyone["n"]) == (0, 12)

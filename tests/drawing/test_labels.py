"""Labels: CelebA's columns, independence, the split."""

from itertools import combinations

import numpy as np

from fairsal_core.drawing.labels import CELEBA_ATTRIBUTES, DRAWN_ATTRIBUTES, draw_labels, split_of


def test_there_are_celebas_forty_columns() -> None:
    assert len(CELEBA_ATTRIBUTES) == len(set(CELEBA_ATTRIBUTES)) == 40
    assert set(DRAWN_ATTRIBUTES) <= set(CELEBA_ATTRIBUTES)


def test_labels_are_drawn_independently() -> None:
    labels = [draw_labels(0, index) for index in range(1, 3001)]
    names = ("Male", "Blond_Hair", "Eyeglasses", "Smiling", "Wearing_Hat", "Wearing_Necktie", "Bangs")
    table = {name: np.array([row[name] for row in labels], dtype=float) for name in names}
    for name, values in table.items():
        assert 0.35 < values.mean() < 0.55, name
    for one, other in combinations(names, 2):
        # Phi of 3,000 independent draws has a standard deviation of 0.018.
        assert abs(np.corrcoef(table[one], table[other])[0, 1]) < 0.075, (one, other)


def test_hair_colours_exclude_each_other() -> None:
    hair = ("Blond_Hair", "Black_Hair", "Brown_Hair", "Gray_Hair")
    assert {sum(draw_labels(1, index)[name] for name in hair) for index in range(1, 301)} == {0, 1}


def test_split_is_eight_one_one_in_every_ten() -> None:
    splits = [split_of(0, index) for index in range(1, 201)]
    for start in range(0, 200, 10):
        block = splits[start : start + 10]
        assert (block.count(0), block.count(1), block.count(2)) == (8, 1, 1)
    assert splits[:100] == [split_of(0, index) for index in range(1, 101)]
    assert splits != [split_of(1, index) for index in range(1, 201)]

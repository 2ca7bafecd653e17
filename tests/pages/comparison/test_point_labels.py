"""Names beside points lie apart."""

from itertools import combinations

import numpy as np

from pages.components.comparison.point_labels import HEIGHT, LETTER, LINE, PLACES, WIDTH, _box, _overlap, label_places


def test_names_of_points_that_meet_lie_apart() -> None:
    names = ["rr_clarc", "fine_tune", "a_clarc", "p_clarc", "alone"]
    x, y = [0.10, 0.10, 0.11, 0.10, 0.9], [0.70, 0.71, 0.70, 0.69, 0.2]
    places = label_places(x, y, names, 1.0, 1.0)
    assert places[-1] == "top right"
    boxes = [
        _box(np.array([across * WIDTH, down * HEIGHT]), PLACES[place], LETTER * len(name), LINE)
        for across, down, place, name in zip(x, y, places, names, strict=True)
    ]
    assert not [(a, b) for a, b in combinations(range(5), 2) if _overlap(boxes[a], boxes[b])]
    assert label_places([], [], [], 1.0, 1.0) == []

"""One face: exact part labels, and each label in its own part alone."""

import numpy as np
import pytest

from fairsal_core.drawing import PARTS, draw_face
from fairsal_core.drawing.labels import draw_labels
from fairsal_core.errors import FairsalError

OWN_PART = {
    "Eyeglasses": {"eye_g"},
    "Wearing_Hat": {"hat"},
    "Wearing_Necktie": {"necktie"},
    "Smiling": {"mouth", "u_lip", "l_lip"},
    "Mouth_Slightly_Open": {"mouth", "u_lip", "l_lip"},
    "Blond_Hair": {"hair"},
}


def test_seeds_give_different_faces() -> None:
    assert draw_face(0, 1).image.tobytes() != draw_face(1, 1).image.tobytes()
    assert draw_labels(0, 1) == draw_face(0, 1).attributes


def test_parts_are_there_exactly_when_their_label_is() -> None:
    for index in range(1, 41):
        face = draw_face(5, index)
        counts = np.bincount(np.asarray(face.parts).ravel(), minlength=20)
        for label, part in (("Eyeglasses", "eye_g"), ("Wearing_Hat", "hat"), ("Wearing_Necktie", "necktie")):
            assert (counts[PARTS[part]] > 60) == (counts[PARTS[part]] > 0) == face.attributes[label]
        for part in ("mouth", "u_lip", "l_lip", "hair", "skin", "nose", "cloth", "background"):
            assert counts[PARTS[part]] > 0, part


@pytest.mark.parametrize("label", OWN_PART)
def test_a_label_shows_in_its_own_part_only(label: str) -> None:
    """The ground truth of every map: the same face with and without differs in the part, and nowhere else."""
    own = [PARTS[name] for name in OWN_PART[label]]
    for index in range(1, 13):
        with_it, without = (draw_face(2, index, {**no_other_hair(label), label: value}) for value in (True, False))
        part = np.isin(np.asarray(with_it.parts), own) | np.isin(np.asarray(without.parts), own)
        changed = (np.asarray(with_it.image, dtype=int) != np.asarray(without.image, dtype=int)).any(axis=2)
        assert changed[part].any()
        # A tip thinner than a pixel tints the picture where the sampled label misses it: a handful of 38,804 pixels.
        assert np.count_nonzero(changed[~grown(part)]) <= 6


def no_other_hair(label: str) -> dict[str, bool]:
    return dict.fromkeys(("Black_Hair", "Brown_Hair", "Gray_Hair"), False) if label == "Blond_Hair" else {}


def grown(part: np.ndarray, by: int = 2) -> np.ndarray:
    """Return the mask with a rim: the edge pixel that is half covered, and the blur of at most one more."""
    padded = np.pad(part, by)
    height, width = part.shape
    steps = range(2 * by + 1)
    return np.any([padded[y : y + height, x : x + width] for y in steps for x in steps], axis=0)


def test_unknown_change_names_the_nearest() -> None:
    with pytest.raises(FairsalError, match="Wearing_Hat"):
        draw_face(0, 1, {"Wearing_Hatt": True})

"""The labels of a face and its split: CelebA's columns, which of them are drawn, and how often."""

import random
from collections.abc import Mapping

from fairsal_core.drawing.streams import Streams
from fairsal_core.errors import unknown_name

_COLUMNS = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair "
    "Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks "
    "Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
)
CELEBA_ATTRIBUTES: tuple[str, ...] = tuple(_COLUMNS.split())
"""The 40 attribute columns of CelebA, in the order of `list_attr_celeba.txt`."""

_CHANCES: dict[str, float] = {
    "Male": 0.5,
    "Blond_Hair": 0.4,
    "Eyeglasses": 0.4,
    "Smiling": 0.45,
    "Wearing_Hat": 0.4,
    "Wearing_Necktie": 0.4,
    "Bangs": 0.4,
    "Mouth_Slightly_Open": 0.45,
}
_OTHER_HAIR = ("Black_Hair", "Brown_Hair", "Gray_Hair")

DRAWN_ATTRIBUTES: tuple[str, ...] = (*_CHANCES, *_OTHER_HAIR)
"""The attributes that show in the drawings; every other column is -1 throughout."""


def draw_labels(seed: int, index: int) -> dict[str, bool]:
    """Return the labels of face `index`, drawn independently of one another (hair colours exclude each other).

    Examples
    --------
    >>> labels = draw_labels(seed=0, index=1)
    >>> tuple(labels) == DRAWN_ATTRIBUTES
    True
    """
    rng = Streams(seed, index)("labels")
    labels = {name: rng.random() < chance for name, chance in _CHANCES.items()}
    # One time in five the other hair is copper or dyed, for which CelebA has no column.
    other = rng.choice([*_OTHER_HAIR, "Black_Hair", ""])
    for name in _OTHER_HAIR:
        labels[name] = not labels["Blond_Hair"] and other == name
    return labels


def changed(labels: dict[str, bool], changes: Mapping[str, bool]) -> dict[str, bool]:
    """Return the labels with these set otherwise; an attribute that is not drawn is an error that names the nearest."""
    for name in changes:
        if name not in labels:
            raise unknown_name("drawn attribute", name, DRAWN_ATTRIBUTES)
    return labels | dict(changes)


def split_of(seed: int, index: int) -> int:
    """Return the split of face `index`: 0 train, 1 validation, 2 test. Of every ten in a row one is 1 and one is 2."""
    block, place = divmod(index - 1, 10)
    validation, test = random.Random(f"{seed}/split/{block}").sample(range(10), 2)
    return 1 if place == validation else 2 if place == test else 0

"""Part masks: which pixels belong to hair, eyeglasses, mouth, hat or necktie, where a set knows.

Masks are 8-bit label PNGs named like the image, in CelebAMask-HQ's class numbers (Lee et al. 2020) plus 19 for the
necktie, which CelebAMask-HQ does not have; 255 is "unknown".
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.roi import PixelRoi

PART_OF: dict[str, tuple[int, ...]] = {
    "Blond_Hair": (13,),
    "Eyeglasses": (3,),
    "Smiling": (10, 11, 12),
    "Wearing_Hat": (14,),
    "Wearing_Necktie": (19,),
}


def part_mask(faces: FaceDataset, name: str, attribute: str, size: int = 128) -> NDArray[np.bool_]:
    """Return where in face `name` the part lives that shows `attribute`: (size, size) bool, perhaps all False.

    Raises
    ------
    FairsalError
        If the set has no part masks, or none for this face or attribute.
    """
    if attribute not in PART_OF:
        raise unknown_name("part mask for attribute", attribute, PART_OF)
    if faces.parts_folder is None:
        raise FairsalError(f"'{faces.name}' has no part masks.")
    path = faces.parts_folder / f"{Path(name).stem}.png"
    if not path.is_file():
        raise FairsalError(f"'{faces.name}' has no part mask for {name}.")
    try:
        with Image.open(path, formats=("PNG",)) as image:
            labels = np.asarray(image.resize((size, size), Image.Resampling.NEAREST))
    except (OSError, SyntaxError, ValueError) as error:
        raise FairsalError(f"The part mask {path} does not decode; the file may be cut short or damaged.") from error
    return np.isin(labels, PART_OF[attribute])


def part_roi(faces: FaceDataset, attribute: str, size: int = 128) -> PixelRoi:
    """Return each face's own region, where the part lives that shows `attribute`; empty for a face whose mask is missing.

    Raises
    ------
    FairsalError
        If the set has no part masks at all, or none for this attribute.
    """
    if attribute not in PART_OF:
        raise unknown_name("part mask for attribute", attribute, PART_OF)
    if faces.parts_folder is None:
        raise FairsalError(f"'{faces.name}' has no part masks; choose another region of interest.")
    masks = np.zeros((len(faces), size, size), dtype=bool)
    for row in np.flatnonzero(has_parts(faces)).tolist():
        masks[row] = part_mask(faces, str(faces.names[row]), attribute, size)
    return PixelRoi(masks)


def has_parts(faces: FaceDataset) -> NDArray[np.bool_]:
    """Return which faces have part masks, (N,) bool."""
    known = set() if faces.parts_folder is None else {path.stem for path in faces.parts_folder.glob("*.png")}
    return np.array([Path(str(name)).stem in known for name in faces.names], dtype=bool)

"""Make `fairsal_core/scan/bundled/mean_parts.npy`: `python -m benchmarks.mean_parts [--faces 1500]`, or compare with a set's masks.

How much of each of 32 x 32 fields of the aligned frame is of each part, over drawn faces, in 1/255. `--data FOLDER` says how well
that stands in for the masks that a set has: the share of their known fields that is put to the right part, and chance.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from fairsal_core.drawing import draw_face
from fairsal_core.faces import load_table
from fairsal_core.scan import FACE_PARTS, mean_parts, parts_in

OUT = Path(__file__).resolve().parents[1] / "fairsal_core" / "scan" / "bundled" / "mean_parts.npy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=1500)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    if options.data:
        compare(options.data)
        return
    total = np.zeros((len(FACE_PARTS), 32, 32))
    for index in range(1, options.faces + 1):
        total += parts_in(np.asarray(draw_face(0, index).parts))
    OUT.parent.mkdir(exist_ok=True)
    np.save(OUT, np.round(255 * total / options.faces).astype(np.uint8))


def compare(data: Path) -> None:
    faces = load_table(data)
    assert faces.parts_folder is not None
    own = []
    for path in sorted(faces.parts_folder.glob("*.png")):
        with Image.open(path) as picture:
            own.append(parts_in(np.asarray(picture)))
    masks = np.stack(own)
    known = masks.sum(axis=1)
    expected = (masks * mean_parts()).sum(axis=1)[known > 0.5] / known[known > 0.5]
    chance = (masks.mean(axis=(0, 2, 3)) ** 2).sum()
    print(
        f"{len(masks)} faces: {expected.mean():.2f} of what is known is put to the right part, by area alone {chance:.2f}"
    )
    for part, drawn, theirs in zip(FACE_PARTS, mean_parts(), masks.mean(axis=0), strict=True):
        alike = np.corrcoef(drawn.ravel(), theirs.ravel())[0, 1]
        print(f"{part:16} {drawn.mean():.3f} of the frame drawn, {theirs.mean():.3f} there, r = {alike:.2f}")


if __name__ == "__main__":
    main()

"""How much of a map's top tenth lies in the part that shows the attribute, on every face that has a part mask.

`python -m benchmarks.parts --data FOLDER --regions FILE... [--measure information_gain] [--json]`

`FILE` are region classifiers that `train-regions --out` wrote. Pixels outside of a mask's frame do not count; chance is the part's
share of the others.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fairsal_core.faces import PART_OF, FaceDataset, load_faces, part_mask
from fairsal_core.regions import DEFAULT_MEASURE, RegionClassifier, pixel_maps, region_maps

TOP = 0.1
_UNKNOWN = 255


def share_in_part(classifier: RegionClassifier, faces: FaceDataset, measure: str) -> dict[str, Any] | None:
    """Return the mean share of the top tenth of pixels inside the part, and chance; None if no face shows the part."""
    assert faces.parts_folder is not None
    found = []
    for position, name in enumerate(faces.names):
        path = faces.parts_folder / f"{Path(name).stem}.png"
        if path.is_file() and (inside := part_mask(faces, name, classifier.attribute)).any():
            with Image.open(path) as picture:
                known = np.asarray(picture.resize(inside.shape[::-1], Image.Resampling.NEAREST)) != _UNKNOWN
            found.append((position, inside, known))
    if not found:
        return None
    maps = pixel_maps(
        region_maps(classifier, faces.take([position for position, *_ in found]).images, measure), classifier
    )
    shares, chances = [], []
    for values, (_, inside, known) in zip(maps, found, strict=True):
        top = np.argsort(-values[known])[: round(TOP * known.sum())]
        shares.append(inside[known][top].mean())
        chances.append(inside[known].mean())
    return {
        "faces": len(found),
        "share": round(float(np.mean(shares)), 3),
        "chance": round(float(np.mean(chances)), 3),
        "faces_above_chance": int((np.array(shares) > np.array(chances)).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--regions", type=Path, nargs="+", required=True)
    parser.add_argument("--measure", default=DEFAULT_MEASURE)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    faces = load_faces(options.data)
    classifiers = [RegionClassifier.load(path) for path in options.regions]
    rows = {
        classifier.attribute: share_in_part(classifier, faces, options.measure)
        for classifier in classifiers
        if classifier.attribute in PART_OF
    }
    print(json.dumps(rows, indent=2) if options.json else "\n".join(f"{name:16} {row}" for name, row in rows.items()))


if __name__ == "__main__":
    main()

"""How well pixel maps find the part that shows the attribute: ROC-AUC on held-out drawn faces, for every measure.

`python -m benchmarks.map_truth [--faces 200] [--json]`
"""

import argparse
import json

import numpy as np
from sklearn.metrics import roc_auc_score

from fairsal_core.faces import DEMO, FaceDataset, load_faces, part_mask
from fairsal_core.regions import (
    MEASURES,
    RegionClassifier,
    bundled_attributes,
    bundled_classifier,
    pixel_maps,
    region_maps,
)


def faces_with_part(faces: FaceDataset, attribute: str, count: int) -> tuple[FaceDataset, list[np.ndarray]]:
    """Return up to `count` faces in which the part can be seen, and its masks."""
    masks = {name: part_mask(faces, name, attribute) for name in faces.names}
    seen = [position for position, name in enumerate(faces.names) if masks[name].any()][:count]
    chosen = faces.take(seen)
    return chosen, [masks[name] for name in chosen.names]


def mean_auc(classifier: RegionClassifier, faces: FaceDataset, masks: list[np.ndarray], measure: str) -> float:
    """Return the mean over faces of the ROC-AUC of the map against the part's mask."""
    maps = pixel_maps(region_maps(classifier, faces.images, measure), classifier)
    return float(
        np.mean([roc_auc_score(mask.ravel(), values.ravel()) for mask, values in zip(masks, maps, strict=True)])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    test = load_faces(DEMO).in_split("test")
    rows = {}
    for attribute in bundled_attributes():
        classifier = bundled_classifier(attribute)
        faces, masks = faces_with_part(test, attribute, options.faces)
        rows[attribute] = {"faces": len(faces)} | {
            measure: round(mean_auc(classifier, faces, masks, measure), 3) for measure in MEASURES
        }
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for attribute, row in rows.items():
        print(f"{attribute:16}", *(f"{name} {value}" for name, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()

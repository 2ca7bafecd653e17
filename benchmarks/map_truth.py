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

RARE = 0.25


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


def averaged(rows: list[dict[str, float]]) -> dict[str, float | str]:
    """Return each measure's mean over attributes, and which is highest."""
    if not rows:
        return {"attributes": 0}
    means = {measure: round(float(np.mean([row[measure] for row in rows])), 3) for measure in MEASURES}
    return {"attributes": len(rows), **means, "best": max(means, key=lambda measure: means[measure])}


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
        about = {"faces": len(faces), "base_rate": round(classifier.prior[1], 3)}
        rows[attribute] = about | {
            measure: round(mean_auc(classifier, faces, masks, measure), 3) for measure in MEASURES
        }
    summary = {
        "all attributes": averaged(list(rows.values())),
        f"base rate below {RARE:g}": averaged([row for row in rows.values() if row["base_rate"] < RARE]),
    }
    if options.json:
        print(json.dumps({"attributes": rows, "means": summary}, indent=2))
        return
    for name, row in (rows | summary).items():
        print(f"{name:22}", *(f"{key} {value}" for key, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()

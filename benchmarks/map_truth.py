"""How well pixel maps find the part that shows the attribute: ROC-AUC against part masks, for every measure and for the evidence.

`python -m benchmarks.map_truth [--data FOLDER] [--faces 200] [--json]`

Without a folder: the bundled region classifiers of the drawn faces, on held-out ones that show the part. With a folder of
photographs that have part masks: the bundled atlas, on the faces that carry the attribute and show the part; pixels that a mask
does not know are left out. `evidence` is the map of log2 p(attribute | patch) / p(attribute); `ideal` is the map of whoever knows
of each patch how much of it the part covers: what patches of this size allow.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from fairsal_core.drawing import DEMO
from fairsal_core.faces import PART_OF, FaceDataset, load_faces, part_mask
from fairsal_core.regions import (
    MEASURES,
    PatchGrid,
    RegionClassifier,
    bundled_attributes,
    bundled_classifier,
    evidence,
    load_atlas,
    pixel_maps,
    region_maps,
    to_pixel_map,
)
from fairsal_core.tensors import resident, to_unit

RARE = 0.25
_UNKNOWN = 255
_AT_ONCE = 16
Masks = list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]


def faces_with_part(faces: FaceDataset, attribute: str, count: int) -> tuple[FaceDataset, Masks]:
    """Return up to `count` faces in which the part can be seen, and of each where it is and which pixels are known."""
    seen, masks = [], []
    for position, name in enumerate(faces.names):
        assert faces.parts_folder is not None
        path = faces.parts_folder / f"{Path(name).stem}.png"
        if len(seen) == count or not path.is_file():
            continue
        inside = part_mask(faces, name, attribute)
        if inside.any():
            with Image.open(path) as picture:
                known = np.asarray(picture.resize(inside.shape[::-1], Image.Resampling.NEAREST)) != _UNKNOWN
            seen.append(position)
            masks.append((inside, known))
    return faces.take(seen), masks


def mean_auc(maps: NDArray[np.floating], masks: Masks) -> float:
    """Return the mean over faces of the ROC-AUC of the map against the part's mask."""
    return float(
        np.mean(
            [
                roc_auc_score(inside[known], values[known])
                for (inside, known), values in zip(masks, maps, strict=True)
                if not inside[known].all()
            ]
        )
    )


def evidence_maps(classifier: RegionClassifier, faces: FaceDataset) -> NDArray[np.float32]:
    """Return the evidence for the attribute at each pixel (N, 128, 128)."""
    maps = []
    for start in range(0, len(faces), _AT_ONCE):
        images = faces.take(range(start, min(start + _AT_ONCE, len(faces)))).images
        probabilities = classifier.logits(to_unit(resident(images, classifier.device))).softmax(dim=-1).cpu().numpy()
        maps.append(to_pixel_map(evidence(probabilities, classifier.prior)[..., -1], classifier.grid))
    return np.concatenate(maps)


def ideal_maps(masks: Masks, grid: PatchGrid) -> NDArray[np.float32]:
    """Return maps at each pixel (N, 128, 128) of the share of each patch that lies in the part."""
    apart = (slice(None), slice(None, None, grid.stride), slice(None, None, grid.stride))
    inside = np.stack([mask for mask, _ in masks])
    patches = sliding_window_view(inside, (grid.patch_size, grid.patch_size), axis=(1, 2))[apart]
    return to_pixel_map(patches.mean(axis=(-2, -1)), grid)


def measured(classifier: RegionClassifier, faces: FaceDataset, count: int) -> dict[str, float]:
    """Return how many faces there are, the base rate, and the mean AUC of each measure, the evidence and the ideal."""
    chosen, masks = faces_with_part(faces, classifier.attribute, count)
    found: dict[str, float] = {"faces": len(chosen), "base_rate": round(classifier.prior[1], 3)}
    if not len(chosen):
        return found
    for measure in MEASURES:
        maps = pixel_maps(region_maps(classifier, chosen.images, measure), classifier)
        found[measure] = round(mean_auc(maps, masks), 3)
    others = {"evidence": evidence_maps(classifier, chosen), "ideal": ideal_maps(masks, classifier.grid)}
    return {**found, **{name: round(mean_auc(maps, masks), 3) for name, maps in others.items()}}


def averaged(rows: list[dict[str, float]]) -> dict[str, float | str]:
    """Return each measure's mean over attributes, and which is highest."""
    if not rows:
        return {"attributes": 0}
    names = [*MEASURES, "evidence"]
    means = {name: round(float(np.mean([row[name] for row in rows])), 3) for name in names}
    return {"attributes": len(rows), **means, "best": max(means, key=lambda name: means[name])}


def on_drawn_faces(count: int) -> dict[str, dict[str, float]]:
    """Return the rows of the bundled region classifiers of the drawn faces."""
    test = load_faces(DEMO).in_split("test")
    return {attribute: measured(bundled_classifier(attribute), test, count) for attribute in bundled_attributes()}


def on_photographs(folder: str, count: int) -> dict[str, dict[str, float]]:
    """Return the rows of the bundled atlas, on the faces of a folder that carry the attribute."""
    faces, atlas = load_faces(folder), load_atlas()
    rows = {}
    for attribute in PART_OF:
        carrying = faces.take(np.flatnonzero(faces.labels(attribute)))
        rows[attribute] = measured(atlas.of(attribute), carrying, count)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="a folder of photographs with part masks; by default the drawn faces")
    parser.add_argument("--faces", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = on_photographs(options.data, options.faces) if options.data else on_drawn_faces(options.faces)
    full = [row for row in rows.values() if row["faces"]]
    summary = {
        "all attributes": averaged(full),
        f"base rate below {RARE:g}": averaged([row for row in full if row["base_rate"] < RARE]),
    }
    if options.json:
        print(json.dumps({"attributes": rows, "means": summary}, indent=2))
        return
    for name, row in (rows | summary).items():
        print(f"{name:22}", *(f"{key} {value}" for key, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
